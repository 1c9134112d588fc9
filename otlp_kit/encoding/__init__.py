"""Records to bytes and back, with the standard library only."""
