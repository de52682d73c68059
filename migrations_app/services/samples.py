"""What the supervisor writes each second: who watches which target, what its signals and probes show; and what is old.

Rows of measurement, not events: dated by the control database's clock, numbered without gaps for one target.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from migrations_app.models import ProbeBucket, SupervisorLease, Target, TargetSample
from migrations_app.selectors.clock import control_now

TARGET_SAMPLES_KEPT = timedelta(days=1)
"""Long enough to look back at a night."""
PROBES_KEPT = timedelta(days=30)
"""The period of an error budget."""


@dataclass(frozen=True)
class ProbedSecond:
    """What a plan's probe saw in one second."""

    second: int
    total: int
    bad: int
    worst_ms: float


def supervision_take(target_ids: Collection[int], owner: str) -> set[int]:
    """Take or keep the watch over these targets, and return those that are watched by this owner now."""
    known = set(SupervisorLease.objects.filter(target__in=target_ids).values_list("target", flat=True))
    unknown = Target.objects.filter(pk__in=set(target_ids) - known).values_list("pk", flat=True)
    SupervisorLease.objects.bulk_create((SupervisorLease(target_id=pk) for pk in unknown), ignore_conflicts=True)
    free = Q(owner=owner) | Q(until=None) | Q(until__lte=Now())
    until = Now() + timedelta(seconds=settings.LOCKSTEP_LEASE_S)
    SupervisorLease.objects.filter(free, target__in=target_ids).update(owner=owner, until=until, beat_at=Now())
    held = SupervisorLease.objects.filter(target__in=target_ids, owner=owner, until__gt=Now())
    return set(held.values_list("target", flat=True))


def supervision_end(owner: str) -> None:
    """Give up every watch, so that another supervisor need not wait for the lease to end."""
    SupervisorLease.objects.filter(owner=owner).update(until=None)


def sample_write(target_id: int, readings: list[dict[str, Any]]) -> bool:
    """Append one sample; False where another supervisor was faster with the same number."""
    last = TargetSample.objects.filter(target=target_id).order_by("-n").values_list("n", flat=True).first()
    try:
        with transaction.atomic():
            TargetSample.objects.create(target_id=target_id, n=(last or 0) + 1, at=control_now(), readings=readings)
    except IntegrityError:
        return False
    return True


def probes_write(plan_id: int, seconds: Iterable[ProbedSecond]) -> None:
    """Write buckets of seconds that are over; one that is there already stays."""
    rows = (
        ProbeBucket(plan_id=plan_id, second=each.second, total=each.total, bad=each.bad, worst_ms=each.worst_ms)
        for each in seconds
    )
    ProbeBucket.objects.bulk_create(rows, ignore_conflicts=True)


def samples_prune() -> Mapping[str, int]:
    """Delete measurements that nobody looks at any more; return how many. The last of a target keeps its number."""
    now = control_now()
    last = TargetSample.objects.order_by("target_id", "-n").distinct("target_id").values("pk")
    samples, _ = TargetSample.objects.filter(at__lt=now - TARGET_SAMPLES_KEPT).exclude(pk__in=last).delete()
    probes, _ = ProbeBucket.objects.filter(second__lt=(now - PROBES_KEPT).timestamp()).delete()
    return {"target_samples": samples, "probe_buckets": probes}
