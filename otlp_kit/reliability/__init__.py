"""Wrappers around a `Sender`: what to do when a peer is slow, gone or asks to be left alone."""
