"""Verbs on tokens of programs: issue and revoke. Only a SHA-256 is kept, so a token is shown once and never again."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from migrations_app import events
from migrations_app.models import ApiToken, User
from migrations_app.services.errors import InputRefused

PREFIX = "lockstep_"
"""Lets scanners of repositories and logs recognise a token that leaked."""
LONGEST_DAYS = 366


@transaction.atomic
def token_issue(user: User, name: str, *, days: int = 90) -> tuple[ApiToken, str]:
    """Return a new token's row and the token itself, which nobody can read again."""
    name = name.strip()
    if not name or len(name) > 64:
        raise InputRefused("A token needs a name of at most 64 characters.", remedy="Name its program.", field="name")
    if not 1 <= days <= LONGEST_DAYS:
        raise InputRefused(f"A token is valid for 1 to {LONGEST_DAYS} days.", field="days")
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken.objects.create(
        user=user, name=name, digest=token_digest(token), expires_at=timezone.now() + timedelta(days=days)
    )
    events.record(user, "token_issued", {"token": row.pk, "name": name, "days": days}, actor=user)
    return row, token


@transaction.atomic
def token_revoke(token: ApiToken, *, actor: User) -> ApiToken:
    """Make a token worthless from now on; repeatable."""
    token = ApiToken.objects.select_for_update().get(pk=token.pk)
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
        events.record(token.user, "token_revoked", {"token": token.pk, "name": token.name}, actor=actor)
    return token


def token_digest(token: str) -> str:
    """Return what is kept of a token. No salt and no stretching: it has 256 bits of chance of its own."""
    return hashlib.sha256(token.encode()).hexdigest()


def is_valid(token: ApiToken, now: datetime) -> bool:
    return token.revoked_at is None and now < token.expires_at and token.user.is_active
