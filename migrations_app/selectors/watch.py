"""Figures about Lockstep itself, for health checks and Prometheus: one reading of everything, a few queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, OuterRef, QuerySet, Subquery

from migrations_app.lifecycle import ACTIVE_RUNS, PlanStatus, RunStatus
from migrations_app.models import Command, Lane, Plan, Run, Target, TargetSample
from migrations_app.selectors.clock import control_now


@dataclass(frozen=True)
class Watch:
    targets: tuple[str, ...]
    plans_by_status: dict[str, float]
    runs_by_status: dict[str, float]
    wait_s_by_run: dict[str, float]
    silence_s_by_run: dict[str, float]
    supervisor_age_s_by_target: dict[str, float]
    sample_age_s_by_target: dict[str, float]
    aborts_unproven: float


def watch_now() -> Watch:
    """Read all figures; ages are by the control database's clock."""
    now = control_now()
    newest = TargetSample.objects.filter(target=OuterRef("pk")).order_by("-n").values("at")[:1]
    targets = list(
        Target.objects.annotate(sampled_at=Subquery(newest)).values_list(
            "name", "supervisor_lease__beat_at", "sampled_at"
        )
    )
    waiting = Run.objects.filter(status=RunStatus.RUNNING).exclude(wait_since=None).values_list("pk", "wait_since")
    silent = Lane.objects.filter(run__status=RunStatus.RUNNING).values_list("run").annotate(last=Max("beat_at"))
    return Watch(
        targets=tuple(name for name, _, _ in targets),
        plans_by_status=_counts(Plan.objects.all(), PlanStatus),
        runs_by_status=_counts(Run.objects.filter(status__in=ACTIVE_RUNS), sorted(ACTIVE_RUNS)),
        wait_s_by_run=_ages(waiting, now),
        silence_s_by_run=_ages(silent, now),
        supervisor_age_s_by_target=_ages(((name, beat_at) for name, beat_at, _ in targets), now),
        sample_age_s_by_target=_ages(((name, at) for name, _, at in targets), now),
        aborts_unproven=Command.objects.filter(
            verb=Command.Verb.ABORT, verified_at=None, run__status=RunStatus.ABORTING
        ).count(),
    )


def _counts(rows: QuerySet[Any], statuses: Iterable[str]) -> dict[str, float]:
    found = dict(rows.order_by().values_list("status").annotate(count=Count("pk")))
    return {str(status): found.get(status, 0) for status in statuses}


def _ages(pairs: Iterable[tuple[object, datetime | None]], now: datetime) -> dict[str, float]:
    return {str(key): max(0.0, (now - at).total_seconds()) for key, at in pairs if at is not None}
