"""What must hold before a phase may start, go back, or be approved: pure rules over facts. No database in here.

Every rule that stops something returns a Blocker: what it is, whether one can mend it or must wait, and how.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from workers.engine.vocabulary import PHASES, Direction, Phase

GROUP_BY_PHASE: dict[Phase, str] = {
    Phase.EXPAND: "expand",
    Phase.DUAL_WRITE: "expand",
    Phase.BACKFILL: "expand",
    Phase.VERIFY: "expand",
    Phase.CUTOVER: "cutover",
    Phase.CONTRACT: "contract",
    Phase.PURGE: "contract",
}
APPROVALS_BY_GROUP: dict[str, int] = {"expand": 1, "cutover": 1, "contract": 1}


def start_is_grave(phase: Phase) -> bool:
    """Return whether starting it asks for the target's name and a fresh password: columns go out of reach."""
    return phase in (Phase.CONTRACT, Phase.PURGE)


def rollback_is_grave(statuses: Mapping[Phase, str]) -> bool:
    """Return whether rolling back asks for the same: applications read the new side since cutover."""
    return any(
        statuses.get(phase, "pending") not in ("pending", "reverted") for phase in (Phase.CUTOVER, Phase.CONTRACT)
    )


@dataclass(frozen=True)
class Gate:
    """Something that a person or a program must say before a phase starts."""

    key: str
    phase: Phase
    direction: Direction
    title: str
    text: str
    overridable: bool
    """May be skipped with a recorded reason."""


GATES: tuple[Gate, ...] = (
    Gate(
        "backup_before_dual_write",
        Phase.DUAL_WRITE,
        Direction.FORWARD,
        "Backup and restore test",
        "From dual-write on the sync writes the old column too. A backup of the table exists and was restored once.",
        overridable=True,
    ),
    Gate(
        "new_version_deployed",
        Phase.CUTOVER,
        Direction.FORWARD,
        "The new version is deployed",
        "The version that reads and writes the new columns is deployed everywhere.",
        overridable=False,
    ),
    Gate(
        "old_version_stopped",
        Phase.CONTRACT,
        Direction.FORWARD,
        "The old version is gone",
        "No instance of the version that reads or writes the old column runs any more, and no job or report does.",
        overridable=False,
    ),
    Gate(
        "backup_before_contract",
        Phase.CONTRACT,
        Direction.FORWARD,
        "Backup and restore test",
        "A backup made after cutover holds the old column, and was restored once.",
        overridable=True,
    ),
    Gate(
        # Before the sync goes, not only before the columns do: what is written to one side alone is lost with it.
        "new_version_stopped",
        Phase.DUAL_WRITE,
        Direction.BACK,
        "The new version is gone",
        "No instance of the version that reads or writes the new columns runs any more: "
        "without the sync its writes would not reach the old column.",
        overridable=False,
    ),
)
GATE_BY_KEY = {gate.key: gate for gate in GATES}


def may_confirm(gate: Gate, statuses: Mapping[Phase, str]) -> bool:
    """Return whether what the gate says can be true yet: what contract waits for is true only after cutover."""
    is_of_contract = gate.phase is Phase.CONTRACT and gate.direction is Direction.FORWARD
    return not is_of_contract or statuses.get(Phase.CUTOVER) == "done"


def gates_of(phase: Phase, direction: Direction) -> tuple[Gate, ...]:
    return tuple(gate for gate in GATES if gate.phase is phase and gate.direction is direction)


@dataclass(frozen=True)
class Blocker:
    code: str
    kind: Literal["mend", "wait"]
    text: str
    remedy: str
    overridable_gate: str = ""
    """Key of the gate that a person may override with a reason; empty for none."""


@dataclass(frozen=True)
class PhaseFacts:
    """Everything that decides whether a phase may start, read under the plan's lock."""

    phase: Phase
    direction: Direction
    plan_status: str
    digest: str
    statuses: Mapping[Phase, str]
    """Status by phase, in order; phases with nothing to do are not in it."""
    active_run: str
    """Words for the run that is active, or empty."""
    approvals: int
    """Valid approvals of this digest for the phase's group."""
    confirmed_gates: Collection[str]
    block_objections: Collection[str]
    """Titles of blocking objections of the last preflight."""
    claimed_by: int | None
    """Another plan that claims the table, or None."""
    now: datetime
    cutover_at: datetime | None = None
    contract_at: datetime | None = None
    unused_side_since: datetime | None = None
    """Since when the side to be dropped was neither read nor written by an application; None where not known."""
    soak_s: float = 0
    unused_s: float = 0
    hold_s: float = 0
    verified_at: datetime | None = None
    verified_within_s: float = 0


def blockers(facts: PhaseFacts) -> tuple[Blocker, ...]:
    """Return everything that stands in the way, all of it at once."""
    found = [*_order(facts), *_standing(facts)]
    if facts.direction is Direction.FORWARD:
        found += [*_approvals(facts), *_objections(facts), *_waits(facts)]
    found += [*_gates(facts), *_unused(facts)]
    return tuple(found)


def _order(facts: PhaseFacts) -> list[Blocker]:
    if facts.active_run:
        return [Blocker("run_active", "wait", f"{facts.active_run}.", "Wait for it, or abort it first.")]
    status = facts.statuses.get(facts.phase)
    if status is None:
        return [Blocker("phase_unknown", "mend", f"This plan has no phase {facts.phase}.", "Choose one of its phases.")]
    startable = {"pending", "reverted", "failed"} | ({"done"} if facts.phase is Phase.VERIFY else set())
    if facts.direction is Direction.FORWARD:
        if status not in startable:
            return [
                Blocker(
                    "phase_not_startable", "mend", f"{phase_title(facts.phase)} is {status}.", "Start the next one."
                )
            ]
        for phase, other in facts.statuses.items():
            if PHASES.index(phase) < PHASES.index(facts.phase) and other != "done":
                return [
                    Blocker(
                        "phase_out_of_order",
                        "mend",
                        f"{phase_title(facts.phase)} cannot start: {phase_title(phase)} is {other}, not done.",
                        f"Start {phase_title(phase)} first.",
                    )
                ]
            if PHASES.index(phase) > PHASES.index(facts.phase) and _stands(phase, other):
                return [
                    Blocker(
                        "phase_out_of_order",
                        "mend",
                        f"{phase_title(facts.phase)} cannot start: {phase_title(phase)} comes later and is {other}.",
                        f"Roll back {phase_title(phase)} first.",
                    )
                ]
        return []
    if facts.phase is Phase.PURGE:
        return [
            Blocker("irreversible", "mend", "Purge has no way back: the old column is dropped.", "Restore a backup.")
        ]
    if status not in ("done", "failed"):
        return [
            Blocker("phase_not_revertible", "mend", f"{phase_title(facts.phase)} is {status}.", "Nothing to roll back.")
        ]
    for phase, other in facts.statuses.items():
        if PHASES.index(phase) > PHASES.index(facts.phase) and _stands(phase, other):
            return [
                Blocker(
                    "phase_out_of_order",
                    "mend",
                    f"{phase_title(facts.phase)} cannot be rolled back: {phase_title(phase)} is {other}.",
                    f"Roll back {phase_title(phase)} first.",
                )
            ]
    return []


def _stands(phase: Phase, status: str) -> bool:
    """Return whether a phase has an effect that a rollback must undo first.

    A purge that failed dropped nothing that can be brought back; where it did drop the column, bringing it back is
    refused in the target itself.
    """
    return status not in ("pending", "reverted") and not (phase is Phase.PURGE and status == "failed")


def _standing(facts: PhaseFacts) -> list[Blocker]:
    if facts.plan_status not in ("approved", "active", "reverting"):
        words = {
            "draft": "The plan is a draft: nobody has been asked to approve it.",
            "submitted": "The plan waits for its approval.",
        }.get(facts.plan_status, f"The plan is {facts.plan_status}.")
        remedy = {"draft": "Submit it.", "submitted": "Ask an approver to look at it."}
        return [Blocker("plan_not_approved", "mend", words, remedy.get(facts.plan_status, "Make a new plan."))]
    return []


def _approvals(facts: PhaseFacts) -> list[Blocker]:
    group = GROUP_BY_PHASE[facts.phase]
    missing = APPROVALS_BY_GROUP[group] - facts.approvals
    if missing <= 0:
        return []
    return [
        Blocker(
            "approval_missing",
            "wait",
            f"{phase_title(Phase(group))} needs {missing} more approval of this revision ({facts.digest[:12]}).",
            "Ask an approver who neither wrote nor edited the plan.",
        )
    ]


def _objections(facts: PhaseFacts) -> list[Blocker]:
    if facts.phase not in (Phase.EXPAND, Phase.DUAL_WRITE):
        return []
    found = [
        Blocker("objection", "mend", title, "See the objections of this plan: each says how to mend it.")
        for title in facts.block_objections
    ]
    if facts.claimed_by is not None:
        found.append(table_claimed(facts.claimed_by))
    return found


def table_claimed(plan_id: int) -> Blocker:
    """Say that another plan works on the same table."""
    return Blocker(
        "table_claimed",
        "wait",
        f"Plan {plan_id} works on the same table.",
        "Wait until it is completed or rolled back to the start.",
    )


def _gates(facts: PhaseFacts) -> list[Blocker]:
    return [
        Blocker(
            "gate_open",
            "mend",
            f"{gate.title}: nobody has confirmed it yet. {gate.text}",
            "Confirm it, on the plan's page or by API"
            + (", or override it with a reason." if gate.overridable else "."),
            overridable_gate=gate.key if gate.overridable else "",
        )
        for gate in gates_of(facts.phase, facts.direction)
        if gate.key not in facts.confirmed_gates
    ]


def _waits(facts: PhaseFacts) -> list[Blocker]:
    if facts.phase is Phase.CUTOVER and facts.verified_at is not None:
        age_s = (facts.now - facts.verified_at).total_seconds()
        if age_s > facts.verified_within_s:
            return [
                Blocker(
                    "verification_old",
                    "mend",
                    f"The last clean verification is {age_s:.0f} s old; cutover wants at most "
                    f"{facts.verified_within_s:.0f} s.",
                    "Verify again.",
                )
            ]
    if facts.phase is Phase.CONTRACT:
        return _wait("soak", "The soak after cutover", facts.cutover_at, facts.soak_s, facts)
    if facts.phase is Phase.PURGE:
        return _wait("hold", "The hold of the retired column", facts.contract_at, facts.hold_s, facts)
    return []


def _unused(facts: PhaseFacts) -> list[Blocker]:
    drops = (facts.phase is Phase.CONTRACT and facts.direction is Direction.FORWARD) or (
        facts.phase is Phase.EXPAND and facts.direction is Direction.BACK
    )
    if not drops or facts.unused_s <= 0:
        return []
    side = "old column" if facts.phase is Phase.CONTRACT else "new columns"
    since = facts.unused_side_since
    if since is not None and facts.now - since >= timedelta(seconds=facts.unused_s):
        return []
    seen = "not known yet" if since is None else f"{(facts.now - since).total_seconds():.0f} s ago"
    if "side_unused" in facts.confirmed_gates:
        return []
    return [
        Blocker(
            "side_in_use",
            "wait",
            f"The {side} must not be used by an application for {facts.unused_s:.0f} s; last use: {seen}.",
            "Find and stop what uses it, or override with a reason.",
            overridable_gate="side_unused",
        )
    ]


def _wait(code: str, title: str, since: datetime | None, seconds: float, facts: PhaseFacts) -> list[Blocker]:
    if code in facts.confirmed_gates or (since is not None and facts.now - since >= timedelta(seconds=seconds)):
        return []
    left = seconds if since is None else seconds - (facts.now - since).total_seconds()
    return [
        Blocker(
            f"{code}_running",
            "wait",
            f"{title} lasts {seconds:.0f} s; {left:.0f} s are left.",
            "Wait, or override with a reason.",
            overridable_gate=code,
        )
    ]


def phase_title(phase: Phase) -> str:
    """Return a phase's name as people read it."""
    return phase.value.replace("_", "-").capitalize()
