"""Reads of the first page: what moves now, what waits for this person, and how the targets are. Constant queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, F, OuterRef, Prefetch, Q, QuerySet, Subquery, prefetch_related_objects
from django.utils import timezone

from migrations_app.authorize import ROLES_BY_ACTION, roles_of
from migrations_app.lifecycle import ACTIVE_RUNS, PhaseStatus, PlanStatus, RunStatus
from migrations_app.models import Approval, Plan, PlanPhase, PlanRevision, Run, RunSample, Target, TargetSample, User
from migrations_app.policy import APPROVALS_BY_GROUP, GROUP_BY_PHASE, phase_title
from migrations_app.selectors.access import access_plans, access_runs, access_targets
from migrations_app.selectors.votes import standing_by_group
from workers.engine.vocabulary import Phase

OPEN = (PlanStatus.DRAFT, PlanStatus.SUBMITTED, PlanStatus.APPROVED, PlanStatus.ACTIVE, PlanStatus.REVERTING)
MOST_OPEN = 200
"""Plans looked at for what waits for somebody; the newest come first."""


@dataclass(frozen=True)
class Task:
    """Something that a person could do now."""

    plan: Plan
    verb: str
    text: str
    since: datetime
    url_name: str = "plan"
    group: str = ""
    """Of an approval; empty elsewhere."""


@dataclass(frozen=True)
class Pulse:
    """How a target is."""

    target: Target
    lag_s: float | None
    """Of the replica furthest behind; None where there is none or none was measured."""
    unseen: tuple[str, ...]
    """Replicas that could not be asked."""
    seen_at: datetime | None
    watched: bool
    moving: int

    @property
    def trouble(self) -> str:
        """Say what is wrong; empty where nothing is."""
        if not self.watched:
            return "No supervisor watches it"
        if self.unseen:
            return f"Cannot be asked: {', '.join(self.unseen)}"
        return ""


def runs_moving(actor: User) -> list[Run]:
    """Return the active runs with their rows and present pace; those that need somebody first."""
    newest = RunSample.objects.filter(run=OuterRef("pk")).order_by("-n")
    runs = access_runs(actor).filter(status__in=ACTIVE_RUNS).prefetch_related("lanes")
    runs = runs.annotate(rows_per_s=Subquery(newest.values("rows_per_s")[:1]))
    order = {RunStatus.ERRORED: 0, RunStatus.ABORTING: 1, RunStatus.PAUSED: 2}
    return sorted(runs.order_by("-id")[:50], key=lambda run: order.get(RunStatus(run.status), 3))


def rows_of(run: Run) -> tuple[int, int | None]:
    """Return the rows done and expected of a run whose lanes are loaded."""
    lanes = list(run.lanes.all())
    return sum(lane.rows for lane in lanes), sum(lane.rows_expected or 0 for lane in lanes) or None


def tasks_of(actor: User) -> list[Task]:
    """Return what waits for this person, newest plans first. Whether a wait is over is said on the plan's own page."""
    prefetch_related_objects([actor], "role_grants")
    plans = (
        access_plans(actor).filter(status__in=OPEN).order_by("-id").prefetch_related(*_what_tasks_need())[:MOST_OPEN]
    )
    return [task for plan in plans if (task := _task(plan, actor)) is not None]


def pulses(actor: User) -> list[Pulse]:
    """Return the targets with what was last measured; those in trouble first."""
    newest = TargetSample.objects.filter(target=OuterRef("pk")).order_by("-n")
    targets = (
        access_targets(actor)
        .select_related("supervisor_lease")
        .prefetch_related("replicas")
        .annotate(
            readings=Subquery(newest.values("readings")[:1]),
            seen_at=Subquery(newest.values("at")[:1]),
            moving=Count("plans__runs", filter=Q(plans__runs__status__in=sorted(ACTIVE_RUNS)), distinct=True),
        )
    )
    now = timezone.now()
    found = [_pulse(target, now) for target in targets.order_by("name")[:200]]
    return sorted(found, key=lambda pulse: (not pulse.trouble, pulse.target.name))


def plans_with_phases(
    actor: User,
    *,
    status: Sequence[str] = (),
    target_id: int | None = None,
    text: str = "",
    before: int | None = None,
    limit: int = 50,
) -> list[Plan]:
    """Return plans with their phases and active runs, newest first, below the id `before`. Keyset."""
    plans = access_plans(actor)
    if status:
        plans = plans.filter(status__in=status)
    if target_id is not None:
        plans = plans.filter(target=target_id)
    if text:
        plans = plans.filter(title__icontains=text)
    if before is not None:
        plans = plans.filter(pk__lt=before)
    return list(plans.order_by("-id").prefetch_related("phases", _active_runs())[:limit])


def _what_tasks_need() -> Iterable[str | Prefetch]:
    approvals: QuerySet[Approval] = Approval.objects.select_related("user").prefetch_related("user__role_grants")
    revisions: QuerySet[PlanRevision] = PlanRevision.objects.select_related("editor")
    return (
        "phases",
        _active_runs(),
        Prefetch("approvals", queryset=approvals.filter(digest=F("plan__digest"))),
        Prefetch("revisions", queryset=revisions.only("plan_id", "editor__person")),
    )


def _active_runs() -> Prefetch:
    return Prefetch(
        "runs", queryset=Run.objects.filter(status__in=ACTIVE_RUNS).select_related("phase"), to_attr="active_runs"
    )


def _task(plan: Plan, actor: User) -> Task | None:
    roles = roles_of(actor, plan.target)

    def may(action: str) -> bool:
        return bool(ROLES_BY_ACTION[action] & roles)

    if plan.active_runs:
        run = plan.active_runs[0]
        title = phase_title(Phase(run.phase.name))
        if run.status == RunStatus.ERRORED and may("run_resume"):
            return Task(plan, "resume", f"{title} stopped with an error: resume or abort it", plan.changed_at)
        if run.status == RunStatus.PAUSED and may("run_resume"):
            return Task(plan, "resume", f"{title} is paused: resume or abort it", plan.changed_at)
        return None
    if plan.status == PlanStatus.DRAFT:
        is_mine = plan.author_id == actor.pk and may("plan_edit")
        return Task(plan, "submit", "Your draft: check it and submit it", plan.changed_at) if is_mine else None
    upcoming = _next_phase(plan)
    if upcoming is None:
        return None
    group = GROUP_BY_PHASE[Phase(upcoming.name)]
    editors = {plan.author.person, *(revision.editor.person for revision in plan.revisions.all())}
    standing = standing_by_group(plan, plan.approvals.all(), editors)[group]
    if len(standing) < APPROVALS_BY_GROUP[group]:
        if may("plan_approve") and actor.person not in editors:
            return Task(plan, "approve", f"Look at {group} and approve it", plan.changed_at, "approve", group)
        return None
    if not may("run_start"):
        return None
    title = phase_title(Phase(upcoming.name))
    again = upcoming.status == PhaseStatus.FAILED
    return Task(
        plan,
        "start",
        f"{title} was stopped: start it again or roll back" if again else f"Start {title.lower()}",
        upcoming.since,
    )


def _next_phase(plan: Plan) -> PlanPhase | None:
    return next((phase for phase in plan.phases.all() if phase.status != PhaseStatus.DONE), None)


def _pulse(target: Target, now: datetime) -> Pulse:
    lags = {
        reading["source"]: reading.get("observed")
        for reading in target.readings or []
        if reading.get("signal") == "replication_lag"
    }
    lease = getattr(target, "supervisor_lease", None)
    beat_at = lease.beat_at if lease else None
    return Pulse(
        target=target,
        lag_s=max((lag for lag in lags.values() if lag is not None), default=None),
        unseen=tuple(sorted(name for name, lag in lags.items() if lag is None)),
        seen_at=target.seen_at,
        watched=beat_at is not None and now - beat_at < timedelta(seconds=settings.LOCKSTEP_LEASE_S),
        moving=target.moving,
    )
