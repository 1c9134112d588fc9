"""Reading protobuf by hand: a message is a row of (tag, value), and the messages all signals share.

`fields` walks one message; who asks knows which tags it wants and ignores the others, so unknown
fields and known ones of another wire type are skipped, as protobuf demands. Nested messages arrive
as bytes and are split by whoever knows them. A singular message that appears twice is merged.

It is as strict as the official library, no more: what is malformed (truncated, an overlong varint,
invalid UTF-8 in a text, messages nested more than 100 deep) raises `DecodeError`, and nothing else
is ever raised. One thing is refused that is not malformed: a request of more than `MAX_PARTS` parts
(`TooManyParts`), since two bytes on the wire can stand for an object of hundreds in memory.

Specification: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

from otlp_kit.model import Attributes, Resource, Scope

Record = TypeVar("Record")
log = logging.getLogger(__name__)

MAX_LEVEL = 100
"""How deep messages may be nested below the request, as in the official libraries."""

MAX_PARTS = 1_000_000
"""Messages in a request: an attribute takes two. The most that they can take in memory is then 150
MB; 20 MB of ordinary spans stay below it, a usual batch eightyfold."""

MAX_FIELDS = 4 * MAX_PARTS
"""Fields in a request, those that nobody knows included: they take no memory, but time."""

RECORD_PARTS = 4
"""What a record or data point counts for besides its message: the object is that much larger."""

Field: TypeAlias = tuple[int, Any]
"""A tag (field number times 8 plus wire type), and an int (varint) or the raw bytes."""

Held: TypeAlias = tuple[int, Any]
"""An AnyValue while it is read: the tag of the member that is set (0: none), and its value."""

NOTHING: Held = (0, None)
unpack_double = struct.Struct("<d").unpack


class DecodeError(ValueError):
    """The bytes are not a valid message."""


class TooManyParts(DecodeError):
    """The request may be valid, but would take too much memory. Several smaller ones would do."""


class _Budget:
    """The parts that may still be read of one request, and what its sender should hear of."""

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self.fields = MAX_FIELDS
        self.references = 0

    def take(self, parts: int) -> None:
        self.parts -= parts
        if self.parts < 0:
            raise TooManyParts("the request has too many parts; send it as several")


class Level:
    """How deep a message lies in its request. All levels of one request share its budget."""

    def __init__(self, budget: _Budget | None = None, depth: int = 0) -> None:
        self.budget = budget or _Budget(MAX_PARTS)
        self._depth = depth

    @cached_property
    def below(self) -> Level:
        """The level of the messages in this one."""
        if self._depth == MAX_LEVEL:
            raise DecodeError("messages are nested too deeply")
        return Level(self.budget, self._depth + 1)


def fields(data: bytes, level: Level) -> Iterator[Field]:
    """The fields of one message in order, groups left out. `level` is where the message lies.

    One at a time: a list would take 35 times the memory of a message made of tiny fields.
    """
    budget = level.budget
    budget.take(1)
    position, end = 0, len(data)
    most, count = budget.fields, 0
    try:
        while position < end:
            count += 1
            if count > most:
                raise TooManyParts("the request has too many fields; send it as several")
            tag = data[position]
            position += 1
            if tag > 127:
                tag, position = _short_varint(data, position - 1)
            if tag < 8:
                raise DecodeError("a field has the number 0")
            wire = tag & 7
            value: int | bytes
            if wire == 2:
                size = data[position]
                position += 1
                if size > 127:
                    size, position = _short_varint(data, position - 1)
                value = data[position : position + size]
                position += size
            elif wire == 0:
                value = data[position]
                position += 1
                if value > 127:
                    value, position = varint(data, position - 1)
            elif wire == 1:
                value = data[position : position + 8]
                position += 8
            elif wire == 5:
                value = data[position : position + 4]
                position += 4
            elif wire == 3:
                position = _skip_group(data, position, tag, level.below)
                continue
            else:
                raise DecodeError("a field has an invalid wire type")
            if position > end:
                break
            yield tag, value
    except IndexError:
        raise DecodeError("the message is truncated") from None
    if position > end:
        raise DecodeError("the message is truncated")
    budget.fields -= count


def varint(data: bytes, position: int) -> tuple[int, int]:
    """The number in at most ten bytes at `position`, cut to 64 bits, and the position after it."""
    number = shift = 0
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 128:
            return number & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
        if shift > 63:
            raise DecodeError("a varint is too long")


def _short_varint(data: bytes, position: int) -> tuple[int, int]:
    """A tag or a length: at most five bytes and 32 bits."""
    number, after = varint(data, position)
    if after - position > 5 or number > 0xFFFF_FFFF:
        raise DecodeError("a tag or length is too large")
    return number, after


def _skip_group(data: bytes, position: int, start_tag: int, level: Level) -> int:
    """The position after the group that began with `start_tag`. No message here uses groups."""
    while True:
        tag, position = _short_varint(data, position)
        wire = tag & 7
        if wire == 4:
            if tag != start_tag + 1:
                raise DecodeError("a group ends that did not begin")
            return position
        if wire == 0:
            _, position = varint(data, position)
        elif wire == 1:
            position += 8
        elif wire == 5:
            position += 4
        elif wire == 2:
            size, position = _short_varint(data, position)
            position += size
        elif wire == 3:
            position = _skip_group(data, position, tag, level.below)
        else:
            raise DecodeError("a field has an invalid wire type")


def packed_varints(raw: bytes, level: Level) -> list[int]:
    """The numbers of a packed repeated field."""
    level.budget.take(len(raw) // 4)  # a number takes at least a byte, and a part's share in memory
    numbers = []
    position = 0
    try:
        while position < len(raw):
            number, position = varint(raw, position)
            numbers.append(number)
    except IndexError:
        raise DecodeError("a packed list of numbers is truncated") from None
    return numbers


def text(raw: bytes) -> str:
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError:
        raise DecodeError("a text is not valid UTF-8") from None


def fixed(raw: bytes) -> int:
    """An unsigned integer of fixed width."""
    return int.from_bytes(raw, "little")


def int64(number: int) -> int:
    """A varint as a signed 64-bit integer."""
    return number - (1 << 64) if number >> 63 else number


def int32(number: int) -> int:
    """A varint as a signed 32-bit integer (enums too): the higher bits are cut off."""
    number &= 0xFFFF_FFFF
    return number - (1 << 32) if number >> 31 else number


def uint32(number: int) -> int:
    return number & 0xFFFF_FFFF


def read_attribute(data: bytes, level: Level, into: Attributes) -> None:
    """One `KeyValue`, set in `into`; of two with the same key the later wins."""
    key, held = "", NOTHING
    for tag, raw in fields(data, level):
        if tag == 0x0A:
            key = text(raw)
        elif tag == 0x12:
            held = read_any_value(raw, level.below, held)
        elif tag == 0x18:
            level.budget.references += 1
    into[key] = held[1]


def read_any_value(data: bytes, level: Level, held: Held = NOTHING) -> Held:
    """An `AnyValue`, merged into what is `held` of it already.

    `string_value_strindex` belongs to profiles; elsewhere it stands for the empty value.
    """
    for tag, raw in fields(data, level):
        if tag == 0x0A:
            held = tag, text(raw)
        elif tag == 0x10:
            held = tag, raw != 0
        elif tag == 0x18:
            held = tag, int64(raw)
        elif tag == 0x21:
            held = tag, unpack_double(raw)[0]
        elif tag == 0x2A:
            array = held[1] if held[0] == tag else []
            for inner, item in fields(raw, level.below):
                if inner == 0x0A:
                    array.append(read_any_value(item, level.below.below)[1])
            held = tag, array
        elif tag == 0x32:
            pairs = held[1] if held[0] == tag else {}
            for inner, item in fields(raw, level.below):
                if inner == 0x0A:
                    read_attribute(item, level.below.below, pairs)
            held = tag, pairs
        elif tag == 0x3A:
            held = tag, raw
        elif tag == 0x40:
            level.budget.references += 1
            held = tag, None
    return held


def read_resource(data: bytes, level: Level, into: Resource) -> None:
    """A `Resource`, merged into one that may hold an earlier part."""
    for tag, raw in fields(data, level):
        if tag == 0x0A:
            read_attribute(raw, level.below, into.attributes)
        elif tag == 0x10:
            into.dropped_attributes_count = uint32(raw)
        elif tag == 0x1A:
            check_entity_ref(raw, level.below)


def check_entity_ref(data: bytes, level: Level) -> None:
    """An `EntityRef` names attributes that identify an entity. Records do not keep it; a malformed
    one makes the request as invalid as any other field would."""
    for tag, raw in fields(data, level):
        if tag in (0x0A, 0x12, 0x1A, 0x22):
            text(raw)


def read_scope(data: bytes, level: Level, into: Scope) -> None:
    """An `InstrumentationScope`, merged likewise."""
    for tag, raw in fields(data, level):
        if tag == 0x0A:
            into.name = text(raw)
        elif tag == 0x12:
            into.version = text(raw)
        elif tag == 0x1A:
            read_attribute(raw, level.below, into.attributes)
        elif tag == 0x20:
            into.dropped_attributes_count = uint32(raw)


def read_groups(
    body: bytes, read: Callable[[bytes, Level, Resource, Scope], Record]
) -> Iterator[Record]:
    """Each record of a request, of whatever signal: the three share this envelope."""
    top = Level()
    for tag, raw in fields(body, top):
        if tag == 0x0A:
            yield from _read_resource_group(raw, top.below, read)
    if top.budget.references:
        warn_of_references()


def warn_of_references() -> None:
    """Indices into a string table belong to profiles; in other signals they point nowhere."""
    log.warning("a request refers to a string table, which only profiles have: read as empty")


def _read_resource_group(
    data: bytes, level: Level, read: Callable[[bytes, Level, Resource, Scope], Record]
) -> Iterator[Record]:
    resource = Resource()
    scope_groups = []
    for tag, raw in fields(data, level):
        if tag == 0x0A:
            read_resource(raw, level.below, resource)
        elif tag == 0x12:
            level.budget.take(RECORD_PARTS)
            scope_groups.append(raw)
        elif tag == 0x1A:
            resource.schema_url = text(raw)
    for group in scope_groups:
        scope = Scope()
        records = []
        for tag, raw in fields(group, level.below):
            if tag == 0x0A:
                read_scope(raw, level.below.below, scope)
            elif tag == 0x12:
                level.budget.take(RECORD_PARTS)
                records.append(raw)
            elif tag == 0x1A:
                scope.schema_url = text(raw)
        for record in records:
            yield read(record, level.below.below, resource, scope)
