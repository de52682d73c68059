"""The state in words, as somebody reads it at three in the morning: what, since when, why, what next."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from migrations_app.lifecycle import RunStatus
from migrations_app.policy import Blocker
from migrations_app.words import PhaseNow, PreflightNow, RunNow, Situation, span, words_for
from workers.engine.vocabulary import PHASES, Direction, Phase

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=5)


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def situation(status="active", *, done=None, failed=None, run=None, **changes):
    last = PHASES.index(done) + 1 if done else 0
    phases = [PhaseNow(phase, "done" if place < last else "pending", BEFORE) for place, phase in enumerate(PHASES)]
    if failed:
        phases[PHASES.index(failed)] = PhaseNow(failed, "failed", BEFORE)
    startable = PHASES[last] if last < len(PHASES) else None
    return Situation(
        plan_status=status, changed_at=BEFORE, phases=phases, now=NOW, run=run, startable=startable, **changes
    )


def a_run(status="running", **changes):
    now = RunNow(
        1, Phase.BACKFILL, Direction.FORWARD, status, since=ago(60), rows=120_000, rows_expected=200_000, beat_at=ago(1)
    )
    return replace(now, **changes)


def said(*args, **kwargs):
    return words_for(situation(*args, **kwargs))


def blocker(code, text="Something stands in the way", remedy="Mend it."):
    return Blocker(code, "wait", text, remedy)


def test_a_draft_that_nobody_looked_at():
    words = said("draft")

    assert words.state == "Draft."
    assert words.next == "Run the preflight, then submit the plan."


def test_a_draft_that_the_preflight_objects_to():
    words = said("draft", preflight=PreflightNow(2, 1, "users has no primary key.", "Add one."))

    assert words.state == "Draft: the preflight found 2 things that must be mended."
    assert (words.why, words.next) == ("users has no primary key.", "Add one.")


def test_a_draft_that_is_ready():
    words = said("draft", preflight=PreflightNow(0, 1))

    assert words.state == "Draft, ready to be submitted."
    assert words.why == "The preflight warns of one thing."


def test_a_plan_that_waits_for_its_approval():
    words = said("submitted", blockers=(blocker("plan_not_approved"), blocker("approval_missing", "One is missing")))

    assert words.state == "Waits for an approval of expand."
    assert words.why == "One is missing."


def test_a_plan_that_may_start():
    words = said("approved")

    assert words.state == "Approved, ready to start Expand."
    assert words.next == "An operator starts Expand."


def test_a_backfill_that_runs():
    words = said(done=Phase.DUAL_WRITE, run=a_run())

    assert words.state == "Backfill runs: 120,000 of 200,000 rows."
    assert (words.since, words.why) == (ago(60), "")


def test_more_rows_than_were_expected_are_no_more_than_all():
    words = said(run=a_run(rows=200_500))

    assert words.state == "Backfill runs: 200,500 of 200,500 rows."


def test_a_phase_without_rows():
    words = said(run=a_run(phase=Phase.EXPAND, rows=0, rows_expected=None))

    assert words.state == "Expand runs."


def test_a_backfill_that_is_held():
    reason = "replication lag of replica1 3.2 s > 2.0 s"
    words = said(run=a_run(wait_reason=reason, wait_verdict="hold", wait_since=ago(20)))

    assert words.state == "Backfill is held: 120,000 of 200,000 rows."
    assert (words.since, words.why) == (ago(20), "Replication lag of replica1 3.2 s > 2.0 s.")
    assert words.next == "It goes on by itself once that is over. Pause or abort if you must."


def test_a_backfill_that_is_slowed():
    words = said(run=a_run(wait_reason="replication lag 1.2 s > 1.0 s", wait_verdict="slow", wait_since=ago(20)))

    assert words.state == "Backfill runs slowed down: 120,000 of 200,000 rows."


def test_a_batch_that_is_tried_again():
    words = said(
        run=a_run(
            wait_reason="A lock was not granted in time.", wait_verdict="retry", wake_at=NOW + timedelta(seconds=8)
        )
    )

    assert words.state == "Backfill is tried again: 120,000 of 200,000 rows."
    assert words.next.startswith("It tries again by itself in 8 s.")


def test_a_held_run_that_nobody_looks_at_any_more():
    held = a_run(wait_reason="lag", wait_verdict="hold", wait_since=ago(90), wake_at=ago(40), beat_at=ago(60))

    words = said(run=held)

    assert words.why == "Lag. No worker has looked at it again for 40 s."


def test_a_worker_that_has_fallen_silent():
    words = said(run=a_run(beat_at=ago(40)))

    assert words.state == "Backfill stands still: its worker has been silent for 40 s."
    assert words.why == "Its lease has ended; the supervisor gives the work to another worker."
    assert words.next.endswith("It goes on from the last committed batch.")


def test_a_worker_that_has_fallen_silent_and_nobody_to_replace_it():
    words = said(run=a_run(beat_at=ago(40)), supervisor_alive=False)

    assert "no supervisor is alive" in words.why
    assert words.next.startswith("Start the supervisor")


def test_a_run_that_was_just_asked_for():
    words = said(run=a_run("enqueued", since=ago(2), beat_at=None))

    assert words.state == "Backfill is about to start."


def test_a_run_that_no_worker_takes():
    words = said(run=a_run("enqueued", since=ago(40), beat_at=None))

    assert (words.state, words.why) == ("Backfill waits for a worker.", "No worker has taken it up for 40 s.")


def test_a_run_that_pauses():
    words = said(run=a_run("pausing", by="Ann", command_at=ago(1)))

    assert words.state == "Backfill is pausing by order of Ann: 120,000 of 200,000 rows."


def test_a_run_that_is_paused():
    words = said(run=a_run("paused", by="Ann", command_at=ago(90), command_reason="backup window"))

    assert words.state == "Backfill was paused by Ann: 120,000 of 200,000 rows."
    assert (words.since, words.why) == (ago(90), "Backup window.")
    assert words.next.startswith("Resume it, or abort it.")


def test_a_run_that_a_guard_paused():
    words = said(run=a_run("paused", by="guard probe", command_at=ago(90), command_reason="burn 15.1 > 14.4"))

    assert words.state == "Backfill was paused by guard probe: 120,000 of 200,000 rows."


def test_an_abort_that_is_under_way():
    words = said(run=a_run("aborting", by="Olga", command_at=ago(1)))

    assert words.state == "Backfill is being aborted by order of Olga."
    assert words.why == "The target is being fenced and its sessions cancelled."


def test_an_abort_that_the_target_does_not_prove():
    words = said(run=a_run("aborting", by="Olga", command_at=ago(12)))

    assert words.why == "The target has not been seen to have stopped for 12 s; it may be out of reach."
    assert "line of SQL" in words.next


def test_an_abort_that_nobody_carries_out():
    words = said(run=a_run("aborting", by="Olga", command_at=ago(1)), supervisor_alive=False)

    assert words.why.startswith("No supervisor is alive")


def test_a_run_that_was_aborted_says_so_only_with_its_proof():
    aborted = a_run("aborted", by="Olga", command_reason="wrong table", stop_verified_at=ago(1))

    words = said(done=Phase.DUAL_WRITE, failed=Phase.BACKFILL, run=aborted)

    assert words.state == "Backfill was aborted by Olga: 120,000 of 200,000 rows."
    assert words.why == "Wrong table. The target was seen to have stopped."
    assert words.next.startswith("Start Backfill again to go on from the last committed batch, or roll it back.")


def test_a_run_that_met_an_error():
    words = said(run=a_run("errored", error_fact="db1:5432 does not answer.", error_remedy="Check the server."))

    assert words.state == "Backfill stopped with an error: 120,000 of 200,000 rows."
    assert words.why == "db1:5432 does not answer."
    assert words.next == "Check the server. Then resume it from the last committed batch, or abort it."


def test_a_verification_that_found_something():
    fact = "12 of 200000 rows are out of step: neither side derives from the other."
    failed = a_run("failed", phase=Phase.VERIFY, error_fact=fact, error_remedy="Mend these rows.")

    words = said(done=Phase.BACKFILL, failed=Phase.VERIFY, run=failed)

    assert words.state == "Verify failed: 120,000 of 200,000 rows."
    assert (words.why, words.next) == (fact, "Mend these rows. Start Verify again, or roll it back.")


def test_a_run_that_rolls_back():
    words = said(run=a_run(direction=Direction.BACK, phase=Phase.CUTOVER, rows=0, rows_expected=None))

    assert words.state == "The rollback of cutover runs."


def test_a_phase_that_is_done_and_the_next_may_start():
    words = said(done=Phase.EXPAND)

    assert words.state == "Expand is done. Ready to start Dual-write."
    assert words.next == "An operator starts Dual-write. Or roll back."


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("approval_missing", "Verify is done. Waits for an approval of cutover."),
        ("gate_open", "Verify is done. Cutover waits for a confirmation."),
        ("verification_old", "Verify is done. Cutover cannot start yet."),
        ("table_claimed", "Verify is done. Cutover waits for another plan on the same table."),
    ],
)
def test_a_phase_that_waits_says_for_what(code, state):
    assert said(done=Phase.VERIFY, blockers=(blocker(code),)).state == state


def test_a_soak():
    words = said(done=Phase.CUTOVER, blockers=(blocker("soak_running", "The soak lasts 86400 s"),))

    assert (words.state, words.why) == ("Cutover is done. In soak.", "The soak lasts 86400 s.")


def test_a_remedy_that_helps_twice_is_told_once():
    words = said(done=Phase.VERIFY, blockers=(blocker("gate_open", "One"), blocker("gate_open", "Two")))

    assert (words.why, words.next) == ("One. Two.", "Mend it.")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("completed", "Completed: only the new shape is left."),
        ("reverted", "Rolled back to the start: the old shape is as it was."),
        ("abandoned", "Abandoned before it started."),
    ],
)
def test_a_plan_that_has_ended(status, state):
    assert said(status).state == state


@pytest.mark.parametrize("status", RunStatus)
@pytest.mark.parametrize("alive", [True, False])
def test_every_status_has_words_and_something_to_do(status, alive):
    words = said(done=Phase.DUAL_WRITE, run=a_run(status), supervisor_alive=alive)

    assert words.state.endswith(".")
    assert words.next.endswith(".")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (14.4, "14 s"),
        (119, "119 s"),
        (180, "3 min"),
        (3600, "1 h"),
        (7_500, "2 h 5 min"),
        (100_000, "27 h 46 min"),
        (259_200, "3 days"),
        (-5, "0 s"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds, text):
    assert span(seconds) == text
