"""Asks again for slices that nobody drives: hints are lost, workers die, waits end. Harmless when it asks too often."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.db.models.functions import Now

from migrations_app.dispatch import enqueue_run
from migrations_app.lifecycle import RunStatus
from migrations_app.models import Lane
from migrations_app.services.lanes import run_pause_idle

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 30.0
"""Half of what a hint lives: with all workers busy there are at most a few of one lane in the queue."""


@dataclass(frozen=True)
class _Hint:
    epoch: int
    wake_at: datetime | None
    pause_s: float
    due_at: float


class Wakeups:
    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._hints: dict[int, _Hint] = {}

    def wake(self, target_ids: Collection[int]) -> None:
        """Send a hint for every lane of these targets that should be driven and is not."""
        awake = Q(run__wake_at=None) | Q(run__wake_at__lte=Now())
        idle = Lane.objects.filter(
            Q(lease_until=None) | Q(lease_until__lte=Now()),
            Q(run__status=RunStatus.PAUSING) | awake & Q(run__status__in=(RunStatus.ENQUEUED, RunStatus.RUNNING)),
            run__plan__target__in=target_ids,
        ).select_related("run")
        found = {lane.pk: lane for lane in idle}
        self._hints = {pk: hint for pk, hint in self._hints.items() if pk in found}
        for lane in found.values():
            if lane.run.status == RunStatus.PAUSING:
                run_pause_idle(lane.run_id)
            elif self._is_due(lane):
                enqueue_run(lane.run_id, lane.number)

    def _is_due(self, lane: Lane) -> bool:
        """At once where a wait or a lease has ended, since nobody else asks then; else when it is still idle a round
        later, and then ever more seldom."""
        now = self._clock()
        hint = self._hints.get(lane.pk)
        if hint is None or (hint.epoch, hint.wake_at) != (lane.epoch, lane.run.wake_at):
            self._hints[lane.pk] = self._hint(lane, FIRST_PAUSE_S, now)
            return lane.run.wake_at is not None or lane.lease_until is not None
        if now < hint.due_at:
            return False
        self._hints[lane.pk] = self._hint(lane, min(LONGEST_PAUSE_S, hint.pause_s * 2), now)
        return True

    def _hint(self, lane: Lane, pause_s: float, now: float) -> _Hint:
        # Less a little, so that a round that comes a moment early does not wait for the next.
        return _Hint(lane.epoch, lane.run.wake_at, pause_s, now + 0.9 * pause_s)
