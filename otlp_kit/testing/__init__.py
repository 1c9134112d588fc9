"""Tools for testing telemetry code, this kit's and yours: a clock to turn by hand, a loopback."""
