"""Databases that Lockstep may change, their replicas, and who watches them."""

import uuid

from django.db import models


class Target(models.Model):
    """One database: where it is, as whom, and where the password lies. The password itself is never a plain column."""

    class Environment(models.TextChoices):
        DEVELOPMENT = "development"
        STAGING = "staging"
        PRODUCTION = "production"

    class SecretKind(models.TextChoices):
        ENVIRONMENT = "environment", "Environment variable"
        FILE = "file", "File"
        SEALED = "sealed", "Sealed here"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=64, unique=True)
    project = models.CharField(max_length=64, default="default")
    environment = models.CharField(max_length=16, choices=Environment.choices, default=Environment.PRODUCTION)
    engine = models.CharField(max_length=16, default="postgresql")
    host = models.CharField(max_length=255)
    port = models.PositiveIntegerField(default=5432)
    database = models.CharField(max_length=63)
    username = models.CharField(max_length=63)
    tls = models.CharField(max_length=16, default="prefer")
    tls_ca_file = models.CharField(max_length=255, blank=True, default="")
    secret_kind = models.CharField(max_length=16, choices=SecretKind.choices)
    secret_reference = models.CharField(max_length=255, blank=True, default="")
    secret_sealed = models.TextField(blank=True, default="")
    secret_set_at = models.DateTimeField(null=True)
    system = models.CharField(max_length=64, blank=True, default="")
    """The server's own identity when it was registered: a moved address is noticed by it."""
    version = models.CharField(max_length=64, blank=True, default="")
    registered_by = models.ForeignKey("User", on_delete=models.PROTECT, related_name="+")
    registered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Replica(models.Model):
    """A replica whose lag holds back a run. It is asked with the target's own account."""

    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="replicas")
    name = models.CharField(max_length=64)
    host = models.CharField(max_length=255)
    port = models.PositiveIntegerField(default=5432)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["target", "name"], name="replica_name_once")]

    def __str__(self) -> str:
        return f"{self.name} of {self.target}"


class SupervisorLease(models.Model):
    """Which supervisor watches this target; another takes over when `until` has passed (control database's clock)."""

    target = models.OneToOneField(Target, on_delete=models.CASCADE, related_name="supervisor_lease")
    owner = models.CharField(max_length=128, blank=True, default="")
    until = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.owner or 'nobody'} watches {self.target}"
