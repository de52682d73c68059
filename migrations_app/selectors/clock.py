"""The control database's clock: leases, readings and waits are dated by it alone, so that machines may disagree."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import cast

from django.db import connection

REFRESH_S = 60.0
"""Quartz drifts by some milliseconds in this time; a clock that was stepped is noticed within it."""


def control_now() -> datetime:
    """Ask the control database what time it is; inside a transaction too it is the present moment."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cast(datetime, cursor.fetchone()[0])


class ControlClock:
    """Epoch seconds of the control database, without asking it each time: an offset to the monotonic clock."""

    def __init__(
        self, *, ask: Callable[[], datetime] = control_now, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask, self._monotonic = ask, monotonic
        self._offset_s, self._asked_at = 0.0, float("-inf")

    def __call__(self) -> float:
        now = self._monotonic()
        if now - self._asked_at > REFRESH_S:
            told = self._ask().timestamp()
            now = self._monotonic()
            self._offset_s, self._asked_at = told - now, now
        return now + self._offset_s
