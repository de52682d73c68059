"""The control plane as the loop reaches it: what is wanted of the run, what was measured, and whom to tell.

The loop asks very often; the control database is asked a few times a second.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

from migrations_app.lifecycle import RunStatus
from migrations_app.models import Run, TargetSample
from migrations_app.selectors.clock import ControlClock
from migrations_app.services import progress
from migrations_app.services.lanes import Claim
from workers.engine.advance import Hands, Intent
from workers.engine.events import (
    ActionFinished,
    ActionStarted,
    BatchCopied,
    EngineEvent,
    OutcomeResolved,
    RetryScheduled,
    Waited,
    WaitEnded,
)
from workers.engine.throttle import STALE_S, Kind, Reading
from workers.lease import Lease

INTENT_EVERY_S = 0.2
"""Five times within the second that an abort may take."""
READINGS_EVERY_S = 0.5
"""Twice as often as the supervisor writes them."""
UNSUPERVISED_SLOW_S = 5.0
"""A sample is due each second: five missed in a row and nobody watches, so the pace drops until staleness holds."""
LAG, BURN, PROBE, SUPERVISION = "replication_lag", "error_budget_burn", "probe", "supervision"
INTENT_BY_STATUS = {RunStatus.RUNNING: Intent.GO, RunStatus.PAUSING: Intent.PAUSE}


def required_signals(claim: Claim) -> tuple[str, ...]:
    """Name what must have been observed for this run to go on.

    Supervision always: without a supervisor nobody would carry out a stop or see an error budget spent.
    """
    lag = (LAG,) if claim.plan.target.replicas.exists() else ()
    burn = (BURN,) if claim.plan.content["guards"]["probe"] else ()
    return (SUPERVISION, *lag, *burn)


def hands_for(claim: Claim, lease: Lease) -> Hands:
    return Hands(
        clock=time.monotonic,
        sleep=time.sleep,
        random=random.random,
        wall=ControlClock(),
        intent=_Wish(claim).intent,
        renew=lease.is_held,
        readings=_Readings(claim).latest,
        emit=_News(claim).tell,
    )


class _Wish:
    """What people and guards want of the run, as the control database has it."""

    def __init__(self, claim: Claim) -> None:
        self._run_id = claim.run.pk
        self._asked_at, self._intent = float("-inf"), Intent.GO

    def intent(self) -> Intent:
        now = time.monotonic()
        if now - self._asked_at >= INTENT_EVERY_S:
            status = Run.objects.filter(pk=self._run_id).values_list("status", flat=True).first()
            self._intent = INTENT_BY_STATUS.get(RunStatus(status), Intent.ABORT) if status else Intent.ABORT
            self._asked_at = now
        return self._intent


class _Readings:
    """The newest sample of the target as readings with this plan's thresholds; one for each registered replica."""

    def __init__(self, claim: Claim) -> None:
        self._plan = claim.plan
        self._wall = ControlClock()
        self._replicas = [replica.name for replica in claim.plan.target.replicas.all()]
        self._asked_at, self._latest = float("-inf"), list[Reading]()

    def latest(self) -> Sequence[Reading]:
        now = time.monotonic()
        if now - self._asked_at >= READINGS_EVERY_S:
            sample = TargetSample.objects.filter(target=self._plan.target_id).order_by("-n").first()
            self._latest = self._from(sample) if sample else []
            self._asked_at = now
        return self._latest

    def _from(self, sample: TargetSample) -> list[Reading]:
        at = sample.at.timestamp()
        found = {(raw["signal"], raw["source"]): raw for raw in sample.readings}
        limits = self._plan.content["limits"]
        unwatched_s = max(0.0, self._wall() - at)
        readings = [Reading(SUPERVISION, "", unwatched_s, UNSUPERVISED_SLOW_S, STALE_S, "s", at)]
        for name in self._replicas:  # one that is not in the sample has not been observed, and holds
            observed = found.get((LAG, name), {}).get("observed")
            readings.append(Reading(LAG, name, observed, limits["lag_slow_s"], limits["lag_hold_s"], "s", at))
        own = f"plan {self._plan.pk}"
        return readings + [_reading(found[signal, own], at) for signal in (BURN, PROBE) if (signal, own) in found]


def _reading(raw: dict[str, Any], at: float) -> Reading:
    return Reading(raw["signal"], "", raw["observed"], raw["slow_at"], raw["hold_at"], raw["unit"], at)


class _News:
    """Passes on what the loop tells, and ends the waits that the loop does not know of: retries, and those of a worker
    that died."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        loop_waits = Kind(claim.lane.carry.get("verdict", Kind.GO)) is not Kind.GO
        self._is_retrying = claim.run.wait_verdict == "retry" or (bool(claim.run.wait_reason) and not loop_waits)
        self._waited: Waited | None = None

    def tell(self, event: EngineEvent) -> None:
        match event:
            case ActionStarted(action=action, title=title):
                progress.action_start(self._claim, action, title)
            case ActionFinished(action=action, title=title):
                self._end_retry()
                progress.action_finish(self._claim, action, title)
            case BatchCopied():
                self._end_retry()
                progress.batch_mirror(self._claim, event)
            case Waited(reason=reason, verdict=verdict):
                self._waited = event
                progress.run_wait(self._claim, reason, verdict=verdict)
            case WaitEnded():
                self._waited = None
                progress.run_wait_end(self._claim)
            case RetryScheduled(text=text):
                self._is_retrying = True
                progress.run_wait(self._claim, text, verdict="retry")
            case OutcomeResolved(committed=committed):
                progress.outcome_resolve(self._claim, committed=committed)

    def _end_retry(self) -> None:
        if not self._is_retrying:
            return
        self._is_retrying = False
        if self._waited is None:
            progress.run_wait_end(self._claim)
        else:
            progress.run_wait(self._claim, self._waited.reason, verdict=self._waited.verdict)
