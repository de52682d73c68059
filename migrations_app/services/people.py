"""Verbs on people: create an account with roles, and give an account roles or a new password.

Used by programs on the machine that Lockstep runs on; there is no page for it yet.
"""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from migrations_app import events
from migrations_app.models import RoleGrant, User
from migrations_app.services.errors import InputRefused


@transaction.atomic
def person_create(username: str, *, password: str, roles: Collection[str], full_name: str = "") -> User:
    """Create an account with roles everywhere; raises InputRefused for a taken name, weak password or unknown role."""
    if not username or User.objects.filter(username=username).exists():
        raise InputRefused(f'The name "{username}" is empty or taken.', remedy="Choose another.", field="username")
    first, _, last = full_name.partition(" ")
    user = User(username=username, first_name=first, last_name=last)
    _set_password(user, password)
    user.save()
    events.record(user, "person_created", {"username": username}, by="manage.py")
    roles_give(user, roles)
    return user


@transaction.atomic
def roles_give(user: User, roles: Collection[str]) -> list[str]:
    """Give an account the roles that it does not have yet; return those."""
    unknown = sorted(set(roles) - set(RoleGrant.Role.values))
    if unknown:
        raise InputRefused(
            f'There is no role "{unknown[0]}".', remedy=f"Roles: {', '.join(RoleGrant.Role.values)}.", field="roles"
        )
    held = set(user.role_grants.filter(project="", environment="").values_list("role", flat=True))
    missing = sorted(set(roles) - held)
    RoleGrant.objects.bulk_create(RoleGrant(user=user, role=role) for role in missing)
    if missing:
        events.record(user, "roles_given", {"roles": missing}, by="manage.py")
    return missing


@transaction.atomic
def password_set(user: User, password: str) -> None:
    """Give an account a new password; its open sessions end."""
    _set_password(user, password)
    user.save(update_fields=["password"])
    events.record(user, "password_set", {}, by="manage.py")


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InputRefused(" ".join(error.messages), remedy="Choose another password.", field="password") from error
    user.set_password(password)
