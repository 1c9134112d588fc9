"""A copy says the same under another name, is written whole or not at all, and knows its origin."""

from __future__ import annotations

import ast
import doctest
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otlp_kit.cli import copying, main
from otlp_kit.cli.copying import Destination, Plan, rewrite, rewrite_test
from otlp_kit.cli.items import Kit, NotCopyable

KIT = Kit.here()
HERE = Path("/nowhere")
ALL_FILES = sorted(
    {source.path for name in KIT.names for source in KIT.item(name).sources}, key=str
)


def imported(text: str) -> list[tuple[str, ...]]:
    """Each import of a program, as Python's own parser sees it."""
    return [
        (getattr(node, "module", None) or "", *(alias.name for alias in node.names))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]


def renamed(imports: list[tuple[str, ...]], package: str) -> list[tuple[str, ...]]:
    """The same imports with the first part `otlp_kit` replaced, part by part."""

    def one(name: str) -> str:
        first, dot, rest = name.partition(".")
        return f"{package}{dot}{rest}" if first == "otlp_kit" else name

    return [tuple(map(one, names)) for names in imports]


def inside(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` and what it holds."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


NAMES = st.sampled_from(["wire", "ledger", "model.span", "processors.batch", "x"])
STRANGERS = st.sampled_from(["my_otlp_kit", "otlp_kit2", "acme.otlp_kit", "otlp", "json"])
MODULES = st.one_of(NAMES.map("otlp_kit.{}".format), STRANGERS)
STATEMENTS = st.one_of(
    MODULES.map("import {}".format),
    MODULES.map("import {} as other".format),
    MODULES.map("from {} import a, b as c".format),
    MODULES.map("from {} import (\n    a,\n)".format),
    MODULES.map("def f():\n    from {} import a".format),
    st.just("from otlp_kit import wire"),
    st.just("import json, otlp_kit.wire"),
)


@given(st.lists(STATEMENTS), st.sampled_from(["acme", "acme.telemetry", "a.b.c"]))
def test_every_import_of_the_kit_is_renamed_and_no_other(
    statements: list[str], package: str
) -> None:
    """Python's parser finds the same imports, in the same places, under the new name."""
    text = "\n".join(statements)
    before = renamed(imported(text), package)
    assert imported(rewrite(text, package)) == before


@pytest.mark.parametrize("path", ALL_FILES, ids=lambda path: path.stem)
def test_every_file_stays_valid_and_imports_the_copy(path: Path) -> None:
    """Whatever stands in the kit: it parses, and its imports are those before, renamed."""
    text = path.read_text("utf-8")
    copied = rewrite(text, "acme.telemetry")
    assert imported(copied) == renamed(imported(text), "acme.telemetry")
    assert copied.count("\n") == text.count("\n")


def test_examples_are_rewritten_and_words_are_not() -> None:
    """A docstring's example imports the copy; a path, a product's name and prose stay."""
    text = (
        '"""The kit, otlp_kit, as otlp-kit in otlp_kit/wire.py.\n\n'
        '    >>> from otlp_kit.wire import TRACES\n"""\nAGENT = "otlp_kit OTel"\n'
    )
    copied = rewrite(text, "acme.telemetry")
    assert copied == text.replace("from otlp_kit.wire", "from acme.telemetry.wire")
    [example] = doctest.DocTestParser().get_examples(ast.get_docstring(ast.parse(copied)) or "")
    assert example.source == "from acme.telemetry.wire import TRACES\n"


def test_a_test_skips_itself_where_a_package_is_missing() -> None:
    """Before the first foreign import, and only there; tests that it imports have moved too."""
    text = (
        '"""Why."""\n\nimport json\n\nfrom hypothesis import given\n\n'
        "from otlp_kit.wire import TRACES\nfrom tests.encoding.official import x\n"
    )
    copied = rewrite_test(text, "acme.telemetry", {"hypothesis"})
    assert copied == (
        '"""Why."""\n\nimport json\n\nimport pytest\n\npytest.importorskip("hypothesis")\n\n'
        "from hypothesis import given\n\nfrom acme.telemetry.wire import TRACES\n"
        "from tests.telemetry.encoding.official import x\n"
    )
    assert rewrite_test("import json\n", "acme", set()) == "import json\n"


@pytest.mark.parametrize(
    ("text", "package", "folder", "tests"),
    [
        ("acme/telemetry", "acme.telemetry", "acme/telemetry", "tests/telemetry"),
        ("./acme/", "acme", "acme", "tests/acme"),
        ("src/acme/telemetry", "acme.telemetry", "src/acme/telemetry", "tests/telemetry"),
        ("/nowhere/acme", "acme", "acme", "tests/acme"),
    ],
)
def test_where_copies_go(text: str, package: str, folder: str, tests: str) -> None:
    """The folder is the package's name; `src` holds it; tests lie beside the top package."""
    into = Destination.parse(text, HERE)
    assert (into.package, into.folder, into.tests_folder) == (
        package, HERE / folder, HERE / tests,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("acme/my-code", "'my-code' is no Python name"),
        ("acme/class", "'class' is no Python name"),
        ("../acme", "'..' is no Python name"),
        (".", "write a folder such as acme/telemetry"),
        ("src", "write a folder such as acme/telemetry"),
        ("logging/telemetry", "would hide the module 'logging'"),
        ("/elsewhere/acme", "is not below the current directory"),
    ],
)
def test_what_is_no_package_is_refused(text: str, message: str) -> None:
    """The message quotes what is wrong."""
    with pytest.raises(NotCopyable, match=message):
        Destination.parse(text, HERE)


def plan(root: Path, *names: str, tests: bool = False) -> Plan:
    into = Destination.parse("acme/telemetry", root)
    return Plan.of(KIT, names, into, tests=tests, version="1.2.3")


def test_a_copy_brings_what_it_needs_and_says_where_it_is_from(tmp_path: Path) -> None:
    """Folders are kept, `__init__.py` files are made, the first line is the origin."""
    plan(tmp_path, "encoding/protobuf_spans").write()
    files = inside(tmp_path)
    below = "acme/telemetry"
    assert {"acme/__init__.py", f"{below}/__init__.py", f"{below}/encoding/__init__.py"} <= {*files}
    assert b"from acme.telemetry.model.span import" in files[f"{below}/model/__init__.py"]
    first, _, rest = files[f"{below}/encoding/protobuf_spans.py"].decode().partition("\n")
    source = KIT.source("otlp_kit.encoding.protobuf_spans")
    assert first == (
        f"# otlp-kit 1.2.3: encoding/protobuf_spans.py sha256:{source.digest} as acme.telemetry"
    )
    assert rest == rewrite(source.text, "acme.telemetry")


def test_a_second_copy_changes_nothing_and_shares_what_is_there(tmp_path: Path) -> None:
    """What is there and equal stays; an `__init__.py` with your names is never touched."""
    plan(tmp_path, "processors/buffer").write()
    own = tmp_path / "acme/telemetry/__init__.py"
    own.write_text("from acme.telemetry.processors.buffer import BatchBuffer\n")
    before = inside(tmp_path)
    again = plan(tmp_path, "processors/buffer")
    assert set(again.states().values()) == {"same"}
    again.write()
    assert inside(tmp_path) == before


def test_a_file_that_differs_is_kept_unless_forced(tmp_path: Path) -> None:
    """Nothing at all is written when one file is in the way; --force writes everything."""
    mine = tmp_path / "acme/telemetry/wire.py"
    mine.parent.mkdir(parents=True)
    mine.write_text("MINE = 1\n")
    with pytest.raises(NotCopyable, match=r"already another acme/telemetry/wire\.py; --force"):
        plan(tmp_path, "processors/batch").write()
    assert inside(tmp_path) == {"acme/telemetry/wire.py": b"MINE = 1\n"}
    plan(tmp_path, "processors/batch").write(force=True)
    assert b"otlp-kit 1.2.3: wire.py" in mine.read_bytes()


def test_a_copy_that_fails_half_way_leaves_no_trace(tmp_path: Path) -> None:
    """A file stands where a folder has to be: what was moved is moved back, folders are removed."""
    taken = tmp_path / "acme/telemetry/processors"
    taken.parent.mkdir(parents=True)
    taken.write_text("a file\n")
    (tmp_path / "acme/telemetry/ledger.py").write_text("MINE = 1\n")
    before = inside(tmp_path)
    with pytest.raises(NotCopyable, match="nothing is written"):
        plan(tmp_path, "processors/batch").write(force=True)
    assert inside(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["acme"]


def test_there_is_no_such_item(capsys: pytest.CaptureFixture[str]) -> None:
    """One line with the nearest names, and exit status 2."""
    assert main(["copy", "batch", "--into", "acme"]) == 2
    message = capsys.readouterr().err
    assert "no item 'batch'; near it: processors/batch" in message
    assert len(message.splitlines()) == 1


def test_the_command_copies_shows_and_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dry run writes nothing; `--diff` shows what you changed since, line by line."""
    monkeypatch.chdir(tmp_path)
    arguments = ["copy", "wire", "--into", "acme", "--tests"]
    assert main([*arguments, "--dry-run"]) == 0
    assert "new     acme/wire.py\n" in capsys.readouterr().out
    assert inside(tmp_path) == {}
    assert main(arguments) == 0
    assert {"acme/wire.py", "tests/acme/test_wire.py", "tests/acme/conftest.py"} <= {
        *inside(tmp_path)
    }
    capsys.readouterr()
    assert main(["copy", "--diff", "."]) == 0
    assert "differs" not in capsys.readouterr().out
    copy = tmp_path / "acme/wire.py"
    copy.write_text(copy.read_text().replace("class Payload", "class Parcel"))
    assert main(["copy", "--diff", "acme/wire.py"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("acme/wire.py: differs from wire.py\n")
    assert "-class Payload" in shown
    assert "+class Parcel" in shown


def test_the_list_and_the_view_come_from_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Each item with the first line of its docstring; a view ends with the source itself."""
    assert main(["copy", "--list"]) == 0
    listed = capsys.readouterr().out
    for name in KIT.names:
        assert f"\n{name} " in listed
        assert KIT.item(name).title in listed
    assert main(["copy", "--view", "processors/buffer"]) == 0
    assert KIT.item("processors/buffer").sources[0].text.strip() in capsys.readouterr().out


def test_an_installation_without_tests_says_so(tmp_path: Path) -> None:
    """`--tests` is refused in one line, never silently ignored."""
    into = Destination.parse("acme", tmp_path)
    with pytest.raises(NotCopyable, match="holds no tests"):
        Plan.of(Kit(KIT.package, None), ["wire"], into, tests=True, version="0")


def test_a_stamp_is_not_part_of_what_is_compared() -> None:
    """Another release of the same file is the same file."""
    assert copying.unstamped("# otlp-kit 1: wire.py sha256:ab as acme\nx = 1\n") == "x = 1\n"
    assert copying.unstamped("# mine\nx = 1\n") == "# mine\nx = 1\n"


def test_it_copies_where_no_other_package_is_installed(tmp_path: Path) -> None:
    """An installation without extras copies; a command that needs more says so in one line."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nfor name in ('grpc', 'uvicorn', 'urllib3'):\n    sys.modules[name] = None\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{KIT.package.parent}"}

    def kit(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "otlp_kit.cli", *arguments], cwd=tmp_path, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert kit("copy", "wire", "--into", "acme").returncode == 0
    assert (tmp_path / "acme/wire.py").is_file()
    served = kit("serve", "--http", "127.0.0.1:0")
    assert served.returncode == 2
    assert served.stderr.startswith("otlp-kit: serve needs the package ")
