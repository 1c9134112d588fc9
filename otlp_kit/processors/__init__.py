"""When a record moves on: what waits, for how long, and what is given up."""
