"""The supervisor's main loop: keeps leases, a watch for each target that is ours, and the clock of the wake-ups."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid

from django.db import connection

from migrations_app.models import Target
from migrations_app.services.samples import samples_prune, supervision_end, supervision_take
from workers.supervisor.control import attempt
from workers.supervisor.stop import Stopper
from workers.supervisor.wakeups import Wakeups
from workers.supervisor.watch import Watch

logger = logging.getLogger("lockstep.supervisor")

ROUND_S = 1.0
WAKE_EVERY_S = 2.0
PRUNE_EVERY_S = 600.0
FAREWELL_S = 3.0
"""A watch that hangs on a target that is away dies with the process."""


def supervise(ended: threading.Event, *, owner: str = "") -> None:
    """Supervise until `ended` is set. `owner` names this supervisor; several in one process need one each."""
    owner = owner or f"{socket.gethostname()[:64]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    stopper = Stopper(ended)
    stopper.start()
    rounds = _Rounds(owner)
    logger.info("supervisor started", extra={"action": "supervisor_started", "owner": owner})
    try:
        while not ended.is_set():
            began = time.monotonic()
            attempt("round", rounds.go)
            ended.wait(max(0.0, ROUND_S - (time.monotonic() - began)))
    finally:
        rounds.end()
        stopper.join()
        attempt("end", lambda: supervision_end(owner))
        connection.close()


class _Rounds:
    """What one supervisor does each second."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.watches: dict[int, Watch] = {}
        self.wakeups = Wakeups()
        self.woke_at = self.pruned_at = float("-inf")

    def go(self) -> None:
        """Keep the leases of targets whose watch still moves, take those that are free, and follow with the watches."""
        wanted = set(Target.objects.values_list("pk", flat=True))
        stuck = {pk for pk, watch in self.watches.items() if watch.is_stuck()}
        ours = supervision_take(wanted - stuck, self.owner)
        for pk in set(self.watches) - ours - stuck:
            self.watches.pop(pk).end()
        for pk in ours - set(self.watches):
            self.watches[pk] = Watch(pk)
            self.watches[pk].start()
        now = time.monotonic()
        if now - self.woke_at >= WAKE_EVERY_S:
            self.woke_at = now
            self.wakeups.wake(ours)
        if now - self.pruned_at >= PRUNE_EVERY_S:
            self.pruned_at = now
            samples_prune()

    def end(self) -> None:
        for watch in self.watches.values():
            watch.end()
        for watch in self.watches.values():
            watch.join(FAREWELL_S)
