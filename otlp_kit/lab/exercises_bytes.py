"""Checkers for the exercises on bytes: notebook 02, and the page *learn/bytes*.

    varint(my_varint)     does a function of the reader write varints?
    fix_byte(body)        is the one wrong byte of `broken_request()` repaired?

As in `exercises`, a checker says what is wrong and never prints the answer.
"""

from __future__ import annotations

from collections.abc import Callable

from otlp_kit.encoding import protobuf_read
from otlp_kit.encoding.protobuf_read_spans import decode_spans
from otlp_kit.encoding.protobuf_spans import encode_spans
from otlp_kit.lab.exercises import Verdict
from otlp_kit.model import Resource, Span, SpanKind
from otlp_kit.views.microscope import Microscope

START = 1_790_000_000_000_000_000
WANTED = Span(
    name="GET /basket",
    trace_id=bytes.fromhex("0af7651916cd43dd8448eb211c80319c"),
    span_id=bytes.fromhex("b7ad6b7169203331"),
    kind=SpanKind.SERVER,
    start_unix_nano=START,
    end_unix_nano=START + 45_000_000,
    resource=Resource({"service.name": "shop"}),
)
NUMBERS = (1, 127, 128, 0, 300, 16_383, 16_384, 2**32, 2**63, 2**64 - 1)
"""Both sides of each place where a varint grows by a byte, and the largest that it can hold."""


def varint(write: Callable[[int], bytes]) -> Verdict:
    """`write(number)` gives the varint of each number from 0 to 2**64 - 1, as short as possible."""
    for number in NUMBERS:
        call = f"varint({number})"
        try:
            raw = write(number)
        except Exception as error:
            return _not_yet(
                f"{call} raised {type(error).__name__}: {error}",
                "bytes([n]) takes numbers from 0 to 255: each byte carries 7 bits and one mark.",
            )
        if not isinstance(raw, bytes | bytearray):
            return _not_yet(f"{call} gave no bytes but {raw!r}.", "End with bytes(...).")
        if problem := _varint_problem(call, bytes(raw), number):
            return problem
    return Verdict(passed=True)


def _varint_problem(call: str, raw: bytes, number: int) -> Verdict | None:
    shown = f"{call} gave {raw.hex(' ') or 'no byte at all'}"
    if not raw:
        return _not_yet(f"{shown}.", "Zero takes a byte too: look at when your loop ends.")
    if raw[-1] > 127:
        return _not_yet(
            f"{shown}: the high bit of the last byte says that another follows.",
            "The high bit (128) is set in every byte but the last.",
        )
    stops = next(at for at, byte in enumerate(raw, 1) if byte < 128)
    if stops < len(raw):
        return _not_yet(
            f"{shown}: a reader stops after {stops}, since its high bit is not set.",
            "The high bit (128) is set in every byte but the last.",
        )
    if len(raw) > 10:
        return _not_yet(f"{shown}: a varint has at most ten bytes.", "10 times 7 bits are enough.")
    read, _ = protobuf_read.varint(raw, 0)
    if read != number:
        return _not_yet(
            f"{shown}: a reader takes that for {read}.",
            "Seven bits a byte, and the lowest seven come first.",
        )
    if len(raw) > 1 and raw[-1] == 0:
        return _not_yet(
            f"{shown}: the number is right, but the last byte adds nothing to it.",
            "Stop as soon as no bits are left.",
        )
    return None


def broken_request() -> bytes:
    """A request with one span, in which one byte is wrong."""
    body = bytearray(encode_spans([WANTED]))
    body[body.index(START.to_bytes(8, "little")) - 1] += 1  # LEN in the place of I64
    return bytes(body)


def fix_byte(body: bytes) -> Verdict:
    """`broken_request()` with its one wrong byte repaired: it holds the span that was sent."""
    broken = broken_request()
    if len(body) != len(broken):
        return _not_yet(
            f"the request has {len(body)} bytes, not {len(broken)}.",
            "No byte is missing and none is too many: one has the wrong value.",
        )
    changed = sum(old != new for old, new in zip(broken, body, strict=True))
    if changed > 1:
        return _not_yet(f"{changed} bytes are changed, not one.", "Start from broken_request().")
    if problem := Microscope(body).problem:
        return _not_yet(
            f"a receiver still refuses it. {problem}"
            if changed
            else f"nothing is changed. {problem}",
            "Reading stops behind the mistake. The last bytes that make sense are before it: what"
            " should come there, and how many bytes does it take?",
        )
    got = decode_spans(bytes(body))
    if got == [WANTED]:
        return Verdict(passed=True)
    fields = ("name", "kind", "start_unix_nano", "end_unix_nano", "status_code", "trace_id")
    wrong = next(
        (name for name in fields if not got or getattr(got[0], name) != getattr(WANTED, name)),
        "something",
    )
    return _not_yet(
        f"it can be read, but it is another span: {wrong} is not what was sent.",
        "A tag is the number of the field times 8 plus the wire type; both have to be right.",
    )


def _not_yet(difference: str, hint: str) -> Verdict:
    return Verdict(passed=False, difference=difference, hint=hint)
