"""Things that are used again: objects and byte buffers. When that pays: *concepts/pools*."""
