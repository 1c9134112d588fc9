"""Who made it, as the official SDK says it: resources, scopes and values as this kit's.

    resource = to_resource(span.resource)
    owners = Owners()                       # for a batch: each resource and scope is read once
    owners.resource(record.resource)

What every signal's conversion needs. It knows no signal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otlp_kit.model import Resource, Scope


def listed(value: Any) -> Any:
    """The SDK freezes sequences into tuples and maps into its own type; records hold plain ones."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {key: None if item is None else listed(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [None if item is None else listed(item) for item in value]
    return value


def to_resource(resource: SdkResource) -> Resource:
    """The resource, with plain attributes."""
    return Resource(listed(resource.attributes), resource.schema_url or "")


def to_scope(scope: InstrumentationScope | None) -> Scope:
    """The instrumentation scope; an empty one for a record that has none."""
    if scope is None:
        return Scope()
    return Scope(scope.name, scope.version or "", listed(scope.attributes), scope.schema_url or "")


class Owners:
    """The resources and scopes of one batch, each converted once, so that records share them.

    The batch has to outlive it: what was seen is recognized by its identity.
    """

    def __init__(self) -> None:
        self._resources: dict[int, Resource] = {}
        self._scopes: dict[int, Scope] = {}

    def resource(self, resource: SdkResource) -> Resource:
        found = self._resources.get(id(resource))
        if found is None:
            found = self._resources[id(resource)] = to_resource(resource)
        return found

    def scope(self, scope: InstrumentationScope | None) -> Scope:
        found = self._scopes.get(id(scope))
        if found is None:
            found = self._scopes[id(scope)] = to_scope(scope)
        return found
