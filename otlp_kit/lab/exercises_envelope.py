"""The checker for the exercise on grouping: the page *concepts/resource-scope*.

    regroup([(resource, [(scope, [span, ...]), ...]), ...])     are `FLAT`'s spans in the fewest groups?

Groups are compared as the encoder compares them: by the bytes that a resource and a scope become. As
in `exercises`, a checker says what is wrong and never prints the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from otlp_kit.encoding.protobuf_common import Key, resource_key, scope_key
from otlp_kit.lab.exercises import Verdict
from otlp_kit.model import Resource, Scope, Span

Group: TypeAlias = tuple[Resource, Scope, list[Span]]


def _span(name: str, attributes: dict[str, Any], scope: str, version: str = "1.0") -> Span:
    return Span(
        name,
        resource=Resource({"service.name": "shop", **attributes}),
        scope=Scope(scope, version),
    )


FLAT = (
    _span("GET /", {"instance": "a"}, "http"),
    _span("select", {"instance": "a"}, "sql"),
    _span("GET /", {"instance": "b"}, "http"),
    _span("GET /cart", {"instance": "a"}, "http"),
    _span("insert", {"instance": "a"}, "sql", "2.0"),
    _span("GET /cart", {"instance": "b"}, "http"),
    _span("nightly", {"shard": 1}, "job"),
    _span("nightly", {"shard": True}, "job"),
    _span("update", {"instance": "a"}, "sql"),
)
"""Spans as they ended. Each has a resource and a scope object of its own, equal or not."""


def regroup(groups: Sequence[tuple[Resource, Sequence[tuple[Scope, Sequence[Span]]]]]) -> Verdict:
    """The spans of `FLAT` as an envelope holds them: resources, in them scopes, in them spans."""
    try:
        flat = [
            (resource, scope, list(spans)) for resource, scopes in groups for scope, spans in scopes
        ]
        keys = [(resource_key(resource), scope_key(scope)) for resource, scope, _ in flat]
        resources = [resource_key(resource) for resource, _ in groups]
        held = [span for _, _, spans in flat for span in spans]
    except (AttributeError, TypeError, ValueError):
        return _not_yet(
            "that is no list of (resource, [(scope, [span, ...]), ...]).",
            "Three levels: a list of pairs, whose second is a list of pairs, whose second is a list.",
        )
    return (
        _all_there(held)
        or _in_its_group(flat)
        or _fewest(resources, keys, [bool(scopes) for _, scopes in groups])
        or _none_empty([spans for _, _, spans in flat])
        or Verdict(passed=True)
    )


def _all_there(held: list[Span]) -> Verdict | None:
    counts = [sum(one is span for one in held) for span in FLAT]
    for span, count in zip(FLAT, counts, strict=True):
        if count != 1:
            return _not_yet(
                f"{span.name!r} of {span.resource.attributes} is there {count} times, not once.",
                "A dictionary that is filled anew for each span forgets those before.",
            )
    if len(held) > len(FLAT):
        return _not_yet("there are spans that are not of FLAT.", "The same objects, in groups.")
    return None


def _in_its_group(flat: list[Group]) -> Verdict | None:
    for resource, scope, spans in flat:
        for span in spans:
            if resource_key(span.resource) != resource_key(resource):
                if span.resource == resource:
                    return _not_yet(
                        f"{span.name!r} is under a resource that Python holds for equal to its own.",
                        "1 == True, but on the wire one is a number and the other is not.",
                    )
                return _not_yet(
                    f"{span.name!r} is under a resource that is not its own.",
                    "A resource is all of its attributes, not just the name of the service.",
                )
            if scope_key(span.scope) != scope_key(scope):
                return _not_yet(
                    f"{span.name!r} is under a scope that is not its own.",
                    "A library in two versions is two scopes.",
                )
    return None


def _fewest(
    resources: list[Key], keys: list[tuple[Key, Key]], filled: list[bool]
) -> Verdict | None:
    if not all(filled):
        return _not_yet("a resource has no scopes.", "What holds nothing is not sent.")
    if len(set(resources)) < len(resources):
        return _not_yet(
            f"{len(resources)} groups of resources, but some of them are the same.",
            "Equal objects need not be the same object, nor stand side by side.",
        )
    if len(set(keys)) < len(keys):
        return _not_yet(
            "a scope stands twice in one resource.",
            "Within a resource, group once more: by name, version and attributes.",
        )
    return None


def _none_empty(groups: list[list[Span]]) -> Verdict | None:
    if all(groups):
        return None
    return _not_yet("a scope has no spans.", "What holds nothing is not sent.")


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
