"""Fixtures for every test that needs Django; servers come from `python -m stack.servers`."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def cheap_passwords(settings):
    """Hashing is slow on purpose; tests sign in hundreds of times."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
