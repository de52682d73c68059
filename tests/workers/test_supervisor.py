"""The supervisor on real servers: it sees, wakes, brakes, and shares the work with another one."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from migrations_app.lifecycle import RunStatus
from migrations_app.models import Run, SupervisorLease, TargetSample
from migrations_app.services.lanes import lane_claim
from migrations_app.services.runs import run_pause
from tests.workers.shop import eventually
from workers.engine.vocabulary import Phase
from workers.supervisor import wakeups

NOBODY = 1
"""A port where no server listens."""
TOO_SLOW = {
    "probe": "SELECT 1 FROM pg_sleep(0.05)",
    "latency_ms": 20,
    "slo": 0.9,  # all probes bad: the budget burns ten times as fast as it may
    "cap": 1,
    "windows": [{"long_s": 4, "short_s": 2, "burn": 5, "action": "abort"}],
}


@pytest.fixture
def hints(monkeypatch) -> list[int]:
    """Runs that the supervisor asked to be driven."""
    sent: list[int] = []
    monkeypatch.setattr(wakeups, "enqueue_run", lambda run_id, lane: sent.append(run_id))
    return sent


def reading(shop, signal: str, source: str) -> dict[str, Any] | None:
    """Return the newest one, or None before the first."""
    sample = TargetSample.objects.filter(target=shop.target).order_by("-n").first()
    rows = sample.readings if sample else []
    return next((row for row in rows if (row["signal"], row["source"]) == (signal, source)), None)


def observed(shop, signal: str, source: str) -> float:
    """Return what it shows; 0 before the first reading, and where it could not be observed."""
    return (reading(shop, signal, source) or {"observed": 0})["observed"] or 0


def test_a_target_is_sampled_each_second_while_a_plan_is_under_way(shop):
    shop.users(10)
    shop.replica()
    shop.plan(done="expand")
    TargetSample.objects.all().delete()

    shop.supervise()

    eventually(lambda: TargetSample.objects.count() >= 3)
    samples = list(TargetSample.objects.order_by("n"))
    assert [sample.n for sample in samples] == list(range(1, len(samples) + 1))
    gaps = [(later.at - earlier.at).total_seconds() for earlier, later in zip(samples, samples[1:], strict=False)]
    assert all(0.8 < gap < 2 for gap in gaps)
    assert reading(shop, "replication_lag", "replica1")["observed"] < 1


def test_a_replica_that_is_gone_holds_the_run_until_it_is_back(shop):
    shop.users(100)
    replica = shop.replica()
    plan = shop.plan(done="expand")
    shop.drive(shop.start(plan, Phase.DUAL_WRITE))
    port, replica.port = replica.port, NOBODY
    replica.save()
    run = shop.start(plan, Phase.BACKFILL)
    shop.supervise()
    eventually(lambda: (reading(shop, "replication_lag", "replica1") or {"observed": 0})["observed"] is None)

    shop.advance(run)

    assert run.wait_reason == "replication lag of replica1 cannot be observed"
    replica.port = port
    replica.save()
    eventually(lambda: shop.advance(run).status == RunStatus.SUCCEEDED)
    assert "run_wait_ended" in shop.kinds(plan)


def test_a_replica_that_lags_holds_the_run(shop):
    shop.users(100)
    shop.replica()
    plan = shop.plan(done="dual_write", limits={"lag_slow_s": 0.1, "lag_hold_s": 0.2})
    run = shop.start(plan, Phase.BACKFILL)
    with shop.replica_paused():
        shop.supervise()
        shop.value("WITH moved AS (UPDATE public.users SET name = name || 'x' RETURNING 1) SELECT count(*) FROM moved")
        eventually(lambda: observed(shop, "replication_lag", "replica1") > 1)

        shop.advance(run)

    assert run.wait_reason.startswith("replication lag of replica1 ")
    assert run.wait_reason.endswith("> 0.2 s")


def test_two_supervisors_share_the_targets_and_one_follows_the_other(shop):
    shop.users(10)
    shop.plan(done="expand")
    first_ended = threading.Event()
    first = shop.supervise("first", ended=first_ended)
    eventually(lambda: SupervisorLease.objects.filter(owner="first").exists())
    shop.supervise("second")
    eventually(lambda: TargetSample.objects.count() >= 3)
    assert SupervisorLease.objects.get().owner == "first"

    first_ended.set()
    first.join()

    eventually(lambda: SupervisorLease.objects.get().owner == "second")
    seen = TargetSample.objects.count()
    eventually(lambda: TargetSample.objects.count() > seen)
    assert list(TargetSample.objects.order_by("n").values_list("n", flat=True)) == list(
        range(1, TargetSample.objects.count() + 1)
    )


def test_a_run_whose_worker_died_is_asked_for_again(shop, hints):
    shop.users(10)
    run = shop.start(shop.plan(), Phase.EXPAND)
    lane_claim(run.pk, 0, owner="a worker that dies")

    shop.supervise()

    assert not hints
    eventually(lambda: run.pk in hints)


def test_a_run_that_no_worker_holds_is_paused_by_the_supervisor(shop):
    shop.users(10)
    run = shop.start(shop.plan(), Phase.EXPAND)
    lane_claim(run.pk, 0, owner="a worker that dies")
    run.refresh_from_db()
    run_pause(run, actor=shop.operator)

    shop.supervise()

    eventually(lambda: Run.objects.get(pk=run.pk).status == RunStatus.PAUSED)


def test_a_probe_that_is_too_slow_aborts_the_run_by_itself(shop):
    shop.users(2_000)
    plan = shop.plan(done="dual_write", guards=TOO_SLOW)
    run = shop.start(plan, Phase.BACKFILL)

    shop.supervise()

    eventually(lambda: Run.objects.get(pk=run.pk).status == RunStatus.ABORTED)
    tripped = shop.event(plan, "guard_tripped")
    assert (tripped.actor_name, tripped.payload["action"]) == ("guard probe", "abort")
    assert tripped.payload["windows"][0]["long_burn"] == pytest.approx(10)
    assert run.commands.get().guard == "probe"
    assert {"first_name", "last_name", "name"} <= shop.columns()
    assert plan.probe_buckets.filter(bad__gt=0).exists()


def test_a_plan_may_let_its_guard_undo_cutover(shop):
    shop.users(100)
    plan = shop.plan(done="cutover", guards=TOO_SLOW | {"undo_cutover": True})

    shop.supervise()

    back = eventually(lambda: plan.runs.filter(direction="back").first())
    assert back.phase.name == "cutover"
    shop.drive(back)
    assert shop.kinds(plan).count("guard_tripped") == 1
    assert plan.phases.get(name="cutover").status == "reverted"


def test_use_of_the_old_side_is_dated_by_the_last_write_of_an_application(shop):
    shop.users(100)
    plan = shop.plan(done="cutover")
    shop.server.app.execute("UPDATE public.users SET name = 'Ann Lee' WHERE id = 1")
    shop.supervise()
    source = f"plan {plan.pk}"
    eventually(lambda: observed(shop, "old_side_use", source) > 1.5)

    shop.server.app.execute("UPDATE public.users SET name = 'Ann Poe' WHERE id = 1")

    eventually(lambda: observed(shop, "old_side_use", source) < 1.5)
    assert observed(shop, "new_side_use", source) > 1.5
