"""The phases of a plan as readers get them: what comes next, what stands in its way, and exactly what would be sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from migrations_app.content import operations_of
from migrations_app.lifecycle import PhaseStatus
from migrations_app.models import Confirmation, Plan, PlanPhase
from migrations_app.policy import GROUP_BY_PHASE, Blocker, Gate, blockers, gates_of, phase_title
from migrations_app.selectors.facts import facts_for
from migrations_app.selectors.moments import iso
from workers.engine.vocabulary import Direction, Phase, Step

Way = tuple[Phase, Direction]


def next_startable(rows: Sequence[PlanPhase]) -> Phase | None:
    """Return the first phase that is not done, or None; while it runs it is still the next one."""
    return next((Phase(row.name) for row in rows if row.status != PhaseStatus.DONE), None)


def last_revertible(rows: Sequence[PlanPhase]) -> Phase | None:
    """Return the last phase that was done or has failed and knows a way back, or None."""
    undoable = (PhaseStatus.DONE, PhaseStatus.FAILED)
    undone = (Phase(row.name) for row in reversed(rows) if row.status in undoable and row.name != Phase.PURGE)
    return next(undone, None)


def blockers_by_way(
    plan: Plan, rows: Sequence[PlanPhase], startable: Phase | None, revertible: Phase | None
) -> dict[Way, tuple[Blocker, ...]]:
    """Find what stands in the way of the next phase, of verifying again, and of the way back; few queries."""
    ways: list[Way] = []
    if startable:
        ways.append((startable, Direction.FORWARD))
    if startable is Phase.CUTOVER and any(row.name == Phase.VERIFY for row in rows):
        ways.append((Phase.VERIFY, Direction.FORWARD))  # a verification may be repeated until cutover
    if revertible:
        ways.append((revertible, Direction.BACK))
    return {way: blockers(facts) for way, facts in zip(ways, facts_for(plan, ways), strict=True)}


def phase_detail(
    plan: Plan,
    row: PlanPhase,
    confirmations: dict[str, Confirmation],
    missing: dict[str, int],
    found: dict[Way, tuple[Blocker, ...]],
) -> dict[str, Any]:
    """Render one phase with its gates, its blockers where they were looked for, and its statements. No query."""
    phase = Phase(row.name)
    step = _step(plan, phase)
    return {
        "name": phase,
        "title": phase_title(phase),
        "position": row.position,
        "status": row.status,
        "since": iso(row.since),
        "result": row.result,
        "group": GROUP_BY_PHASE[phase],
        "approvals_needed": missing[GROUP_BY_PHASE[phase]],
        "reversible": step.reversible,
        "way_back": step.way_back,
        "gates": [
            _gate(gate, confirmations.get(gate.key)) for direction in Direction for gate in gates_of(phase, direction)
        ],
        "blockers_forward": _blocker_rows(found.get((phase, Direction.FORWARD))),
        "blockers_back": _blocker_rows(found.get((phase, Direction.BACK))),
        "preview": _preview(plan, phase),
    }


def _step(plan: Plan, phase: Phase) -> Step:
    return next(
        step
        for index, operation in enumerate(operations_of(plan.content))
        for step in operation.steps(f"p{plan.pk}o{index}")
        if step.phase is phase
    )


def _gate(gate: Gate, confirmation: Confirmation | None) -> dict[str, Any]:
    return {
        "key": gate.key,
        "direction": gate.direction,
        "title": gate.title,
        "text": gate.text,
        "overridable": gate.overridable,
        "is_open": confirmation is None,
        "is_override": bool(confirmation and confirmation.is_override),
        "confirmed_by": confirmation.user.display_name if confirmation else None,
        "at": iso(confirmation.at) if confirmation else None,
        "reason": confirmation.reason if confirmation else "",
    }


def _blocker_rows(found: tuple[Blocker, ...] | None) -> list[dict[str, str]] | None:
    """None: not computed, since the phase is not the next one in that direction."""
    return None if found is None else [blocker_as_dict(blocker) for blocker in found]


def blocker_as_dict(blocker: Blocker) -> dict[str, str]:
    return {
        "code": blocker.code,
        "kind": blocker.kind,
        "text": blocker.text,
        "remedy": blocker.remedy,
        "overridable_gate": blocker.overridable_gate,
    }


def _preview(plan: Plan, phase: Phase) -> dict[str, list[dict[str, Any]]]:
    """Return the actions with the statements that they send, as the last preflight rendered them."""
    rendered = (plan.preflight or {}).get("preview", [])
    return {
        direction: [
            {"title": action["title"], "statements": action["statements"]}
            for action in rendered
            if action["phase"] == phase and action["direction"] == direction
        ]
        for direction in Direction
    }
