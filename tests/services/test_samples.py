"""Measurements are numbered without gaps, kept for a while, and written by the one supervisor that holds the watch."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_app.models import ProbeBucket, SupervisorLease, TargetSample
from migrations_app.services.samples import (
    ProbedSecond,
    probes_write,
    sample_write,
    samples_prune,
    supervision_end,
    supervision_take,
)
from tests.builders import a_plan, a_target

pytestmark = pytest.mark.django_db


def test_samples_of_a_target_are_numbered_without_gaps():
    target = a_target()

    for _ in range(3):
        assert sample_write(target.pk, [])

    assert list(TargetSample.objects.values_list("n", flat=True)) == [1, 2, 3]


def test_a_second_that_was_written_already_stays():
    plan = a_plan()
    probes_write(plan.pk, [ProbedSecond(100, 5, 1, 80.0)])

    probes_write(plan.pk, [ProbedSecond(100, 5, 5, 900.0), ProbedSecond(101, 5, 0, 2.0)])

    assert list(plan.probe_buckets.values_list("second", "bad")) == [(100, 1), (101, 0)]


def test_old_measurements_are_deleted():
    plan = a_plan()
    now = timezone.now()
    TargetSample.objects.create(target=plan.target, n=1, at=now - timedelta(days=2))
    TargetSample.objects.create(target=plan.target, n=2, at=now - timedelta(hours=2))
    ProbeBucket.objects.create(plan=plan, second=int((now - timedelta(days=31)).timestamp()))
    ProbeBucket.objects.create(plan=plan, second=int((now - timedelta(days=2)).timestamp()))

    assert samples_prune() == {"target_samples": 1, "probe_buckets": 1}


def test_numbers_go_on_after_old_samples_are_gone():
    target = a_target()
    TargetSample.objects.create(target=target, n=7, at=timezone.now() - timedelta(days=2))
    samples_prune()

    sample_write(target.pk, [])

    assert TargetSample.objects.latest("n").n == 8


def test_a_target_is_watched_by_one_supervisor():
    target = a_target()

    assert supervision_take({target.pk}, "one") == {target.pk}
    assert supervision_take({target.pk}, "two") == set()
    assert supervision_take({target.pk}, "one") == {target.pk}


def test_a_watch_that_was_given_up_is_free_at_once():
    target = a_target()
    supervision_take({target.pk}, "one")

    supervision_end("one")

    assert supervision_take({target.pk}, "two") == {target.pk}


def test_a_watch_whose_supervisor_died_is_free_after_its_term():
    target = a_target()
    supervision_take({target.pk}, "one")
    SupervisorLease.objects.update(until=timezone.now() - timedelta(seconds=1))

    assert supervision_take({target.pk}, "two") == {target.pk}


def test_the_watch_over_a_target_shows_a_heartbeat():
    target = a_target()

    supervision_take({target.pk}, "one")

    assert timezone.now() - target.supervisor_lease.beat_at < timedelta(seconds=5)
