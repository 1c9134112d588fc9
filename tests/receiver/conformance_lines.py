"""The lines of the OTLP conformance list that a receiver and its encodings are held to, as data.

The numbers are those of `@pytest.mark.spec("OTLP-43")`. Left out are lines for exporters alone.
`tests/meta/test_conformance_lines.py` holds the tests against this table.

Specification: https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["MUST", "SHOULD", "MAY"]
Side = Literal["server", "encoding"]


class Line(NamedTuple):
    """A statement without a keyword, such as a default port, counts as MUST."""

    level: Level
    side: Side
    text: str


LINES = {
    # Transport, ports, paths, compression
    1: Line("MUST", "server", "uncompressed requests"),
    2: Line("MUST", "server", "gzip over both transports"),
    3: Line("MUST", "server", "port 4317 for gRPC"),
    4: Line("MUST", "server", "port 4318 for HTTP"),
    5: Line("MUST", "server", "POST to the default paths"),
    6: Line("MAY", "server", "other paths; this receiver has the default ones only"),
    7: Line("MAY", "server", "HTTP/1.1 or HTTP/2; this receiver speaks 1.1"),
    9: Line("MAY", "server", "compressed answers; this receiver sends them plain"),
    10: Line("SHOULD", "server", "binary and JSON on one port"),
    11: Line("MAY", "server", "gRPC and HTTP on one port; this receiver has two"),
    13: Line("MUST", "server", "chunked bodies"),
    14: Line("MUST", "server", "a content type with parameters"),
    # Size limits
    15: Line("MUST", "server", "gRPC: a limit before and after decompression"),
    16: Line("MUST", "server", "HTTP: a limit before and after decompression, answered 413"),
    20: Line("MUST", "server", "answers of limited size"),
    # Success and partial success
    21: Line("SHOULD", "server", "an empty request succeeds"),
    22: Line("MUST", "server", "success is the response message"),
    23: Line("MUST", "server", "full success leaves partial_success unset"),
    24: Line("MUST", "server", "partial success counts what was rejected"),
    25: Line("SHOULD", "server", "an error message in English"),
    26: Line("MUST", "server", "a warning has a message and rejects nothing"),
    # Failures over HTTP
    43: Line("MUST", "server", "every 4xx and 5xx carries a Status in the request's encoding"),
    44: Line("SHOULD", "server", "a message for developers"),
    46: Line("MUST", "server", "bad data is 400; the details should hold BadRequest"),
    50: Line("SHOULD", "server", "overload is 429 or 503"),
    58: Line("MUST", "server", "a content type on every answer"),
    59: Line("MUST", "server", "the content type of the request"),
    61: Line("MUST", "server", "405, 415 and 404"),
    # Encoding
    69: Line("MUST", "encoding", "JSON: hexadecimal ids, base64 for other bytes"),
    70: Line("MUST", "encoding", "JSON: enums are integers"),
    71: Line("MUST", "encoding", "JSON: unknown fields are ignored"),
    72: Line("MUST", "encoding", "JSON: keys in lowerCamelCase"),
    73: Line("MUST", "encoding", "JSON: 64-bit integers are strings, read as numbers too"),
    74: Line("MUST", "encoding", "JSON: NaN and the infinities are strings"),
    75: Line("MUST", "encoding", "JSON: null is absent"),
    76: Line("MUST", "encoding", "ids of the wrong length or all zero are invalid"),
    77: Line("SHOULD", "encoding", "a log record with an invalid trace id belongs to no trace"),
    78: Line("MUST", "encoding", "span flags: zero above bit 9 when made, kept when read"),
    79: Line("MUST", "encoding", "a root span has no parent id"),
    80: Line("MAY", "encoding", "an unspecified kind is internal; this kit keeps what was said"),
    81: Line("MUST", "encoding", "a status that is not set is UNSET"),
    82: Line("MUST", "encoding", "keys of attributes are unique"),
    83: Line("MUST", "encoding", "empty values, bytes, arrays and maps everywhere"),
    84: Line("SHOULD", "encoding", "references to a string table are empty values, with a warning"),
    85: Line("MUST", "encoding", "data points that make sense"),
    86: Line("MUST", "encoding", "unknown protobuf fields are ignored"),
    87: Line("MUST", "encoding", "a field that is not sent has its default"),
    88: Line("MUST", "encoding", "broken text and huge integers never cost the batch"),
}
