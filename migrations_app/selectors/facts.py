"""Gathers the facts that policy decides on, for one phase of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.utils import timezone

from migrations_app.content import operations_of
from migrations_app.lifecycle import ACTIVE_RUNS
from migrations_app.models import Plan, TableClaim, TargetSample
from migrations_app.policy import GROUP_BY_PHASE, Blocker, PhaseFacts, blockers
from migrations_app.selectors.votes import approvals_of, editors_of, standing_by_group
from workers.engine.throttle import STALE_S
from workers.engine.vocabulary import Direction, Phase


def phase_facts(plan: Plan, phase: Phase, direction: Direction) -> PhaseFacts:
    """Read what decides whether this phase may start or go back now."""
    return facts_for(plan, [(phase, direction)])[0]


def facts_for(plan: Plan, ways: Sequence[tuple[Phase, Direction]]) -> list[PhaseFacts]:
    """Read the facts for several phases and directions at once: as many queries as for one."""
    now = timezone.now()
    phases = {Phase(row.name): row for row in plan.phases.all()}
    run = plan.runs.filter(status__in=ACTIVE_RUNS).select_related("phase").first()
    rules = plan.content["rules"]
    objections = (plan.preflight or {}).get("objections", [])
    standing = standing_by_group(plan, approvals_of(plan), editors_of(plan))
    sample = TargetSample.objects.filter(target=plan.target_id).order_by("-n").first()
    common = PhaseFacts(
        phase=Phase.EXPAND,
        direction=Direction.FORWARD,
        plan_status=plan.status,
        digest=plan.digest,
        statuses={name: row.status for name, row in phases.items()},
        active_run=f"Run {run.pk} ({run.phase.name}) is {run.status}" if run else "",
        approvals=0,
        confirmed_gates=set(plan.confirmations.filter(voided_at=None).values_list("gate", flat=True)),
        block_objections=[item["title"] for item in objections if item["severity"] == "block"],
        claimed_by=claimed_by_another(plan),
        now=now,
        cutover_at=_done_at(phases, Phase.CUTOVER),
        contract_at=_done_at(phases, Phase.CONTRACT),
        soak_s=rules["soak_s"],
        unused_s=rules["unused_s"],
        hold_s=rules["hold_s"],
        verified_at=_done_at(phases, Phase.VERIFY),
        verified_within_s=rules["verified_within_s"],
    )
    return [
        replace(
            common,
            phase=phase,
            direction=direction,
            approvals=len(standing[GROUP_BY_PHASE[phase]]),
            unused_side_since=side_unused_since(plan, phase, direction, sample),
        )
        for phase, direction in ways
    ]


def phase_blockers(plan: Plan, phase: Phase, direction: Direction) -> tuple[Blocker, ...]:
    """Return everything that stands in the way of this phase now."""
    return blockers(phase_facts(plan, phase, direction))


def claimed_by_another(plan: Plan) -> int | None:
    """Return the plan that works on one of this plan's tables already, or None."""
    for operation in operations_of(plan.content):
        claim = (
            TableClaim.objects.filter(
                target__host=plan.target.host,
                target__port=plan.target.port,
                target__database=plan.target.database,
                schema=operation.table.schema,
                table=operation.table.name,
            )
            .exclude(plan=plan)
            .first()
        )
        if claim:
            return claim.plan_id
    return None


def side_unused_since(plan: Plan, phase: Phase, direction: Direction, sample: TargetSample | None) -> datetime | None:
    """Return since when the side to be dropped has been unused, by the target's last sample; None where not known.

    A sample that is stale knows nothing: the side may have been used since, while nobody watched.
    """
    if sample is None or timezone.now() - sample.at > timedelta(seconds=STALE_S):
        return None
    side = "new" if (phase, direction) == (Phase.EXPAND, Direction.BACK) else "old"
    for reading in sample.readings:
        if reading.get("signal") == f"{side}_side_use" and reading.get("source") == f"plan {plan.pk}":
            observed = reading.get("observed")
            return None if observed is None else sample.at - timedelta(seconds=observed)
    return None


def _done_at(phases: dict[Phase, object], phase: Phase) -> datetime | None:
    row = phases.get(phase)
    return row.since if row is not None and row.status == "done" else None  # type: ignore[attr-defined]
