"""The loop: drives one phase of one operation on one lane, forward or back, on every engine, for one slice of time.

Everything from outside is passed in as `Hands`. Whatever interrupts it, the truth is the checkpoint in the target:
the next slice, or the next run, goes on from there. It looks at the intent before every batch and in every wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from workers.engine.adapters.base import Adapter
from workers.engine.errors import (
    EngineError,
    Fenced,
    Interrupted,
    Mismatch,
    OutcomeUnknown,
    StatementTimeout,
    Transient,
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
from workers.engine.pace import Pace, PaceLimits, RateLimit
from workers.engine.throttle import Kind, Reading, Verdict, decide
from workers.engine.vocabulary import (
    Action,
    Backfill,
    BatchAction,
    Checkpoint,
    Compare,
    Cursor,
    Direction,
    Fence,
    Phase,
    title_of,
)

GLANCE_S = 0.25
"""Longest sleep between two looks at the intent: four looks a second keep an abort within its second."""
LONGEST_WAIT_S = 2.0
"""A longer wait is handed back as Held, so that it holds no worker."""
HELD_RETRY_S = 2.0
"""When a held lane looks at the signals again: they are sampled each second, and one sample may be late."""
FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 30.0


class Intent(StrEnum):
    """What people and guards want of the run now."""

    GO = "go"
    PAUSE = "pause"
    ABORT = "abort"


@dataclass(frozen=True)
class Limits:
    """What the plan allows; a change counts from the next slice."""

    pace: PaceLimits = PaceLimits()
    rate_rows_per_s: float | None = None
    """None for no limit."""
    accepted_lossy_rows: int = 0
    """Rows that there-and-back does not restore and that the author has signed for."""
    retries: int = 20
    """Transient failures in a row, over all slices, before the run fails: with full jitter about three minutes."""
    required_signals: tuple[str, ...] = ()
    """Signals that must have a reading, or the run holds."""


@dataclass(frozen=True)
class Carry:
    """What one slice hands to the next. Losing it costs time, never truth; a person's resume starts with a new one."""

    action: int | None = None
    """Position of the action that it ended in, those before it being done; None before the first."""
    batch_rows: int | None = None
    """None before the first batch."""
    failures: int = 0
    """Transient failures in a row."""
    verdict: Kind = Kind.GO
    waiting_since: float = 0.0
    """Epoch seconds since when the verdict is not go."""


@dataclass(frozen=True)
class Work:
    """Which actions, in the order in which they run, and who writes."""

    plan: int
    operation: int
    run: int
    lane: int
    epoch: int
    phase: Phase
    direction: Direction
    actions: tuple[Action, ...]
    limits: Limits = Limits()
    carry: Carry = Carry()

    def fence(self, action_index: int) -> Fence:
        attempt = self.run if isinstance(self.actions[action_index], Compare) else 0
        return Fence(self.plan, self.operation, self.phase, action_index, self.lane, attempt, self.run, self.epoch)


@dataclass(frozen=True)
class Hands:
    """Clock, chance and the control plane, as the loop reaches them. `intent` and `renew` are asked very often."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    sleep: Callable[[float], None]
    random: Callable[[], float]
    """0 to 1."""
    wall: Callable[[], float]
    """Epoch seconds, on the clock that dates the readings."""
    intent: Callable[[], Intent]
    renew: Callable[[], bool]
    """Keep the lease where that is due; False when it is lost."""
    readings: Callable[[], Sequence[Reading]]
    emit: Callable[[EngineEvent], None]


@dataclass(frozen=True)
class Finished:
    counters: Mapping[int, Mapping[str, int]]
    """By action index: `rows`, `batches` and the checkpoint's counters. Only batch actions that this slice ended."""


@dataclass(frozen=True)
class SliceOver:
    carry: Carry


@dataclass(frozen=True)
class Held:
    """Come back after `retry_after_s`; no worker waits."""

    reason: str
    retry_after_s: float
    carry: Carry


@dataclass(frozen=True)
class Paused:
    pass


@dataclass(frozen=True)
class Aborted:
    """The loop has stopped writing. Whether the target agrees is for the supervisor to prove."""


@dataclass(frozen=True)
class LeaseLost:
    """Somebody else goes on, or nobody may; nothing more was written."""

    reason: str = ""
    """What the target's fence said; empty where the lease itself was lost."""


@dataclass(frozen=True)
class Failed:
    error: EngineError


Stop = SliceOver | Held | Paused | Aborted | LeaseLost | Failed
Outcome = Finished | Stop


def advance(work: Work, adapter: Adapter, hands: Hands, *, slice_s: float) -> Outcome:
    """Carry the actions out in order until they are done, the slice is over or something stops them; repeatable."""
    drive = _Drive(work, adapter, hands, slice_s)
    for index in range(work.carry.action or 0, len(work.actions)):
        title = title_of(work.actions[index])
        if index != work.carry.action:
            hands.emit(ActionStarted(work.phase, index, title))
        if stop := drive.carry_out(index):
            return stop
        hands.emit(ActionFinished(work.phase, index, title))
    return Finished(drive.counters)


class _Drive:
    """What a slice remembers while it runs: pace, debts, failures, and whether an answer is missing."""

    def __init__(self, work: Work, adapter: Adapter, hands: Hands, slice_s: float) -> None:
        self.work, self.adapter, self.hands = work, adapter, hands
        self.ends_at = hands.clock() + slice_s
        self.pace = Pace.starting(work.limits.pace, work.carry.batch_rows)
        self.rate = RateLimit(work.limits.rate_rows_per_s)
        self.factor, self.rest_until = 1.0, 0.0
        self.verdict, self.waiting_since = work.carry.verdict, work.carry.waiting_since
        self.failures = work.carry.failures
        self.action = work.carry.action
        self.in_doubt = False
        self.counters: dict[int, Mapping[str, int]] = {}

    def carry_out(self, index: int) -> Stop | None:
        """Do one action to its end; None when it is done."""
        action, fence = self.work.actions[index], self.work.fence(index)
        self.action = index
        at: Checkpoint | None = None
        while at is None or not at.done:
            stop = self.look()
            if stop is None and isinstance(action, BatchAction):
                stop = self.brake() or self.slice_end()
            if stop:
                return stop
            try:
                at = self.step(action, fence, at)
            except EngineError as error:
                if stop := self.react(error, action):
                    return stop
        if isinstance(action, BatchAction):
            self.counters[index] = {"rows": at.rows, "batches": at.seq, **at.counters}
        return _find_fault(at, self.work.limits.accepted_lossy_rows) if isinstance(action, Compare) else None

    def step(self, action: Action, fence: Fence, at: Checkpoint | None) -> Checkpoint | None:
        """Ask the target for the next thing; return what stands there afterwards, None where nothing is claimed yet."""
        if self.in_doubt:
            return self.settle(fence, at)
        if not isinstance(action, BatchAction):
            self.adapter.apply(action, fence)
            self.failures = 0
            return Checkpoint(None, done=True)
        if at is None:
            return self.adapter.claim_lane(fence)
        rows = self.rate.bounded(max(1, int(self.pace.rows * self.factor)))
        upto = self.adapter.next_boundary(action, at.cursor, rows)
        if upto is None:
            return self.adapter.conclude(fence)
        return self.batch(action, fence, at, upto, rows)

    def batch(self, action: BatchAction, fence: Fence, at: Checkpoint, upto: Cursor, rows: int) -> Checkpoint:
        began = self.hands.clock()
        if isinstance(action, Backfill):
            batch = self.adapter.copy(action, at.cursor, upto, fence)
        else:
            batch = self.adapter.compare(action, at.cursor, upto, fence)
        now = self.hands.clock()
        seconds = now - began
        self.failures = 0
        self.pace = self.pace.learn(rows, seconds)
        self.rate = self.rate.spend(batch.rows, began)
        self.rest_until = now + min(LONGEST_WAIT_S, seconds / self.factor - seconds)  # works for `factor` of the time
        done = batch.checkpoint
        self.hands.emit(BatchCopied(fence.action, done.seq, batch.rows, done.rows, rows, seconds, done.counters))
        return done

    def settle(self, fence: Fence, at: Checkpoint | None) -> Checkpoint | None:
        """Look up what became of a statement that got no answer, once no session of ours can still decide it.

        An action, a claim and a conclusion may simply be repeated; a batch counts as done where its seq stands.
        """
        sessions = self.adapter.live_sessions(fence.plan, fence.run)
        if any(session.tag == fence.tag and session.state != "idle" for session in sessions):
            raise Transient("A session of this lane is still at work on the target.")
        if at is not None:
            found = self.adapter.read_checkpoint(fence)
            if found is None or found.seq not in (at.seq, at.seq + 1):
                stands = "no checkpoint" if found is None else f"batch {found.seq}"
                raise OutcomeUnknown(
                    f"The target holds {stands} where {at.seq} or {at.seq + 1} was expected.",
                    remedy="Find out who else writes this plan's progress before resuming.",
                )
            committed = found.seq > at.seq or found.done
            self.failures = 0 if committed else self.failures
            self.hands.emit(OutcomeResolved(committed))
            at = found
        self.in_doubt = False
        return at

    def react(self, error: EngineError, action: Action) -> Stop | None:
        """Decide what an error means; None to try again."""
        delay_s = 0.0
        match error:
            case Fenced():
                return Aborted() if self.hands.intent() is Intent.ABORT else LeaseLost(str(error))
            case OutcomeUnknown() if not self.in_doubt:
                self.in_doubt = True
            case StatementTimeout() if isinstance(action, BatchAction) and not self.pace.is_smallest:
                self.pace = self.pace.halved()
            case Transient() | Interrupted():
                longest_s = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2**self.failures)
                delay_s = longest_s * self.hands.random()  # full jitter: what failed together does not return together
            case _:
                return Failed(error)
        if stop := self.look():
            return stop
        self.failures += 1
        if self.failures > self.work.limits.retries:
            return Failed(error)
        self.hands.emit(RetryScheduled(error.code, str(error), self.failures, delay_s))
        if delay_s > LONGEST_WAIT_S:
            return Held(str(error), delay_s, self.carry())
        return self.wait(delay_s)

    def look(self) -> Stop | None:
        """Ask whether to go on at all. Abort wins over pause."""
        match self.hands.intent():
            case Intent.ABORT:
                return Aborted()
            case Intent.PAUSE:
                return Paused()
        return None if self.hands.renew() else LeaseLost()

    def brake(self) -> Stop | None:
        """Hold or slow as the signals say, and wait for what the last batch owes to the rate."""
        verdict = decide(
            self.hands.readings(),
            self.hands.wall(),
            previous=self.verdict,
            required=self.work.limits.required_signals,
        )
        self.say(verdict)
        if verdict.kind is Kind.HOLD:
            return Held(verdict.reason, HELD_RETRY_S, self.carry())
        self.factor = verdict.factor
        now = self.hands.clock()
        return self.wait(max(self.rate.wait_s(now), self.rest_until - now))

    def say(self, verdict: Verdict) -> None:
        """Tell that the verdict changed, not every figure of it."""
        if verdict.kind is self.verdict:
            return
        now = self.hands.wall()
        if verdict.kind is Kind.GO:
            self.hands.emit(WaitEnded(now - self.waiting_since))
        else:
            self.hands.emit(Waited(verdict.reason, verdict.kind))
        if self.verdict is Kind.GO:
            self.waiting_since = now
        self.verdict = verdict.kind

    def slice_end(self) -> Stop | None:
        return SliceOver(self.carry()) if self.hands.clock() >= self.ends_at else None

    def wait(self, seconds: float) -> Stop | None:
        ends_at = self.hands.clock() + seconds
        while (left_s := ends_at - self.hands.clock()) > 0:
            self.hands.sleep(min(GLANCE_S, left_s))
            if stop := self.look():
                return stop
        return None

    def carry(self) -> Carry:
        return Carry(self.action, self.pace.rows, self.failures, self.verdict, self.waiting_since)


def _find_fault(at: Checkpoint, accepted: int) -> Failed | None:
    """Judge a comparison by its counters; the keys of what it found stay in the target."""
    out_of_step = at.counters.get("out_of_step", 0)
    lossy_old, lossy_new = at.counters.get("lossy_old", 0), at.counters.get("lossy_new", 0)
    if out_of_step:
        fact = f"{out_of_step} of {at.rows} rows are out of step: neither side derives from the other."
        return Failed(Mismatch(fact, remedy="Mend these rows, then verify again from the first row."))
    if lossy_old + lossy_new > accepted:
        fact = (
            f"The mapping there and back does not restore {lossy_old + lossy_new} of {at.rows} rows"
            f" ({lossy_old} of the old side, {lossy_new} of the new); {accepted} are accepted."
        )
        return Failed(Mismatch(fact, remedy="Mend these rows or accept their number in the plan, then verify again."))
    return None
