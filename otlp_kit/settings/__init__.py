"""What a user can set, and where it was set: read once, at the edge, as plain values."""
