"""Says the state of a plan in words: what it does, since when, why it waits, what a person can do next. Pure.

Written for somebody on call at three in the morning: facts before advice, every figure with its unit, no jargon that
is not in the glossary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from migrations_app.lifecycle import PhaseStatus, PlanStatus, RunStatus
from migrations_app.policy import Blocker, phase_title
from workers.engine.vocabulary import Direction, Phase

ABORT_PATIENCE_S = 5.0
"""An abort is proven within a second; five times that without evidence is news in itself."""


@dataclass(frozen=True)
class Words:
    state: str
    since: datetime | None
    """None where nothing has a beginning."""
    why: str
    next: str


@dataclass(frozen=True)
class PhaseNow:
    name: Phase
    status: str
    since: datetime


@dataclass(frozen=True)
class PreflightNow:
    """What the last preflight of this revision came to."""

    blocking: int
    warnings: int
    first_text: str = ""
    first_remedy: str = ""


@dataclass(frozen=True)
class RunNow:
    """The active run, or the last one where none is active."""

    id: int
    phase: Phase
    direction: Direction
    status: str
    since: datetime
    """When it was asked for, started, or ended, whichever came last."""
    rows: int = 0
    rows_expected: int | None = None
    wait_reason: str = ""
    wait_verdict: str = ""
    """`hold`, `slow` or `retry`; empty where it does not wait."""
    wait_since: datetime | None = None
    wake_at: datetime | None = None
    beat_at: datetime | None = None
    """Last sign of life of a worker in any lane; None before the first."""
    error_fact: str = ""
    error_remedy: str = ""
    by: str = ""
    """Who gave the last command: a person, or `guard probe`; empty for none."""
    command_reason: str = ""
    command_at: datetime | None = None
    stop_verified_at: datetime | None = None


@dataclass(frozen=True)
class Situation:
    """Everything that the words are made of."""

    plan_status: str
    changed_at: datetime
    phases: Sequence[PhaseNow]
    now: datetime
    run: RunNow | None = None
    preflight: PreflightNow | None = None
    """None where no preflight has looked at this revision."""
    startable: Phase | None = None
    """The phase that comes next."""
    blockers: Sequence[Blocker] = ()
    """What stands in the way of it."""
    supervisor_alive: bool = True
    lease_s: float = 15.0


def words_for(situation: Situation) -> Words:
    """Return the state in words."""
    run = situation.run
    match situation.plan_status:
        case PlanStatus.DRAFT:
            return _draft(situation)
        case PlanStatus.COMPLETED:
            return Words("Completed: only the new shape is left.", situation.changed_at, "", "Nothing is left to do.")
        case PlanStatus.REVERTED:
            return Words(
                "Rolled back to the start: the old shape is as it was.",
                situation.changed_at,
                "",
                "Make a new plan to try again.",
            )
        case PlanStatus.ABANDONED:
            return Words("Abandoned before it started.", situation.changed_at, "", "Make a new plan to try again.")
    if run is not None and run.status in _RUN_WORDS:
        return _RUN_WORDS[RunStatus(run.status)](situation, run)
    return _between(situation)


def _draft(situation: Situation) -> Words:
    preflight = situation.preflight
    if preflight is None:
        return Words(
            "Draft.",
            situation.changed_at,
            "The preflight has not looked at this revision yet.",
            "Run the preflight, then submit the plan.",
        )
    if preflight.blocking:
        things = _count(preflight.blocking, "thing")
        return Words(
            f"Draft: the preflight found {things} that must be mended.",
            situation.changed_at,
            preflight.first_text,
            preflight.first_remedy or "Mend it, then run the preflight again.",
        )
    warned = f"The preflight warns of {_count(preflight.warnings, 'thing')}." if preflight.warnings else ""
    return Words("Draft, ready to be submitted.", situation.changed_at, warned, "Submit it for approval.")


def _enqueued(situation: Situation, run: RunNow) -> Words:
    doing = _doing(run)
    if run.wait_reason:
        return _waiting(situation, run)
    waited_s = (situation.now - run.since).total_seconds()
    if waited_s <= situation.lease_s:
        return Words(f"{doing} is about to start.", run.since, "A worker takes it up in a moment.", "Nothing to do.")
    return Words(
        f"{doing} waits for a worker.",
        run.since,
        f"No worker has taken it up for {span(waited_s)}.",
        _mend_workers(situation) + " Pause and abort work meanwhile.",
    )


def _running(situation: Situation, run: RunNow) -> Words:
    if run.wait_reason:
        return _waiting(situation, run)
    silent_s = (situation.now - (run.beat_at or run.since)).total_seconds()
    if silent_s > situation.lease_s:
        return Words(
            f"{_doing(run)} stands still: its worker has been silent for {span(silent_s)}.",
            run.beat_at or run.since,
            "Its lease has ended; the supervisor gives the work to another worker."
            if situation.supervisor_alive
            else "Its lease has ended, and no supervisor is alive to give the work to another worker.",
            _mend_workers(situation) + " It goes on from the last committed batch.",
        )
    return Words(f"{_doing(run)} runs{_progress(run)}.", run.since, "", "Nothing to do; pause or abort if you must.")


def _waiting(situation: Situation, run: RunNow) -> Words:
    since, why = run.wait_since or run.since, _sentence(run.wait_reason)
    overdue_s = (situation.now - run.wake_at).total_seconds() if run.wake_at else 0.0
    if overdue_s > situation.lease_s:
        return Words(
            f"{_doing(run)} is held{_progress(run)}.",
            since,
            f"{why} No worker has looked at it again for {span(overdue_s)}.",
            _mend_workers(situation) + " Pause and abort work meanwhile.",
        )
    if run.wait_verdict == "slow":
        return Words(
            f"{_doing(run)} runs slowed down{_progress(run)}.",
            since,
            why,
            "It speeds up by itself. Pause or abort if you must.",
        )
    if run.wait_verdict == "retry":
        left_s = (run.wake_at - situation.now).total_seconds() if run.wake_at else 0
        again = f"in {span(left_s)}" if left_s >= 1 else "in a moment"
        return Words(
            f"{_doing(run)} is tried again{_progress(run)}.",
            since,
            why,
            f"It tries again by itself {again}. Pause or abort if you must.",
        )
    return Words(
        f"{_doing(run)} is held{_progress(run)}.",
        since,
        why,
        "It goes on by itself once that is over. Pause or abort if you must.",
    )


def _pausing(situation: Situation, run: RunNow) -> Words:
    return Words(
        f"{_doing(run)} is pausing{_ordered(run)}{_progress(run)}.",
        run.command_at or run.since,
        _sentence(run.command_reason) or "It stops after the present batch.",
        "Wait a moment; abort if it must stop at once.",
    )


def _paused(situation: Situation, run: RunNow) -> Words:
    return Words(
        f"{_doing(run)} was paused{_by(run)}{_progress(run)}.",
        run.command_at or run.since,
        _sentence(run.command_reason),
        "Resume it, or abort it. Applications keep working: both sides stay in step.",
    )


def _aborting(situation: Situation, run: RunNow) -> Words:
    asked_at = run.command_at or run.since
    state = f"{_doing(run)} is being aborted{_ordered(run)}."
    if not situation.supervisor_alive:
        return Words(
            state,
            asked_at,
            "No supervisor is alive, so nobody has fenced the target or seen that writing stopped.",
            "Start the supervisor, or stop the plan in the target by hand with the line of SQL below.",
        )
    waited_s = (situation.now - asked_at).total_seconds()
    if waited_s <= ABORT_PATIENCE_S:
        return Words(state, asked_at, "The target is being fenced and its sessions cancelled.", "Wait a moment.")
    return Words(
        state,
        asked_at,
        f"The target has not been seen to have stopped for {span(waited_s)}; it may be out of reach.",
        "Look at the supervisor's log, or stop the plan in the target by hand with the line of SQL below.",
    )


def _errored(situation: Situation, run: RunNow) -> Words:
    return Words(
        f"{_doing(run)} stopped with an error{_progress(run)}.",
        run.since,
        _stopped(run.error_fact),
        f"{_stopped(run.error_remedy)} Then resume it from the last committed batch, or abort it.".strip(),
    )


_RUN_WORDS = {
    RunStatus.ENQUEUED: _enqueued,
    RunStatus.RUNNING: _running,
    RunStatus.PAUSING: _pausing,
    RunStatus.PAUSED: _paused,
    RunStatus.ABORTING: _aborting,
    RunStatus.ERRORED: _errored,
}


def _between(situation: Situation) -> Words:
    """No run is active: say what was last and what comes next."""
    failed = next((phase for phase in situation.phases if phase.status == PhaseStatus.FAILED), None)
    if failed is not None:
        return _failed(situation, failed)
    startable, blockers = situation.startable, _telling(situation.blockers)
    before = _last_done(situation)
    since = before.since if before else situation.changed_at
    done = f"{phase_title(before.name)} is done. " if before else ""
    if situation.plan_status == PlanStatus.REVERTING and startable is not None:
        done = f"Rolled back to before {phase_title(startable)}. "
    if startable is None:
        return Words(done.strip() or "Nothing is left to start.", since, "", "Nothing is left to do.")
    title = phase_title(startable)
    if not blockers:
        state = f"{done}Ready to start {title}." if done else f"Approved, ready to start {title}."
        return Words(state, since, "", f"An operator starts {title}." + (" Or roll back." if before else ""))
    return Words(
        f"{done}{_waits_for(blockers[0], title)}",
        since,
        " ".join(_stopped(blocker.text) for blocker in blockers),
        " ".join(dict.fromkeys(_stopped(blocker.remedy) for blocker in blockers if blocker.remedy)),
    )


def _telling(blockers: Sequence[Blocker]) -> list[Blocker]:
    """Leave out that a plan waits for approval where the missing approval itself is listed."""
    codes = {blocker.code for blocker in blockers}
    return [b for b in blockers if not (b.code == "plan_not_approved" and "approval_missing" in codes)]


def _waits_for(blocker: Blocker, title: str) -> str:
    match blocker.code:
        case "approval_missing" | "plan_not_approved":
            return f"Waits for an approval of {title.lower()}."
        case "gate_open":
            return f"{title} waits for a confirmation."
        case "soak_running":
            return "In soak."
        case "hold_running":
            return "The old column is kept for its hold."
        case "side_in_use":
            return f"{title} waits until the side to be dropped is no longer used."
        case "table_claimed":
            return f"{title} waits for another plan on the same table."
    return f"{title} cannot start yet."


def _failed(situation: Situation, failed: PhaseNow) -> Words:
    run, title = situation.run, phase_title(failed.name)
    if run is None or run.phase is not failed.name:
        return Words(f"{title} has failed.", failed.since, "", f"Start {title} again, or roll it back.")
    if run.status == RunStatus.ABORTED:
        proof = "The target was seen to have stopped." if run.stop_verified_at else ""
        reason = _sentence(run.command_reason)
        return Words(
            f"{_doing(run)} was aborted{_by(run)}{_progress(run)}.",
            failed.since,
            f"{reason} {proof}".strip(),
            f"Start {title} again to go on from the last committed batch, or roll it back. "
            "Until then both shapes and the sync stay as they are.",
        )
    return Words(
        f"{_doing(run)} failed{_progress(run)}.",
        failed.since,
        _stopped(run.error_fact),
        f"{_stopped(run.error_remedy)} Start {title} again, or roll it back.".strip(),
    )


def _last_done(situation: Situation) -> PhaseNow | None:
    return next((phase for phase in reversed(situation.phases) if phase.status == PhaseStatus.DONE), None)


def _doing(run: RunNow) -> str:
    title = phase_title(run.phase)
    return title if run.direction is Direction.FORWARD else f"The rollback of {title.lower()}"


def _progress(run: RunNow) -> str:
    if run.rows_expected:
        return f": {run.rows:,} of {max(run.rows_expected, run.rows):,} rows"
    return f": {run.rows:,} rows" if run.rows else ""


def _by(run: RunNow) -> str:
    return f" by {run.by}" if run.by else ""


def _ordered(run: RunNow) -> str:
    return f" by order of {run.by}" if run.by else ""


def _mend_workers(situation: Situation) -> str:
    if situation.supervisor_alive:
        return "Look whether the workers and Redis run."
    return "Start the supervisor and look whether the workers and Redis run."


def _sentence(text: str) -> str:
    """Return the text as one that begins with a capital and ends with a full stop; empty stays empty."""
    text = text.strip()
    if not text:
        return ""
    return _stopped(text[0].upper() + text[1:])


def _stopped(text: str) -> str:
    """Return the text with a full stop at its end; it may begin with a name, which stays as it is written."""
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?", ":")) else f"{text}."


def _count(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else f"{number} {noun}s"


def span(seconds: float) -> str:
    """Return a duration as people say it: `14 s`, `3 min`, `2 h 5 min`, `3 days`."""
    left = timedelta(seconds=max(0, round(seconds)))
    hours, minutes = left.seconds // 3600, left.seconds % 3600 // 60
    if left.days >= 2:
        return f"{left.days} days"
    if left >= timedelta(hours=1):
        hours += 24 * left.days
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if left >= timedelta(minutes=2) else f"{round(left.total_seconds())} s"
