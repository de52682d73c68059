"""One slice of one lane: take the lease, open the target, let the engine advance, write down what came of it.

The task border: everything may be lost, doubled or late. What is not written down here is found again in the target
by the next slice.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import uuid
from dataclasses import asdict, fields, replace
from typing import Any

from django.conf import settings
from django.db import transaction

from migrations_app.content import operations_of
from migrations_app.lifecycle import RunStatus
from migrations_app.models import Lane
from migrations_app.services import progress
from migrations_app.services.lanes import Claim, current_run, lane_claim, lane_release, slice_end, slice_hold
from migrations_app.services.stops import abort_acknowledge
from workers.engine.adapters.base import Adapter
from workers.engine.advance import (
    FIRST_BACKOFF_S,
    LONGEST_BACKOFF_S,
    Aborted,
    Carry,
    Failed,
    Finished,
    Held,
    LeaseLost,
    Limits,
    Outcome,
    Paused,
    SliceOver,
    Work,
    advance,
)
from workers.engine.errors import EngineError, Fenced, OutcomeUnknown, Transient
from workers.engine.pace import PaceLimits
from workers.engine.throttle import Kind
from workers.engine.vocabulary import Action, Direction, Fence, Phase
from workers.faults import CONTROL_LOST, InternalError, LeftBehind, where_it_happened
from workers.hands import hands_for, required_signals
from workers.lease import Lease
from workers.targets import adapter_of, check_identity, control_uid

logger = logging.getLogger("lockstep.runner")

FENCED_RETRY_S = 2.0
"""The fence was closed although the lease is ours: somebody pressed the target's red button. Look again this late."""


def advance_run(run_id: int, lane: int = 0) -> None:
    """Drive a lane for one slice; does nothing where there is nothing to do. May be called any number of times."""
    try:
        claim = lane_claim(run_id, lane, owner=_owner())
        if claim is not None:
            _drive(claim)
    except CONTROL_LOST as error:
        # Whoever claims next goes on from the target; the lease ends by itself.
        facts = {"action": "control_lost", "run": run_id, "lane": lane, "error": type(error).__name__}
        logger.warning("control database lost", extra=facts)


def _drive(claim: Claim) -> None:
    try:
        with Lease(claim) as lease:
            _write_down(claim, _slice(claim, lease), lease)
    except CONTROL_LOST:
        raise
    except Exception as error:
        correlation = uuid.uuid4().hex[:12]
        facts = {"action": "internal_error", "run": claim.run.pk, "lane": claim.lane.number, "epoch": claim.epoch}
        trace = where_it_happened(error)
        logger.error("slice broke off", extra=facts | {"correlation": correlation, "trace": trace})
        progress.run_fail(claim, InternalError(correlation))
    lane_release(claim)


def _slice(claim: Claim, lease: Lease) -> Outcome:
    work = _work(claim)
    fence = Fence(work.plan, work.operation, work.phase, 0, work.lane, 0, work.run, work.epoch)
    with adapter_of(claim.plan.target, tag=fence.tag) as adapter:
        if stopped := _enter(claim, adapter, fence, work.carry):
            return stopped
        outcome = advance(work, adapter, hands_for(claim, lease), slice_s=settings.LOCKSTEP_SLICE_S)
        if isinstance(outcome, Finished) and _leaves_target(claim):
            return _leave(claim, adapter, work.carry) or outcome
        return outcome


def _work(claim: Claim) -> Work:
    run, plan = claim.run, claim.plan
    direction, phase = Direction(run.direction), Phase(run.phase.name)
    limits = plan.content["limits"] | run.limits
    return Work(
        plan=plan.pk,
        operation=0,
        run=run.pk,
        lane=claim.lane.number,
        epoch=claim.epoch,
        phase=phase,
        direction=direction,
        actions=_actions(claim, phase, direction),
        limits=Limits(
            pace=PaceLimits(
                first_rows=int(limits["batch_rows"]),
                # a size that somebody chose while running is not outgrown
                max_rows=int(run.limits.get("batch_rows", limits["batch_rows_most"])),
            ),
            rate_rows_per_s=limits["rate_rows_per_s"],
            accepted_lossy_rows=int(plan.content["rules"]["accepted_lossy_rows"]),
            required_signals=required_signals(claim),
        ),
        carry=_carry_of(claim),
    )


def _actions(claim: Claim, phase: Phase, direction: Direction) -> tuple[Action, ...]:
    (operation,) = operations_of(claim.plan.content)
    steps = operation.steps(f"p{claim.plan.pk}o0")
    return next((step.actions(direction) for step in steps if step.phase is phase), ())


def _enter(claim: Claim, adapter: Adapter, fence: Fence, carry: Carry) -> Outcome | None:
    """See that it is the right server and that our tables are there; None where the work may begin."""
    try:
        check_identity(adapter, claim.plan.target)
        adapter.install(claim.plan.pk, control_uid())
        _lift_stop(claim, adapter, fence)
    except Fenced as error:
        return LeaseLost(str(error))
    except (Transient, OutcomeUnknown) as error:
        return _retry_later(error, carry)
    except EngineError as error:
        progress.run_fail(claim, error, before_work=True)
        return LeaseLost()
    return None


def _lift_stop(claim: Claim, adapter: Adapter, fence: Fence) -> None:
    """Lift the stop of an earlier run, once after each start or resume: one that was set by hand since stays.

    Under the plan's lock, so that none of this run can be taken with it: a stop is set only after an abort was
    committed, and that takes the same lock.
    """
    if claim.lane.carry.get("entered"):
        return
    with transaction.atomic():
        run = current_run(claim)
        if run is not None and run.status == RunStatus.RUNNING:
            adapter.lift_stop(fence)
            claim.lane.carry = {**claim.lane.carry, "entered": True}
            Lane.objects.filter(pk=claim.lane.pk).update(carry=claim.lane.carry)


def _leaves_target(claim: Claim) -> bool:
    """Return whether this run is the plan's last: its last phase forward, or its first one undone."""
    phases = claim.plan.phases.exclude(pk=claim.run.phase.pk)
    if claim.run.direction == Direction.FORWARD:
        return not phases.filter(position__gt=claim.run.phase.position).exists()
    return not phases.filter(position__lt=claim.run.phase.position).exists()


def _leave(claim: Claim, adapter: Adapter, carry: Carry) -> Outcome | None:
    """Take everything of this plan out of the target, and look; None where nothing is left."""
    try:
        adapter.remove(claim.plan.pk)
        left = adapter.leftovers(claim.plan.pk)
    except (Transient, OutcomeUnknown) as error:
        return _retry_later(error, carry)
    except EngineError as error:
        return Failed(error)
    return Failed(LeftBehind(left)) if left else None


def _retry_later(error: EngineError, carry: Carry) -> Outcome:
    failures = carry.failures + 1
    if failures > Limits().retries:
        return Failed(error)
    longest_s = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2**failures)
    return Held(str(error), longest_s * random.random(), replace(carry, failures=failures))


def _write_down(claim: Claim, outcome: Outcome, lease: Lease) -> None:
    match outcome:
        case Finished(counters=counters):
            progress.run_finish(claim, counters)
        case SliceOver(carry=carry):
            slice_end(claim, carry=_carried(claim, carry))
        case Held(reason=reason, retry_after_s=retry_after_s, carry=carry):
            progress.run_wait(claim, reason, verdict="hold" if carry.verdict is Kind.HOLD else "retry")
            slice_hold(claim, carry=_carried(claim, carry), retry_after_s=retry_after_s)
        case Paused():
            progress.run_pause_done(claim)
        case Aborted():
            abort_acknowledge(claim.run.pk)
        case LeaseLost(reason=reason) if lease.is_held():
            progress.run_wait(claim, reason, verdict="retry")
            slice_hold(claim, carry=claim.lane.carry, retry_after_s=FENCED_RETRY_S)
        case Failed(error=error):
            progress.run_fail(claim, error)


def _carry_of(claim: Claim) -> Carry:
    known = {field.name for field in fields(Carry)}
    kept = {name: value for name, value in claim.lane.carry.items() if name in known}
    return Carry(**{**kept, "verdict": Kind(kept.get("verdict", Kind.GO))})


def _carried(claim: Claim, carry: Carry) -> dict[str, Any]:
    return {**claim.lane.carry, **asdict(carry)}


def _owner() -> str:
    """Name this slice: where it runs, and a part of its own, since one process may be handed the same lane twice."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
