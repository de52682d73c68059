"""Plans, their revisions and phases, and the claim that keeps two plans off one table."""

from django.db import models
from django.db.models import Q

from migrations_app.lifecycle import PhaseStatus, PlanStatus
from workers.engine.vocabulary import PHASES


def _one_of(*values: str) -> list[tuple[str, str]]:
    return [(value, value.replace("_", " ")) for value in values]


class Plan(models.Model):
    """An ordered list of operations on one target. Approvals sign `digest`, the SHA-256 of `content`."""

    target = models.ForeignKey("Target", on_delete=models.PROTECT, related_name="plans")
    title = models.CharField(max_length=120)
    status = models.CharField(max_length=16, choices=_one_of(*PlanStatus), default=PlanStatus.DRAFT)
    content = models.JSONField()
    digest = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=1)
    epoch = models.PositiveBigIntegerField(default=0)
    """The last epoch given to a lane; each claim takes the next, so that late workers are fenced in the target."""
    preflight = models.JSONField(null=True)
    """Objections of the last preflight with its time and digest; None before the first."""
    author = models.ForeignKey("User", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=[*PlanStatus]), name="plan_status_known"),
        ]

    def __str__(self) -> str:
        return f"{self.title} (plan {self.pk})"

    @property
    def short_digest(self) -> str:
        return self.digest[:12]


class PlanRevision(models.Model):
    """What the plan said before an edit and who edited; editors of any revision never approve the plan."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    digest = models.CharField(max_length=64)
    editor = models.ForeignKey("User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["plan", "number"], name="plan_revision_once")]

    def __str__(self) -> str:
        return f"revision {self.number} of plan {self.plan_id}"


class PlanPhase(models.Model):
    """One phase of a plan; phases without actions have no row."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="phases")
    name = models.CharField(max_length=16, choices=_one_of(*PHASES))
    position = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=16, choices=_one_of(*PhaseStatus), default=PhaseStatus.PENDING)
    since = models.DateTimeField(auto_now_add=True)
    """When it took its present status."""
    result = models.JSONField(default=dict, blank=True)
    """Counters of the last finished run, such as rows, written, out_of_step."""

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "name"], name="plan_phase_once"),
            models.CheckConstraint(condition=Q(status__in=[*PhaseStatus]), name="phase_status_known"),
            models.CheckConstraint(condition=Q(name__in=[*PHASES]), name="phase_name_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of plan {self.plan_id}"


class TableClaim(models.Model):
    """Held from the first expand until the plan is completed or reverted, so that two plans never share a table."""

    target = models.ForeignKey("Target", on_delete=models.CASCADE, related_name="+")
    schema = models.CharField(max_length=63)
    table = models.CharField(max_length=63)
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="claims")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["target", "schema", "table"], name="table_claimed_once")]

    def __str__(self) -> str:
        return f"{self.schema}.{self.table} for plan {self.plan_id}"
