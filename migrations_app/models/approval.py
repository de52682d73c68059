"""Decisions of people: approvals of a digest, and confirmations of what the application has done."""

from django.db import models
from django.db.models import Q


class Approval(models.Model):
    """An immutable decision of one person on one digest for one group of phases; it covers their way back as well."""

    class Group(models.TextChoices):
        EXPAND = "expand"
        """expand, dual_write, backfill and verify"""
        CUTOVER = "cutover"
        CONTRACT = "contract"
        """contract and purge"""

    class Decision(models.TextChoices):
        APPROVED = "approved"
        CHANGES = "changes", "Changes asked for"

    plan = models.ForeignKey("Plan", on_delete=models.CASCADE, related_name="approvals")
    group = models.CharField(max_length=16, choices=Group.choices)
    digest = models.CharField(max_length=64)
    decision = models.CharField(max_length=16, choices=Decision.choices)
    user = models.ForeignKey("User", on_delete=models.PROTECT, related_name="+")
    person = models.UUIDField()
    comment = models.TextField(blank=True, default="", max_length=2000)
    at = models.DateTimeField(auto_now_add=True)
    voided_at = models.DateTimeField(null=True, blank=True)
    """Set when changes were asked for or made afterwards; the decision itself never changes."""

    class Meta:
        ordering = ["at"]
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "group", "digest", "person"],
                condition=Q(decision="approved", voided_at=None),
                name="approval_once_per_person",
            )
        ]

    def __str__(self) -> str:
        return f"{self.decision} {self.group} of plan {self.plan_id} by {self.user}"


class Confirmation(models.Model):
    """A person or program said that a gate's condition holds, or overrode it with a reason."""

    plan = models.ForeignKey("Plan", on_delete=models.CASCADE, related_name="confirmations")
    gate = models.CharField(max_length=32)
    is_override = models.BooleanField(default=False)
    reason = models.TextField(blank=True, default="", max_length=2000)
    user = models.ForeignKey("User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    voided_at = models.DateTimeField(null=True, blank=True)
    """Set when the plan was edited or the phase that it opened rolled back: it must be said again."""

    class Meta:
        ordering = ["at"]
        constraints = [
            models.CheckConstraint(condition=Q(is_override=False) | ~Q(reason=""), name="override_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.gate} of plan {self.plan_id} by {self.user}"
