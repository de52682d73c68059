"""What every page shares: who is signed in, where one is, and the doors to plans, runs and targets."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from migrations_app.models import Plan, Run, Target, User
from migrations_app.selectors.access import access_plans, access_runs, access_targets


def show(
    request: HttpRequest, template: str, context: dict[str, Any] | None = None, *, section: str = "", status: int = 200
) -> HttpResponse:
    """Render a page within the frame."""
    frame = {
        "section": section,
        "demo": settings.LOCKSTEP_DEMO,
        "roles": roles_in_words(request.user) if request.user.is_authenticated else "",
    }
    return render(request, template, frame | (context or {}), status=status)


def roles_in_words(user: User) -> str:
    """Return a person's roles with their scopes. One query."""
    said = [
        grant.get_role_display()
        + (f" in {grant.environment or grant.project}" if grant.environment or grant.project else "")
        for grant in user.role_grants.all()
    ]
    return ", ".join(said) or "No role: nothing can be seen."


def plan_or_404(request: HttpRequest, plan_id: int) -> Plan:
    """Return a plan that the person may see; one that they may not see does not exist for them."""
    return get_object_or_404(access_plans(request.user), pk=plan_id)


def run_or_404(request: HttpRequest, run_id: int) -> Run:
    return get_object_or_404(access_runs(request.user), pk=run_id)


def target_or_404(request: HttpRequest, target_id: int) -> Target:
    return get_object_or_404(access_targets(request.user).prefetch_related("replicas"), pk=target_id)
