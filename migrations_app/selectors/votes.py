"""Whose approvals of a plan count now, and who may not approve it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from migrations_app.authorize import is_allowed
from migrations_app.models import Approval, Plan
from migrations_app.policy import APPROVALS_BY_GROUP


def approvals_standing(plan: Plan, group: str) -> list[Approval]:
    """Return the approvals of the present digest that count now; `why_void` says why the others do not."""
    return standing_by_group(plan, approvals_of(plan), editors_of(plan))[group]


def standing_by_group(
    plan: Plan, approvals: Iterable[Approval], editors: Collection[object]
) -> dict[str, list[Approval]]:
    """Sort those of `approvals_of` that count now by their group. No query."""
    standing: dict[str, list[Approval]] = {group: [] for group in APPROVALS_BY_GROUP}
    for approval in approvals:
        if approval.decision == Approval.Decision.APPROVED and not why_void(approval, plan, editors):
            standing[approval.group].append(approval)
    return standing


def approvals_of(plan: Plan) -> list[Approval]:
    """Return every decision on this plan with its giver and the giver's roles; two queries."""
    return list(plan.approvals.select_related("user").prefetch_related("user__role_grants"))


def why_void(approval: Approval, plan: Plan, editors: Collection[object]) -> str:
    """Return why a signature does not count now, in words; empty where it counts."""
    if approval.digest != plan.digest:
        return "It signs an earlier revision."
    if approval.voided_at is not None:
        return "The plan was sent back or edited afterwards."
    if approval.person in editors:
        return "Its giver wrote or edited the plan."
    if not is_allowed(approval.user, "plan_approve", plan):
        return "Its giver may not approve here any more."
    return ""


def editors_of(plan: Plan) -> set[object]:
    """Return the persons who wrote any revision of this plan."""
    return {plan.author.person, *plan.revisions.values_list("editor__person", flat=True)}
