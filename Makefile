# make up      the main job: install, build the site, start receiver, page, site and Lab
# make test    everything promised, checked; .ci/run is this and nothing else
# make check   the quick inner loop: lint, types, unit tests, the pages' code
# make docs    build the site into build/site
# make notebooks   write each notebooks/NAME.ipynb anew from its NAME.py
# make bench   measure; print each ratio beside its gate; write benchmarks/results/
# make fuzz    five minutes of coverage-guided fuzzing of the readers, against the official ones
# make lock    resolve pyproject.toml anew into requirements/
# make clean   remove what the other targets made

export NO_MKDOCS_2_WARNING := 1
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Tests wait more than they compute. A file stays in one process: the fences of a page share state.
# In the order of collection, which puts the browser last: its event loop would be in others' way.
PARALLEL := -n $(shell $(PYTHON) -c "import os; print((os.cpu_count() or 1) + 1)") \
	--dist loadfile --no-loadscope-reorder

.PHONY: up check test docs notebooks bench fuzz lock clean lint setup setup-test

up: docs
	@exec $(BIN)/otlp-kit up

setup:
	@$(PYTHON) tools/setup_env.py

setup-test:
	@$(PYTHON) tools/setup_env.py --tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

check: lint
	$(PYTEST) $(PARALLEL) -m "not slow and not browser"

test: setup-test lint docs
	$(PYTEST) $(PARALLEL) -rs --durations=10

docs: setup
	$(BIN)/python -m tools.vendor
	$(BIN)/mkdocs build --quiet --strict

notebooks: setup
	$(BIN)/jupytext --quiet --to ipynb notebooks/*.py
	$(BIN)/nbstripout notebooks/*.ipynb

bench: setup
	$(BIN)/python -m benchmarks.encode
	$(BIN)/python -m benchmarks.processor
	$(BIN)/python -m benchmarks.tracer
	$(BIN)/python -m benchmarks.sampling
	$(BIN)/python -m benchmarks.batching
	$(BIN)/python -m benchmarks.compression
	$(BIN)/python -m benchmarks.export
	$(BIN)/python -m benchmarks.exporters
	$(BIN)/python -m benchmarks.conformance
	$(BIN)/python -m benchmarks.exporting
	$(BIN)/python -m benchmarks.profiles
	$(BIN)/python -m benchmarks.pools
	$(BIN)/python -m benchmarks.exit_matrix

fuzz: setup
	@$(PYTHON) tools/setup_env.py --fuzz
	$(BIN)/python -m tools.fuzz

lock:
	$(BIN)/python tools/setup_env.py --lock

clean:
	rm -rf build docs/assets/vendor .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
