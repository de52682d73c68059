"""What an actor may see: every list and every look-up by id starts from one of these, so that nothing leaks."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from migrations_app.authorize import ROLES_BY_ACTION
from migrations_app.models import Plan, Run, Target, User


def access_targets(actor: User) -> QuerySet[Target]:
    """Return the targets within the scope of any of the actor's roles."""
    return Target.objects.filter(_within_scope(actor, ""))


def access_plans(actor: User) -> QuerySet[Plan]:
    """Return the plans on targets that the actor may see."""
    return Plan.objects.filter(_within_scope(actor, "target__")).select_related("target", "author")


def access_runs(actor: User) -> QuerySet[Run]:
    """Return the runs of plans that the actor may see."""
    return Run.objects.filter(_within_scope(actor, "plan__target__")).select_related(
        "plan__target", "plan__author", "phase", "requested_by"
    )


def _within_scope(actor: User, path: str) -> Q:
    if not actor.is_active:
        return Q(pk=None)
    scope = Q(pk=None)
    for grant in actor.role_grants.all():
        if grant.role not in ROLES_BY_ACTION["see"]:
            continue
        within = Q(pk__isnull=False)
        if grant.project:
            within &= Q(**{f"{path}project": grant.project})
        if grant.environment:
            within &= Q(**{f"{path}environment": grant.environment})
        scope |= within
    return scope
