"""Measurements of a plan for its charts: a snapshot of at most POINTS points a series, and what came since a cursor.

Times are epoch milliseconds. Run samples and target samples have gapless numbers, probe buckets have their second, so
that a page that missed some can ask for exactly those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Max, Min, Q, QuerySet
from django.utils import timezone

from migrations_app.models import Plan, ProbeBucket, Run, RunSample, TargetSample

POINTS = 900
"""A chart's points: a quarter of an hour at one a second, which a browser redraws within a frame or two."""
BEFORE_S = 30
"""Seconds shown before a run, so that one sees what was normal."""
OVERLAP_S = 60
"""A recent run's charts go on for this long behind its end."""
LONGEST_LEAD_S = 6 * 3600
"""Of longer windows of the error budget only the burn of this long is drawn; the guard itself knows them whole."""


@dataclass(frozen=True)
class Cursor:
    """How far a page's charts have come."""

    run: int = 0
    run_n: int = 0
    target_n: int = 0
    probe_s: int = 0

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """Read `run.run_n.target_n.probe_s`; None where it is not one."""
        parts = text.split(".")
        if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
            return None
        return cls(*(int(part) for part in parts))

    def __str__(self) -> str:
        return f"{self.run}.{self.run_n}.{self.target_n}.{self.probe_s}"


@dataclass(frozen=True)
class RunPoint:
    n: int
    at_ms: int
    rows: int
    rows_per_s: float
    batch_rows: int


@dataclass(frozen=True)
class LagPoint:
    n: int
    at_ms: int
    lag_s_by_replica: dict[str, float | None]
    """None where the replica could not be asked."""


@dataclass(frozen=True)
class ProbePoint:
    second: int
    total: int
    bad: int

    @property
    def at_ms(self) -> int:
        return self.second * 1000


@dataclass(frozen=True)
class Series:
    """What is drawn. `*_before` is the last point that the page has already, to tell a gap from a neighbour."""

    cursor: Cursor
    run: Sequence[RunPoint] = ()
    lag: Sequence[LagPoint] = ()
    probe: Sequence[ProbePoint] = ()
    run_before: RunPoint | None = None
    lag_before: LagPoint | None = None
    probe_lead: Sequence[ProbePoint] = ()
    """Earlier buckets that the windows of the first drawn seconds reach back to."""
    expected_rows: int | None = None
    step_s: float = 1.0
    """Seconds from one point to the next; more than one where a long run is thinned out."""
    is_live: bool = True
    """False for a run that ended long ago: nothing is appended to its charts."""
    first_ms: int = 0
    last_ms: int = 0

    @property
    def newest_ms(self) -> int:
        return max((points[-1].at_ms for points in (self.run, self.lag, self.probe) if points), default=0)


@dataclass(frozen=True)
class Span:
    """The stretch of time that is drawn."""

    first: datetime
    last: datetime
    is_live: bool
    seconds: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", (self.last - self.first).total_seconds())


def span_of(run: Run | None, now: datetime) -> Span:
    """Return what to draw: a recent run, at most its last quarter of an hour, or an old run whole."""
    oldest = now - timedelta(seconds=POINTS)
    if run is None:
        return Span(oldest, now, is_live=True)
    began = run.requested_at - timedelta(seconds=BEFORE_S)
    if run.finished_at and run.finished_at + timedelta(seconds=OVERLAP_S) < oldest:
        return Span(began, run.finished_at + timedelta(seconds=OVERLAP_S), is_live=False)
    return Span(max(began, oldest), now, is_live=True)


def series_for(plan: Plan, run: Run | None, expected_rows: int | None) -> Series:
    """Return everything that the charts of this run show now. A constant number of queries and points."""
    now = timezone.now()
    span = span_of(run, now)
    step_s = max(1.0, span.seconds / POINTS)
    run_points = _run_points(_thinned(_within(run.samples.all(), span), step_s)) if run else []
    lag = _lag_points(_thinned(_within(TargetSample.objects.filter(target=plan.target_id), span), step_s))
    target_n = lag[-1].n if lag and span.is_live else _last_target_n(plan)
    lead_s = lead_of(plan)
    first_s, last_s = int(span.first.timestamp()), int(span.last.timestamp())
    buckets = _probe_points(plan.probe_buckets.filter(second__gt=first_s - lead_s, second__lte=last_s))
    probe = [point for point in buckets if point.second > first_s]
    return Series(
        cursor=Cursor(
            run=run.pk if run else 0,
            run_n=run_points[-1].n if run_points else 0,
            target_n=target_n,
            probe_s=probe[-1].second if probe and span.is_live else int(now.timestamp()) - 1,
        ),
        run=run_points,
        lag=lag,
        probe=probe,
        probe_lead=[point for point in buckets if point.second <= first_s],
        expected_rows=expected_rows,
        step_s=step_s,
        is_live=span.is_live,
        first_ms=int(span.first.timestamp() * 1000),
        last_ms=int(span.last.timestamp() * 1000),
    )


def series_after(plan: Plan, after: Cursor) -> Series | None:
    """Return what came since the cursor; None where it is so much that a new snapshot is the better answer.

    The newest bucket is left out until its second is over, since its counts still change.
    """
    run_points = _run_points(RunSample.objects.filter(run=after.run, n__gte=after.run_n, run__plan=plan)[: POINTS + 1])
    lag = _lag_points(TargetSample.objects.filter(target=plan.target_id, n__gte=after.target_n)[: POINTS + 1])
    lead_s = lead_of(plan)
    now_s = int(timezone.now().timestamp())
    fresh = plan.probe_buckets.filter(second__gt=after.probe_s, second__lt=now_s)
    probe = _probe_points(fresh[: POINTS + 1])
    if max(len(run_points), len(lag), len(probe)) > POINTS:
        return None
    lead = _probe_points(_lead(plan, probe, lead_s))
    run_before, run_points = _split(run_points, after.run_n)
    lag_before, lag = _split(lag, after.target_n)
    return Series(
        cursor=replace(
            after,
            run_n=run_points[-1].n if run_points else after.run_n,
            target_n=lag[-1].n if lag else after.target_n,
            probe_s=probe[-1].second if probe else after.probe_s,
        ),
        run=run_points,
        lag=lag,
        probe=probe,
        run_before=run_before,
        lag_before=lag_before,
        probe_lead=lead,
    )


def producer_age_s(plan: Plan) -> float | None:
    """Return how old the newest measurement of this plan's target is; None where there has been none. One query."""
    newest = TargetSample.objects.filter(target=plan.target_id).order_by("-n").values_list("at", flat=True).first()
    return None if newest is None else max(0.0, (timezone.now() - newest).total_seconds())


def lead_of(plan: Plan) -> int:
    """Return how far back the longest window of the plan's error budget reaches, in seconds."""
    return int(min(LONGEST_LEAD_S, max((window["long_s"] for window in plan.content["guards"]["windows"]), default=0)))


def _lead(plan: Plan, probe: Sequence[ProbePoint], lead_s: int) -> QuerySet[ProbeBucket]:
    if not probe:
        return ProbeBucket.objects.none()
    return plan.probe_buckets.filter(second__gt=probe[0].second - lead_s, second__lt=probe[0].second)


def _within(rows: Any, span: Span) -> Any:
    return rows.filter(at__gte=span.first, at__lte=span.last)


def _thinned(rows: Any, step_s: float) -> Any:
    """Keep every n-th row, and the last, so that at most about POINTS are left."""
    if step_s <= 1:
        return rows
    ends = rows.aggregate(first=Min("n"), last=Max("n"))
    if ends["last"] is None:
        return rows
    every = max(1, -(-(ends["last"] - ends["first"] + 1) // POINTS))
    placed = rows.annotate(place=(F("n") - ends["first"]) % every)
    return placed.filter(Q(place=0) | Q(n=ends["last"]))


def _run_points(rows: Any) -> list[RunPoint]:
    return [
        RunPoint(n, _ms(at), done, rate, batch)
        for n, at, done, rate, batch in rows.values_list("n", "at", "rows", "rows_per_s", "batch_rows")
    ]


def _lag_points(rows: Any) -> list[LagPoint]:
    return [
        LagPoint(
            n,
            _ms(at),
            {
                reading.get("source") or "primary": reading.get("observed")
                for reading in readings
                if reading.get("signal") == "replication_lag"
            },
        )
        for n, at, readings in rows.values_list("n", "at", "readings")
    ]


def _probe_points(rows: Any) -> list[ProbePoint]:
    return [ProbePoint(*row) for row in rows.values_list("second", "total", "bad")]


def _split(points: list[Any], n: int) -> tuple[Any, list[Any]]:
    """Take off the first point where it is the one that the page has already."""
    return (points[0], points[1:]) if points and points[0].n == n else (None, points)


def _last_target_n(plan: Plan) -> int:
    return TargetSample.objects.filter(target=plan.target_id).aggregate(n=Max("n"))["n"] or 0


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
