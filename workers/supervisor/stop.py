"""Carries out aborts: hears of them by NOTIFY, or within a second by asking, and proves that the target is at rest.

It needs neither the worker nor Redis: the stop row and a newer epoch in the target forbid every further batch, what
is in flight is cancelled, and the evidence is what the target then shows. A run whose target cannot be asked stays
"aborting", and says so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from migrations_app.dispatch import STOP_CHANNEL
from migrations_app.lifecycle import RunStatus
from migrations_app.models import Run
from migrations_app.selectors.clock import control_now
from migrations_app.services.stops import abort_acknowledge, abort_unproven, run_abort_done
from workers.engine.adapters.base import Adapter
from workers.engine.errors import EngineError, LockTimeout, Transient
from workers.supervisor.control import attempt, borrowed_connection
from workers.targets import adapter_of, check_identity

logger = logging.getLogger("lockstep.supervisor")

POLL_S = 1.0
"""A NOTIFY that was lost costs this."""
LOCK_WAIT_S = 0.2
"""A batch that was cancelled lets go of the fence within milliseconds; longer means another cancel."""
GLANCE_S = 0.02
DEAF_S = 2.0
"""Cancels are asked for this long, since they leave the session; one that does not hear them is terminated then."""
PATIENCE_S = 5.0
"""Then this attempt gives up, says so, and the next one begins."""
NAMED_MOST = 50
STOPS_LOCK = 7_310_579
"""First key of the control database's advisory locks that keep two supervisors from carrying out one stop at once."""


class Stopper(threading.Thread):
    """Listens for aborts, and gives each run a thread of its own: a target that is away delays no other."""

    def __init__(self, ended: threading.Event) -> None:
        super().__init__(name="stopper", daemon=True)
        self._ended = ended
        self._busy: dict[int, threading.Thread] = {}

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen()
            except psycopg.Error as error:
                logger.warning("not listening", extra={"action": "listen_failed", "error": type(error).__name__})
                attempt("poll", self._poll)
                self._ended.wait(POLL_S)
        for thread in self._busy.values():
            thread.join(PATIENCE_S)

    def _listen(self) -> None:
        with psycopg.connect(**_control_parameters(), autocommit=True) as listener:
            listener.execute(f"LISTEN {STOP_CHANNEL}")
            while not self._ended.is_set():
                attempt("poll", self._poll)
                for notice in listener.notifies(timeout=POLL_S, stop_after=1):
                    if notice.payload.isdigit():
                        self._take_up(int(notice.payload))

    def _poll(self) -> None:
        for run_id in Run.objects.filter(status=RunStatus.ABORTING).values_list("pk", flat=True):
            self._take_up(run_id)

    def _take_up(self, run_id: int) -> None:
        self._busy = {pk: thread for pk, thread in self._busy.items() if thread.is_alive()}
        if run_id not in self._busy:
            act = threading.Thread(target=attempt, args=("stop", lambda: stop_run(run_id)), daemon=True)
            self._busy[run_id] = act
            act.start()


def stop_run(run_id: int) -> None:
    """Stop a run that is aborting and write down the proof; repeatable, and nothing where it is not aborting."""
    with _alone(run_id) as is_alone:
        run = Run.objects.select_related("plan__target").filter(pk=run_id, status=RunStatus.ABORTING).first()
        if not is_alone or run is None:
            return
        abort_acknowledge(run_id)
        try:
            with adapter_of(run.plan.target, tag=f"lockstep:stop:p{run.plan_id}:r{run_id}") as adapter:
                check_identity(adapter, run.plan.target)
                evidence = _stop(adapter, run)
        except EngineError as error:
            logger.warning("stop not proven", extra={"action": "abort_unproven", "run": run_id, "code": error.code})
            abort_unproven(run_id, code=error.code, fact=str(error))
            return
        run_abort_done(run_id, **evidence)


def _stop(adapter: Adapter, run: Run) -> dict[str, Any]:
    """Cancel, forbid, and look until nothing of the run is at work, by force where cancels do not help.

    Raises Transient where that takes too long.
    """
    plan_id, began = run.plan_id, time.monotonic()
    cancelled = adapter.cancel(plan_id, run.pk)
    while True:
        try:
            standing_epoch = adapter.set_stop(plan_id, run.pk, wait_s=LOCK_WAIT_S)
            break
        except LockTimeout:
            _not_forever(began)
            cancelled += _interrupt(adapter, run, began)
    while True:
        sessions = adapter.live_sessions(plan_id, run.pk)
        at_work = [session for session in sessions if session.state != "idle"]
        if not at_work:
            break
        _not_forever(began)
        cancelled += _interrupt(adapter, run, began)
        time.sleep(GLANCE_S)
    claimed = max(run.lanes.values_list("epoch", flat=True), default=0)  # perhaps by a worker that never got there
    left = adapter.leftovers(plan_id)
    return {
        "fence_epoch": max(standing_epoch, claimed + 1),
        "last_write_at": adapter.last_write_at(plan_id, run.pk),
        "evidence": {
            "sessions": len(at_work),
            "idle_sessions": len(sessions),  # connected, but the fence lets none of them write
            "cancelled": cancelled,
            "fence_epoch": standing_epoch,
            "left_behind": list(left[:NAMED_MOST]),
            "target_clock_ahead_s": round(adapter.server_clock() - control_now().timestamp(), 3),
            "seconds": round(time.monotonic() - began, 3),
        },
    }


def _interrupt(adapter: Adapter, run: Run, began: float) -> int:
    is_deaf = time.monotonic() - began > DEAF_S
    return (adapter.terminate if is_deaf else adapter.cancel)(run.plan_id, run.pk)


def _not_forever(began: float) -> None:
    if time.monotonic() - began > PATIENCE_S:
        raise Transient("A session of the run is still at work on the target.", remedy="Look at what holds it up.")


@contextmanager
def _alone(run_id: int) -> Iterator[bool]:
    """Hold the run's advisory lock; false where another supervisor does. A lock of the session, freed by its end."""
    with borrowed_connection(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [STOPS_LOCK, run_id])
        (is_alone,) = cursor.fetchone()
        try:
            yield is_alone
        finally:
            if is_alone:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [STOPS_LOCK, run_id])


def _control_parameters() -> dict[str, Any]:
    """Return how Django reaches the control database, for a connection outside its pool."""
    parameters: dict[str, Any] = connection.get_connection_params()
    parameters.pop("pool", None)
    return parameters | {"connect_timeout": 5, "application_name": "lockstep supervisor"}
