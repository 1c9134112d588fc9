"""The official SDK's sockets: classes and functions that fit where the SDK expects its own."""

from otlp_kit.adapters.sdk_convert import encode_spans, to_span
from otlp_kit.adapters.sdk_processors import BatchSpanProcessor

__all__ = ["BatchSpanProcessor", "encode_spans", "to_span"]
