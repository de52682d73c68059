"""Real servers for the machinery's tests; skipped loudly where there are none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.shop import Shop

NO_TARGET = "LOCKSTEP_TEST_TARGET_URL is not set: run python -m stack.servers --fast --replica -- pytest tests/workers"
PATIENCE_S = 2.0
"""Lease in these tests: a dead worker is replaced after it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "LOCKSTEP_TEST_TARGET_URL" in os.environ:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=NO_TARGET))


@pytest.fixture
def shop(transactional_db, settings, monkeypatch) -> Iterator[Shop]:
    settings.LOCKSTEP_LEASE_S = PATIENCE_S
    monkeypatch.setenv("LOCKSTEP_TARGET_SHOP_PASSWORD", os.environ["LOCKSTEP_TEST_EXECUTOR_PASSWORD"])
    shop = Shop()
    yield shop
    shop.close()
