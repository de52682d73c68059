"""People, what they may do and where, and the tokens of their programs."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """An account. `person` is the human behind it: two accounts of one person count once in an approval."""

    person = models.UUIDField(default=uuid.uuid4, db_index=True)

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.username


class RoleGrant(models.Model):
    """A role within a project and an environment; an empty scope means all of them. Roles add up."""

    class Role(models.TextChoices):
        VIEWER = "viewer"
        AUTHOR = "author"
        APPROVER = "approver"
        OPERATOR = "operator"
        ONCALL = "oncall", "On-call"
        ADMIN = "admin"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="role_grants")
    role = models.CharField(max_length=16, choices=Role.choices)
    project = models.CharField(max_length=64, blank=True, default="")
    environment = models.CharField(max_length=16, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "role", "project", "environment"], name="role_grant_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.project or 'all'}/{self.environment or 'all'}"


class ApiToken(models.Model):
    """A program's key: only its SHA-256 is kept, the token itself is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"
