"""Gives each test a clean target, where one is there; otherwise says loudly that nothing was tested."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
