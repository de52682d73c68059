"""Leases of lanes: one worker at a time, each with an epoch of its own, and no power for whoever comes late."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_app.lifecycle import RunStatus
from migrations_app.models import Lane, Plan, Run
from migrations_app.services.lanes import (
    lane_claim,
    lane_release,
    lane_renew,
    run_pause_idle,
    slice_end,
    slice_hold,
)
from migrations_app.services.progress import run_finish
from migrations_app.services.runs import run_abort, run_pause, run_resume
from tests.builders import OPERATOR, a_user
from tests.services.claims import a_claim, a_run, expired, kinds_of

pytestmark = pytest.mark.django_db


def test_the_first_claim_starts_the_run():
    claim = a_claim()

    claim.run.refresh_from_db()
    assert claim.run.status == RunStatus.RUNNING
    assert claim.run.started_at is not None
    assert kinds_of(claim.plan)[-1] == "run_started"


def test_each_claim_takes_the_next_epoch_of_the_plan():
    first = a_claim()
    lane_release(first)

    second = a_claim(first.run)

    assert second.epoch == first.epoch + 1
    assert Plan.objects.get(pk=first.plan.pk).epoch == second.epoch


def test_a_lane_with_a_valid_lease_cannot_be_claimed():
    claim = a_claim()

    assert lane_claim(claim.run.pk, 0, owner="two") is None


def test_a_lease_that_ended_can_be_taken_over():
    claim = expired(a_claim())

    assert lane_claim(claim.run.pk, 0, owner="two") is not None


def test_a_worker_whose_lane_was_taken_over_can_change_nothing():
    late = expired(a_claim())
    a_claim(late.run, owner="two")

    run_finish(late, {})

    assert not lane_renew(late)
    assert not lane_release(late)
    assert Run.objects.get(pk=late.run.pk).status == RunStatus.RUNNING


def test_a_released_lane_is_not_renewed_by_its_former_worker():
    claim = a_claim()
    lane_release(claim)

    assert not lane_renew(claim)


def test_a_run_that_sleeps_is_not_claimed_before_its_time():
    claim = a_claim()
    slice_hold(claim, carry={}, retry_after_s=60)

    assert lane_claim(claim.run.pk, 0, owner="two") is None


def test_a_run_whose_wait_is_over_is_claimed():
    claim = a_claim()
    slice_hold(claim, carry={}, retry_after_s=60)
    Run.objects.filter(pk=claim.run.pk).update(wake_at=timezone.now() - timedelta(seconds=1))

    assert lane_claim(claim.run.pk, 0, owner="two").run.pk == claim.run.pk
    assert Run.objects.get(pk=claim.run.pk).wake_at is None


def test_a_slice_that_ends_hands_its_carry_to_the_next():
    claim = a_claim()

    slice_end(claim, carry={"batch_rows": 700})

    assert a_claim(claim.run).lane.carry == {"batch_rows": 700}


def test_a_person_who_resumes_gives_the_run_a_fresh_budget_of_retries():
    operator = a_user(OPERATOR)
    claim = a_claim()
    slice_end(claim, carry={"begun": 0, "failures": 19, "batch_rows": 50})
    run_pause(claim.run, actor=operator)
    run_pause_idle(claim.run.pk)
    run_resume(claim.run, actor=operator)

    assert a_claim(claim.run).lane.carry == {"begun": 0}


def test_a_claim_of_a_run_that_should_pause_pauses_it():
    claim = a_claim()
    lane_release(claim)
    run_pause(claim.run, actor=None)

    assert lane_claim(claim.run.pk, 0, owner="two") is None
    assert Run.objects.get(pk=claim.run.pk).status == RunStatus.PAUSED


def test_a_run_held_by_a_living_worker_is_not_paused_behind_its_back():
    claim = a_claim()
    run_pause(claim.run, actor=None)

    run_pause_idle(claim.run.pk)

    assert Run.objects.get(pk=claim.run.pk).status == RunStatus.PAUSING


def test_a_run_that_is_being_aborted_is_not_claimed():
    run = a_run()
    run_abort(run, actor=None)

    assert lane_claim(run.pk, 0, owner="one") is None


def test_a_run_of_another_digest_fails_for_good():
    run = a_run()
    Plan.objects.filter(pk=run.plan_id).update(digest="0" * 64)

    assert lane_claim(run.pk, 0, owner="one") is None
    assert Run.objects.get(pk=run.pk).status == RunStatus.FAILED


def test_a_claim_of_nothing_is_nothing():
    assert lane_claim(4711, 0, owner="one") is None
    assert lane_claim(a_run().pk, 9, owner="one") is None


def test_the_lease_says_who_works_where():
    claim = a_claim(owner="host7:4711:ab")

    lane = Lane.objects.get(pk=claim.lane.pk)
    assert lane.owner == "host7:4711:ab"
    assert lane.beat_at is not None
