"""Verbs of deciding: approve, ask for changes, confirm a gate, override one."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from migrations_app import events
from migrations_app.authorize import authorize
from migrations_app.lifecycle import PlanStatus, move
from migrations_app.models import Approval, Confirmation, Plan, User
from migrations_app.policy import APPROVALS_BY_GROUP, GATE_BY_KEY, may_confirm
from migrations_app.selectors.votes import editors_of
from migrations_app.services.errors import DigestMoved, InputRefused, ServiceRefused
from migrations_app.services.plans import locked
from workers.engine.vocabulary import Phase

OVERRIDABLE_WAITS = ("soak", "hold", "side_unused")
"""Waits that are no gates of their own but may be overridden with a reason."""


@transaction.atomic
def approval_give(plan: Plan, group: str, *, digest: str, actor: User, comment: str = "") -> Approval:
    """Sign a digest for a group of phases. The same person's second signature returns the first.

    Raises DigestMoved where the plan changed since it was looked at, ServiceRefused for authors and editors.
    """
    plan = locked(plan)
    authorize(actor, "plan_approve", plan)
    _refuse_own(plan, actor)
    if group not in APPROVALS_BY_GROUP:
        raise InputRefused(
            f'There is no approval "{group}".',
            remedy="Choose expand, cutover or contract.",
            code="group_unknown",
            field="group",
        )
    _refuse_moved(plan, digest)
    if plan.status not in (PlanStatus.SUBMITTED, PlanStatus.APPROVED, PlanStatus.ACTIVE):
        raise ServiceRefused(
            f"The plan is {plan.status}; there is nothing to approve.",
            remedy="Its author must submit it first." if plan.status == PlanStatus.DRAFT else "",
            code="plan_not_submitted",
        )
    approval, created = Approval.objects.get_or_create(
        plan=plan,
        group=group,
        digest=digest,
        person=actor.person,
        decision=Approval.Decision.APPROVED,
        voided_at=None,
        defaults={"user": actor, "comment": comment.strip()},
    )
    if created:
        events.record(plan, "approval_given", {"group": group, "digest": digest, "comment": comment}, actor=actor)
    if group == "expand" and plan.status == PlanStatus.SUBMITTED:
        move(plan, PlanStatus.APPROVED)
        events.record(plan, "plan_approved", {"digest": digest}, actor=actor)
    return approval


@transaction.atomic
def changes_request(plan: Plan, *, digest: str, actor: User, comment: str) -> Approval:
    """Send a plan that has not started back to its author; a comment says what to change."""
    plan = locked(plan)
    authorize(actor, "plan_approve", plan)
    if not comment.strip():
        raise InputRefused(
            "A comment is missing.", remedy="Say what should change.", code="comment_missing", field="comment"
        )
    _refuse_moved(plan, digest)
    move(plan, PlanStatus.DRAFT)
    voided = plan.approvals.filter(decision="approved", voided_at=None).update(voided_at=timezone.now())
    approval = Approval.objects.create(
        plan=plan,
        group="expand",
        digest=digest,
        person=actor.person,
        user=actor,
        decision=Approval.Decision.CHANGES,
        comment=comment.strip(),
    )
    events.record(plan, "changes_requested", {"comment": comment, "approvals_voided": voided}, actor=actor)
    return approval


@transaction.atomic
def gate_confirm(plan: Plan, gate: str, *, actor: User, reason: str = "", override: bool = False) -> Confirmation:
    """Record that a gate's condition holds, or that it is overridden, which takes a reason and another role."""
    plan = locked(plan)
    authorize(actor, "gate_override" if override else "gate_confirm", plan)
    known = GATE_BY_KEY.get(gate)
    if known is None and not (override and gate in OVERRIDABLE_WAITS):
        raise InputRefused(
            f'There is no gate "{gate}".',
            remedy=f"Gates: {', '.join(GATE_BY_KEY)}; waits that can be overridden: {', '.join(OVERRIDABLE_WAITS)}.",
            code="gate_unknown",
        )
    if override and known is not None and not known.overridable:
        raise ServiceRefused(
            f"{known.title}: this cannot be overridden.", remedy="Confirm it when it is true.", code="gate_firm"
        )
    if not override and known is not None and not may_confirm(known, _statuses(plan)):
        raise ServiceRefused(
            f"{known.title}: this cannot be true before cutover is done.",
            remedy="Confirm it after cutover.",
            code="gate_too_early",
        )
    if override and not reason.strip():
        raise InputRefused(
            "An override needs a reason.", remedy="Say why it is safe.", code="reason_missing", field="reason"
        )
    existing = plan.confirmations.filter(gate=gate, voided_at=None).first()
    if existing:
        return existing
    confirmation = Confirmation.objects.create(
        plan=plan, gate=gate, is_override=override, reason=reason.strip(), user=actor
    )
    kind = "gate_overridden" if override else "gate_confirmed"
    events.record(plan, kind, {"gate": gate, "reason": reason.strip()}, actor=actor)
    return confirmation


def confirmations_void(plan: Plan, gates: list[str]) -> None:
    """Void what was said of these gates, since the phase they opened was rolled back. In the caller's transaction."""
    plan.confirmations.filter(gate__in=gates, voided_at=None).update(voided_at=timezone.now())


def _statuses(plan: Plan) -> dict[Phase, str]:
    return {Phase(row.name): row.status for row in plan.phases.all()}


def _refuse_moved(plan: Plan, digest: str) -> None:
    if digest != plan.digest:
        raise DigestMoved(
            f"The plan changed since you looked at it: it is revision {plan.revision} ({plan.short_digest}) now.",
            remedy="Look at what changed and decide on that.",
        )


def _refuse_own(plan: Plan, actor: User) -> None:
    if actor.person in editors_of(plan):
        raise ServiceRefused(
            "You wrote or edited this plan, so you cannot approve it.",
            remedy="Ask another approver.",
            code="own_plan",
        )
