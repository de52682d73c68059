"""How a run comes to rest: succeeded, failed, errored, paused or aborted, and what goes on by itself afterwards.

These are halves of verbs: each works on a run whose plan and row the caller has locked, inside the caller's
transaction. Failed or errored? An errored run may be resumed, because the target was out of reach, did not let us in,
or did not tell what became of a statement. A failed run is over, because the target answered and the answer is no:
a difference found by verify (so that nobody can resume past it: only a full clean pass of a new run opens the gate),
a table that is no longer the plan's, or something that is refused as asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from migrations_app import events
from migrations_app.lifecycle import ACTIVE_RUNS, PhaseStatus, PlanStatus, RunStatus, move
from migrations_app.models import Command, Plan, PlanPhase, Run
from migrations_app.policy import GATES
from migrations_app.services.approvals import confirmations_void
from migrations_app.services.errors import PhaseBlocked
from migrations_app.services.runs import last_revertible, run_start
from workers.engine.vocabulary import PHASES, Direction, Phase

AT_REST: dict[str, Any] = {"wait_reason": "", "wait_verdict": "", "wait_since": None, "wake_at": None}


def finish_run(run: Run, result: Mapping[str, int]) -> None:
    """The phase is done, or undone. Goes on with the chain, or with the rollback that waited for this run to stop."""
    was = RunStatus(run.status)
    now = timezone.now()
    move(run, RunStatus.SUCCEEDED, finished_at=now, **AT_REST)
    back = run.direction == Direction.BACK
    _move_phase(run, PhaseStatus.REVERTED if back else PhaseStatus.DONE, now, result=dict(result))
    seconds = (now - run.started_at).total_seconds() if run.started_at else 0.0
    _record(run, "run_succeeded", {"phase_status": run.phase.status, "result": dict(result), "seconds": seconds})
    _void_confirmations(run)
    _answer_commands(run, now)
    if _end_plan(run):
        return
    if was is RunStatus.ABORTING and run.then_back_to:
        _start(run, Phase(run.phase.name), Direction.BACK, run.then_back_to)
    elif (phase := _next_in_chain(run)) is not None:
        if was is RunStatus.RUNNING:
            _start(run, phase, Direction(run.direction), run.chain_until)
        else:
            asked = "abort" if was is RunStatus.ABORTING else "pause"
            text = f"{run.phase.name} ended while {asked} was asked for; nothing starts after it by itself."
            remedy = f"Start {phase} when you are ready."
            _chain_stopped(run, phase, [{"code": f"{asked}_requested", "kind": "mend", "text": text, "remedy": remedy}])
    _leave_reverting(run.plan)


def fail_run(run: Run, *, code: str, fact: str, remedy: str, result: Mapping[str, int] | None = None) -> None:
    """The run is over without its effect; what it did stays, and the phase can be started again or rolled back."""
    now = timezone.now()
    _stop_with(run, RunStatus.FAILED, code, fact, remedy, finished_at=now)
    _move_phase(run, PhaseStatus.FAILED, now, result=dict(result or {}))
    error = {"code": code, "fact": fact, "remedy": remedy}
    _record(run, "run_failed", {"phase_status": run.phase.status, "result": dict(result or {}), **error})
    _answer_commands(run, now)
    _leave_reverting(run.plan)


def error_run(run: Run, *, code: str, fact: str, remedy: str) -> None:
    """The run stops where it is until a person resumes or aborts it."""
    _stop_with(run, RunStatus.ERRORED, code, fact, remedy)
    _record(run, "run_errored", {"code": code, "fact": fact, "remedy": remedy})


def pause_run(run: Run) -> None:
    """The pause that was asked for is in force: no worker holds the run, and its last batch stands."""
    move(run, RunStatus.PAUSED, **AT_REST)
    run.commands.filter(verb=Command.Verb.PAUSE, acknowledged_at=None).update(acknowledged_at=timezone.now())
    _record(run, "run_paused", {})


def abort_run(run: Run, payload: Mapping[str, Any]) -> None:
    """The stop is proven by `payload`. Starts the rollback that was asked for with the abort."""
    now = timezone.now()
    move(run, RunStatus.ABORTED, finished_at=now, **AT_REST)
    _move_phase(run, PhaseStatus.FAILED, now)
    _record(run, "run_aborted", {"phase_status": run.phase.status, **payload}, by="supervisor")
    if run.then_back_to:
        _start(run, Phase(run.phase.name), Direction.BACK, run.then_back_to)
    _leave_reverting(run.plan)


def _stop_with(run: Run, to: RunStatus, code: str, fact: str, remedy: str, **changes: object) -> None:
    move(run, to, error_code=code[:64], error_fact=fact, error_remedy=remedy, **AT_REST, **changes)


def _move_phase(run: Run, to: PhaseStatus, now: datetime, **changes: object) -> None:
    move(run.phase, to, since=now, **changes)


def _record(run: Run, kind: str, payload: Mapping[str, Any], *, by: str = "worker") -> None:
    about = {"run": run.pk, "phase": run.phase.name, "direction": run.direction}
    events.record(run.plan, kind, {**about, **payload}, by=by)


def _void_confirmations(run: Run) -> None:
    """Void what was said for a state of the world that this run has ended.

    After a step back: all gates forward from there on, and the waits that were overridden for them. After a step
    forward: what was said of the way back, and that a side was unused, since the other side is the next to go.
    """
    phase = Phase(run.phase.name)
    if run.direction == Direction.BACK:
        later = PHASES[PHASES.index(phase) :]
        gates = [gate.key for gate in GATES if gate.direction is Direction.FORWARD and gate.phase in later]
        if Phase.CONTRACT in later and phase in (Phase.CUTOVER, Phase.CONTRACT):
            gates += ["soak", "hold", "side_unused"]
    else:
        gates = [*(gate.key for gate in GATES if gate.direction is Direction.BACK), "side_unused"]
    confirmations_void(run.plan, gates)


def _answer_commands(run: Run, now: datetime) -> None:
    """Say to a pause or an abort that came too late what became of it."""
    too_late = Q(verb=Command.Verb.PAUSE, acknowledged_at=None) | Q(verb=Command.Verb.ABORT, verified_at=None)
    for command in run.commands.filter(too_late):
        command.acknowledged_at = command.acknowledged_at or now
        command.evidence = {"outcome": f"The run had {run.status} before it was stopped."}
        command.save(update_fields=["acknowledged_at", "evidence"])


def _end_plan(run: Run) -> bool:
    """Complete the plan after its last phase, or call it reverted once its first is undone; True where it ended."""
    back = run.direction == Direction.BACK
    others = run.plan.phases.exclude(pk=run.phase.pk)
    if back and not others.filter(position__lt=run.phase.position).exists():
        status, kind = PlanStatus.REVERTED, "plan_reverted"
    elif not back and not others.filter(position__gt=run.phase.position).exists():
        status, kind = PlanStatus.COMPLETED, "plan_completed"
    else:
        return False
    plan = run.plan
    move(plan, status)
    plan.claims.all().delete()
    events.record(plan, kind, {"run": run.pk}, by="worker")
    return True


def _next_in_chain(run: Run) -> Phase | None:
    if not run.chain_until or run.phase.name == run.chain_until:
        return None
    until = PHASES.index(Phase(run.chain_until))
    if run.direction == Direction.FORWARD:
        following: PlanPhase | None = run.plan.phases.filter(position__gt=run.phase.position).first()
        return Phase(following.name) if following and following.position <= until else None
    last = last_revertible(run.plan)
    return Phase(last.name) if last and last.position >= until else None


def _start(run: Run, phase: Phase, direction: Direction, chain_until: str) -> None:
    try:
        with transaction.atomic():
            run_start(run.plan, phase, actor=None, direction=direction, chain_until=chain_until)
    except PhaseBlocked as blocked:
        found = [{"code": b.code, "kind": b.kind, "text": b.text, "remedy": b.remedy} for b in blocked.blockers]
        _chain_stopped(run, phase, found, direction)


def _chain_stopped(run: Run, phase: Phase, found: list[dict[str, str]], direction: Direction | None = None) -> None:
    way = direction or Direction(run.direction)
    events.record(
        run.plan, "chain_stopped", {"run": run.pk, "phase": phase, "direction": way, "blockers": found}, by="lockstep"
    )


def _leave_reverting(plan: Plan) -> None:
    """Call the plan active again where its rollback has stopped before the start: it may go on in either direction."""
    plan.refresh_from_db(fields=["status"])
    if plan.status != PlanStatus.REVERTING or plan.runs.filter(status__in=ACTIVE_RUNS).exists():
        return
    move(plan, PlanStatus.ACTIVE)
    last = last_revertible(plan)
    events.record(plan, "rollback_ended", {"standing": last.name if last else ""}, by="lockstep")
