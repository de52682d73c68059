"""manage.py create_person: make an account with roles, or give one more roles or a new password, and print it."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from migrations_app.models import RoleGrant, User
from migrations_app.services.errors import ServiceRefused
from migrations_app.services.people import password_set, person_create, roles_give

PASSWORD_BYTES = 12  # 16 characters, as strong as its reader will bear to type


class Command(BaseCommand):
    help = "Make an account with roles. Run again it adds roles; with --new-password it sets a new password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--roles", nargs="+", default=[], metavar="ROLE", choices=RoleGrant.Role.values)
        parser.add_argument("--full-name", default="")
        parser.add_argument("--new-password", action="store_true", help="for an account that exists")

    def handle(self, *, username: str, roles: list[str], full_name: str, new_password: bool, **options: Any) -> None:
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        user = User.objects.filter(username=username).first()
        try:
            if user is None:
                user = person_create(username, password=password, roles=roles, full_name=full_name)
                new_password = True
            else:
                roles_give(user, roles)
                if new_password:
                    password_set(user, password)
        except ServiceRefused as error:
            raise CommandError(f"{error.fact} {error.remedy}") from error
        held = ", ".join(sorted(user.role_grants.values_list("role", flat=True))) or "none"
        self.stdout.write(f"{username}: roles {held}")
        if new_password:
            self.stdout.write(f"password: {password}  (shown once)")
