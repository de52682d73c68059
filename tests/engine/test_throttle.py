"""Go, slow or hold."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.engine.throttle import RESUME, SLOWEST, STALE_S, Kind, Reading, Verdict, decide

NOW = 1_000.0


def lag(observed: float | None, *, age_s: float = 0.0, source: str = "replica1") -> Reading:
    return Reading("replication_lag", source, observed, slow_at=1.0, hold_at=2.0, unit="s", at=NOW - age_s)


any_reading = st.builds(
    Reading,
    signal=st.sampled_from(["replication_lag", "probe"]),
    source=st.sampled_from(["", "replica1", "replica2"]),
    observed=st.none() | st.floats(),
    slow_at=st.floats(0, 10),
    hold_at=st.floats(0, 10),
    unit=st.just("s"),
    at=st.floats(NOW - 60, NOW + 60),
)


def test_without_readings_and_without_required_signals_it_goes() -> None:
    assert decide([], NOW) == Verdict(Kind.GO)


def test_a_reading_below_its_thresholds_goes() -> None:
    assert decide([lag(0.4)], NOW) == Verdict(Kind.GO)


def test_a_reading_over_its_threshold_holds_and_says_so() -> None:
    assert decide([lag(3.2)], NOW) == Verdict(Kind.HOLD, 0.0, "replication lag of replica1 3.2 s > 2.0 s")


def test_a_reading_at_its_threshold_does_not_hold() -> None:
    assert decide([lag(2.0)], NOW).kind is Kind.SLOW


def test_a_signal_of_the_primary_is_named_without_a_source() -> None:
    assert decide([lag(3.2, source="")], NOW).reason == "replication lag 3.2 s > 2.0 s"


def test_figures_that_would_read_the_same_are_said_with_more_decimals() -> None:
    assert decide([lag(2.04)], NOW).reason == "replication lag of replica1 2.040 s > 2.000 s"


# Near.


@pytest.mark.parametrize(("observed", "factor"), [(1.25, 0.75), (1.5, 0.5), (1.75, 0.25)])
def test_the_nearer_to_its_threshold_the_slower(observed: float, factor: float) -> None:
    assert decide([lag(observed)], NOW).factor == pytest.approx(factor)


def test_being_slowed_names_the_threshold_from_where_on() -> None:
    assert decide([lag(1.5)], NOW).reason == "replication lag of replica1 1.5 s > 1.0 s"


def test_being_slowed_never_falls_below_the_slowest_part() -> None:
    assert decide([lag(1.999)], NOW).factor == SLOWEST


@given(low=st.floats(0, 3), high=st.floats(0, 3))
def test_more_lag_never_makes_it_faster(low: float, high: float) -> None:
    low, high = sorted((low, high))

    assert decide([lag(high)], NOW).factor <= decide([lag(low)], NOW).factor


# Blind.


def test_what_cannot_be_observed_holds() -> None:
    assert decide([lag(None)], NOW) == Verdict(Kind.HOLD, 0.0, "replication lag of replica1 cannot be observed")


def test_what_is_no_number_cannot_be_observed() -> None:
    assert decide([lag(nan)], NOW).reason == "replication lag of replica1 cannot be observed"


def test_what_is_beyond_all_bounds_holds() -> None:
    assert decide([lag(inf)], NOW).kind is Kind.HOLD


def test_an_old_reading_holds_and_says_how_old() -> None:
    assert decide([lag(0.0, age_s=21)], NOW) == Verdict(
        Kind.HOLD, 0.0, "replication lag of replica1 was last observed 21 s ago > 15 s"
    )


def test_a_reading_counts_until_it_is_stale() -> None:
    assert decide([lag(0.0, age_s=STALE_S)], NOW).kind is Kind.GO


def test_a_reading_from_the_future_holds() -> None:
    assert decide([lag(0.0, age_s=-20)], NOW).reason == "replication lag of replica1 is dated 20 s ahead > 15 s"


def test_a_required_signal_without_a_reading_holds() -> None:
    assert decide([], NOW, required=["replication_lag"]) == Verdict(
        Kind.HOLD, 0.0, "replication lag has not been observed"
    )


@given(readings=st.lists(any_reading), previous=st.sampled_from(Kind), position=st.integers(0, 10))
def test_one_unobservable_signal_never_gives_go(readings: list[Reading], previous: Kind, position: int) -> None:
    readings.insert(position, lag(None))

    assert decide(readings, NOW, previous=previous).kind is Kind.HOLD


@given(readings=st.lists(any_reading, min_size=1), now=st.floats(NOW + 100, NOW + 10_000))
def test_readings_that_are_all_stale_never_give_go(readings: list[Reading], now: float) -> None:
    assert decide(readings, now).kind is Kind.HOLD


@given(readings=st.lists(any_reading), previous=st.sampled_from(Kind))
def test_every_verdict_but_go_gives_its_reason(readings: list[Reading], previous: Kind) -> None:
    verdict = decide(readings, NOW, previous=previous)

    assert (verdict.kind is Kind.GO) == (verdict.reason == "")


# Several.


def test_the_strictest_of_several_readings_counts() -> None:
    readings = [lag(1.5), lag(3.0, source="replica2"), lag(0.0, source="replica3")]

    assert decide(readings, NOW).reason == "replication lag of replica2 3.0 s > 2.0 s"


@given(readings=st.lists(any_reading, min_size=1), previous=st.sampled_from(Kind))
def test_another_reading_never_makes_it_faster(readings: list[Reading], previous: Kind) -> None:
    fewer = decide(readings[:-1], NOW, previous=previous)

    assert decide(readings, NOW, previous=previous).factor <= fewer.factor


# Hysteresis.


def test_a_held_run_stays_held_just_below_the_threshold() -> None:
    assert decide([lag(1.9)], NOW, previous=Kind.HOLD).kind is Kind.HOLD


def test_a_run_that_stays_held_names_the_figure_that_lets_it_go_on() -> None:
    assert decide([lag(1.9)], NOW, previous=Kind.HOLD).reason == "replication lag of replica1 1.9 s > 1.6 s"


def test_a_held_run_goes_on_well_below_the_threshold() -> None:
    assert decide([lag(2.0 * RESUME - 0.01)], NOW, previous=Kind.HOLD).kind is not Kind.HOLD


@pytest.mark.parametrize("previous", [Kind.GO, Kind.SLOW])
def test_a_run_that_was_not_held_is_not_held_below_the_threshold(previous: Kind) -> None:
    assert decide([lag(1.9)], NOW, previous=previous).kind is Kind.SLOW


def test_a_signal_that_allows_nothing_lets_go_at_nothing() -> None:
    blocked = Reading("blocked_sessions", "", 0, slow_at=0, hold_at=0, unit="sessions", at=NOW)

    assert decide([blocked], NOW, previous=Kind.HOLD).kind is Kind.GO


# Utilisation.


def test_utilisation_is_the_part_of_the_hold_threshold() -> None:
    assert lag(0.5).utilisation == 0.25


def test_utilisation_of_the_unobservable_is_unknown() -> None:
    assert lag(None).utilisation is None
