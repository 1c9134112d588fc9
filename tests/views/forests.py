"""Random span forests: well-formed trees, orphans, loops, duplicate ids, clocks that are wrong."""

from __future__ import annotations

from hypothesis import strategies as st

from otlp_kit.model import Event, Link, Resource, Scope, Span

TRACE = bytes(range(16))
ids = st.integers(0, 7).map(lambda n: n.to_bytes(8, "big"))  # few, so that they meet; 0 is invalid
times = st.one_of(
    st.just(0), st.integers(1, 2**64 - 1), st.integers(1_700_000_000_000_000_000, 1_700_000_009_000_000_000)
)  # fmt: skip
names = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["<img src=x onerror=alert(1)>", "a\x1b[31mb", "]]>", "\u202egnp", "送信 📧", "\ud800"]),
)  # fmt: skip
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), names, st.binary(max_size=9)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
few_values = st.one_of(st.integers(), st.floats(), st.binary(max_size=3), values)
attributes = st.just({}) | st.dictionaries(names, few_values, max_size=1)
spans = st.builds(
    Span,
    name=names,
    trace_id=st.just(TRACE),
    span_id=ids,
    parent_span_id=st.one_of(st.just(b""), ids),
    start_unix_nano=times,
    end_unix_nano=times,
    kind=st.integers(0, 7),
    attributes=attributes,
    events=st.just([]) | st.lists(st.builds(Event, names, times, attributes), max_size=2),
    links=st.lists(st.builds(Link, st.just(TRACE), ids), max_size=1),
    status_code=st.integers(0, 3),
    status_message=names,
    resource=st.builds(Resource, st.dictionaries(st.just("service.name"), names)),
    scope=st.builds(Scope, names, names),
)
forests = st.lists(spans, max_size=10)


def chain(length: int) -> list[Span]:
    """One long line of parents and children."""
    return [
        Span(
            f"step {i}",
            TRACE,
            (i + 1).to_bytes(8, "big"),
            i.to_bytes(8, "big") if i else b"",
            1_000 + i,
            2_000 + length,
        )
        for i in range(length)
    ]
