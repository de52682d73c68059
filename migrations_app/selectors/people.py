"""Reads of people."""

from __future__ import annotations

from typing import Any

from migrations_app.models import User

DEMO_PEOPLE = 6
"""The sign-in page offers at most so many."""
WHAT_THEY_DO = {
    "author": "writes plans",
    "operator": "starts phases",
    "approver": "approves what others wrote",
    "oncall": "watches, aborts, rolls back",
    "admin": "registers targets",
    "viewer": "looks on",
}


def demo_people() -> list[dict[str, Any]]:
    """Return the accounts that a demo offers by one click, with what their roles let them do; two queries."""
    doing = set(WHAT_THEY_DO) - {"viewer"}  # a program that only looks on is nobody to come in as
    people = User.objects.filter(is_active=True, role_grants__role__in=doing).distinct().order_by("id")
    return [
        {
            "id": user.pk,
            "name": user.display_name,
            "username": user.username,
            "does": ", ".join(
                dict.fromkeys(WHAT_THEY_DO.get(grant.role, grant.role) for grant in user.role_grants.all())
            ),
        }
        for user in people.prefetch_related("role_grants")[:DEMO_PEOPLE]
    ]
