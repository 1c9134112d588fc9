"""The server side of OTLP: a pure service, and thin shells that own the sockets."""
