"""Fixtures for every test that needs Django or a target; servers come from `python -m stack.servers`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contracts.target import Target as Shop
from tests.contracts.target import target_is_there


@pytest.fixture(autouse=True)
def cheap_passwords(settings):
    """Hashing is slow on purpose; tests sign in hundreds of times."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def shop_server() -> Iterator[Shop]:
    if not target_is_there():
        pytest.skip("LOCKSTEP_TEST_TARGET_URL is not set: run python -m stack.servers --fast --replica -- pytest")
    server = Shop()
    yield server
    server.clean()
    server.close()


@pytest.fixture
def shop(shop_server: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A real target with a table of 300 users; Lockstep's password for it lies in the environment."""
    shop_server.clean()
    shop_server.create(
        "CREATE TABLE users (id bigint PRIMARY KEY, name text)",
        "INSERT INTO users SELECT n, 'First' || n || ' Last' || n FROM generate_series(1, 300) AS n",
        "ANALYZE users",
    )
    monkeypatch.setenv("LOCKSTEP_TARGET_SHOP_PASSWORD", os.environ["LOCKSTEP_TEST_EXECUTOR_PASSWORD"])
    return shop_server


@pytest.fixture
def shop_fields(shop: Shop) -> dict[str, Any]:
    """The fields by which somebody registers the real target."""
    return {
        "name": "shop",
        "environment": "staging",
        "host": shop.host,
        "port": shop.port,
        "database": shop.database,
        "username": "lockstep_executor",
        "secret_kind": "environment",
        "secret_reference": "LOCKSTEP_TARGET_SHOP_PASSWORD",
    }


@pytest.fixture
def replica_fields() -> dict[str, Any]:
    """The real replica of the real target."""
    if "LOCKSTEP_TEST_REPLICA_URL" not in os.environ:
        pytest.skip("LOCKSTEP_TEST_REPLICA_URL is not set: run python -m stack.servers --fast --replica -- pytest")
    parts = urlsplit(os.environ["LOCKSTEP_TEST_REPLICA_URL"])
    return {"name": "replica1", "host": str(parts.hostname), "port": int(parts.port or 5432)}
