"""Finding traces: filters, as a person types them, to one SQL query.

Every filter has to hold for a trace; those about spans may hold for different spans of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SELECT = """
select trace_id, name, service, start_unix_nano, end_unix_nano - start_unix_nano as duration_ns,
    spans, errors
    from traces where {conditions} order by start_unix_nano desc limit ?
"""
A_SPAN = "exists (select 1 from span_rows where span_rows.trace_id = traces.trace_id and {})"
NS_PER_MS = 1_000_000


class BadFilter(ValueError):
    """A filter that cannot be understood; the text says what it should be."""


def search_query(filters: Mapping[str, str], limit: int) -> tuple[str, list[Any]]:
    """The query and its parameters.

    Filters: `service`, `name` (a part of it), `min_ms`, `max_ms`, `status` (`error` or `ok`),
    `attribute` (`key=value`, or `key` alone). Raises `BadFilter`.
    """
    conditions = ["true"]
    parameters: list[Any] = []
    for name, text in filters.items():
        if not text:
            continue
        if name == "service":
            conditions.append(A_SPAN.format("service = ?"))
            parameters.append(text)
        elif name == "name":
            conditions.append(A_SPAN.format("instr(lower(name), lower(?)) > 0"))
            parameters.append(text)
        elif name in ("min_ms", "max_ms"):
            comparison = ">=" if name == "min_ms" else "<="
            conditions.append(f"end_unix_nano - start_unix_nano {comparison} ?")
            parameters.append(_milliseconds(name, text))
        elif name == "status":
            if text not in ("error", "ok"):
                raise BadFilter(f"status must be error or ok, not {text!r}")
            conditions.append("errors > 0" if text == "error" else "errors = 0")
        elif name == "attribute":
            key, equals, value = text.partition("=")
            path = '$."' + key.replace('"', '""') + '"'
            held = "json_extract(attributes, ?)"
            # SQLite shows true as 1; a person types the word.
            as_text = f"case json_type(attributes, ?) when 'true' then 'true' when 'false' then 'false' else cast({held} as text) end"
            conditions.append(
                A_SPAN.format(
                    f"{as_text} = ?" if equals else "json_type(attributes, ?) is not null"
                )
            )
            parameters += [path, path, value] if equals else [path]
        else:
            raise BadFilter(f"no such filter: {name!r}")
    return SELECT.format(conditions=" and ".join(conditions)), [*parameters, limit]


def _milliseconds(name: str, text: str) -> int:
    try:
        return int(float(text) * NS_PER_MS)
    except (ValueError, OverflowError):
        raise BadFilter(f"{name} must be a number of milliseconds, not {text!r}") from None
