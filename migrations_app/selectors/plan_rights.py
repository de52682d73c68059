"""Which verbs on a plan an actor may use now, and why not the others: for buttons, which explain themselves."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from migrations_app.authorize import ROLES_BY_ACTION, roles_of
from migrations_app.lifecycle import PhaseStatus, PlanStatus, RunStatus
from migrations_app.models import Plan, PlanPhase, Run, User


def rights_of(
    plan: Plan, actor: User, rows: Sequence[PlanPhase], run: Run | None, editors: Collection[object]
) -> tuple[dict[str, bool], dict[str, str]]:
    """Return which verbs the actor may use now, and for the others why not. One query: the actor's roles."""
    roles = roles_of(actor, plan.target)
    status, active = plan.status, run is not None and run.is_active
    run_status = run.status if run is not None and run.is_active else ""
    unstarted = status in (PlanStatus.DRAFT, PlanStatus.SUBMITTED, PlanStatus.APPROVED)
    living = status in (PlanStatus.APPROVED, PlanStatus.ACTIVE, PlanStatus.REVERTING)
    started = any(row.status not in (PhaseStatus.PENDING, PhaseStatus.REVERTED) for row in rows)
    verbs: dict[str, tuple[str, bool, str]] = {
        # verb: (action to authorize, whether it makes sense now, why not)
        "edit": ("plan_edit", unstarted, f"The plan is {status}; what runs is what was signed."),
        "preflight": ("plan_edit", unstarted, f"The plan is {status}."),
        "submit": ("plan_edit", status == PlanStatus.DRAFT, f"The plan is {status}."),
        "abandon": ("plan_edit", unstarted, f"The plan is {status}; roll it back instead."),
        "approve": ("plan_approve", status in ("submitted", "approved", "active"), f"The plan is {status}."),
        "request_changes": ("plan_approve", status in ("submitted", "approved"), f"The plan is {status}."),
        "confirm_gate": ("gate_confirm", living, f"The plan is {status}."),
        "override_gate": ("gate_override", living, f"The plan is {status}."),
        "start": ("run_start", living and not active, "A run is active." if active else f"The plan is {status}."),
        "rollback": ("plan_rollback", living and started, "Nothing of this plan has been started."),
        "pause": ("run_pause", run_status in ("enqueued", "running"), "No run is at work."),
        "resume": ("run_resume", run_status in ("pausing", "paused", "errored"), "No run is paused."),
        "abort": ("run_abort", active and run_status != RunStatus.ABORTING, "No run is active."),
        "tune": ("run_tune", active and run_status != RunStatus.ABORTING, "No run is active."),
    }
    may, may_not = {}, {}
    for verb, (action, is_timely, why_not) in verbs.items():
        allowed = ROLES_BY_ACTION[action]
        if not allowed & roles:
            why_not = f"It takes one of the roles {', '.join(sorted(allowed))}."
        elif verb == "approve" and actor.person in editors:
            why_not = "You wrote or edited this plan, so you cannot approve it."
        elif is_timely:
            why_not = ""
        may[verb] = not why_not
        if why_not:
            may_not[verb] = why_not
    return may, may_not
