"""Whose approvals of a plan count now, and who may not approve it."""

from __future__ import annotations

from migrations_app.authorize import is_allowed
from migrations_app.models import Approval, Plan


def approvals_standing(plan: Plan, group: str) -> list[Approval]:
    """Return the approvals of the present digest that count now.

    Not those of authors or editors, of people who lost the role, nor from before changes were asked for.
    """
    approvals = plan.approvals.filter(group=group, digest=plan.digest, decision="approved", voided_at=None)
    editors = editors_of(plan)
    standing = []
    for approval in approvals.select_related("user"):
        if approval.person not in editors and is_allowed(approval.user, "plan_approve", plan):
            standing.append(approval)
    return standing


def editors_of(plan: Plan) -> set[object]:
    """Return the persons who wrote any revision of this plan."""
    return {plan.author.person, *plan.revisions.values_list("editor__person", flat=True)}
