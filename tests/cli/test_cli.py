"""What a user can do wrong at the command line ends in one line and exit status 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from otlp_kit.cli import main
from otlp_kit.model import Resource, Span
from otlp_kit.settings.schema_values import Address, address
from otlp_kit.stores.sqlite_store import SqliteStore
from otlp_kit.wire import TRACES

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that holds one trace of one span, whose name tries to write to the screen."""
    store = SqliteStore(tmp_path)
    span = Span(
        name="boil\x1b[2J water",
        trace_id=bytes.fromhex(TRACE_ID),
        span_id=b"\1" * 8,
        start_unix_nano=1_700_000_000_000_000_000,
        end_unix_nano=1_700_000_000_250_000_000,
        resource=Resource({"service.name": "kitchen"}),
    )
    store.put(TRACES, [span], "batch")
    store.close()
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "nonsense"], "'nonsense' is not a trace id: 32 hexadecimal digits"),
        (["show", "f" * 32], f"no trace {'f' * 32} in "),
        (["sql", "selekt 1"], 'SQL: near "selekt": syntax error'),
        (["sql", "select * from nowhere"], "SQL: no such table: nowhere"),
        (["sql", "delete from spans"], "SQL: "),
        (["sql", "select 1; select 2"], "SQL: "),
        (["sql", "create table t (a)"], "SQL: "),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], message: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on standard error that says what is wrong, nothing on standard output, status 2."""
    assert main([*arguments, "--data", str(data)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"otlp-kit: {message}")
    assert len(captured.err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["traces"], ["show", "f" * 32], ["sql", "select 1"]])
def test_reading_where_there_is_nothing_says_so(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A directory without a database is named, and is not created by looking at it."""
    missing = tmp_path / "missing"
    assert main([*arguments, "--data", str(missing)]) == 2
    captured = capsys.readouterr()
    assert str(missing) in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not missing.exists()


def test_a_file_that_is_no_database_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Random bytes under the database's name are reported, not traced back."""
    (tmp_path / "otlp.sqlite3").write_bytes(b"not a database, " * 512)
    assert main(["sql", "select * from spans", "--data", str(tmp_path)]) == 2
    assert "not a database" in capsys.readouterr().err


def test_sql_prints_a_table_and_json(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same row, for a person and for a program."""
    query = "select service, trace_id, end_unix_nano - start_unix_nano as ns from spans"
    assert main(["sql", query, "--data", str(data)]) == 0
    assert capsys.readouterr().out.split() == [
        "service", "trace_id", "ns", "kitchen", TRACE_ID, "250000000",
    ]  # fmt: skip
    assert main(["sql", query, "--json", "--data", str(data)]) == 0
    assert capsys.readouterr().out == (
        f'{{"service": "kitchen", "trace_id": "{TRACE_ID}", "ns": 250000000}}\n'
    )


@pytest.mark.parametrize(
    "arguments", [["traces"], ["show", TRACE_ID], ["sql", "select name from spans"]]
)
def test_names_from_the_wire_cannot_command_the_terminal(
    arguments: list[str], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A span name is data: its escape sequences are made visible, never executed."""
    assert main([*arguments, "--data", str(data)]) == 0
    shown = capsys.readouterr().out
    assert "boil" in shown
    assert "water" in shown
    assert "\x1b" not in shown


def test_addresses() -> None:
    """HOST:PORT, [IPV6]:PORT and a bare port are understood, and print as they are typed."""
    assert address("127.0.0.1:4318") == Address("127.0.0.1", 4318)
    assert address("[::1]:0") == Address("::1", 0)
    assert address("4318") == Address("127.0.0.1", 4318)
    assert str(address("[::1]:80")) == "[::1]:80"


@pytest.mark.parametrize(
    "text", ["localhost", "localhost:", "localhost:http", ":70000", "1.2.3.4:-1"]
)
def test_a_bad_address_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The text is quoted below the form that is wanted, and nothing is started."""
    assert main(["serve", "--http", text]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    said, quoted, caret = captured.err.splitlines()
    assert said.startswith("otlp-kit: command line: receiver.http must be HOST:PORT")
    assert quoted == f"   | receiver.http={text}"
    assert caret.index("^") == quoted.index(text)
