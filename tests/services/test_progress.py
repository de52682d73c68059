"""What a worker tells of its run becomes counters, samples, words and events, each once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from migrations_app.lifecycle import PhaseStatus, RunStatus
from migrations_app.models import Lane, Run, RunSample
from migrations_app.services.progress import (
    action_finish,
    action_start,
    batch_mirror,
    run_fail,
    run_finish,
    run_pause_done,
    run_wait,
    run_wait_end,
)
from migrations_app.services.runs import run_abort, run_pause
from tests.services.claims import a_claim, expired, kinds_of, payload_of
from workers.engine.errors import (
    Drifted,
    EngineError,
    LockTimeout,
    Mismatch,
    OutcomeUnknown,
    TableNotFound,
    WrongPassword,
)
from workers.engine.events import BatchCopied

pytestmark = pytest.mark.django_db


@pytest.fixture
def claim():
    return a_claim(phase="backfill", done="dual_write")


def copied(seq: int, *, rows: int = 100) -> BatchCopied:
    return BatchCopied(0, seq, rows, seq * rows, 100, 0.05, {"written": seq * rows})


def test_a_batch_is_mirrored_into_its_lane(claim):
    batch_mirror(claim, copied(3))

    lane = Lane.objects.get(pk=claim.lane.pk)
    assert (lane.seq, lane.rows, lane.counters) == (3, 300, {"written": 300})


def test_a_batch_of_a_worker_that_was_replaced_is_not_mirrored(claim):
    a_claim(expired(claim).run, owner="two")

    batch_mirror(claim, copied(3))

    assert Lane.objects.get(pk=claim.lane.pk).rows == 0


def test_batches_within_a_second_make_one_sample(claim):
    for seq in (1, 2, 3):
        batch_mirror(claim, copied(seq))

    assert list(claim.run.samples.values_list("n", "rows", "rows_per_s")) == [(1, 100, 2_000.0)]


def test_a_later_sample_shows_the_pace_since_the_one_before(claim):
    batch_mirror(claim, copied(1))
    RunSample.objects.update(at=F("at") - timedelta(seconds=10))

    batch_mirror(claim, copied(11))

    last = claim.run.samples.last()
    assert (last.n, last.rows) == (2, 1_100)
    assert last.rows_per_s == pytest.approx(100, rel=0.1)


def test_an_action_is_told_once_though_a_second_worker_repeats_it(claim):
    action_start(claim, 0, "Backfill")
    action_finish(claim, 0, "Backfill")
    again = a_claim(expired(claim).run, owner="two")

    action_start(again, 0, "Backfill")
    action_finish(again, 0, "Backfill")

    assert kinds_of(claim.plan)[-2:] == ["action_started", "action_finished"]


def test_a_wait_is_told_once_while_only_its_figures_change(claim):
    run_wait(claim, "replication lag of r1 2.1 s > 2.0 s", verdict="hold")
    run_wait(claim, "replication lag of r1 14.5 s > 2.0 s", verdict="hold")

    assert kinds_of(claim.plan).count("run_waited") == 1
    assert Run.objects.get(pk=claim.run.pk).wait_reason == "replication lag of r1 14.5 s > 2.0 s"


def test_a_wait_for_another_reason_is_told_again(claim):
    run_wait(claim, "replication lag of r1 2.1 s > 2.0 s", verdict="hold")

    run_wait(claim, "error budget burn 15.0 x > 12.0 x", verdict="hold")

    assert kinds_of(claim.plan).count("run_waited") == 2


def test_the_end_of_a_wait_says_how_long_it_took(claim):
    run_wait(claim, "replication lag of r1 2.1 s > 2.0 s", verdict="hold")
    Run.objects.update(wait_since=F("wait_since") - timedelta(seconds=30))

    run_wait_end(claim)

    told = payload_of(claim.plan, "run_wait_ended")
    assert told["seconds"] == pytest.approx(30, abs=1)
    assert Run.objects.get(pk=claim.run.pk).wait_reason == ""


def test_the_end_of_no_wait_is_not_told(claim):
    run_wait_end(claim)

    assert "run_wait_ended" not in kinds_of(claim.plan)


def test_a_worker_that_stopped_for_a_pause_says_so(claim):
    run_pause(claim.run, actor=None, guard="probe")

    run_pause_done(claim)

    assert Run.objects.get(pk=claim.run.pk).status == RunStatus.PAUSED
    assert claim.run.commands.get().acknowledged_at is not None


def test_a_finished_backfill_leaves_its_figures_with_the_phase(claim):
    run_finish(claim, {0: {"rows": 500, "batches": 5, "written": 480}})

    phase = claim.plan.phases.get(name="backfill")
    assert (phase.status, phase.result) == (PhaseStatus.DONE, {"rows": 500, "batches": 5, "written": 480})


def test_figures_of_an_earlier_slice_are_taken_from_the_mirror(claim):
    batch_mirror(claim, copied(5))

    run_finish(claim, {})

    assert claim.plan.phases.get(name="backfill").result == {"rows": 500, "batches": 5, "written": 500}


def test_the_last_sample_shows_all_rows(claim):
    batch_mirror(claim, copied(1))

    run_finish(claim, {0: {"rows": 500, "batches": 5, "written": 500}})

    assert list(claim.run.samples.values_list("n", "rows")) == [(1, 100), (2, 500)]


@pytest.mark.parametrize("error", [Mismatch("1 row"), Drifted("gone"), TableNotFound("gone")])
def test_a_no_of_the_target_ends_the_run_for_good(claim, error: EngineError):
    run_fail(claim, error)

    assert Run.objects.get(pk=claim.run.pk).status == RunStatus.FAILED
    assert claim.plan.phases.get(name="backfill").status == PhaseStatus.FAILED
    assert payload_of(claim.plan, "run_failed")["code"] == error.code


@pytest.mark.parametrize("error", [LockTimeout("busy"), OutcomeUnknown("no answer")])
def test_what_may_pass_leaves_the_run_to_be_resumed(claim, error: EngineError):
    run_fail(claim, error)

    run = Run.objects.get(pk=claim.run.pk)
    assert (run.status, run.error_code) == (RunStatus.ERRORED, error.code)
    assert claim.plan.phases.get(name="backfill").status == PhaseStatus.RUNNING


def test_a_target_that_does_not_let_us_in_leaves_the_run_to_be_resumed(claim):
    run_fail(claim, WrongPassword("no"), before_work=True)

    assert Run.objects.get(pk=claim.run.pk).status == RunStatus.ERRORED


def test_an_error_while_a_run_is_being_aborted_is_left_to_the_supervisor(claim):
    run_abort(claim.run, actor=None)

    run_fail(claim, LockTimeout("busy"))

    assert Run.objects.get(pk=claim.run.pk).status == RunStatus.ABORTING
