"""Measurements by the second, apart from events: pace of a run, signals of a target, results of a probe."""

from django.db import models


class RunSample(models.Model):
    """One point of a run's charts. `n` is gapless per run, so that a chart that missed some can ask for them."""

    run = models.ForeignKey("Run", on_delete=models.CASCADE, related_name="samples")
    n = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    rows = models.PositiveBigIntegerField()
    """Rows walked over so far, all lanes."""
    rows_per_s = models.FloatField()
    batch_rows = models.PositiveIntegerField()
    batch_s = models.FloatField()

    class Meta:
        ordering = ["n"]
        constraints = [models.UniqueConstraint(fields=["run", "n"], name="run_sample_once")]

    def __str__(self) -> str:
        return f"sample {self.n} of run {self.run_id}"


class TargetSample(models.Model):
    """What the supervisor saw of a target in one second. `readings` is a list of signal, source, observed, unit."""

    target = models.ForeignKey("Target", on_delete=models.CASCADE, related_name="samples")
    n = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    readings = models.JSONField(default=list)

    class Meta:
        ordering = ["n"]
        constraints = [models.UniqueConstraint(fields=["target", "n"], name="target_sample_once")]
        indexes = [models.Index(fields=["target", "at"], name="target_sample_at")]

    def __str__(self) -> str:
        return f"sample {self.n} of {self.target}"


class ProbeBucket(models.Model):
    """Results of a plan's probe within one second."""

    plan = models.ForeignKey("Plan", on_delete=models.CASCADE, related_name="probe_buckets")
    second = models.BigIntegerField()
    """Epoch second."""
    total = models.PositiveIntegerField(default=0)
    bad = models.PositiveIntegerField(default=0)
    worst_ms = models.FloatField(default=0)

    class Meta:
        ordering = ["second"]
        constraints = [models.UniqueConstraint(fields=["plan", "second"], name="probe_bucket_once")]

    def __str__(self) -> str:
        return f"probe of plan {self.plan_id} at {self.second}"
