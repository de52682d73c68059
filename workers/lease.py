"""Keeps the lease of a claimed lane from a thread of its own, so that a long statement does not cost it.

Fails closed: a lease that could not be renewed counts as lost a little before the others may take it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from django.conf import settings
from django.db import connection

from migrations_app.services.lanes import Claim, lane_renew
from workers.faults import CONTROL_LOST

RENEWALS = 3
"""Within one term, so that one that fails costs nothing."""
MARGIN_S = 2.0
"""Time to finish or roll back a statement before somebody else may come."""


class Lease:
    def __init__(self, claim: Claim, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._claim, self._clock = claim, clock
        self._term_s: float = settings.LOCKSTEP_LEASE_S
        self._until = clock() + self._term_s
        self._is_lost = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{claim.run.pk}", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def is_held(self) -> bool:
        margin_s = min(MARGIN_S, self._term_s / 5)
        return not self._is_lost and self._clock() < self._until - margin_s

    def _keep(self) -> None:
        try:
            while not self._is_lost and not self._ended.wait(self._term_s / RENEWALS):
                self._renew()
        finally:
            connection.close()

    def _renew(self) -> None:
        asked_at = self._clock()
        try:
            self._is_lost = not lane_renew(self._claim)
        except CONTROL_LOST:
            connection.close()  # the next attempt needs a new one
            return
        if not self._is_lost:
            self._until = asked_at + self._term_s
