"""Lets pytest collect the pages: README.md and docs/, each fence a test (see tools/fences.py)."""

from pathlib import Path

from tools.fences import collector

pytest_collect_file = collector(Path(__file__).parent)
