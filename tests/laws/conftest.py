"""How hard the laws are tried: `HYPOTHESIS_PROFILE=thorough pytest tests/laws` takes minutes instead of seconds."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No deadline: two cores are shared with servers, and a slow example is no fault. Drawing a history example by example
# filters much, which is what the health check warns of.
settings.register_profile(
    "laws", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
settings.register_profile("thorough", parent=settings.get_profile("laws"), max_examples=3_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "laws"))
