"""Measurements for charts: bounded, by number, and honest about what is missing."""

from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_app.models import ProbeBucket, RunSample, TargetSample
from migrations_app.selectors.series import POINTS, Cursor, series_after, series_for, span_of
from tests.builders import a_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def run():
    return a_run("running")


def sampled(run, n, *, ago_s=0.0):
    return RunSample(
        run=run,
        n=n,
        at=timezone.now() - timedelta(seconds=ago_s),
        rows=n * 100,
        rows_per_s=100,
        batch_rows=50,
        batch_s=0.5,
    )


def measured(run, n, *, ago_s=0.0, lag_s=0.5):
    reading = {"signal": "replication_lag", "source": "replica1", "observed": lag_s}
    at = timezone.now() - timedelta(seconds=ago_s)
    return TargetSample(target=run.plan.target, n=n, at=at, readings=[reading, {"signal": "probe", "source": ""}])


@pytest.mark.parametrize("text", ["", "1.2.3", "1.2.3.4.5", "1.2.3.x", "-1.2.3.4", "1.2.3." + "9" * 30, "١.2.3.4"])
def test_a_cursor_that_is_none_is_read_as_none(text):
    assert Cursor.parse(text) is None


def test_a_cursor_is_read_as_it_is_written():
    assert Cursor.parse(str(Cursor(1, 2, 3, 4))) == Cursor(1, 2, 3, 4)


def test_a_snapshot_and_what_came_since_are_all_that_was_measured(run):
    RunSample.objects.bulk_create([sampled(run, n, ago_s=10 - n) for n in range(1, 4)])
    TargetSample.objects.bulk_create([measured(run, n, ago_s=10 - n) for n in range(1, 4)])
    first = series_for(run.plan, run, 1000)

    RunSample.objects.bulk_create([sampled(run, 4)])
    TargetSample.objects.bulk_create([measured(run, 4), measured(run, 5)])
    then = series_after(run.plan, first.cursor)

    assert [point.n for point in (*first.run, *then.run)] == [1, 2, 3, 4]
    assert [point.n for point in (*first.lag, *then.lag)] == [1, 2, 3, 4, 5]
    assert then.run_before.n == 3


def test_nothing_new_leaves_the_cursor_where_it_is(run):
    cursor = series_for(run.plan, run, None).cursor

    assert series_after(run.plan, cursor).cursor == cursor


def test_a_page_that_missed_too_much_needs_a_snapshot(run):
    RunSample.objects.bulk_create([sampled(run, n) for n in range(1, POINTS + 3)])

    assert series_after(run.plan, Cursor(run=run.pk)) is None


def test_a_second_that_is_not_over_is_not_told(run):
    now = int(timezone.now().timestamp())
    ProbeBucket.objects.bulk_create(ProbeBucket(plan=run.plan, second=now + n, total=5) for n in (-2, 0, 1))

    then = series_after(run.plan, Cursor(run=run.pk, probe_s=now - 3))

    assert [point.second - now for point in then.probe] == [-2]


def test_what_could_not_be_observed_is_none_and_not_left_out(run):
    TargetSample.objects.bulk_create([measured(run, 1, lag_s=None)])

    assert series_for(run.plan, run, None).lag[0].lag_s_by_replica == {"replica1": None}


def test_a_long_run_is_thinned_to_what_a_browser_can_draw(run):
    ended = timezone.now() - timedelta(days=1)
    run.requested_at, run.finished_at = ended - timedelta(hours=3), ended
    samples = [sampled(run, n) for n in range(1, 4001)]
    for sample in samples:
        sample.at = run.requested_at + timedelta(seconds=2.5 * sample.n)
    RunSample.objects.bulk_create(samples)

    series = series_for(run.plan, run, None)

    assert 700 < len(series.run) <= POINTS + 1
    assert (series.run[0].n, series.run[-1].n, series.is_live) == (1, 4000, False)


def test_a_short_run_begins_half_a_minute_before_it(run):
    span = span_of(run, run.requested_at + timedelta(seconds=20))

    assert (span.seconds, span.is_live) == (50, True)


def test_a_run_of_hours_shows_its_last_quarter_of_an_hour(run):
    span = span_of(run, run.requested_at + timedelta(hours=2))

    assert (span.seconds, span.is_live) == (POINTS, True)


def test_a_snapshot_costs_the_same_however_much_was_measured(run, django_assert_num_queries):
    with django_assert_num_queries(4):
        series_for(run.plan, run, None)

    RunSample.objects.bulk_create([sampled(run, n, ago_s=30) for n in range(1, 300)])
    with django_assert_num_queries(4):
        series_for(run.plan, run, None)
