"""An abort stops the target within a second, whatever the worker does, and is never called done without evidence."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from migrations_app import dispatch
from migrations_app.lifecycle import PhaseStatus, RunStatus
from migrations_app.models import Command, Run, Target
from migrations_app.services.runs import run_abort
from migrations_app.services.stops import run_abort_done
from tests.workers.shop import eventually
from workers.engine.vocabulary import Phase
from workers.runner import advance_run
from workers.supervisor import stop
from workers.supervisor.stop import stop_run

SLOW = {"batch_rows": 50, "batch_rows_most": 50, "rate_rows_per_s": 500}
BOUND = timedelta(seconds=1)
"""From the request to the last write. Both servers' clocks are this machine's."""


@pytest.fixture
def run(shop) -> Run:
    shop.users(5_000)
    shop.supervise()
    return shop.start(shop.plan(done="dual_write", limits=SLOW), Phase.BACKFILL)


def proven(run: Run) -> Command:
    eventually(lambda: run.commands.filter(verb="abort").exclude(verified_at=None).exists())
    run.refresh_from_db()
    assert run.status == RunStatus.ABORTED
    return run.commands.get(verb="abort")


def test_an_abort_stops_a_run_in_mid_work(shop, run, record_property):
    worker = shop.in_thread(lambda: advance_run(run.pk))
    eventually(run.samples.exists)

    run_abort(run, actor=shop.operator, reason="lag")

    command = proven(run)
    worker.join()
    record_property("abort_ms", (command.last_write_at - command.requested_at) / timedelta(milliseconds=1))
    assert command.last_write_at - command.requested_at < BOUND
    assert command.requested_at <= command.acknowledged_at <= command.verified_at
    assert command.evidence["sessions"] == 0
    assert shop.value(f"SELECT count(*) FROM lockstep.stop WHERE run = {run.pk}") == 1
    assert shop.value("SELECT max(epoch) FROM lockstep.lane") == command.evidence["fence_epoch"]
    rows = shop.in_step()
    assert run.plan.phases.get(name="backfill").status == PhaseStatus.FAILED
    again = shop.start(run.plan, Phase.BACKFILL)
    Run.objects.filter(pk=again.pk).update(limits={"rate_rows_per_s": 50_000})
    assert shop.drive(again).status == RunStatus.SUCCEEDED
    assert 0 < rows < shop.in_step() == 5_000


def test_an_abort_cancels_a_statement_in_flight(shop, run, record_property):
    with shop.row_locked(225):
        worker = shop.worker(run)
        eventually(lambda: shop.waits_in_a_batch(run))

        run_abort(run, actor=shop.operator)

        command = proven(run)
    assert worker.wait(20) == 0
    record_property("proof_ms", (command.verified_at - command.requested_at) / timedelta(milliseconds=1))
    assert command.last_write_at < command.requested_at
    assert command.evidence["cancelled"] >= 1
    assert shop.in_step() == 200


def test_an_abort_does_not_need_the_worker(shop, run):
    with shop.row_locked(225):
        worker = shop.worker(run)
        eventually(lambda: shop.waits_in_a_batch(run))
        os.kill(worker.pid, signal.SIGSTOP)

        run_abort(run, actor=shop.operator)

        command = proven(run)
    assert command.verified_at - command.requested_at < 3 * BOUND
    os.kill(worker.pid, signal.SIGCONT)
    assert worker.wait(20) == 0
    assert shop.in_step() == 200


def test_an_abort_does_not_need_redis(shop, run, monkeypatch):
    nobody = redis.Redis(port=1, retry=Retry(NoBackoff(), 0))
    monkeypatch.setattr(dispatch, "_redis", lambda: nobody)

    run_abort(run, actor=shop.operator)

    assert proven(run).evidence["sessions"] == 0


def test_an_abort_that_cannot_be_proven_is_not_called_aborted(shop, run):
    port = shop.target.port
    Target.objects.filter(pk=shop.target.pk).update(port=1)

    run_abort(run, actor=shop.operator)

    command = eventually(lambda: run.commands.filter(verb="abort", evidence__unproven="unreachable").first())
    run.refresh_from_db()
    assert (run.status, command.verified_at) == (RunStatus.ABORTING, None)
    assert shop.event(run.plan, "abort_unproven").payload["code"] == "unreachable"
    Target.objects.filter(pk=shop.target.pk).update(port=port)
    assert proven(run).evidence["sessions"] == 0


def test_a_session_that_is_still_at_work_is_no_proof(shop, run, monkeypatch):
    monkeypatch.setattr(stop, "PATIENCE_S", 0.3)
    with shop.deaf_session(run) as end_it:
        run_abort(run, actor=shop.operator)

        eventually(lambda: run.commands.filter(verb="abort", evidence__unproven="transient").exists())
        end_it()

        assert proven(run).evidence["sessions"] == 0


def test_a_session_that_hears_no_cancel_is_terminated(shop, run, monkeypatch):
    monkeypatch.setattr(stop, "DEAF_S", 0.3)
    with shop.deaf_session(run):
        run_abort(run, actor=shop.operator)

        assert proven(run).evidence["sessions"] == 0


def test_an_abort_with_a_rollback_rolls_back_once_the_stop_is_proven(shop, run):
    run_abort(run, actor=shop.operator, then_back_to="dual_write")

    proven(run)
    back = run.plan.runs.get(status=RunStatus.ENQUEUED)
    assert (back.phase.name, back.direction, back.chain_until) == ("backfill", "back", "dual_write")
    shop.drive(back)
    last = run.plan.runs.get(status=RunStatus.ENQUEUED)
    assert shop.drive(last).status == RunStatus.SUCCEEDED
    assert shop.kinds(run.plan)[-1] == "rollback_ended"


def test_a_stop_is_proven_once(shop, run):
    run_abort(run, actor=shop.operator)
    proven(run)

    stop_run(run.pk)

    assert not run_abort_done(run.pk, evidence={}, last_write_at=None, fence_epoch=0)
    assert shop.kinds(run.plan).count("run_aborted") == 1
