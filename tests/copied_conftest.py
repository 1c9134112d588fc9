"""What `otlp-kit copy --tests` puts beside copied tests, as their conftest.py."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Marks that the tests carry, and inputs as large and as slow as they need."""
    config.addinivalue_line("markers", "slow: takes seconds")
    config.addinivalue_line("markers", "spec(line): the line of a specification that is tested")
    try:
        from hypothesis import HealthCheck, settings
    except ImportError:
        return
    settings.register_profile(
        "copied",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    settings.load_profile("copied")
