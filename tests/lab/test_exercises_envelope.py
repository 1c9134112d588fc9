"""Each wrong way to group spans is refused for what it does to them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from otlp_kit.encoding.protobuf_common import resource_key, scope_key
from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.lab.exercises_envelope import FLAT, regroup
from otlp_kit.model import Resource, Scope, Span

Grouped = list[tuple[Resource, list[tuple[Scope, list[Span]]]]]


def by(resource: Callable[[Any], Any], scope: Callable[[Any], Any]) -> Grouped:
    groups: dict[Any, tuple[Resource, dict[Any, tuple[Scope, list[Span]]]]] = {}
    for span in FLAT:
        _, scopes = groups.setdefault(resource(span.resource), (span.resource, {}))
        scopes.setdefault(scope(span.scope), (span.scope, []))[1].append(span)
    return [(resource, list(scopes.values())) for resource, scopes in groups.values()]


def by_attributes(resource: Resource) -> Any:
    return tuple(resource.attributes.items())


def by_type_too(resource: Resource) -> Any:
    return tuple((key, type(value), value) for key, value in resource.attributes.items())


def right() -> Grouped:
    return by(by_type_too, lambda scope: (scope.name, scope.version))


@pytest.mark.parametrize("groups", [right(), by(resource_key, scope_key), right()[::-1]])
def test_each_right_grouping_passes(groups: Grouped) -> None:
    """By the values and their types, by the encoded form, and in any order."""
    assert regroup(groups).passed


def test_right_is_what_the_encoder_does() -> None:
    """The order of the spans in a request is that of the groups."""
    names = [span.name for _, scopes in right() for _, spans in scopes for span in spans]
    assert [span.name for span in decode_spans(encode_spans(FLAT))] == names


def adjacent() -> Grouped:
    runs = groupby(FLAT, lambda span: (by_type_too(span.resource), span.scope.name))
    return [
        (spans[0].resource, [(spans[0].scope, spans)]) for spans in (list(run) for _, run in runs)
    ]


def scopes_adjacent() -> Grouped:
    return [(resource, [(s, [one]) for s, spans in scopes for one in spans]) for resource, scopes in right()]  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "difference"),
    [
        (list(FLAT), "that is no list of"),
        ([], "'GET /' of {'service.name': 'shop', 'instance': 'a'} is there 0 times"),
        (right() + right(), "is there 2 times"),
        (
            [*right(), (FLAT[0].resource, [(FLAT[0].scope, [Span("new", resource=FLAT[0].resource, scope=FLAT[0].scope)])])],
            "spans that are not of FLAT",
        ),
        (by(lambda r: r.attributes["service.name"], lambda s: (s.name, s.version)), "a resource that is not its own"),
        (by(by_attributes, lambda s: (s.name, s.version)), "that Python holds for equal to its own"),
        (by(by_type_too, lambda s: s.name), "'insert' is under a scope that is not its own"),
        (by(id, id), "9 groups of resources, but some of them are the same"),
        (adjacent(), "but some of them are the same"),
        (scopes_adjacent(), "a scope stands twice in one resource"),
        ([*right(), (Resource({}), [])], "a resource has no scopes"),
        ([*right(), (Resource({}), [(Scope("new"), [])])], "a scope has no spans"),
    ],
)  # fmt: skip
def test_each_wrong_grouping_has_its_own_reason(groups: Any, difference: str) -> None:
    """And a hint, that does not show how the groups are."""
    verdict = regroup(groups)
    assert not verdict.passed
    assert difference in verdict.difference
    assert verdict.hint
