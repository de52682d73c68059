"""Frames: what a snapshot holds, what a delta leaves out, and what both cost."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_app import events, frames
from migrations_app.frames import Place
from migrations_app.models import Event, EventStream, Run, TargetSample
from migrations_app.selectors.feed import MOST_EVENTS
from migrations_app.selectors.series import Cursor
from tests.builders import VIEWER, a_plan, a_run, a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer():
    return a_user(VIEWER)


def test_nothing_new_is_no_frame(viewer):
    plan = a_plan("submitted")
    _, place = frames.snapshot(plan, viewer)

    assert frames.delta(plan, viewer, place) == (None, place)


def test_what_is_derived_comes_only_where_it_changed(viewer):
    run = a_run("running")
    _, place = frames.snapshot(run.plan, viewer)
    events.record(run.plan, "plan_looked_at", {})

    first, place = frames.delta(run.plan, viewer, place)
    run.wait_reason, run.wait_verdict = "replication lag 2.5 s > 2.0 s", "hold"
    run.save()
    second, _ = frames.delta(run.plan, viewer, place)

    assert ("derived" in first, "derived" in second) == (False, True)


def test_a_new_run_is_a_snapshot_since_its_charts_begin_anew(viewer):
    run = a_run("aborted")
    _, place = frames.snapshot(run.plan, viewer)
    a_run("running", plan=run.plan)

    frame, _ = frames.delta(run.plan, viewer, place)

    assert frame["type"] == "snapshot"


def test_a_run_that_ended_long_ago_gets_no_later_samples(viewer):
    run = a_run("succeeded", finished_at=timezone.now() - timedelta(days=1))
    Run.objects.update(requested_at=timezone.now() - timedelta(days=1, hours=1))
    samples = (TargetSample(target=run.plan.target, n=n, at=timezone.now(), readings=[]) for n in range(1, 2_000))
    TargetSample.objects.bulk_create(samples)
    _, place = frames.snapshot(run.plan, viewer)
    TargetSample.objects.create(target=run.plan.target, n=2_000, at=timezone.now(), readings=[])

    assert frames.delta(run.plan, viewer, place) == (None, place)


def test_a_page_that_missed_very_much_gets_a_snapshot(viewer):
    plan = a_plan("submitted")
    _, place = frames.snapshot(plan, viewer)
    long_past(plan, MOST_EVENTS + 1)

    frame, _ = frames.delta(plan, viewer, place)

    assert frame["type"] == "snapshot"


def test_a_place_that_cannot_be_is_answered_with_what_there_is(viewer):
    plan = a_plan("submitted")

    frame, place = frames.delta(plan, viewer, Place(10**12, Cursor(run=0)))

    assert (frame["type"], place.seq) == ("snapshot", 2)


def test_a_snapshot_does_not_grow_with_history(viewer):
    plan = a_run("running").plan
    short, _ = frames.snapshot(plan, viewer)
    long_past(plan, 500)

    long, _ = frames.snapshot(plan, viewer)

    assert len(long["log"]) == 15
    assert len(json.dumps(long)) < len(json.dumps(short)) + 5_000


def test_a_snapshot_costs_the_same_however_long_the_history(viewer, django_assert_max_num_queries):
    plan = a_run("running").plan
    with django_assert_max_num_queries(40) as before:
        frames.snapshot(plan, viewer)
    long_past(plan, 500)

    with django_assert_max_num_queries(40) as after:
        frames.snapshot(plan, viewer)

    assert len(after) == len(before)


def test_samples_alone_cost_little(viewer, django_assert_max_num_queries):
    plan = a_run("running").plan
    _, place = frames.snapshot(plan, viewer)

    with django_assert_max_num_queries(5):
        frames.delta(plan, viewer, place, derive=False)


def long_past(plan, count):
    stream = EventStream.objects.get(kind="plan", object_id=plan.pk)
    Event.objects.bulk_create(
        Event(stream=stream, seq=stream.last_seq + n + 1, kind="action_started", payload={"title": "x"}, actor_name="x")
        for n in range(count)
    )
    stream.last_seq += count
    stream.save()
