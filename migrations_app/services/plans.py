"""Verbs on plans: create, edit, submit, ask for changes, abandon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from migrations_app import events
from migrations_app.authorize import authorize
from migrations_app.content import digest_of, operations_of, parse_content
from migrations_app.lifecycle import PlanStatus, move
from migrations_app.models import Plan, PlanPhase, PlanRevision, Target, User
from migrations_app.services.errors import DigestMoved, ServiceRefused
from workers.engine.vocabulary import PHASES


@transaction.atomic
def plan_create(target: Target, title: str, raw: Mapping[str, Any], *, actor: User) -> Plan:
    """Create a draft from raw content; raises ParametersRefused naming the field."""
    authorize(actor, "plan_edit", target)
    content = parse_content(raw, target_uid=str(target.uid))
    plan = Plan.objects.create(
        target=target, title=_title(title, content), content=content, digest=digest_of(content), author=actor
    )
    _write_phases(plan)
    PlanRevision.objects.create(plan=plan, number=1, content=content, digest=plan.digest, editor=actor)
    events.record(plan, "plan_created", {"title": plan.title, "digest": plan.digest}, actor=actor)
    return plan


@transaction.atomic
def plan_edit(plan: Plan, title: str, raw: Mapping[str, Any], *, actor: User, seen_digest: str) -> Plan:
    """Replace the content of a plan that has not started; a changed digest makes it a draft again.

    It voids the approvals, and what was confirmed of gates. Raises DigestMoved where somebody else edited the plan
    since `seen_digest` was read.
    """
    plan = locked(plan)
    authorize(actor, "plan_edit", plan)
    if plan.digest != seen_digest:
        raise DigestMoved(
            f"The plan was edited meanwhile: it is revision {plan.revision} ({plan.short_digest}) now.",
            remedy="Look at the new revision and make your change there.",
        )
    if plan.status not in (PlanStatus.DRAFT, PlanStatus.SUBMITTED, PlanStatus.APPROVED):
        raise ServiceRefused(
            f"The plan is {plan.status}; what runs is what was signed.",
            remedy="Roll it back and make a new plan.",
            code="plan_not_editable",
        )
    content = parse_content(raw, target_uid=str(plan.target.uid))
    title = _title(title, content)
    digest = digest_of(content)
    if digest == plan.digest:
        Plan.objects.filter(pk=plan.pk).update(title=title)
        plan.title = title
        return plan
    # By a date, not by the digest alone: editing back to what was signed once must not bring signatures back.
    voided = plan.approvals.filter(decision="approved", voided_at=None).update(voided_at=timezone.now())
    plan.confirmations.filter(voided_at=None).update(voided_at=timezone.now())
    changes = {
        "title": title,
        "content": content,
        "digest": digest,
        "revision": plan.revision + 1,
        "preflight": None,
    }
    if plan.status == PlanStatus.DRAFT:
        Plan.objects.filter(pk=plan.pk).update(**changes)
        plan.refresh_from_db()
    else:
        move(plan, PlanStatus.DRAFT, **changes)
    PlanRevision.objects.create(plan=plan, number=plan.revision, content=content, digest=digest, editor=actor)
    plan.phases.all().delete()
    _write_phases(plan)
    events.record(
        plan, "plan_edited", {"revision": plan.revision, "digest": digest, "approvals_voided": voided}, actor=actor
    )
    return plan


@transaction.atomic
def plan_submit(plan: Plan, *, actor: User) -> Plan:
    """Ask for approval. Preflight must have run on this digest without a blocking objection."""
    plan = locked(plan)
    authorize(actor, "plan_edit", plan)
    if plan.preflight is None or plan.preflight["digest"] != plan.digest:
        raise ServiceRefused(
            "The preflight has not looked at this revision yet.",
            remedy="Run the preflight, then submit.",
            code="preflight_missing",
        )
    blocking = [item for item in plan.preflight["objections"] if item["severity"] == "block"]
    if blocking:
        raise ServiceRefused(
            f"The preflight objects: {blocking[0]['text']}",
            remedy=blocking[0]["remedy"],
            code=blocking[0]["code"],
            field=blocking[0]["field"],
        )
    move(plan, PlanStatus.SUBMITTED)
    events.record(plan, "plan_submitted", {"digest": plan.digest, "revision": plan.revision}, actor=actor)
    return plan


@transaction.atomic
def plan_abandon(plan: Plan, *, actor: User, reason: str) -> Plan:
    """Give up a plan that never started; nothing of it is in the target."""
    plan = locked(plan)
    authorize(actor, "plan_edit", plan)
    move(plan, PlanStatus.ABANDONED)
    events.record(plan, "plan_abandoned", {"reason": reason}, actor=actor)
    return plan


def locked(plan: Plan) -> Plan:
    """Return the plan as it stands now, locked until the transaction ends."""
    return Plan.objects.select_for_update(of=("self",)).select_related("target", "author").get(pk=plan.pk)


def _title(title: str, content: Mapping[str, Any]) -> str:
    return title.strip()[:120] or operations_of(content)[0].describe()[:120]


def _write_phases(plan: Plan) -> None:
    named = {
        step.phase
        for index, operation in enumerate(operations_of(plan.content))
        for step in operation.steps(f"p{plan.pk}o{index}")
        if step.do
    }
    PlanPhase.objects.bulk_create(
        PlanPhase(plan=plan, name=phase, position=position) for position, phase in enumerate(PHASES) if phase in named
    )
