"""Starts runs and claims their lanes, for tests of what machines do to a run; no target is asked."""

from __future__ import annotations

from typing import Any

from migrations_app.models import Event, Lane, Plan, Run
from migrations_app.services.lanes import Claim, lane_claim
from migrations_app.services.runs import run_start
from tests.builders import a_plan, a_watched_target, content
from workers.engine.vocabulary import Direction, Phase

ALL_GATES = (
    "backup_before_dual_write",
    "new_version_deployed",
    "old_version_stopped",
    "backup_before_contract",
    "new_version_stopped",
)
NO_WAITS = {"soak_s": 0, "unused_s": 0, "hold_s": 0}


def a_run(phase: str = "expand", *, done: str = "", back: bool = False, chain_until: str = "", **raw: Any) -> Run:
    """Return a run that was just started, on a plan that is done up to `done`, with every gate confirmed."""
    groups = ("expand", "cutover", "contract")
    wanted = content(**({"rules": NO_WAITS} | raw))
    plan = a_plan("approved", target=a_watched_target(), raw=wanted, approved_groups=groups, done=done, gates=ALL_GATES)
    direction = Direction.BACK if back else Direction.FORWARD
    return run_start(plan, Phase(phase), actor=None, direction=direction, chain_until=chain_until)


def a_claim(run: Run | None = None, *, owner: str = "worker one", **wanted: Any) -> Claim:
    claim = lane_claim((run or a_run(**wanted)).pk, 0, owner=owner)
    assert claim is not None
    return claim


def expired(claim: Claim) -> Claim:
    """Let the lease end, as when its worker has died."""
    Lane.objects.filter(pk=claim.lane.pk).update(lease_until="2026-01-01T00:00:00Z")
    return claim


def events_of(plan: Plan) -> list[Event]:
    return list(Event.objects.filter(stream__kind="plan", stream__object_id=plan.pk).order_by("seq"))


def kinds_of(plan: Plan) -> list[str]:
    return [event.kind for event in events_of(plan)]


def payload_of(plan: Plan, kind: str) -> dict[str, Any]:
    return [event.payload for event in events_of(plan) if event.kind == kind][-1]
