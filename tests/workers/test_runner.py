"""Slices of lanes on real servers: from a claim to what came of it, and what is left when nothing is."""

from __future__ import annotations

import logging
import os
import signal

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from migrations_app.lifecycle import PhaseStatus, PlanStatus, RunStatus
from migrations_app.models import Plan, Run, Target
from migrations_app.services.errors import PhaseBlocked, ServiceRefused
from migrations_app.services.lanes import lane_claim
from migrations_app.services.runs import plan_rollback, run_pause, run_resume, run_start
from tests.workers.shop import eventually
from workers import runner
from workers.engine.vocabulary import Direction, Phase
from workers.runner import advance_run

SMALL = {"batch_rows": 50, "batch_rows_most": 50}


def test_a_phase_is_carried_out_and_told(shop):
    shop.users(10)
    plan = shop.plan()

    run = shop.drive(shop.start(plan, Phase.EXPAND))

    assert run.status == RunStatus.SUCCEEDED
    assert plan.phases.get(name="expand").status == PhaseStatus.DONE
    assert shop.kinds(plan)[-7:] == [
        "run_enqueued",
        "run_started",
        "action_started",
        "action_finished",
        "action_started",
        "action_finished",
        "run_succeeded",
    ]


def test_a_backfill_is_mirrored_into_counters_and_samples(shop):
    shop.users(1_000)
    plan = shop.plan(done="dual_write", limits=SMALL)

    run = shop.drive(shop.start(plan, Phase.BACKFILL))

    assert shop.in_step() == 1_000
    assert plan.phases.get(name="backfill").result == {"rows": 1_000, "batches": 20, "written": 1_000}
    assert [sample.n for sample in run.samples.all()] == list(range(1, run.samples.count() + 1))
    assert run.samples.last().rows == 1_000


def test_the_whole_way_forward_leaves_the_new_shape_and_nothing_of_ours(shop):
    shop.users(100)

    plan = shop.plan(done="purge")

    plan.refresh_from_db()
    assert plan.status == PlanStatus.COMPLETED
    assert not plan.claims.exists()
    assert shop.value("SELECT to_regnamespace('lockstep') IS NULL")
    assert shop.columns() == {"id", "first_name", "last_name"}


@pytest.mark.parametrize(
    ("done", "phase", "direction"), [("contract", "purge", "forward"), ("expand", "expand", "back")]
)
def test_a_worker_that_dies_between_removing_and_saying_so_is_followed_by_one_that_ends_it(
    shop, monkeypatch, done, phase, direction
):
    shop.users(100)
    plan = shop.plan(done=done)
    run = shop.start(plan, Phase(phase), Direction(direction))
    with monkeypatch.context() as patched:
        patched.setattr(runner.progress, "run_finish", dies)
        advance_run(run.pk)

    assert shop.drive(run).status == RunStatus.SUCCEEDED

    assert shop.value("SELECT to_regnamespace('lockstep') IS NULL")
    assert shop.columns() == {"id", "name"} if direction == "back" else {"id", "first_name", "last_name"}


def test_a_rollback_undoes_phase_by_phase_until_nothing_is_left(shop):
    shop.users(100)
    plan = shop.plan(done="cutover")

    plan_rollback(plan, actor=shop.operator, to="expand")
    while run := plan.runs.filter(status=RunStatus.ENQUEUED).first():
        shop.drive(run)
        plan.confirmations.get_or_create(gate="new_version_stopped", voided_at=None, defaults={"user": shop.operator})

    plan.refresh_from_db()
    assert plan.status == PlanStatus.REVERTED
    assert set(plan.phases.values_list("status", flat=True)) == {"reverted", "pending"}
    assert shop.value("SELECT to_regnamespace('lockstep') IS NULL")


def test_a_rollback_that_is_blocked_says_so_and_leaves_the_plan_active(shop):
    shop.users(10)
    plan = shop.plan(done="backfill")
    plan_rollback(plan, actor=shop.operator, to="expand")
    plan.confirmations.all().delete()

    shop.drive(plan.runs.get(status=RunStatus.ENQUEUED))

    plan.refresh_from_db()
    assert plan.status == PlanStatus.ACTIVE
    assert shop.event(plan, "chain_stopped").payload["blockers"][0]["code"] == "gate_open"


def test_a_chain_goes_on_by_itself_to_verify(shop):
    shop.users(100)
    plan = shop.plan(chain=True)
    run = shop.start(plan, Phase.EXPAND)

    while run:
        shop.drive(run)
        run = plan.runs.filter(status=RunStatus.ENQUEUED).first()

    done = plan.phases.filter(status=PhaseStatus.DONE).values_list("name", flat=True)
    assert list(done) == ["expand", "dual_write", "backfill", "verify"]


def test_a_worker_killed_in_mid_batch_loses_nothing(shop):
    shop.users(1_000)
    plan = shop.plan(done="dual_write", limits=SMALL)
    run = shop.start(plan, Phase.BACKFILL)
    shop.observe()
    with shop.row_locked(525):
        worker = shop.worker(run)
        eventually(lambda: shop.waits_in_a_batch(run))

        worker.kill()
        worker.wait()

    shop.drive(run)
    assert run.status == RunStatus.SUCCEEDED
    assert shop.in_step() == 1_000
    assert plan.phases.get(name="backfill").result == {"rows": 1_000, "batches": 20, "written": 1_000}


def test_a_worker_that_sleeps_past_its_lease_writes_nothing_afterwards(shop):
    shop.users(1_000)
    plan = shop.plan(done="dual_write", limits=SMALL)
    run = shop.start(plan, Phase.BACKFILL)
    shop.observe()
    with shop.row_locked(525):
        worker = shop.worker(run)
        eventually(lambda: shop.waits_in_a_batch(run))
        os.kill(worker.pid, signal.SIGSTOP)
        eventually(lambda: not lane_is_held(run))
    shop.drive(run)
    shop.value("WITH gone AS (UPDATE public.users SET first_name = 'later' WHERE id = 530 RETURNING 1) SELECT 1")
    events = shop.kinds(plan)

    os.kill(worker.pid, signal.SIGCONT)

    assert worker.wait(20) == 0
    assert shop.value("SELECT first_name FROM public.users WHERE id = 530") == "later"
    assert plan.phases.get(name="backfill").result == {"rows": 1_000, "batches": 20, "written": 1_000}
    assert shop.kinds(plan) == events


def test_a_worker_that_loses_the_control_database_stops_and_the_next_goes_on(shop):
    shop.users(1_000)
    plan = shop.plan(done="dual_write", limits=SMALL | {"rate_rows_per_s": 500})
    run = shop.start(plan, Phase.BACKFILL)
    shop.observe()
    worker = shop.worker(run)
    eventually(run.samples.exists)

    shop.cut_off_from_control(worker)

    assert worker.wait(20) == 0
    Run.objects.filter(pk=run.pk).update(limits={"rate_rows_per_s": 50_000})
    shop.drive(run)
    assert plan.phases.get(name="backfill").result == {"rows": 1_000, "batches": 20, "written": 1_000}


def test_the_red_button_of_the_target_holds_the_run_until_it_is_released(shop):
    shop.users(100)
    plan = shop.plan(done="dual_write")
    run = shop.start(plan, Phase.BACKFILL)
    shop.observe()
    shop.server.root.execute("UPDATE lockstep.control SET stop = true")

    advance_run(run.pk)

    run.refresh_from_db()
    assert (run.status, run.wait_reason) == (
        RunStatus.RUNNING,
        "Everything on this target was told to stop. UPDATE lockstep.control SET stop = false to go on.",
    )
    shop.server.root.execute("UPDATE lockstep.control SET stop = false")
    assert shop.drive(run).status == RunStatus.SUCCEEDED
    assert "run_wait_ended" in shop.kinds(plan)


def test_a_stop_that_was_set_by_hand_stands_until_somebody_resumes(shop, settings):
    settings.LOCKSTEP_SLICE_S = 0.3
    shop.users(1_000)
    run = shop.start(shop.plan(done="dual_write", limits=SMALL | {"rate_rows_per_s": 500}), Phase.BACKFILL)
    shop.observe()
    advance_run(run.pk)
    shop.server.root.execute(f"INSERT INTO lockstep.stop (plan, run) VALUES ({run.plan_id}, {run.pk})")
    rows = shop.in_step()

    advance_run(run.pk)
    Run.objects.filter(pk=run.pk).update(wake_at=None)
    shop.advance(run)

    assert (run.status, run.wait_verdict, shop.in_step()) == (RunStatus.RUNNING, "retry", rows)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.PAUSED)
    run_resume(run, actor=shop.operator)
    shop.advance(run)
    assert shop.in_step() > rows


def test_a_lane_that_is_held_is_given_to_nobody_else(shop):
    shop.users(10)
    run = shop.start(shop.plan(), Phase.EXPAND)

    first, second = (lane_claim(run.pk, 0, owner=owner) for owner in ("one", "two"))

    assert first is not None
    assert second is None


def test_deliveries_that_come_twice_work_once(shop):
    shop.users(1_000)
    plan = shop.plan(done="dual_write", limits=SMALL)
    run = shop.start(plan, Phase.BACKFILL)
    shop.observe()

    for thread in [shop.in_thread(lambda: advance_run(run.pk)) for _ in range(4)]:
        thread.join()

    shop.drive(run)
    assert plan.phases.get(name="backfill").result == {"rows": 1_000, "batches": 20, "written": 1_000}
    assert shop.kinds(plan).count("run_succeeded") == 3


def test_a_hint_for_a_run_that_has_ended_does_nothing(shop):
    shop.users(10)
    plan = shop.plan(done="expand")
    events = shop.kinds(plan)

    advance_run(plan.runs.get().pk)

    assert shop.kinds(plan) == events


def test_a_run_paused_in_mid_work_goes_on_where_it_stopped(shop):
    shop.users(1_000)
    plan = shop.plan(done="dual_write", limits=SMALL | {"rate_rows_per_s": 500})
    run = shop.start(plan, Phase.BACKFILL)
    shop.observe()
    worker = shop.in_thread(lambda: advance_run(run.pk))
    eventually(run.samples.exists)

    run_pause(run, actor=shop.operator)
    worker.join()

    run.refresh_from_db()
    assert run.status == RunStatus.PAUSED
    assert 0 < shop.in_step() < 1_000
    Run.objects.filter(pk=run.pk).update(limits={"rate_rows_per_s": 50_000})
    run_resume(run, actor=shop.operator)
    run.refresh_from_db()
    shop.drive(run)
    assert plan.phases.get(name="backfill").result == {"rows": 1_000, "batches": 20, "written": 1_000}


def test_a_slice_gives_its_worker_back_in_mid_work(shop, settings):
    settings.LOCKSTEP_SLICE_S = 0.3
    shop.users(1_000)
    plan = shop.plan(done="dual_write", limits=SMALL | {"rate_rows_per_s": 500})
    run = shop.start(plan, Phase.BACKFILL)
    shop.observe()

    advance_run(run.pk)

    lane = run.lanes.get()
    run.refresh_from_db()
    assert (run.status, lane.lease_until) == (RunStatus.RUNNING, None)
    assert lane.carry["batch_rows"] == 50
    assert 0 < lane.rows < 1_000


def test_verify_that_found_a_difference_stays_failed_until_a_clean_pass(shop):
    shop.users(100)
    plan = shop.plan(done="backfill")
    plant = "UPDATE public.users SET first_name = 'Planted' WHERE id = 42"
    shop.server.root.execute(f"SET session_replication_role = replica; {plant}; RESET session_replication_role")

    failed = shop.drive(shop.start(plan, Phase.VERIFY))

    assert (failed.status, failed.error_code) == (RunStatus.FAILED, "mismatch")
    assert plan.phases.get(name="verify").result["out_of_step"] == 1
    with pytest.raises(ServiceRefused):
        run_resume(failed, actor=shop.operator)
    with pytest.raises(PhaseBlocked):
        run_start(plan, Phase.CUTOVER, actor=shop.operator)
    shop.server.root.execute("UPDATE public.users SET name = name || 'x' WHERE id = 42")
    shop.drive(shop.start(plan, Phase.VERIFY))
    assert shop.drive(shop.start(plan, Phase.CUTOVER)).status == RunStatus.SUCCEEDED


def test_a_run_holds_while_a_replica_has_no_reading(shop):
    shop.users(100)
    plan = shop.plan(done="dual_write")
    shop.replica()
    run = shop.start(plan, Phase.BACKFILL)
    shop.observe()

    advance_run(run.pk)

    run.refresh_from_db()
    assert run.wait_reason == "replication lag of replica1 cannot be observed"
    assert (run.wait_verdict, run.status) == ("hold", RunStatus.RUNNING)
    assert run.wake_at is not None
    assert shop.value("SELECT count(first_name) FROM public.users") == 0


def test_a_run_holds_without_a_supervisor(shop):
    shop.users(100)
    run = shop.start(shop.plan(done="dual_write"), Phase.BACKFILL)
    shop.target.samples.all().delete()

    advance_run(run.pk)

    run.refresh_from_db()
    assert run.wait_reason == "supervision has not been observed"


def test_another_server_at_the_address_is_noticed_and_the_run_can_be_resumed(shop):
    shop.users(10)
    run = shop.start(shop.plan(), Phase.EXPAND)
    right = Target.objects.get(pk=shop.target.pk).system
    Target.objects.filter(pk=shop.target.pk).update(system="another")

    shop.drive(run)

    assert (run.status, run.error_code) == (RunStatus.ERRORED, "wrong_server")
    Target.objects.filter(pk=shop.target.pk).update(system=right)
    run_resume(run, actor=shop.operator)
    run.refresh_from_db()
    assert shop.drive(run).status == RunStatus.SUCCEEDED


def test_a_target_out_of_reach_is_tried_again_later(shop):
    shop.users(10)
    run = shop.start(shop.plan(), Phase.EXPAND)
    port = shop.target.port
    Target.objects.filter(pk=shop.target.pk).update(port=1)

    advance_run(run.pk)

    run.refresh_from_db()
    assert (run.status, run.wait_verdict) == (RunStatus.RUNNING, "retry")
    Target.objects.filter(pk=shop.target.pk).update(port=port)
    assert shop.drive(run).status == RunStatus.SUCCEEDED


def test_a_plan_that_was_changed_behind_our_back_is_not_driven(shop):
    shop.users(10)
    plan = shop.plan()
    run = shop.start(plan, Phase.EXPAND)
    Plan.objects.filter(pk=plan.pk).update(digest="0" * 64)

    advance_run(run.pk)

    run.refresh_from_db()
    assert (run.status, run.error_code) == (RunStatus.FAILED, "digest_moved")


def test_a_fault_of_our_own_is_told_without_its_words(shop, monkeypatch, caplog):
    shop.users(10)
    run = shop.start(shop.plan(), Phase.EXPAND)
    monkeypatch.setattr(runner, "advance", lambda *_, **__: 1 / int("0"))

    with caplog.at_level(logging.ERROR):
        advance_run(run.pk)

    run.refresh_from_db()
    assert (run.status, run.error_code) == (RunStatus.ERRORED, "internal_error")
    record = next(record for record in caplog.records if getattr(record, "action", "") == "internal_error")
    assert record.correlation in run.error_fact
    assert record.trace[0] == "ZeroDivisionError"
    assert "by zero" not in caplog.text


def dies(*_: object) -> None:
    raise OperationalError("the control database is gone")


def lane_is_held(run: Run) -> bool:
    return run.lanes.filter(lease_until__gt=Now()).exists()
