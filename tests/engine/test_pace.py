"""Batch sizes from measured seconds, and the limit in rows per second."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.engine.pace import GROWTH, SAMPLES, Pace, PaceLimits, RateLimit

LIMITS = PaceLimits(first_rows=1_000, min_rows=10, max_rows=5_000, target_s=0.3, cap_s=1.0)

any_limits = st.builds(
    PaceLimits,
    first_rows=st.integers(1, 100_000),
    min_rows=st.integers(1, 100),
    max_rows=st.integers(100, 100_000),
    target_s=st.floats(0.01, 10),
    cap_s=st.floats(0.01, 60),
)
any_seconds = st.floats(min_value=0, max_value=1e6)


def after(pace: Pace, *seconds: float) -> Pace:
    """Return the pace after full batches that took so long."""
    return reduce(lambda now, took: now.learn(now.rows, took), seconds, pace)


def test_it_starts_with_the_first_size() -> None:
    assert Pace.starting(LIMITS).rows == 1_000


def test_it_starts_where_an_earlier_slice_left_off() -> None:
    assert Pace.starting(LIMITS, 321).rows == 321


@given(limits=any_limits, rows=st.none() | st.integers(-10, 10**9))
def test_no_start_is_outside_its_bounds(limits: PaceLimits, rows: int | None) -> None:
    assert limits.min_rows <= Pace.starting(limits, rows).rows <= limits.max_rows


@given(limits=any_limits, batches=st.lists(st.tuples(st.integers(0, 10**6), any_seconds), max_size=60))
def test_no_history_leads_outside_the_bounds(limits: PaceLimits, batches: list[tuple[int, float]]) -> None:
    pace = reduce(lambda now, batch: now.learn(*batch), batches, Pace.starting(limits))

    assert limits.min_rows <= pace.rows <= limits.max_rows


def test_a_batch_over_the_cap_halves_at_once() -> None:
    assert after(Pace.starting(LIMITS), 1.1).rows == 500


def test_a_batch_of_five_times_the_target_falls_to_a_tenth_at_once() -> None:
    assert after(Pace.starting(LIMITS), 1.6).rows == 100


def test_a_small_batch_that_was_slow_shrinks_from_its_own_size() -> None:
    assert Pace.starting(LIMITS).learn(400, 1.1).rows == 200


def test_a_halved_pace_is_half() -> None:
    assert Pace.starting(LIMITS).halved().rows == 500


def test_it_does_not_grow_before_enough_batches_were_measured() -> None:
    assert after(Pace.starting(LIMITS), *[0.001] * (SAMPLES - 1)).rows == 1_000


def test_it_grows_once_enough_batches_were_measured() -> None:
    assert after(Pace.starting(LIMITS), *[0.25] * SAMPLES).rows == 1_200


@given(seconds=st.lists(any_seconds, min_size=1, max_size=60))
def test_it_never_grows_by_more_than_half_in_one_step(seconds: list[float]) -> None:
    before = after(Pace.starting(LIMITS), *seconds[:-1])

    assert after(before, seconds[-1]).rows <= before.rows * GROWTH


@given(limits=any_limits, seconds=st.lists(any_seconds, max_size=60))
def test_a_batch_over_the_cap_never_makes_it_grow(limits: PaceLimits, seconds: list[float]) -> None:
    before = after(Pace.starting(limits), *seconds)

    assert after(before, limits.cap_s * 1.01).rows <= before.rows


def test_one_hiccup_among_the_measured_batches_does_not_keep_it_from_growing() -> None:
    assert after(Pace.starting(LIMITS), 0.9, *[0.1] * (SAMPLES - 1)).rows == 1_500


def test_two_slow_batches_among_the_measured_ones_make_it_smaller() -> None:
    assert after(Pace.starting(LIMITS), 0.6, 0.6, *[0.1] * (SAMPLES - 2)).rows == 500


def test_what_was_measured_before_a_change_does_not_count_after_it() -> None:
    pace = after(Pace.starting(LIMITS), *[0.1] * (SAMPLES - 1))

    assert after(pace, 1.1, 0.1).rows == 500


@given(seconds=st.lists(st.floats(0, 0.3), min_size=2 * SAMPLES, max_size=2 * SAMPLES))
def test_batches_that_were_kept_small_never_make_it_grow(seconds: list[float]) -> None:
    pace = reduce(lambda now, took: now.learn(now.rows - 1, took), seconds, Pace.starting(LIMITS))

    assert pace.rows == 1_000


def test_the_smallest_pace_knows_that_it_is() -> None:
    assert Pace.starting(LIMITS, 10).is_smallest


# Rate.


def test_without_a_rate_nothing_waits() -> None:
    assert RateLimit().spend(10_000, 5.0).wait_s(5.0) == 0


def test_the_first_batch_goes_at_once() -> None:
    assert RateLimit(100).wait_s(1_000.0) == 0


def test_the_next_batch_waits_until_the_last_is_paid_for() -> None:
    assert RateLimit(100).spend(50, 1_000.0).wait_s(1_000.1) == pytest.approx(0.4)


def test_a_batch_that_did_not_wait_is_owed_on_top() -> None:
    assert RateLimit(100).spend(50, 1_000.0).spend(50, 1_000.0).wait_s(1_000.0) == pytest.approx(1)


def test_time_spent_idle_is_not_saved_up() -> None:
    limit = RateLimit(100).spend(50, 0.0).spend(50, 1_000.0)

    assert limit.wait_s(1_000.0) == pytest.approx(0.5)


def test_a_batch_is_at_most_what_a_second_allows() -> None:
    assert RateLimit(100).bounded(1_000) == 100


def test_a_rate_below_one_row_a_second_still_allows_one_row() -> None:
    assert RateLimit(0.2).bounded(1_000) == 1


def test_a_changed_rate_counts_from_the_next_batch() -> None:
    limit = replace(RateLimit(100).spend(50, 1_000.0), rows_per_s=200.0)

    assert limit.spend(50, 1_000.5).wait_s(1_000.5) == pytest.approx(0.25)


@given(
    rate=st.floats(0.5, 10_000),
    batches=st.lists(st.tuples(st.integers(0, 5_000), st.floats(0, 2)), min_size=1, max_size=50),
)
def test_batches_that_wait_as_told_keep_to_the_rate(rate: float, batches: list[tuple[int, float]]) -> None:
    limit, now, rows = RateLimit(rate), 0.0, 0
    for wanted, seconds in batches:
        now += limit.wait_s(now)
        limit = limit.spend(limit.bounded(wanted), now)
        rows += limit.bounded(wanted)
        now += seconds

    assert rows <= rate * (now + limit.wait_s(now)) * (1 + 1e-9) + 1e-6
