"""The transition tables of plans, phases and runs, and `move`, the only way from one status to another.

Only what somebody or something decided is stored. "Waiting for approval", "held by lag" or "in soak" are derived.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.db import models


class PlanStatus(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    ACTIVE = "active"
    COMPLETED = "completed"
    REVERTING = "reverting"
    REVERTED = "reverted"
    ABANDONED = "abandoned"


class PhaseStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REVERTING = "reverting"
    REVERTED = "reverted"


class RunStatus(StrEnum):
    ENQUEUED = "enqueued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    ABORTING = "aborting"
    ABORTED = "aborted"
    ERRORED = "errored"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


PLAN_MOVES: dict[PlanStatus, frozenset[PlanStatus]] = {
    PlanStatus.DRAFT: frozenset({PlanStatus.SUBMITTED, PlanStatus.ABANDONED}),
    # back to draft: changes asked for, or an edit, which voids the approvals
    PlanStatus.SUBMITTED: frozenset({PlanStatus.APPROVED, PlanStatus.DRAFT, PlanStatus.ABANDONED}),
    # active from the first start of expand
    PlanStatus.APPROVED: frozenset({PlanStatus.ACTIVE, PlanStatus.DRAFT, PlanStatus.ABANDONED}),
    PlanStatus.ACTIVE: frozenset({PlanStatus.COMPLETED, PlanStatus.REVERTING}),
    # active again: the rollback stopped at a phase before the start, or failed and the plan goes on
    PlanStatus.REVERTING: frozenset({PlanStatus.ACTIVE, PlanStatus.REVERTED}),
    PlanStatus.COMPLETED: frozenset(),
    PlanStatus.REVERTED: frozenset(),
    PlanStatus.ABANDONED: frozenset(),
}

PHASE_MOVES: dict[PhaseStatus, frozenset[PhaseStatus]] = {
    PhaseStatus.PENDING: frozenset({PhaseStatus.RUNNING}),
    PhaseStatus.RUNNING: frozenset({PhaseStatus.DONE, PhaseStatus.FAILED}),
    PhaseStatus.DONE: frozenset({PhaseStatus.REVERTING, PhaseStatus.RUNNING}),  # running again: verify, once more
    PhaseStatus.FAILED: frozenset({PhaseStatus.RUNNING, PhaseStatus.REVERTING}),
    PhaseStatus.REVERTING: frozenset({PhaseStatus.REVERTED, PhaseStatus.FAILED}),
    PhaseStatus.REVERTED: frozenset({PhaseStatus.RUNNING}),
}

RUN_MOVES: dict[RunStatus, frozenset[RunStatus]] = {
    # failed before it ran: the plan changed since it was started
    RunStatus.ENQUEUED: frozenset({RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.ABORTING, RunStatus.FAILED}),
    # errored: the target was out of reach or kept us out, resuming may help; failed: it answered, and the answer is no
    RunStatus.RUNNING: frozenset(
        {RunStatus.PAUSING, RunStatus.ABORTING, RunStatus.SUCCEEDED, RunStatus.ERRORED, RunStatus.FAILED}
    ),
    # succeeded: the last batch won the race; aborting: abort wins over pause
    RunStatus.PAUSING: frozenset(
        {RunStatus.PAUSED, RunStatus.ABORTING, RunStatus.SUCCEEDED, RunStatus.ERRORED, RunStatus.FAILED}
    ),
    RunStatus.PAUSED: frozenset({RunStatus.ENQUEUED, RunStatus.ABORTING}),
    RunStatus.ABORTING: frozenset({RunStatus.ABORTED, RunStatus.SUCCEEDED}),
    RunStatus.ERRORED: frozenset({RunStatus.ENQUEUED, RunStatus.ABORTING}),
    RunStatus.ABORTED: frozenset(),
    # for good, so that a verification that found a difference cannot be resumed past it: only a new run passes
    RunStatus.FAILED: frozenset(),
    RunStatus.SUCCEEDED: frozenset(),
}

ACTIVE_RUNS = frozenset(
    {
        RunStatus.ENQUEUED,
        RunStatus.RUNNING,
        RunStatus.PAUSING,
        RunStatus.PAUSED,
        RunStatus.ABORTING,
        RunStatus.ERRORED,
    }
)
"""A plan has at most one run in one of these; the database holds it by a partial unique index."""


class IllegalTransition(Exception):
    """The object is not (any more) in a status from which this move is allowed."""

    code = "illegal_transition"

    def __init__(self, thing: str, status: str, to: str) -> None:
        super().__init__(f"The {thing} is {status}; it cannot become {to} from there.")
        self.thing = thing
        self.status = status
        self.to = to


MOVES = {"plan": PLAN_MOVES, "planphase": PHASE_MOVES, "run": RUN_MOVES}


def move(thing: models.Model, to: StrEnum, **changes: object) -> None:
    """Set `thing.status` to `to` (and `changes`) where it still has the status that it was read with.

    Raises IllegalTransition where the table forbids the edge or another transaction moved it first. One UPDATE.
    """
    name = thing._meta.model_name or ""
    before = thing.status  # type: ignore[attr-defined]
    allowed = MOVES[name].get(type(to)(before), frozenset())  # type: ignore[attr-defined]
    if to not in allowed:
        raise IllegalTransition(name, before, to)
    if name == "plan":
        changes = {"changed_at": datetime.now(UTC)} | changes  # auto_now does not see an UPDATE
    updated = type(thing)._default_manager.filter(pk=thing.pk, status=before).update(status=to, **changes)
    if not updated:
        thing.refresh_from_db()
        raise IllegalTransition(name, thing.status, to)  # type: ignore[attr-defined]
    thing.status = to  # type: ignore[attr-defined]
    for field, value in changes.items():
        setattr(thing, field, value)
