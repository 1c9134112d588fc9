"""Where received records rest, and how they are asked for."""
