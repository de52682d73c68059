"""What must hold before a phase starts or goes back: the rules alone, over made-up facts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from migrations_app.policy import (
    APPROVALS_BY_GROUP,
    GATE_BY_KEY,
    GATES,
    GROUP_BY_PHASE,
    PhaseFacts,
    blockers,
    phase_title,
    rollback_is_grave,
    start_is_grave,
)
from workers.engine.vocabulary import PHASES, Direction, Phase

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def facts(phase, *, back=False, **changes):
    """Facts under which nothing stands in the way of this phase."""
    before = PHASES[: PHASES.index(phase)]
    statuses = {each: "done" if each in before else "pending" for each in PHASES}
    if back:
        statuses[phase] = "done"
    clear = PhaseFacts(
        phase=phase,
        direction=Direction.BACK if back else Direction.FORWARD,
        plan_status="active",
        digest="d" * 64,
        statuses=statuses,
        active_run="",
        approvals=1,
        confirmed_gates=set(GATE_BY_KEY),
        block_objections=(),
        claimed_by=None,
        now=NOW,
        cutover_at=NOW - 24 * HOUR,
        contract_at=NOW - 72 * HOUR,
        unused_side_since=NOW - HOUR,
        soak_s=24 * 3600,
        unused_s=3600,
        hold_s=72 * 3600,
        verified_at=NOW - HOUR,
        verified_within_s=24 * 3600,
    )
    return replace(clear, **changes)


def codes(found):
    return [blocker.code for blocker in blockers(found)]


@pytest.mark.parametrize("phase", PHASES)
def test_nothing_stands_in_the_way_of_a_phase_whose_time_has_come(phase):
    assert codes(facts(phase)) == []


@pytest.mark.parametrize("phase", [phase for phase in PHASES if phase is not Phase.PURGE])
def test_nothing_stands_in_the_way_back_of_the_last_phase(phase):
    assert codes(facts(phase, back=True)) == []


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_wants_the_approval_of_its_group(phase):
    assert codes(facts(phase, approvals=0)) == ["approval_missing"]


@pytest.mark.parametrize("phase", PHASES)
def test_no_phase_starts_while_a_run_is_active(phase):
    assert codes(facts(phase, active_run="Run 7 (expand) is running")) == ["run_active"]


@pytest.mark.parametrize("status", ["draft", "submitted", "completed", "reverted", "abandoned"])
def test_no_phase_starts_in_a_plan_that_is_not_approved(status):
    assert "plan_not_approved" in codes(facts(Phase.EXPAND, plan_status=status))


@pytest.mark.parametrize("before", ["pending", "running", "failed", "reverting", "reverted"])
def test_a_phase_waits_until_the_one_before_is_done(before):
    found = facts(Phase.BACKFILL)

    assert codes(replace(found, statuses={**found.statuses, Phase.DUAL_WRITE: before})) == ["phase_out_of_order"]


@pytest.mark.parametrize("later", ["running", "done", "failed", "reverting"])
def test_a_phase_does_not_start_under_a_later_one(later):
    found = facts(Phase.BACKFILL, statuses=dict.fromkeys(PHASES, "done") | {Phase.BACKFILL: "failed"})

    assert codes(replace(found, statuses={**found.statuses, Phase.CUTOVER: later}))[0] == "phase_out_of_order"


@pytest.mark.parametrize("phase", PHASES)
def test_only_verify_is_started_again_once_it_is_done(phase):
    found = facts(phase)

    assert codes(replace(found, statuses={**found.statuses, phase: "done"})) == (
        [] if phase is Phase.VERIFY else ["phase_not_startable"]
    )


@pytest.mark.parametrize("status", ["failed", "reverted"])
def test_a_phase_that_failed_or_was_rolled_back_is_started_again(status):
    found = facts(Phase.BACKFILL)

    assert codes(replace(found, statuses={**found.statuses, Phase.BACKFILL: status})) == []


def test_a_phase_that_the_plan_has_not_is_named():
    assert codes(facts(Phase.BACKFILL, statuses={Phase.EXPAND: "done"})) == ["phase_unknown"]


def test_a_phase_is_not_rolled_back_under_a_later_one():
    found = facts(Phase.BACKFILL, back=True)

    assert codes(replace(found, statuses={**found.statuses, Phase.VERIFY: "done"})) == ["phase_out_of_order"]


def test_a_phase_that_was_not_done_is_not_rolled_back():
    found = facts(Phase.BACKFILL, back=True)

    assert codes(replace(found, statuses={**found.statuses, Phase.BACKFILL: "pending"})) == ["phase_not_revertible"]


def test_contract_is_undone_also_after_a_purge_that_failed():
    found = facts(Phase.CONTRACT, back=True)

    assert codes(replace(found, statuses={**found.statuses, Phase.PURGE: "failed"})) == []


def test_purge_has_no_way_back():
    assert codes(facts(Phase.PURGE, back=True)) == ["irreversible"]


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.key)
def test_a_gate_stands_until_somebody_confirms_it(gate):
    found = facts(gate.phase, back=gate.direction is Direction.BACK)

    stopped = blockers(replace(found, confirmed_gates=set(GATE_BY_KEY) - {gate.key}))

    assert [(blocker.code, blocker.overridable_gate) for blocker in stopped] == [
        ("gate_open", gate.key if gate.overridable else "")
    ]


def test_a_gate_of_the_way_back_does_not_stop_the_way_forward():
    assert codes(facts(Phase.EXPAND, confirmed_gates=())) == []


@pytest.mark.parametrize("phase", [Phase.EXPAND, Phase.DUAL_WRITE])
def test_objections_and_claims_stand_before_anything_touches_the_table(phase):
    assert codes(facts(phase, block_objections=["No key"], claimed_by=7)) == ["objection", "table_claimed"]


def test_a_stale_verification_does_not_open_cutover():
    assert codes(facts(Phase.CUTOVER, verified_at=NOW - 25 * HOUR)) == ["verification_old"]


@pytest.mark.parametrize(
    ("phase", "changes", "code"),
    [
        (Phase.CONTRACT, {"cutover_at": NOW - 23 * HOUR}, "soak_running"),
        (Phase.CONTRACT, {"unused_side_since": NOW - HOUR / 2}, "side_in_use"),
        (Phase.CONTRACT, {"unused_side_since": None}, "side_in_use"),
        (Phase.PURGE, {"contract_at": NOW - 71 * HOUR}, "hold_running"),
    ],
)
def test_what_is_dropped_waits(phase, changes, code):
    assert codes(facts(phase, **changes)) == [code]


@pytest.mark.parametrize(
    ("phase", "changes", "gate"),
    [
        (Phase.CONTRACT, {"cutover_at": NOW}, "soak"),
        (Phase.CONTRACT, {"unused_side_since": NOW}, "side_unused"),
        (Phase.PURGE, {"contract_at": NOW}, "hold"),
    ],
)
def test_a_wait_may_be_overridden(phase, changes, gate):
    assert codes(facts(phase, confirmed_gates={*GATE_BY_KEY, gate}, **changes)) == []


def test_new_columns_are_dropped_only_when_nobody_uses_them():
    assert codes(facts(Phase.EXPAND, back=True, unused_side_since=None)) == ["side_in_use"]


def test_everything_that_stands_in_the_way_is_told_at_once():
    found = facts(Phase.CONTRACT, approvals=0, confirmed_gates=(), cutover_at=NOW, unused_side_since=None)

    assert codes(found) == ["approval_missing", "soak_running", "gate_open", "gate_open", "side_in_use"]


def test_every_blocker_has_a_remedy():
    found = facts(Phase.CONTRACT, approvals=0, confirmed_gates=(), cutover_at=NOW, unused_side_since=None)

    assert [blocker for blocker in blockers(found) if not blocker.remedy] == []


def test_every_phase_has_a_group_and_every_group_wants_an_approval():
    assert set(GROUP_BY_PHASE) == set(PHASES)
    assert set(GROUP_BY_PHASE.values()) == set(APPROVALS_BY_GROUP)
    assert min(APPROVALS_BY_GROUP.values()) >= 1


@pytest.mark.parametrize("phase", PHASES)
def test_only_what_takes_columns_out_of_reach_is_grave_to_start(phase):
    assert start_is_grave(phase) is (phase in (Phase.CONTRACT, Phase.PURGE))


@pytest.mark.parametrize(
    ("cutover", "grave"), [("pending", False), ("reverted", False), ("running", True), ("done", True), ("failed", True)]
)
def test_a_rollback_is_grave_from_cutover_on(cutover, grave):
    assert rollback_is_grave({Phase.VERIFY: "done", Phase.CUTOVER: cutover}) is grave


def test_phases_have_names_for_people():
    assert phase_title(Phase.DUAL_WRITE) == "Dual-write"
