"""Verbs of workers on a lane: claim, renew, give back. The lease says who goes on; the target's fence, who may write.

Every claim takes the plan's next epoch. A worker that comes late, twice or back from the dead holds an older one: its
verbs here change nothing, and its writes in the target are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from migrations_app import events
from migrations_app.dispatch import enqueue_run
from migrations_app.lifecycle import RunStatus, move
from migrations_app.models import Lane, Plan, Run
from migrations_app.selectors.clock import control_now
from migrations_app.services.endings import fail_run, pause_run
from migrations_app.services.plans import locked

RUNNABLE = (RunStatus.ENQUEUED, RunStatus.RUNNING, RunStatus.PAUSING)


@dataclass(frozen=True)
class Claim:
    """A lane as one worker holds it. Its objects are as they stood when it was claimed."""

    run: Run
    lane: Lane
    epoch: int

    @property
    def plan(self) -> Plan:
        return self.run.plan


@transaction.atomic
def lane_claim(run_id: int, number: int, *, owner: str) -> Claim | None:
    """Take the lane for one slice; None where there is nothing to do for this worker, which is no error.

    That is: the run is not runnable, it is not yet time, another lease is valid by the control database's clock, a
    pause was asked for (then it is paused now), or the plan is not the one that was started (then the run fails).
    """
    run = locked_run(run_id)
    if run is None or run.status not in RUNNABLE or (run.wake_at and run.wake_at > control_now()):
        return None
    lane = run.lanes.select_for_update().filter(Q(lease_until=None) | Q(lease_until__lte=Now()), number=number).first()
    if lane is None:
        return None
    if run.status == RunStatus.PAUSING:
        pause_run(run)
        return None
    if run.digest != run.plan.digest:
        fail_run(
            run,
            code="digest_moved",
            fact="The plan is not the one that this run was started for.",
            remedy="Look at the plan as it is now and start the phase again.",
        )
        return None
    if run.status == RunStatus.ENQUEUED:
        _begin(run)
        lane.carry = {name: value for name, value in lane.carry.items() if name == "begun"}
    elif run.wake_at:
        Run.objects.filter(pk=run.pk).update(wake_at=None)
    plan = run.plan
    plan.epoch += 1
    Plan.objects.filter(pk=plan.pk).update(epoch=plan.epoch)
    lane.owner, lane.epoch = owner[:128], plan.epoch
    Lane.objects.filter(pk=lane.pk).update(
        owner=lane.owner, epoch=lane.epoch, carry=lane.carry, lease_until=Now() + _term(), beat_at=Now()
    )
    return Claim(run, lane, plan.epoch)


def _begin(run: Run) -> None:
    is_first = run.started_at is None
    move(run, RunStatus.RUNNING, wake_at=None, **({"started_at": control_now()} if is_first else {}))
    payload = {"run": run.pk, "phase": run.phase.name, "direction": run.direction}
    if is_first:
        events.record(run.plan, "run_started", payload, by="worker")
    else:
        events.record(run.plan, "run_continued", payload, by="worker")


@transaction.atomic
def run_pause_idle(run_id: int) -> None:
    """Call a run paused that was asked to pause while no worker holds a lane of it."""
    run = locked_run(run_id)
    if run is not None and run.status == RunStatus.PAUSING and not run.lanes.filter(lease_until__gt=Now()).exists():
        pause_run(run)


def lane_renew(claim: Claim) -> bool:
    """Extend the lease and say that the worker lives; False where somebody else holds the lane now."""
    return bool(_held(claim).update(lease_until=Now() + _term(), beat_at=Now()))


def lane_release(claim: Claim, *, carry: Mapping[str, Any] | None = None) -> bool:
    """Give the lane back, so that the next slice need not wait for the lease to end; False where it was lost before."""
    changes: dict[str, Any] = {} if carry is None else {"carry": dict(carry)}
    return bool(_held(claim).update(lease_until=None, beat_at=Now(), **changes))


@transaction.atomic
def slice_end(claim: Claim, *, carry: Mapping[str, Any]) -> None:
    """Give the lane back in mid-work and ask for the next slice."""
    if lane_release(claim, carry=carry):
        enqueue_run(claim.run.pk, claim.lane.number)


@transaction.atomic
def slice_hold(claim: Claim, *, carry: Mapping[str, Any], retry_after_s: float) -> None:
    """Give the lane back and sleep: the supervisor asks for the next slice once the time has come."""
    run = current_run(claim)  # locks in the order of a claim: plan, run, lane
    if run is None:
        return
    if run.status == RunStatus.RUNNING:
        Run.objects.filter(pk=run.pk).update(wake_at=Now() + timedelta(seconds=retry_after_s))
    lane_release(claim, carry=carry)


def current_run(claim: Claim) -> Run | None:
    """Lock and return the claim's run as it stands now; None where the lane is somebody else's. In a transaction."""
    run = locked_run(claim.run.pk)
    if run is None or not _held(claim).exists():
        return None
    return run


def locked_run(run_id: int) -> Run | None:
    """Lock the plan, then the run, and return it with its plan and phase; None where there is none."""
    plan_id = Run.objects.filter(pk=run_id).values_list("plan_id", flat=True).first()
    if plan_id is None:
        return None
    plan = locked(Plan(pk=plan_id))
    run = Run.objects.select_for_update(of=("self",)).select_related("phase").get(pk=run_id)
    run.plan = plan
    return run


def _held(claim: Claim) -> Any:
    return Lane.objects.filter(pk=claim.lane.pk, epoch=claim.epoch).exclude(lease_until=None)


def _term() -> timedelta:
    return timedelta(seconds=settings.LOCKSTEP_LEASE_S)
