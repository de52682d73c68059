"""The event log: past-tense facts with a gapless sequence number per stream."""

from django.db import models


class EventStream(models.Model):
    """One stream: a plan's, a target's, or that of sign-ins. Its row is locked while an event gets its number."""

    kind = models.CharField(max_length=16)
    object_id = models.BigIntegerField()
    last_seq = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "object_id"], name="event_stream_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"


class Event(models.Model):
    """What happened, complete in itself. Never changed, never deleted; the meaning of a published field stays."""

    stream = models.ForeignKey(EventStream, on_delete=models.PROTECT, related_name="events")
    seq = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=48)
    payload = models.JSONField(default=dict)
    actor = models.ForeignKey("User", null=True, on_delete=models.PROTECT, related_name="+")
    actor_name = models.CharField(max_length=128)
    """Who it was, as shown then: a person, `guard probe`, `worker`, `supervisor`."""
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["stream", "seq"], name="event_seq_once")]

    def __str__(self) -> str:
        return f"{self.stream} #{self.seq} {self.kind}"
