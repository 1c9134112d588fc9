"""Edit records on their way: add, rename, delete or hash attributes, redact text by pattern.

    ledger = Ledger()
    batch = BatchProcessor(exporter, ledger=ledger)
    rules = [Delete("http.request.header.cookie"), Hash("enduser.id", key), Redact(r"sk_live_\\w+")]
    processor = EditProcessor(batch, rules, ledger=ledger)

Rules are data and run in their order. They work on a copy, so whoever shares the record (a second
processor, the program) never sees an edit. It is no guess at what is personal: a rule finds what it
names, not a secret that is split, compressed or encoded otherwise.

A record for which a rule fails is dropped and counted (`EDIT_FAILED`): a record that was to be
redacted must not leave unread.

Specification: https://opentelemetry.io/docs/specs/otel/logs/sdk/#onemit (who sees a change)
Advice: https://opentelemetry.io/docs/security/handling-sensitive-data/
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, TypeAlias, TypeVar

from otlp_kit.ledger import Ledger
from otlp_kit.model import Attributes, Event, Exemplar, Link, Resource, Scope, Value
from otlp_kit.processors.passing import PassingProcessor, Processor

T = TypeVar("T")
log = logging.getLogger(__name__)

EDIT_FAILED = "edit_failed"
"""The reason, in the ledger, of a record for which a rule raised."""
ATTRIBUTES = frozenset({"attributes", "filtered_attributes"})
VALUES = ATTRIBUTES | {"metadata", "body"}
"""Fields that hold anything; of the others only text is redacted, since numbers are times there."""
PARTS = (Event, Link, Exemplar, Resource, Scope)
"""What has attributes but is no record or data point: nothing is added to them."""


@dataclass(frozen=True, slots=True)
class Add:
    """The attribute `key` with `value`, unless there is one already (or with `overwrite`)."""

    key: str
    value: Value
    overwrite: bool = False

    def on(self, attributes: Attributes) -> Attributes:
        if self.key in attributes and not self.overwrite:
            return attributes
        return {**attributes, self.key: self.value}


@dataclass(frozen=True, slots=True)
class Rename:
    """The attribute `old` is called `new`. If there is a `new` already, both stay as they are."""

    old: str
    new: str

    def on(self, attributes: Attributes) -> Attributes:
        if self.old not in attributes or self.new in attributes:
            return attributes
        return {self.new if key == self.old else key: v for key, v in attributes.items()}


@dataclass(frozen=True, slots=True)
class Delete:
    """No attribute `key`."""

    key: str

    def on(self, attributes: Attributes) -> Attributes:
        if self.key not in attributes:
            return attributes
        return {key: value for key, value in attributes.items() if key != self.key}


@dataclass(frozen=True, slots=True)
class Hash:
    """The value of `key` as 64 hexadecimal digits: equal values stay equal, and unreadable.

    With a `secret` it is HMAC-SHA256, without one SHA-256, which anybody can look up by hashing all
    telephone numbers. What is hashed: bytes as they are, else the UTF-8 of the value as text; the
    empty value stays empty. Raises `ValueError` for an empty secret.
    """

    key: str
    secret: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.secret is not None and not self.secret:
            raise ValueError(f"{self}: an empty secret hides nothing; leave it out, or give one")

    def on(self, attributes: Attributes) -> Attributes:
        value = attributes.get(self.key)
        if value is None:
            return attributes
        raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        if self.secret is None:
            digest = hashlib.sha256(raw).hexdigest()
        else:
            digest = hmac.new(self.secret, raw, "sha256").hexdigest()
        return {**attributes, self.key: digest}


@dataclass(frozen=True, slots=True)
class Redact:
    """Every text that `pattern` finds, anywhere in the record, becomes `mask`.

    Anywhere is: names, messages, log bodies, attributes and their keys, lists and maps in them to
    any depth, numbers (by their decimal text) and bytes (as UTF-8), resource and scope; not ids and
    times. With `where="keys"` the pattern is searched in keys, and the whole value becomes `mask`.
    A text that still holds a match afterwards becomes `mask` as a whole. Raises `ValueError` for a
    pattern that is none, that finds the empty text, or that finds something in `mask`.
    """

    pattern: str
    mask: str = "[redacted]"
    where: Literal["text", "keys"] = "text"
    _regex: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            regex = re.compile(self.pattern)
            finds_nothing = regex.search("") is not None
        except (re.error, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"{self}: the pattern is not valid: {error}") from error
        if self.where not in ("text", "keys"):
            raise ValueError(f"{self}: where must be text or keys")
        if finds_nothing:
            raise ValueError(f"{self}: the pattern finds the empty text, which is everywhere")
        object.__setattr__(self, "_regex", regex)
        if self._finds_more(self.mask):
            raise ValueError(f"{self}: the pattern finds something in the mask: choose another")

    def text(self, text: str) -> str:
        if self.where == "keys" or not self._regex.search(text):
            return text
        masked = self._regex.sub(lambda _: self.mask, text)
        return self.mask if self._finds_more(masked) else masked

    def value(self, value: Any) -> Any:
        """`value` redacted; the same object if there was nothing to redact."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes | bytearray | memoryview):
            text = bytes(value).decode("utf-8", "surrogateescape")
            masked = self.text(text)
            return value if masked is text else masked.encode("utf-8", "surrogateescape")
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, Sequence):
            return _same_or([self.value(item) for item in value], value)
        # A stranger is encoded as its text; taken here, it cannot say something else later.
        masked = self.text(text := str(value))
        return value if masked is text and isinstance(value, int | float) else masked

    def _mapping(self, mapping: Mapping[Any, Any]) -> Mapping[Any, Any]:
        found: dict[str, Any] = {}
        for key, value in mapping.items():
            text = key if isinstance(key, str) else str(key)
            name = self.text(text)
            while name in found:
                name += "_"  # two keys became one: both values are kept
            hidden = self.where == "keys" and value is not None and self._regex.search(text)
            found[name] = self.mask if hidden else self.value(value)
        same = len(found) == len(mapping) and all(
            new is old and found[new] is mapping[old]
            for new, old in zip(found, mapping, strict=True)
        )
        return mapping if same else found

    def _finds_more(self, text: str) -> bool:
        return any(match[0] != self.mask for match in self._regex.finditer(text))


Rule: TypeAlias = Add | Rename | Delete | Hash | Redact


def edit(record: T, rules: Sequence[Rule], *, resource: bool = False) -> T:
    """`record` edited by all `rules`: a copy, or itself where nothing changed.

    Rules on keys see the attributes of the record (of a metric: of its points), of its events and
    links, and with `resource` also those of resource and scope; `Add` adds to records and points
    only. `Redact` sees everything always.
    """
    for rule in rules:
        record = _edited(record, rule, resource)
    return record


def _edited(node: Any, rule: Rule, resource: bool) -> Any:
    changed = {}
    for one in fields(node):
        name = one.name
        old = new = getattr(node, name)
        if isinstance(old, Resource | Scope):
            if resource or isinstance(rule, Redact):
                new = _edited(old, rule, resource)
        elif isinstance(old, list | tuple) and old and is_dataclass(old[0]):
            new = _same_or([_edited(item, rule, resource) for item in old], old)
        elif isinstance(rule, Redact):
            if name in VALUES:
                new = rule.value(old)
            elif isinstance(old, str) and name != "kind":
                new = rule.text(old)
        elif name in ATTRIBUTES and not (isinstance(rule, Add) and isinstance(node, PARTS)):
            new = rule.on(old)
        if new is not old:
            changed[name] = new
    return replace(node, **changed) if changed else node


def _same_or(new: Sequence[Any], old: Sequence[Any]) -> Sequence[Any]:
    return old if all(one is other for one, other in zip(new, old, strict=True)) else new


class EditProcessor(PassingProcessor[T]):
    """Hands each record to `next`, edited by `rules`; see `edit` for what they see.

    `ledger` is that of the path: give the same one to the batch processor at its end. Raises
    `ValueError` for a rule that is none; bad rules raise when they are made.
    """

    def __init__(
        self, next: Processor[T], rules: Sequence[Rule], *, ledger: Ledger, resource: bool = False
    ) -> None:
        for rule in rules:
            if not isinstance(rule, Rule):
                raise ValueError(f"{rule!r} is no rule: use Add, Rename, Delete, Hash or Redact")
        super().__init__(next)
        self._rules = tuple(rules)
        self._ledger = ledger
        self._resource = resource
        self._reported = False

    def emit(self, record: T) -> None:
        """Edit `record` and hand it on. Safe from any thread; does not raise for any record."""
        try:
            edited = edit(record, self._rules, resource=self._resource)
        except Exception as error:
            self._ledger.turned_away(EDIT_FAILED)
            if not self._reported:
                self._reported = True
                # Neither the message nor the traceback: both may quote what was to be hidden.
                log.warning("a rule failed, records are dropped: %s", type(error).__name__)
        else:
            self._next.emit(edited)

    def __repr__(self) -> str:
        return f"<EditProcessor [{len(self._rules)} rules] -> {self._next!r}>"
