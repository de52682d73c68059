"""Verbs on runs, as people and guards give them: start, pause, resume, abort, tune, roll back."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from migrations_app import events
from migrations_app.authorize import authorize
from migrations_app.content import LIMITS, operations_of
from migrations_app.dispatch import STOP_CHANNEL, enqueue_run
from migrations_app.lifecycle import ACTIVE_RUNS, PhaseStatus, PlanStatus, RunStatus, move
from migrations_app.models import Command, Lane, Plan, PlanPhase, Run, TableClaim, User
from migrations_app.policy import table_claimed
from migrations_app.selectors.facts import phase_blockers
from migrations_app.services.errors import InputRefused, PhaseBlocked, ServiceRefused
from migrations_app.services.plans import locked
from workers.engine.vocabulary import PHASES, Backfill, Compare, Direction, Phase

CHAINED = (Phase.EXPAND, Phase.DUAL_WRITE, Phase.BACKFILL, Phase.VERIFY)
"""Phases that may follow each other by themselves where the plan says so."""


@transaction.atomic
def run_start(
    plan: Plan, phase: Phase, *, actor: User | None, direction: Direction = Direction.FORWARD, chain_until: str = ""
) -> Run:
    """Start driving a phase forward or back; raises PhaseBlocked with everything that stands in the way.

    `actor` None: the plan goes on by itself (a chain or a rollback of several phases), as somebody asked before.
    """
    plan = locked(plan)
    if actor is not None:
        authorize(actor, "run_start" if direction is Direction.FORWARD else "plan_rollback", plan)
    if direction is Direction.FORWARD and chain_until and actor is not None and not plan.content["chain"]:
        raise InputRefused(
            "This plan does not chain: a person starts each phase.",
            remedy="Leave chain_until out, or let the plan say chain and have it approved.",
            code="chain_not_planned",
            field="chain_until",
        )
    if direction is Direction.FORWARD and chain_until and chain_until not in CHAINED:
        raise InputRefused(
            f"{chain_until} does not start by itself: a person starts it.",
            remedy=f"Chain at most until {CHAINED[-1]}.",
            code="chain_too_far",
            field="chain_until",
        )
    found = phase_blockers(plan, phase, direction)
    if found:
        raise PhaseBlocked(found)
    row = plan.phases.get(name=phase)
    if direction is Direction.FORWARD:
        _enter_forward(plan, row, phase)
        if not chain_until and plan.content["chain"] and phase in CHAINED:
            chain_until = Phase.VERIFY
    else:
        if plan.status == PlanStatus.ACTIVE:
            move(plan, PlanStatus.REVERTING)
        move(row, PhaseStatus.REVERTING, since=timezone.now())
    run = Run.objects.create(
        plan=plan,
        phase=row,
        direction=direction,
        digest=plan.digest,
        requested_by=actor,
        chain_until=chain_until,
    )
    Lane.objects.create(run=run, number=0, rows_expected=_rows_expected(plan, phase, direction))
    events.record(
        plan,
        "run_enqueued",
        {"run": run.pk, "phase": phase, "direction": direction, "chain_until": chain_until},
        actor=actor,
        by="lockstep",
    )
    enqueue_run(run.pk)
    return run


def _enter_forward(plan: Plan, row: PlanPhase, phase: Phase) -> None:
    if plan.status == PlanStatus.APPROVED:
        for operation in operations_of(plan.content):
            claim, _ = TableClaim.objects.get_or_create(
                target=plan.target, schema=operation.table.schema, table=operation.table.name, defaults={"plan": plan}
            )
            if claim.plan_id != plan.pk:  # another plan's start was committed while this one looked
                raise PhaseBlocked([table_claimed(claim.plan_id)])
    if plan.status in (PlanStatus.APPROVED, PlanStatus.REVERTING):
        move(plan, PlanStatus.ACTIVE)
    move(row, PhaseStatus.RUNNING, since=timezone.now())


def _rows_expected(plan: Plan, phase: Phase, direction: Direction) -> int | None:
    for index, operation in enumerate(operations_of(plan.content)):
        for step in operation.steps(f"p{plan.pk}o{index}"):
            if step.phase is phase and any(isinstance(a, Backfill | Compare) for a in step.actions(direction)):
                return int((plan.preflight or {}).get("rows", 0)) or None
    return None


@transaction.atomic
def run_pause(run: Run, *, actor: User | None, guard: str = "", key: str = "", reason: str = "") -> Command:
    """Ask a run to stop after the present batch and stay where it is. Repeatable."""
    run, command, is_known = _command(run, Command.Verb.PAUSE, actor=actor, guard=guard, key=key, reason=reason)
    by = f"guard {guard}" if guard else ""
    if is_known or run.status in (RunStatus.PAUSING, RunStatus.PAUSED):
        return command
    if run.status == RunStatus.ENQUEUED:
        move(run, RunStatus.PAUSED, wait_reason="", wait_verdict="", wait_since=None)
        _acknowledge(command)
        payload = {"run": run.pk, "phase": run.phase.name, "direction": run.direction}
        events.record(run.plan, "run_paused", payload, actor=actor, by=by)
    else:
        move(run, RunStatus.PAUSING, wake_at=None)
        events.record(run.plan, "pause_requested", {"run": run.pk, "reason": reason}, actor=actor, by=by)
        enqueue_run(run.pk)  # one that sleeps is paused by whoever claims it, also where no supervisor is alive
    return command


@transaction.atomic
def run_resume(run: Run, *, actor: User, key: str = "", reason: str = "") -> Command:
    """Let a paused run, or one that met an error, go on from its last committed batch. Repeatable."""
    run, command, is_known = _command(run, Command.Verb.RESUME, actor=actor, key=key, reason=reason)
    if is_known or run.status in (RunStatus.ENQUEUED, RunStatus.RUNNING):
        return command
    move(
        run,
        RunStatus.ENQUEUED,
        wait_reason="",
        wait_verdict="",
        wait_since=None,
        wake_at=None,
        error_code="",
        error_fact="",
        error_remedy="",
    )
    _acknowledge(command)
    events.record(run.plan, "run_resumed", {"run": run.pk, "reason": reason}, actor=actor)
    enqueue_run(run.pk)
    return command


@transaction.atomic
def run_abort(
    run: Run, *, actor: User | None, guard: str = "", key: str = "", reason: str = "", then_back_to: str = ""
) -> Command:
    """Stop all work of a run at once and keep both shapes and the sync. Idempotent: a second abort returns the first.

    The supervisor is told by NOTIFY; it fences the target, cancels what runs there and gathers the evidence.
    """
    run, command, is_known = _command(run, Command.Verb.ABORT, actor=actor, guard=guard, key=key, reason=reason)
    if is_known:
        return command
    move(run, RunStatus.ABORTING, wait_reason="", wait_verdict="", wait_since=None, then_back_to=then_back_to)
    events.record(
        run.plan,
        "abort_requested",
        {"run": run.pk, "reason": reason, "command": command.pk, "then_back_to": then_back_to},
        actor=actor,
        by=f"guard {guard}" if guard else "",
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [STOP_CHANNEL, str(run.pk)])
    return command


@transaction.atomic
def run_tune(run: Run, changes: Mapping[str, float], *, actor: User) -> Run:
    """Change rate or batch size of a run within the bounds that were approved."""
    run = _locked_run(run)
    authorize(actor, "run_tune", run.plan)
    if not changes:
        raise InputRefused(
            "There is nothing to change.", remedy="Give rate_rows_per_s or batch_rows.", code="nothing_to_tune"
        )
    if not run.is_active:
        raise ServiceRefused(f"Run {run.pk} is {run.status} already; there is nothing to tune.", code="run_ended")
    limits = dict(run.limits)
    for name, value in changes.items():
        most_name = f"{name}_most"
        if most_name not in LIMITS:
            raise InputRefused(
                f'"{name}" cannot be changed while running.', remedy="Change rate_rows_per_s or batch_rows.", field=name
            )
        most = plan_limit = run.plan.content["limits"][most_name]
        least = LIMITS[name][1]
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise InputRefused(
                f"{name} must lie between {least:g} and {plan_limit:g}, the bound that was approved.",
                remedy="Choose a value within it, or edit the plan and have it approved again.",
                code="outside_approved_bounds",
                field=name,
            )
        limits[name] = value
    Run.objects.filter(pk=run.pk).update(limits=limits)
    run.limits = limits
    events.record(run.plan, "run_tuned", {"run": run.pk, **changes}, actor=actor)
    return run


@transaction.atomic
def plan_rollback(
    plan: Plan, *, actor: User | None, guard: str = "", to: str = "", reason: str = "", key: str = ""
) -> Run | Command:
    """Undo phases down to and including `to` (default: the last one). The approval of each phase covers it.

    An active run is aborted first and the way back starts when its stop is proven; then the Command is returned.
    The same key gives the first answer again: sent twice, it must not undo two phases.
    """
    plan = locked(plan)
    if actor is not None:
        authorize(actor, "plan_rollback", plan)
    if key and (known := Command.objects.filter(idempotency_key=key).select_related("run").first()):
        return _known_rollback(plan, known)
    if to and to not in set(Phase):
        raise InputRefused(f'There is no phase "{to}".', remedy=f"Phases: {', '.join(PHASES)}.", field="to")
    run = plan.runs.filter(status__in=ACTIVE_RUNS).select_related("phase").first()
    if run is not None:
        if run.direction == Direction.BACK:
            raise ServiceRefused(
                f"Run {run.pk} rolls {run.phase.name} back already.", remedy="Watch it.", code="already_reverting"
            )
        return run_abort(run, actor=actor, guard=guard, key=key, reason=reason, then_back_to=to or run.phase.name)
    last = last_revertible(plan)
    if last is None:
        raise ServiceRefused(
            "Nothing of this plan has been started, so there is nothing to roll back.", code="nothing_to_roll_back"
        )
    to = to or last.name
    if PHASES.index(Phase(to)) > PHASES.index(Phase(last.name)):
        raise ServiceRefused(
            f"{to} has not been done; the last phase is {last.name}.", remedy="Roll that back.", field="to"
        )
    asked = {"from": last.name, "to": to, "reason": reason}
    events.record(plan, "rollback_requested", asked, actor=actor, by=f"guard {guard}" if guard else "")
    run = run_start(plan, Phase(last.name), actor=actor, direction=Direction.BACK, chain_until=to)
    _acknowledge(_write_command(run, Command.Verb.ROLLBACK, actor=actor, guard=guard, key=key, reason=reason))
    return run


def _known_rollback(plan: Plan, known: Command) -> Run | Command:
    """Return what a rollback with this key was answered with before."""
    is_abort = known.verb == Command.Verb.ABORT and bool(known.run.then_back_to)
    if known.run.plan_id != plan.pk or not (is_abort or known.verb == Command.Verb.ROLLBACK):
        raise _key_reused()
    return known if is_abort else known.run


def last_revertible(plan: Plan) -> PlanPhase | None:
    """Return the last phase that has been done or has failed, or None. A purge has no way back, done or failed."""
    phases = plan.phases.exclude(name=Phase.PURGE).filter(status__in=(PhaseStatus.DONE, PhaseStatus.FAILED))
    return phases.order_by("-position").first()


def _command(
    run: Run, verb: Command.Verb, *, actor: User | None, key: str, reason: str, guard: str = ""
) -> tuple[Run, Command, bool]:
    """Lock the run, check the right and the status, and return the command and whether it had been given before.

    One that had been given is in force or is history: carrying it out again would undo what was asked for since.
    """
    run = _locked_run(run)
    if actor is not None:
        authorize(actor, f"run_{verb}", run.plan)
    if key:
        existing = Command.objects.filter(idempotency_key=key).first()
        if existing:
            if existing.run_id != run.pk or existing.verb != verb:
                raise _key_reused()
            return run, existing, True
    if verb == Command.Verb.ABORT and run.status == RunStatus.ABORTING:
        return run, run.commands.filter(verb=verb).latest("id"), True
    if not run.is_active:
        raise ServiceRefused(
            f"Run {run.pk} is {run.status} already; there is nothing to {verb}.",
            remedy="Roll back the phase if its effect should go." if verb == Command.Verb.ABORT else "",
            code="run_ended",
        )
    if run.status == RunStatus.ABORTING:
        raise ServiceRefused(
            f"Run {run.pk} is being aborted; abort wins.", remedy="Wait until it has stopped.", code="run_aborting"
        )
    return run, _write_command(run, verb, actor=actor, guard=guard, key=key, reason=reason), False


def _write_command(run: Run, verb: Command.Verb, *, actor: User | None, guard: str, key: str, reason: str) -> Command:
    return Command.objects.create(
        run=run, verb=verb, idempotency_key=key or uuid.uuid4().hex, user=actor, guard=guard, reason=reason.strip()
    )


def _key_reused() -> ServiceRefused:
    return ServiceRefused(
        "This idempotency key belongs to another command.", remedy="Use a new one.", code="key_reused"
    )


def _acknowledge(command: Command) -> None:
    """Note that the command is in force already, without a worker."""
    command.acknowledged_at = timezone.now()
    command.save(update_fields=["acknowledged_at"])


def _locked_run(run: Run) -> Run:
    locked(run.plan)
    return Run.objects.select_for_update(of=("self",)).select_related("plan__target", "phase").get(pk=run.pk)


def is_reauthenticated(at_epoch_s: float | None, now_epoch_s: float) -> bool:
    """Return whether a password given at that time is fresh enough for rollback after cutover and for contract."""
    return at_epoch_s is not None and now_epoch_s - at_epoch_s <= settings.LOCKSTEP_REAUTHENTICATE_S
