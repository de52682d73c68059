"""Gives each test a clean target, where one is there; otherwise says loudly that nothing was tested."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contracts.target import Target, target_is_there

NO_TARGET = (
    "LOCKSTEP_TEST_TARGET_URL is not set: run python -m stack.servers --fast --replica -- pytest tests/contracts"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if target_is_there():
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=NO_TARGET))


@pytest.fixture(scope="session")
def server() -> Iterator[Target]:
    target = Target()
    yield target
    target.clean()
    target.close()


@pytest.fixture
def target(server: Target) -> Target:
    server.clean()
    return server


@pytest.fixture
def replica(target: Target) -> dict[str, Any]:
    """Address fields of the target's streaming replica."""
    if "LOCKSTEP_TEST_REPLICA_URL" not in os.environ:
        pytest.skip("no LOCKSTEP_TEST_REPLICA_URL: give python -m stack.servers --replica")
    parts = urlsplit(os.environ["LOCKSTEP_TEST_REPLICA_URL"])
    return {"host": parts.hostname, "port": parts.port}
