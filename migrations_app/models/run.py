"""Attempts to drive a phase, the lanes they work in, and the commands that people and guards give them."""

from django.db import models
from django.db.models import Q

from migrations_app.lifecycle import ACTIVE_RUNS, RunStatus
from migrations_app.models.plan import _one_of
from workers.engine.vocabulary import Direction


class Run(models.Model):
    """One attempt to drive one phase, forward or back."""

    plan = models.ForeignKey("Plan", on_delete=models.CASCADE, related_name="runs")
    phase = models.ForeignKey("PlanPhase", on_delete=models.CASCADE, related_name="runs")
    direction = models.CharField(max_length=8, choices=_one_of(*Direction))
    status = models.CharField(max_length=16, choices=_one_of(*RunStatus), default=RunStatus.ENQUEUED)
    digest = models.CharField(max_length=64)
    """The plan's digest when it was started: a plan changed since then is not driven on."""
    limits = models.JSONField(default=dict, blank=True)
    """Changes while running within the approved bounds, such as rate_rows_per_s."""
    first_action = models.PositiveSmallIntegerField(default=0)
    """Actions before this one are known to be done."""
    wait_reason = models.TextField(blank=True, default="")
    wait_verdict = models.CharField(max_length=8, blank=True, default="")
    """`hold`, `slow` or `retry`; empty where it does not wait."""
    wait_since = models.DateTimeField(null=True, blank=True)
    wake_at = models.DateTimeField(null=True, blank=True)
    """Not to be enqueued before this time; None for at once."""
    error_code = models.CharField(max_length=64, blank=True, default="")
    error_fact = models.TextField(blank=True, default="")
    error_remedy = models.TextField(blank=True, default="")
    chain_until = models.CharField(max_length=16, blank=True, default="")
    """Phase up to (forward) or down to (back) which further runs start by themselves; empty for none."""
    then_back_to = models.CharField(max_length=16, blank=True, default="")
    """Phase down to which to roll back once this run is aborted; empty for none."""
    requested_by = models.ForeignKey("User", null=True, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=[*RunStatus]), name="run_status_known"),
            models.UniqueConstraint(
                fields=["plan"], condition=Q(status__in=sorted(ACTIVE_RUNS)), name="one_active_run_per_plan"
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.pk} ({self.direction} {self.phase.name})"

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE_RUNS


class Lane(models.Model):
    """One key range that advances on its own: its lease, and counters mirrored from the target. No key values."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="lanes")
    number = models.PositiveSmallIntegerField(default=0)
    owner = models.CharField(max_length=128, blank=True, default="")
    epoch = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True)
    action = models.PositiveSmallIntegerField(default=0)
    seq = models.PositiveBigIntegerField(default=0)
    rows = models.PositiveBigIntegerField(default=0)
    rows_expected = models.PositiveBigIntegerField(null=True, blank=True)
    """The server's estimate when the run started; None where it walks over no rows."""
    counters = models.JSONField(default=dict, blank=True)
    carry = models.JSONField(default=dict, blank=True)
    """What one slice hands to the next, such as its batch size; losing it costs time, never truth."""

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="lane_once")]

    def __str__(self) -> str:
        return f"lane {self.number} of run {self.run_id}"


class Command(models.Model):
    """A person's or guard's verb on a run, idempotent by key, with the four clocks of what became of it."""

    class Verb(models.TextChoices):
        PAUSE = "pause"
        RESUME = "resume"
        ABORT = "abort"
        ROLLBACK = "rollback"
        """On the first run that goes back; where a run was active, its abort stands for it."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="commands")
    verb = models.CharField(max_length=16, choices=Verb.choices)
    idempotency_key = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey("User", null=True, on_delete=models.PROTECT, related_name="+")
    guard = models.CharField(max_length=64, blank=True, default="")
    """The guard that gave it; empty where a person did."""
    reason = models.TextField(blank=True, default="", max_length=2000)
    requested_at = models.DateTimeField(auto_now_add=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    """When the worker or the supervisor took it up."""
    last_write_at = models.DateTimeField(null=True, blank=True)
    """The run's last commit on the target, by the target's clock."""
    verified_at = models.DateTimeField(null=True, blank=True)
    """When the target was seen without a session of this run and with the fence in place."""
    evidence = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.verb} run {self.run_id}"
