"""What a guard does when an error budget is spent: pause or abort the run, or put the old side in the lead again.

A guard never drops a column: aborting keeps both shapes and the sync, which is the state in which no application
breaks. Undoing cutover is done only where the plan says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from migrations_app import events
from migrations_app.lifecycle import ACTIVE_RUNS, PhaseStatus, RunStatus
from migrations_app.models import Plan, Run
from migrations_app.services.plans import locked
from migrations_app.services.runs import last_revertible, plan_rollback, run_abort, run_pause
from workers.engine.budget import GuardAction
from workers.engine.vocabulary import Direction, Phase


@transaction.atomic
def guard_trip(plan: Plan, guard: str, action: GuardAction, *, reason: str, numbers: Mapping[str, Any]) -> str:
    """Pull the brake once, and return what was done: `pause`, `abort`, `undo_cutover`, or empty for nothing.

    May be called each second: where the run is braked that hard already, nothing happens and nothing is recorded.
    """
    plan = locked(plan)
    run = plan.runs.filter(status__in=ACTIVE_RUNS).select_related("phase").first()
    done = _brake(plan, run, action)
    if not done:
        return ""
    payload = {
        "guard": guard,
        "action": done,
        "reason": reason,
        "run": run.pk if run else None,
        "phase": run.phase.name if run else Phase.CUTOVER,
        **numbers,
    }
    events.record(plan, "guard_tripped", payload, by=f"guard {guard}")
    if done == "undo_cutover":
        plan_rollback(plan, actor=None, guard=guard, to=Phase.CUTOVER, reason=reason)
    elif done == GuardAction.ABORT and run:
        run_abort(run, actor=None, guard=guard, reason=reason)
    elif done == GuardAction.PAUSE and run:
        run_pause(run, actor=None, guard=guard, reason=reason)
    return done


def _brake(plan: Plan, run: Run | None, action: GuardAction) -> str:
    """Return what is to be done now; empty where the brake is on already or there is nothing to brake.

    A run that goes back is paused at most, since it may be the remedy; undoing cutover is left alone.
    """
    if action is GuardAction.ABORT and _may_undo_cutover(plan, run):
        return "undo_cutover"
    if run is None or action is GuardAction.SLOW:
        return ""
    if run.direction == Direction.BACK:
        if run.phase.name == Phase.CUTOVER:
            return ""
        action = GuardAction.PAUSE
    brakable = {
        GuardAction.PAUSE: (RunStatus.ENQUEUED, RunStatus.RUNNING),
        GuardAction.ABORT: (RunStatus.ENQUEUED, RunStatus.RUNNING, RunStatus.PAUSING, RunStatus.PAUSED),
    }
    return action if run.status in brakable[action] else ""


def _may_undo_cutover(plan: Plan, run: Run | None) -> bool:
    if not plan.content["guards"]["undo_cutover"]:
        return False
    if run is not None:
        is_cutover = run.phase.name == Phase.CUTOVER and run.direction == Direction.FORWARD
        return is_cutover and run.status != RunStatus.ABORTING
    last = last_revertible(plan)
    return last is not None and last.name == Phase.CUTOVER and last.status == PhaseStatus.DONE
