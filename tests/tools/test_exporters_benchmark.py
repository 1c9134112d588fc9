"""The benchmark of the exporters counts what it says: planted exporters that lose, repeat and lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import urllib3
from packaging.requirements import Requirement

from benchmarks import exporters, exporters_size
from benchmarks.exporters_faults import Cable, Death, dies, over, peer, too_large
from benchmarks.exporters_rows import ROWS, Place, Running, Told
from benchmarks.exporters_sink import sink
from benchmarks.workload import kit_spans, sdk_spans
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.testing.hostile_answers import success
from otlp_kit.wire import PROTOBUF

SPANS = kit_spans("mixed")[:10]
NETWORK = [name for name, row in ROWS.items() if row.peers]


def posted(endpoint: str, spans: Sequence[Any]) -> bool:
    """Whether a post of `spans` was answered. It is not the kit's: no retry, no meaning."""
    with suppress(urllib3.exceptions.HTTPError):
        urllib3.request(
            "POST", f"{endpoint}/v1/traces", body=encode_spans(spans), retries=False,
            headers={"Content-Type": PROTOBUF, "Connection": "close"},
        )  # fmt: skip
        return True
    return False


def planted(export: Callable[[str, Sequence[Any]], Told]) -> Callable[[Place], Running]:
    return lambda place: Running(lambda batch, _: export(place.http, batch), lambda: None)


def gives_up(endpoint: str, batch: Sequence[Any]) -> Told:
    """Posts once, and says how that went."""
    return Told(delivered=len(batch)) if posted(endpoint, batch) else Told(failed=len(batch))


def lies(endpoint: str, batch: Sequence[Any]) -> Told:
    """Posts once, and says that all is well."""
    posted(endpoint, batch)
    return Told(delivered=len(batch))


def loses_some(endpoint: str, batch: Sequence[Any]) -> Told:
    """Posts again, without the first three, and does not say so."""
    posted(endpoint, batch)
    posted(endpoint, batch[3:])
    return Told(delivered=len(batch))


def repeats(endpoint: str, batch: Sequence[Any]) -> Told:
    """Posts until two answers have come."""
    posted(endpoint, batch)
    posted(endpoint, batch)
    posted(endpoint, batch)
    return Told(delivered=len(batch))


@pytest.mark.parametrize(
    ("export", "lost", "duplicates", "silent"),
    [(gives_up, 10, 0, 0), (lies, 10, 0, 10), (loses_some, 3, 7, 3), (repeats, 0, 20, 0)],
)
def test_what_a_planted_exporter_loses_or_repeats_is_counted(
    export: Callable[[str, Sequence[Any]], Told], lost: int, duplicates: int, silent: int
) -> None:
    """Each of them reads the same death otherwise, and the counts know which one it was."""
    death = dies(planted(export), grpc=False, batch=SPANS, seconds=5.0, returns=True)
    assert (death.emitted, death.unique) == (10, 10)
    assert (death.lost, death.duplicates, death.silent) == (lost, duplicates, silent)


def test_a_peer_that_stays_away_answers_nobody() -> None:
    """It has read the spans once; who says that they were delivered is silent about all of them."""
    death = dies(planted(repeats), grpc=False, batch=SPANS, seconds=5.0, returns=False)
    assert death == Death(10, unique=10, duplicates=0, answered=0, told=Told(delivered=10))
    assert (death.lost, death.silent) == (10, 10)


def test_the_facts_of_a_death_are_its_counts() -> None:
    """Median and extremes over the repetitions; silence in either ending is silence."""
    lossy = dies(planted(loses_some), grpc=False, batch=SPANS, seconds=5.0, returns=True)
    honest = Death(10, 10, 0, 0, Told(unknown=10))
    found = dict(exporters.deaths("planted", "a planted one", [lossy] * 3, [honest] * 3))
    values = {name.removeprefix("exporters.planted."): one.value for name, one in found.items()}
    assert values == {"duplicates": 7, "lost": 3, "silent": 3, "unknown": 10, "failed": 0}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORK)
def test_a_peer_that_comes_back_gets_everything_again(name: str) -> None:
    """Over a connection that was really cut: all spans, all of them twice, none lost."""
    row = ROWS[name]
    batch = sdk_spans("mixed")[:10] if row.official else SPANS
    death = dies(
        row.make,
        grpc=exporters.over_grpc(row),
        batch=batch,
        seconds=exporters.RETURNS,
        returns=True,
    )
    assert death == Death(10, 10, 10, 10, Told(delivered=10))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORK)
def test_the_kit_calls_unknown_what_the_official_exporters_call_failed(name: str) -> None:
    """The peer read the spans and never answered: nobody can know, and one of the two says so."""
    row = ROWS[name]
    batch = sdk_spans("mixed")[:10] if row.official else SPANS
    death = dies(row.make, grpc=exporters.over_grpc(row), batch=batch, seconds=3.0, returns=False)
    assert death.unique == 10
    assert death.told == (Told(failed=10) if row.official else Told(unknown=10))


def test_the_time_over_is_that_of_the_export() -> None:
    """An exporter that ends at once is early by all that it was given."""
    make = planted(lambda endpoint, batch: Told(failed=len(batch)))
    for listens in (True, False):
        early = over(make, grpc=False, batch=SPANS, seconds=60.0, listens=listens)
        assert -60.0 <= early < -30.0


def test_a_cut_cable_ends_a_connection_and_lets_the_next_one_in() -> None:
    """Through it comes what came; after `for_good` nobody is let in."""
    with peer(lambda arrival: success(), grpc=False) as server, Cable(server.endpoint) as cable:
        assert posted(cable.endpoint, SPANS)
        cable.cut(for_good=False)
        assert posted(cable.endpoint, SPANS)
        cable.cut(for_good=True)
        assert not posted(cable.endpoint, SPANS)
        assert server.count == 2


def test_a_limit_that_is_not_kept_is_seen() -> None:
    """A planted exporter sends all at once, whatever it was told; one of the kit does not."""
    arrived, largest = too_large(planted(gives_up), batch=SPANS, limit=1000, grpc=False)
    assert arrived == 10
    assert largest > 1000
    arrived, largest = too_large(ROWS["http"].make, batch=SPANS, limit=1000, grpc=False)
    assert arrived == 10
    assert 0 < largest <= 1000


@pytest.mark.slow
def test_an_exporter_that_loses_spans_gets_no_time(tmp_path: Path) -> None:
    """What it says and what came are both held against what was due."""

    def half(endpoint: str, batch: Sequence[Any]) -> Told:
        return Told(len(batch) // 2)

    def nothing(endpoint: str, batch: Sequence[Any]) -> Told:
        return Told(len(batch))

    batch = kit_spans("mixed")
    with sink() as here:
        place = Place(here.http, here.grpc, folder=tmp_path)
        with pytest.raises(RuntimeError, match="lost spans"):
            exporters.turn(replace(ROWS["http"], make=planted(half)), place, batch, here)
        with pytest.raises(RuntimeError, match="0 requests"):
            exporters.turn(replace(ROWS["http"], make=planted(nothing)), place, batch, here)
        took = exporters.turn(ROWS["http"], place, batch, here)
    assert len(took) == exporters.BATCHES


def test_a_rate_is_the_ratio_of_what_was_timed() -> None:
    """Twice as fast as the one to compare with in each round is a ratio of two."""
    rows = {name: ROWS[name] for name in ("http", exporters.BASE)}
    slow = [[0.2] * 20, [0.4] * 20, [0.6] * 20]
    times = {exporters.BASE: slow, "http": [[one / 2 for one in took] for took in slow]}
    found = dict(exporters.speed(rows, times))
    assert found["exporters.http.rate"].value == 2.0
    assert found["exporters.http.p50"].value == 200.0
    assert found[f"exporters.{exporters.BASE}.p99"].value == 600.0
    assert f"exporters.{exporters.BASE}.rate" not in found


def test_what_has_to_be_installed_is_closed_under_requirements() -> None:
    """Whatever a distribution of the set requires here is in the set; the kit's core requires none."""
    assert exporters_size.distributions(ROWS["console"]) == {"otlp-kit"}
    assert exporters_size.distributions(ROWS["http"]) == {"otlp-kit", "urllib3"}
    official = exporters_size.distributions(ROWS["official-http"])
    assert {"requests", "protobuf", "opentelemetry-sdk"} <= official
    for name in official:
        for text in distribution(name).requires or ():
            needed = Requirement(text)
            if not needed.marker or needed.marker.evaluate({"extra": ""}):
                assert needed.name.lower().replace("_", "-") in official


def test_lines_are_those_of_the_files_it_is_made_of() -> None:
    """Whatever is no code on its own line is free; the modules are those that an import loads."""
    lines = exporters_size.lines(ROWS["console"])
    whole = sum(
        len(path.read_text("utf-8").splitlines())
        for path in exporters_size.sources(ROWS["console"])
    )
    assert lines is not None
    assert whole / 2 < lines < whole
    assert (exporters_size.lines(ROWS["official-grpc"]) or 0) > 100
    assert exporters_size.lines(ROWS["official-console"]) is None


def test_a_row_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is measured for a name that nobody knows."""
    assert exporters.main(["htpp"]) == 2
    assert "htpp" in capsys.readouterr().err
