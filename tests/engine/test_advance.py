"""The loop on a database in memory, with a clock that only working and sleeping move."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.engine.adapters.memory import MemoryAdapter, MemoryServer
from workers.engine.advance import (
    GLANCE_S,
    Aborted,
    Carry,
    Failed,
    Finished,
    Hands,
    Held,
    Intent,
    LeaseLost,
    Limits,
    Outcome,
    Paused,
    SliceOver,
    Work,
    advance,
)
from workers.engine.errors import (
    ConnectionLost,
    Deadlock,
    Drifted,
    EngineError,
    Interrupted,
    LockTimeout,
    Mismatch,
    OutcomeUnknown,
    PrivilegeMissing,
    SerializationFailure,
    StatementTimeout,
    Unreachable,
)
from workers.engine.events import (
    ActionFinished,
    ActionStarted,
    BatchCopied,
    EngineEvent,
    OutcomeResolved,
    RetryScheduled,
    Waited,
    WaitEnded,
)
from workers.engine.operations.split_column import Part, SplitColumn
from workers.engine.pace import PaceLimits
from workers.engine.throttle import Kind, Reading
from workers.engine.vocabulary import PHASES, Column, Direction, Phase, Step, TableName

TABLE = TableName("public", "users")
SPLIT = SplitColumn(
    schema="public",
    table_name="users",
    column="name",
    parts=(
        Part("first_name", "text", "split_part(name, ' ', 1)"),
        Part("last_name", "text", "nullif(substr(name, length(split_part(name, ' ', 1)) + 2), '')"),
    ),
    join="first_name || coalesce(' ' || last_name, '')",
)
STEPS: dict[Phase, Step] = {step.phase: step for step in SPLIT.steps("p1o0")}
TEN_ROWS_A_BATCH = Limits(pace=PaceLimits(first_rows=10, min_rows=1, max_rows=10))
TAG = "lockstep:p1:r7:l0:e1"

Event = TypeVar("Event", bound=EngineEvent)


class Stage:
    """One lane of a plan in front of a phase, and the hands that drive it. Working costs `batch_s` a batch."""

    def __init__(self, phase: Phase = Phase.BACKFILL, *, rows: int = 100, batch_s: float = 0.0) -> None:
        self.now = 1_000.0
        self.intent = Intent.GO
        self.has_lease = True
        self.readings: list[Reading] = []
        self.chance = 0.5
        self.batch_s = batch_s
        self.events: list[EngineEvent] = []
        self.slept: list[float] = []
        self.at_sleep: Callable[[], None] = lambda: None
        self.at_event: Callable[[EngineEvent], None] = lambda event: None
        self.server = MemoryServer(clock=lambda: self.now)
        columns = (Column("id", "bigint", nullable=False), Column("name", "text"))
        self.server.create_table(TABLE, columns, key=("id",))
        for number in range(rows):
            self.server.insert(TABLE, {"id": number, "name": f"Ada Lovelace{number}"})
        self.adapter = MemoryAdapter(self.server, tag=TAG)
        self.adapter.install(1, "control")
        self.phase = phase
        for earlier in PHASES[: PHASES.index(phase)]:
            self.drive(phase=earlier)
        self.server.in_flight = self.work
        self.events.clear()

    def drive(
        self,
        *,
        phase: Phase | None = None,
        direction: Direction = Direction.FORWARD,
        limits: Limits = TEN_ROWS_A_BATCH,
        carry: Carry | None = None,
        run: int = 7,
        slice_s: float = 3_600.0,
    ) -> Outcome:
        phase = phase or self.phase
        work = Work(
            plan=1,
            operation=0,
            run=run,
            lane=0,
            epoch=1,
            phase=phase,
            direction=direction,
            actions=STEPS[phase].actions(direction),
            limits=limits,
            carry=carry or Carry(),
        )
        return advance(work, self.adapter, self.hands(), slice_s=slice_s)

    def hands(self) -> Hands:
        return Hands(
            clock=lambda: self.now,
            sleep=self.sleep,
            random=lambda: self.chance,
            wall=lambda: self.now,
            intent=lambda: self.intent,
            renew=lambda: self.has_lease,
            readings=lambda: self.readings,
            emit=self.hear,
        )

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.at_sleep()

    def hear(self, event: EngineEvent) -> None:
        self.events.append(event)
        self.at_event(event)

    def work(self, call: str) -> None:
        if call in ("copy", "compare"):
            self.now += self.batch_s

    def heard(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def want(self, intent: Intent) -> None:
        self.intent = intent

    def lag(self, observed: float | None, *, age_s: float = 0.0) -> None:
        self.readings = [Reading("replication_lag", "replica1", observed, 1.0, 2.0, "s", self.now - age_s)]

    def fail(self, error: EngineError, *, call: str, times: int = 1, after_commit: bool = False) -> None:
        for _ in range(times):
            self.server.fail_next(error, call=call, after_commit=after_commit)


def after_the_first_batch(stage: Stage, react: Callable[[], None]) -> None:
    stage.at_event = lambda event: react() if isinstance(event, BatchCopied) and event.seq == 1 else None


def seqs(batches: Iterable[BatchCopied]) -> list[int]:
    return [batch.seq for batch in batches]


# To the end.


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_is_driven_to_its_end_by_the_same_loop(phase: Phase) -> None:
    stage = Stage(phase)

    outcome = stage.drive()

    assert isinstance(outcome, Finished)


@pytest.mark.parametrize("phase", [phase for phase in PHASES if STEPS[phase].undo])
def test_every_phase_that_can_be_undone_is_driven_back_by_the_same_loop(phase: Phase) -> None:
    stage = Stage(phase)
    stage.drive()

    outcome = stage.drive(direction=Direction.BACK)

    assert isinstance(outcome, Finished)


def test_a_finished_backfill_gives_its_counters() -> None:
    stage = Stage(rows=25)

    outcome = stage.drive()

    assert outcome == Finished({0: {"rows": 25, "batches": 3, "written": 25}})


def test_an_empty_table_is_finished_without_a_batch() -> None:
    stage = Stage(rows=0)

    outcome = stage.drive()

    assert outcome == Finished({0: {"rows": 0, "batches": 0}})


def test_a_finished_backfill_has_filled_every_row() -> None:
    stage = Stage(rows=25)

    stage.drive()

    assert {row["first_name"] for row in stage.server.table(TABLE).rows.values()} == {"Ada"}


def test_each_action_says_that_it_started_and_finished() -> None:
    stage = Stage(Phase.EXPAND)

    stage.drive()

    assert stage.events == [
        ActionStarted(Phase.EXPAND, 0, "Add column first_name"),
        ActionFinished(Phase.EXPAND, 0, "Add column first_name"),
        ActionStarted(Phase.EXPAND, 1, "Add column last_name"),
        ActionFinished(Phase.EXPAND, 1, "Add column last_name"),
    ]


def test_a_batch_says_its_rows_its_seconds_and_the_totals() -> None:
    stage = Stage(rows=15, batch_s=0.2)

    stage.drive()

    last = stage.heard(BatchCopied)[-1]
    assert last == BatchCopied(0, 2, 5, 15, 10, pytest.approx(0.2), {"written": 15})


def test_work_that_is_done_already_is_not_done_again() -> None:
    stage = Stage()
    stage.drive()
    stage.events.clear()

    stage.drive()

    assert stage.heard(BatchCopied) == []


# Slices.


def test_a_slice_ends_when_its_seconds_are_spent() -> None:
    stage = Stage(batch_s=0.3)

    outcome = stage.drive(slice_s=1.0)

    assert isinstance(outcome, SliceOver)


def test_a_slice_overruns_by_no_more_than_one_batch() -> None:
    stage = Stage(batch_s=0.3)

    stage.drive(slice_s=1.0)

    assert seqs(stage.heard(BatchCopied)) == [1, 2, 3, 4]


def test_the_next_slice_goes_on_where_the_last_one_ended() -> None:
    stage = Stage(batch_s=0.3)
    outcome = stage.drive(slice_s=1.0)
    assert isinstance(outcome, SliceOver)

    stage.drive(carry=outcome.carry)

    assert seqs(stage.heard(BatchCopied)) == list(range(1, 11))


def test_an_action_that_takes_several_slices_says_once_that_it_started() -> None:
    stage = Stage(batch_s=0.3)
    outcome = stage.drive(slice_s=1.0)
    assert isinstance(outcome, SliceOver)

    stage.drive(carry=outcome.carry)

    assert len(stage.heard(ActionStarted)) == 1


def test_the_next_slice_does_not_repeat_the_actions_before_the_one_that_it_ended_in() -> None:
    stage = Stage(Phase.EXPAND)

    stage.drive(carry=Carry(action=1))

    assert "first_name" not in stage.server.table(TABLE).columns


def test_a_lost_carry_loses_no_progress() -> None:
    stage = Stage(batch_s=0.3)
    stage.drive(slice_s=1.0)

    outcome = stage.drive(carry=Carry())

    assert outcome == Finished({0: {"rows": 100, "batches": 10, "written": 100}})


def test_the_next_slice_keeps_the_batch_size_that_was_learned() -> None:
    stage = Stage(batch_s=0.8)
    limits = Limits(pace=PaceLimits(first_rows=40, min_rows=1, max_rows=40, cap_s=0.5))
    outcome = stage.drive(limits=limits, slice_s=0.5)
    assert isinstance(outcome, SliceOver)

    stage.drive(limits=limits, carry=outcome.carry, slice_s=0.5)

    assert [batch.batch_rows for batch in stage.heard(BatchCopied)] == [40, 20]


# Pause and abort.


def test_an_abort_before_the_first_statement_writes_nothing() -> None:
    stage = Stage()
    stage.want(Intent.ABORT)

    stage.drive()

    assert stage.server.table(TABLE).rows[(0,)]["first_name"] is None


def test_an_abort_before_an_action_leaves_it_undone() -> None:
    stage = Stage(Phase.EXPAND)
    stage.at_event = lambda event: stage.want(Intent.ABORT) if isinstance(event, ActionFinished) else None

    stage.drive()

    assert "last_name" not in stage.server.table(TABLE).columns


def test_an_abort_between_two_batches_stops_before_the_second() -> None:
    stage = Stage()
    after_the_first_batch(stage, lambda: stage.want(Intent.ABORT))

    outcome = stage.drive()

    assert (outcome, seqs(stage.heard(BatchCopied))) == (Aborted(), [1])


def test_a_pause_between_two_batches_stops_before_the_second() -> None:
    stage = Stage()
    after_the_first_batch(stage, lambda: stage.want(Intent.PAUSE))

    outcome = stage.drive()

    assert (outcome, seqs(stage.heard(BatchCopied))) == (Paused(), [1])


def test_a_batch_that_was_cancelled_for_an_abort_ends_aborted() -> None:
    stage = Stage()

    def cancel(call: str) -> None:
        if call == "copy":
            stage.want(Intent.ABORT)
            stage.adapter.cancel(1, 7)

    stage.server.in_flight = cancel

    outcome = stage.drive()

    assert outcome == Aborted()


@pytest.mark.parametrize(("intent", "expected"), [(Intent.ABORT, Aborted()), (Intent.PAUSE, Paused())])
def test_an_action_that_was_cancelled_ends_as_was_asked(intent: Intent, expected: Outcome) -> None:
    stage = Stage(Phase.DUAL_WRITE)
    stage.fail(Interrupted("The statement was cancelled."), call="apply")
    stage.server.in_flight = lambda call: stage.want(intent)

    outcome = stage.drive()

    assert outcome == expected


def test_a_cancel_that_nobody_asked_for_is_tried_again() -> None:
    stage = Stage()
    stage.fail(Interrupted("The statement was cancelled."), call="copy")

    outcome = stage.drive()

    assert isinstance(outcome, Finished)


def test_an_abort_is_seen_within_a_glance_while_the_rate_makes_it_wait() -> None:
    stage = Stage()
    stage.at_sleep = lambda: stage.want(Intent.ABORT)

    outcome = stage.drive(limits=replace(TEN_ROWS_A_BATCH, rate_rows_per_s=10))

    assert (outcome, stage.slept) == (Aborted(), [GLANCE_S])


def test_an_abort_is_seen_within_a_glance_while_it_backs_off() -> None:
    stage = Stage()
    stage.chance = 1.0
    stage.fail(LockTimeout("A lock was not granted."), call="copy", times=4)
    stage.at_sleep = lambda: stage.want(Intent.ABORT) if stage.slept[-1] == GLANCE_S else None

    outcome = stage.drive()

    assert (outcome, sum(stage.slept)) == (Aborted(), pytest.approx(0.1 + 0.2 + GLANCE_S))


def test_an_abort_is_seen_within_a_glance_while_it_rests_for_a_slow_signal() -> None:
    stage = Stage(batch_s=0.3)
    stage.lag(1.75)
    stage.at_sleep = lambda: stage.want(Intent.ABORT)

    outcome = stage.drive()

    assert (outcome, stage.slept) == (Aborted(), [GLANCE_S])


@given(seconds=st.floats(min_value=0, max_value=10))
def test_no_sleep_is_longer_than_a_glance(seconds: float) -> None:
    stage = Stage(rows=30, batch_s=seconds)
    stage.lag(1.9)
    stage.chance = 1.0
    stage.fail(Deadlock("A deadlock."), call="copy", times=4)

    stage.drive(limits=replace(TEN_ROWS_A_BATCH, rate_rows_per_s=20), slice_s=30)

    assert max(stage.slept, default=0.0) <= GLANCE_S


def test_a_retry_is_not_begun_when_an_abort_came_with_the_failure() -> None:
    stage = Stage()
    stage.fail(ConnectionLost("The connection is gone."), call="copy")
    stage.server.in_flight = lambda call: stage.want(Intent.ABORT) if call == "copy" else None

    stage.drive()

    assert stage.heard(RetryScheduled) == []


# Lease and fence.


def test_a_lost_lease_stops_before_the_next_statement() -> None:
    stage = Stage()
    after_the_first_batch(stage, lambda: setattr(stage, "has_lease", False))

    outcome = stage.drive()

    assert (outcome, seqs(stage.heard(BatchCopied))) == (LeaseLost(), [1])


def test_a_newer_epoch_in_the_target_ends_the_slice() -> None:
    stage = Stage()
    after_the_first_batch(stage, lambda: stage.adapter.set_stop(1, 7, wait_s=1))

    outcome = stage.drive()

    assert outcome == LeaseLost("Plan 1 was told to stop. Pause and resume, or roll back, to go on.")


def test_a_fence_that_was_raised_for_an_abort_ends_aborted() -> None:
    stage = Stage()

    def stop_by_the_fence(call: str) -> None:
        if call == "copy":
            stage.adapter.set_stop(1, 7, wait_s=1)
            stage.want(Intent.ABORT)

    stage.server.in_flight = stop_by_the_fence

    outcome = stage.drive()

    assert outcome == Aborted()


# Failures.


@pytest.mark.parametrize("kind", [LockTimeout, Deadlock, SerializationFailure, ConnectionLost, Unreachable])
def test_a_transient_failure_is_tried_again(kind: type[EngineError]) -> None:
    stage = Stage()
    stage.fail(kind("It failed."), call="copy")

    outcome = stage.drive()

    assert outcome == Finished({0: {"rows": 100, "batches": 10, "written": 100}})


@pytest.mark.parametrize("call", ["claim_lane", "copy", "conclude"])
def test_a_failure_of_any_call_is_tried_again(call: str) -> None:
    stage = Stage()
    stage.fail(ConnectionLost("The connection is gone."), call=call)

    outcome = stage.drive()

    assert isinstance(outcome, Finished)


def test_backing_off_doubles_its_longest_delay_and_takes_a_random_part_of_it() -> None:
    stage = Stage()
    stage.fail(LockTimeout("A lock was not granted."), call="copy", times=3)

    stage.drive()

    assert [retry.delay_s for retry in stage.heard(RetryScheduled)] == pytest.approx([0.05, 0.1, 0.2])


def test_a_long_delay_is_handed_back_instead_of_slept() -> None:
    stage = Stage()
    stage.chance = 1.0
    stage.fail(LockTimeout("A lock was not granted."), call="copy", times=6)

    outcome = stage.drive()

    assert isinstance(outcome, Held) and outcome.retry_after_s == pytest.approx(3.2)


def test_failures_in_a_row_exhaust_the_retries() -> None:
    stage = Stage()
    error = LockTimeout("A lock was not granted.")
    stage.fail(error, call="copy", times=4)

    outcome = stage.drive(limits=replace(TEN_ROWS_A_BATCH, retries=3))

    assert outcome == Failed(error)


def test_failures_are_counted_on_from_slice_to_slice() -> None:
    stage = Stage()
    error = LockTimeout("A lock was not granted.")
    stage.fail(error, call="copy")

    outcome = stage.drive(limits=replace(TEN_ROWS_A_BATCH, retries=3), carry=Carry(failures=3))

    assert outcome == Failed(error)


def test_no_delay_is_longer_than_half_a_minute() -> None:
    stage = Stage()
    stage.chance = 1.0
    stage.fail(Unreachable("No connection."), call="copy")

    outcome = stage.drive(carry=Carry(failures=15))

    assert isinstance(outcome, Held) and outcome.retry_after_s == 30


def test_an_action_that_succeeds_forgives_the_failures_before_it() -> None:
    stage = Stage(Phase.EXPAND)
    stage.fail(LockTimeout("A lock was not granted."), call="apply", times=2)
    second = ActionStarted(Phase.EXPAND, 1, "Add column last_name")
    stage.at_event = lambda event: (
        stage.fail(LockTimeout("A lock was not granted."), call="apply", times=2) if event == second else None
    )

    outcome = stage.drive(limits=replace(TEN_ROWS_A_BATCH, retries=2))

    assert isinstance(outcome, Finished)


def test_a_batch_that_succeeds_forgives_the_failures_before_it() -> None:
    stage = Stage()
    stage.fail(Deadlock("A deadlock."), call="copy", times=2)
    after_the_first_batch(stage, lambda: stage.fail(Deadlock("A deadlock."), call="copy", times=2))

    outcome = stage.drive(limits=replace(TEN_ROWS_A_BATCH, retries=2))

    assert isinstance(outcome, Finished)


def test_a_statement_timeout_halves_the_batch() -> None:
    stage = Stage()
    stage.fail(StatementTimeout("The statement took too long."), call="copy")

    stage.drive()

    assert stage.heard(BatchCopied)[0].batch_rows == 5


def test_a_halved_batch_is_tried_at_once() -> None:
    stage = Stage()
    stage.fail(StatementTimeout("The statement took too long."), call="copy")

    stage.drive()

    assert stage.slept == []


def test_a_statement_timeout_of_the_smallest_batch_backs_off() -> None:
    stage = Stage()
    stage.fail(StatementTimeout("The statement took too long."), call="copy", times=5)  # 10, 5, 2, 1, 1 rows

    stage.drive()

    assert len(stage.slept) > 0


def test_a_statement_timeout_of_an_action_backs_off() -> None:
    stage = Stage(Phase.DUAL_WRITE)
    stage.fail(StatementTimeout("The statement took too long."), call="apply")

    stage.drive()

    assert stage.slept == [pytest.approx(0.05)]


@pytest.mark.parametrize("error", [PrivilegeMissing("No UPDATE on users."), Drifted("The table has changed.")])
def test_what_a_person_must_mend_fails_at_once(error: EngineError) -> None:
    stage = Stage()
    stage.fail(error, call="copy")

    outcome = stage.drive()

    assert outcome == Failed(error)


# Answers that never came.


def test_a_commit_without_an_answer_that_stands_is_not_repeated() -> None:
    stage = Stage()
    stage.fail(OutcomeUnknown("No answer to COMMIT."), call="copy", after_commit=True)

    outcome = stage.drive()

    assert outcome == Finished({0: {"rows": 100, "batches": 10, "written": 100}})


def test_a_commit_without_an_answer_that_does_not_stand_is_repeated() -> None:
    stage = Stage()
    stage.fail(OutcomeUnknown("No answer to COMMIT."), call="copy")

    outcome = stage.drive()

    assert outcome == Finished({0: {"rows": 100, "batches": 10, "written": 100}})


@pytest.mark.parametrize("committed", [True, False])
def test_it_says_what_became_of_a_commit_without_an_answer(committed: bool) -> None:
    stage = Stage()
    stage.fail(OutcomeUnknown("No answer to COMMIT."), call="copy", after_commit=committed)

    stage.drive()

    assert stage.heard(OutcomeResolved) == [OutcomeResolved(committed)]


def test_a_checkpoint_that_is_neither_before_nor_after_the_batch_fails() -> None:
    stage = Stage()
    stage.fail(OutcomeUnknown("No answer to COMMIT."), call="copy")

    def write_behind_our_back(call: str) -> None:
        if call == "copy":
            progress = next(row for key, row in stage.server.books.progress.items() if key[2] is Phase.BACKFILL)
            progress.checkpoint = replace(progress.checkpoint, seq=5)

    stage.server.in_flight = write_behind_our_back

    outcome = stage.drive()

    assert isinstance(outcome, Failed) and str(outcome.error).startswith("The target holds batch 5 where 0 or 1")


def test_a_checkpoint_that_nobody_understands_is_not_looked_at_again() -> None:
    stage = Stage()
    stage.fail(OutcomeUnknown("No answer to COMMIT."), call="copy")
    stage.server.in_flight = lambda call: stage.server.books.progress.clear() if call == "copy" else None

    stage.drive()

    assert len(stage.heard(RetryScheduled)) == 1


def test_a_batch_that_stands_without_an_answer_forgives_the_failures_before_it() -> None:
    stage = Stage()
    stage.fail(OutcomeUnknown("No answer to COMMIT."), call="copy", after_commit=True)
    stage.fail(Deadlock("A deadlock."), call="copy")

    outcome = stage.drive(limits=replace(TEN_ROWS_A_BATCH, retries=1))

    assert isinstance(outcome, Finished)


def test_a_conclusion_without_an_answer_is_looked_up() -> None:
    stage = Stage()
    stage.fail(OutcomeUnknown("No answer to COMMIT."), call="conclude", after_commit=True)

    stage.drive()

    assert stage.heard(OutcomeResolved) == [OutcomeResolved(committed=True)]


def test_a_claim_without_an_answer_is_repeated() -> None:
    stage = Stage()
    stage.fail(OutcomeUnknown("No answer to COMMIT."), call="claim_lane", after_commit=True)

    outcome = stage.drive()

    assert isinstance(outcome, Finished)


@pytest.mark.parametrize("committed", [True, False])
def test_an_action_without_an_answer_is_applied_again(committed: bool) -> None:
    stage = Stage(Phase.EXPAND)
    stage.fail(OutcomeUnknown("No answer to ALTER TABLE."), call="apply", after_commit=committed)

    outcome = stage.drive()

    assert isinstance(outcome, Finished)


def test_answers_that_keep_missing_exhaust_the_retries() -> None:
    stage = Stage(Phase.EXPAND)
    error = OutcomeUnknown("No answer to ALTER TABLE.")
    stage.fail(error, call="apply", times=4)

    outcome = stage.drive(limits=replace(TEN_ROWS_A_BATCH, retries=3))

    assert outcome == Failed(error)


@pytest.mark.parametrize(("phase", "call"), [(Phase.EXPAND, "apply"), (Phase.BACKFILL, "copy")])
def test_nothing_is_decided_while_a_session_of_ours_is_still_at_work(phase: Phase, call: str) -> None:
    stage = Stage(phase)
    stage.fail(OutcomeUnknown("No answer came."), call=call)
    stage.at_event = lambda event: stage.server.active.add(TAG) if isinstance(event, RetryScheduled) else None
    stage.at_sleep = lambda: stage.server.active.discard(TAG)

    stage.drive()

    texts = [retry.text for retry in stage.heard(RetryScheduled)]
    assert texts == ["No answer came.", "A session of this lane is still at work on the target."]


# Signals.


@pytest.mark.parametrize("observed", [3.2, None])
def test_a_signal_over_its_threshold_or_unknown_holds_before_the_first_batch(observed: float | None) -> None:
    stage = Stage()
    stage.lag(observed)

    stage.drive()

    assert stage.heard(BatchCopied) == []


def test_holding_does_not_sleep() -> None:
    stage = Stage()
    stage.lag(3.2)

    stage.drive()

    assert stage.slept == []


def test_holding_names_the_signal_and_its_threshold() -> None:
    stage = Stage()
    stage.lag(3.2)

    outcome = stage.drive()

    assert isinstance(outcome, Held) and outcome.reason == "replication lag of replica1 3.2 s > 2.0 s"


def test_a_required_signal_without_a_reading_holds() -> None:
    stage = Stage()

    outcome = stage.drive(limits=replace(TEN_ROWS_A_BATCH, required_signals=("replication_lag",)))

    assert isinstance(outcome, Held) and outcome.reason == "replication lag has not been observed"


def test_readings_that_grow_old_in_mid_slice_hold() -> None:
    stage = Stage(rows=200, batch_s=1.0)
    stage.lag(0.0)

    stage.drive()

    assert seqs(stage.heard(BatchCopied))[-1] == 16


def test_a_held_lane_says_once_why_it_waits() -> None:
    stage = Stage()
    stage.lag(3.2)
    outcome = stage.drive()
    assert isinstance(outcome, Held)

    stage.drive(carry=outcome.carry)

    assert stage.heard(Waited) == [Waited("replication lag of replica1 3.2 s > 2.0 s", "hold")]


def test_a_held_lane_goes_on_only_well_below_the_threshold() -> None:
    stage = Stage()
    stage.lag(1.9)

    outcome = stage.drive(carry=Carry(verdict=Kind.HOLD))

    assert isinstance(outcome, Held)


def test_a_lane_that_goes_on_says_how_long_it_waited() -> None:
    stage = Stage()
    stage.lag(3.2)
    outcome = stage.drive()
    assert isinstance(outcome, Held)
    stage.now += 40
    stage.lag(0.0)

    stage.drive(carry=outcome.carry)

    assert stage.heard(WaitEnded) == [WaitEnded(40)]


def test_waiting_counts_from_when_it_first_was_not_free_to_go() -> None:
    stage = Stage()
    stage.lag(3.2)
    held = stage.drive()
    assert isinstance(held, Held)
    stage.now += 40
    stage.lag(1.5)
    slowed = stage.drive(carry=held.carry, slice_s=0)
    assert isinstance(slowed, SliceOver)
    stage.now += 2
    stage.lag(0.0)

    stage.drive(carry=slowed.carry)

    assert stage.heard(WaitEnded) == [WaitEnded(42)]


def test_a_signal_that_comes_near_its_threshold_makes_batches_smaller() -> None:
    stage = Stage()
    stage.lag(1.5)

    stage.drive()

    assert stage.heard(BatchCopied)[0].batch_rows == 5


def test_a_signal_that_comes_near_its_threshold_rests_between_batches() -> None:
    stage = Stage(rows=10, batch_s=0.1)
    stage.lag(1.5)

    stage.drive()

    assert stage.slept == pytest.approx([0.1, 0.1])  # half the factor: as long a rest as a batch


def test_no_rest_between_batches_is_longer_than_two_seconds() -> None:
    stage = Stage(rows=1, batch_s=1.0)
    stage.lag(1.95)

    stage.drive()

    assert sum(stage.slept) == pytest.approx(2.0)


def test_a_signal_that_comes_near_holds_no_action_that_is_not_a_batch() -> None:
    stage = Stage(Phase.DUAL_WRITE)
    stage.lag(3.2)

    outcome = stage.drive()

    assert isinstance(outcome, Finished)


# Rate.


@given(rate=st.floats(min_value=1, max_value=500))
def test_no_lane_is_faster_than_the_rate_but_for_its_last_batch(rate: float) -> None:
    stage = Stage(rows=60)

    stage.drive(limits=replace(TEN_ROWS_A_BATCH, rate_rows_per_s=rate))

    earlier = stage.heard(BatchCopied)[:-1]
    assert sum(batch.rows for batch in earlier) <= rate * (stage.now - 1_000) + 1e-6


def test_a_slice_pays_for_its_last_batch_before_it_ends() -> None:
    stage = Stage()

    stage.drive(limits=replace(TEN_ROWS_A_BATCH, rate_rows_per_s=10), slice_s=2.5)

    rows = sum(batch.rows for batch in stage.heard(BatchCopied))
    assert (rows, stage.now - 1_000) == (30, pytest.approx(3.0))


def test_a_rate_is_used_up() -> None:
    stage = Stage(rows=100)

    stage.drive(limits=replace(TEN_ROWS_A_BATCH, rate_rows_per_s=20))

    assert stage.now - 1_000 == pytest.approx(5)


def test_the_time_that_a_batch_takes_counts_towards_its_rate() -> None:
    stage = Stage(rows=100, batch_s=0.3)

    stage.drive(limits=replace(TEN_ROWS_A_BATCH, rate_rows_per_s=20))

    assert stage.now - 1_000 == pytest.approx(5)


# Comparing.


def out_of_step(stage: Stage, row: int) -> None:
    """Change one side behind the sync's back."""
    stage.server.table(TABLE).rows[(row,)]["first_name"] = "Grace"


def lossy(stage: Stage, row: int) -> None:
    """Leave a row in a state from which only the old side follows from the new one."""
    stage.server.table(TABLE).rows[(row,)] |= {"name": "Mary Ann", "first_name": "Mary Ann", "last_name": None}


def test_rows_out_of_step_fail_verification_with_their_number() -> None:
    stage = Stage(Phase.VERIFY)
    out_of_step(stage, 3)

    outcome = stage.drive()

    assert isinstance(outcome, Failed) and outcome.error.fact.startswith("1 of 100 rows are out of step")


def test_a_failed_verification_is_a_mismatch() -> None:
    stage = Stage(Phase.VERIFY)
    out_of_step(stage, 3)

    outcome = stage.drive()

    assert isinstance(outcome, Failed) and isinstance(outcome.error, Mismatch)


def test_verification_walks_to_the_end_before_it_judges() -> None:
    stage = Stage(Phase.VERIFY)
    out_of_step(stage, 3)

    stage.drive()

    assert stage.heard(BatchCopied)[-1].total_rows == 100


def test_another_run_verifies_anew() -> None:
    stage = Stage(Phase.VERIFY)
    stage.drive()
    stage.events.clear()

    stage.drive(run=8)

    assert stage.heard(BatchCopied)[-1].total_rows == 100


def test_another_run_goes_on_with_a_backfill() -> None:
    stage = Stage(batch_s=1.0)
    stage.drive(slice_s=4)
    stage.events.clear()

    stage.drive(run=8)

    assert stage.heard(BatchCopied)[0].seq == 5


def test_lossy_rows_that_nobody_accepted_fail_verification() -> None:
    stage = Stage(Phase.VERIFY)
    lossy(stage, 3)

    outcome = stage.drive()

    assert isinstance(outcome, Failed) and "does not restore 1 of 100 rows" in outcome.error.fact


def test_lossy_rows_that_were_accepted_pass_verification() -> None:
    stage = Stage(Phase.VERIFY)
    lossy(stage, 3)

    outcome = stage.drive(limits=replace(TEN_ROWS_A_BATCH, accepted_lossy_rows=1))

    assert isinstance(outcome, Finished)


def test_an_action_after_a_failed_one_is_not_begun() -> None:
    stage = Stage(Phase.EXPAND)
    stage.fail(PrivilegeMissing("No ALTER on users."), call="apply")

    stage.drive()

    assert "last_name" not in stage.server.table(TABLE).columns
