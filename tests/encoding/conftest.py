"""How hypothesis runs the codec's tests: no verdict may depend on how busy the machine is."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "codec",
    deadline=None,
    # Whole batches of records are large inputs; drawing them is slow on a loaded machine.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("codec")
