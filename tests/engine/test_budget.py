"""Error budgets, burn rates and the brake that they pull."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.engine.budget import (
    WINDOWS,
    Assessment,
    Bucket,
    GuardAction,
    Objective,
    Standing,
    Window,
    assess,
)
from workers.engine.errors import ParametersRefused

NOW = 100_000
OBJECTIVE = Objective(slo=0.99)
SLOW = Window(30, 5, 2, GuardAction.SLOW)
PAUSE = Window(30, 5, 5, GuardAction.PAUSE)
ABORT = Window(30, 5, 20, GuardAction.ABORT)


def probes(seconds: int, *, bad_of_100: int = 0, ending: int = NOW) -> list[Bucket]:
    """Return 100 probes in each of the seconds up to and with `ending`, so that one bad one is one percent."""
    return [Bucket(second, 100, bad_of_100) for second in range(ending - seconds + 1, ending + 1)]


def judge(buckets: list[Bucket], *windows: Window, run_s: float = 20, objective: Objective = OBJECTIVE) -> Assessment:
    return assess(buckets, objective, windows or (SLOW, PAUSE, ABORT), NOW, began=NOW - run_s)


any_buckets = st.lists(
    st.tuples(st.integers(NOW - 100, NOW + 5), st.integers(0, 20), st.integers(0, 20)), max_size=60
).map(lambda rows: [Bucket(second, max(total, bad), bad) for second, total, bad in sorted(rows)])


# Burn.


def test_good_probes_are_ok() -> None:
    assert judge(probes(60)).standing is Standing.OK


def test_good_probes_ask_for_nothing() -> None:
    assert judge(probes(60)).action is None


def test_errors_just_as_many_as_the_objective_allows_burn_at_one() -> None:
    assert judge(probes(60, bad_of_100=1)).burns[0].long == pytest.approx(1)


@pytest.mark.parametrize(
    ("bad_of_100", "action"), [(2, None), (3, GuardAction.SLOW), (6, GuardAction.PAUSE), (21, GuardAction.ABORT)]
)
def test_the_faster_it_burns_the_stricter_the_action(bad_of_100: int, action: GuardAction | None) -> None:
    assert judge(probes(60, bad_of_100=bad_of_100)).action is action


def test_a_breach_says_its_burn_and_its_threshold() -> None:
    assert judge(probes(60, bad_of_100=6)).reason == "error budget burn over 30 s and 5 s 6.0 x > 5.0 x"


def test_a_blip_that_only_the_short_part_shows_does_not_brake() -> None:
    buckets = probes(55, ending=NOW - 5) + probes(5, bad_of_100=10)

    assert judge(buckets).action is None


def test_errors_that_have_ended_let_go_of_the_brake() -> None:
    buckets = probes(25, bad_of_100=100, ending=NOW - 6) + probes(6)

    assert judge(buckets).action is None


def test_probes_older_than_the_window_do_not_count() -> None:
    buckets = probes(60, bad_of_100=100, ending=NOW - 31) + probes(31)

    assert judge(buckets).burns[0].long == 0


def test_probes_of_the_future_do_not_count() -> None:
    assert judge(probes(60) + [Bucket(NOW + 3, 100, 100)]).burns[0].short == 0


def test_the_order_of_the_windows_does_not_matter() -> None:
    assert judge(probes(60, bad_of_100=30), ABORT, SLOW, PAUSE).action is GuardAction.ABORT


@pytest.mark.parametrize(("bad_of_100", "action"), [(1, None), (2, GuardAction.PAUSE), (8, GuardAction.ABORT)])
def test_the_windows_by_default_pause_and_abort_at_the_rates_of_the_sre_workbook(
    bad_of_100: int, action: GuardAction | None
) -> None:
    objective = Objective(slo=0.998, run_share=1)

    assert judge(probes(7_200, bad_of_100=bad_of_100), *WINDOWS, objective=objective).action is action


@given(buckets=any_buckets, bad=st.integers(1, 20))
def test_more_errors_never_ask_for_less(buckets: list[Bucket], bad: int) -> None:
    worse = [Bucket(bucket.second, bucket.total, min(bucket.total, bucket.bad + bad)) for bucket in buckets]
    severity = [None, *GuardAction]

    assert severity.index(judge(worse).action) >= severity.index(judge(buckets).action)


# No data.


@given(buckets=any_buckets, run_s=st.floats(0, 1_000))
def test_a_window_without_enough_probes_is_never_ok(buckets: list[Bucket], run_s: float) -> None:
    few = [bucket for bucket in buckets if bucket.second < NOW - SLOW.long_s]

    assert judge(few, SLOW, run_s=run_s).standing is not Standing.OK


def test_too_few_probes_prove_no_breach() -> None:
    assert judge([Bucket(NOW, 9, 9)]).burns[0].standing is Standing.NO_DATA


def test_too_few_probes_are_no_data() -> None:
    assert judge([Bucket(NOW, 9, 0)]).standing is Standing.NO_DATA


def test_a_short_part_without_a_probe_is_no_data() -> None:
    assert judge(probes(20, ending=NOW - 6)).burns[0].standing is Standing.NO_DATA


def test_a_window_that_is_not_yet_full_asks_for_nothing() -> None:
    assert judge([Bucket(NOW, 9, 0)], SLOW, run_s=10).action is None


def test_a_window_that_should_be_full_but_has_too_few_probes_slows() -> None:
    assert judge([Bucket(NOW, 9, 0)], SLOW, run_s=31).action is GuardAction.SLOW


@pytest.mark.parametrize(("blind_s", "action"), [(15, None), (16, GuardAction.SLOW), (61, GuardAction.PAUSE)])
def test_the_longer_without_probes_the_stricter_the_action(blind_s: int, action: GuardAction | None) -> None:
    hour = Window(3_600, 300, 5, GuardAction.PAUSE)

    assert judge(probes(60, ending=NOW - blind_s), hour, run_s=3_000).action is action


def test_being_blind_says_since_when() -> None:
    hour = Window(3_600, 300, 5, GuardAction.PAUSE)

    assert judge(probes(60, ending=NOW - 16), hour, run_s=3_000).reason == (
        "error budget has seen no probe for 16 s > 15 s"
    )


def test_a_run_that_has_only_begun_is_given_time_for_its_first_probe() -> None:
    assert judge([], run_s=10).action is None


@pytest.mark.parametrize(("watched_s", "action"), [(15, None), (16, GuardAction.SLOW), (61, GuardAction.PAUSE)])
def test_a_supervisor_that_has_only_started_is_given_time_for_its_first_probe(
    watched_s: int, action: GuardAction | None
) -> None:
    old = probes(60, ending=NOW - 600)

    assessment = assess(old, OBJECTIVE, (), NOW, began=NOW - 3_000, watched_since=NOW - watched_s)

    assert assessment.action is action


def test_a_run_that_never_sees_a_probe_is_paused() -> None:
    assert judge([], run_s=61).action is GuardAction.PAUSE


def test_a_breach_stays_a_breach_when_the_probes_stop() -> None:
    hour = Window(3_600, 300, 5, GuardAction.ABORT)

    assert judge(probes(60, bad_of_100=50, ending=NOW - 20), hour, run_s=90).action is GuardAction.ABORT


# Spending.


def test_what_a_run_spends_is_its_bad_seconds_of_those_that_the_period_allows() -> None:
    objective = Objective(slo=0.99, period_s=100_000)

    assert judge(probes(20, bad_of_100=50), run_s=20, objective=objective).spent == pytest.approx(0.01)


def test_what_was_spent_before_the_run_is_not_its_own() -> None:
    buckets = probes(60, bad_of_100=100, ending=NOW - 21) + probes(21)

    assert judge(buckets, run_s=20).spent == 0


def test_a_run_that_spends_more_than_its_share_pauses() -> None:
    objective = Objective(slo=0.9, period_s=1_000, run_share=0.02)

    assert judge(probes(60, bad_of_100=20), run_s=20, objective=objective).action is GuardAction.PAUSE


def test_a_run_that_spends_more_than_its_share_says_so() -> None:
    objective = Objective(slo=0.9, period_s=1_000, run_share=0.02)

    assert judge(probes(60, bad_of_100=15), run_s=19, objective=objective).reason == (
        "error budget spent by this run 3.00% > 2.00%"
    )


# Objectives.


@pytest.mark.parametrize("slo", [0.0, 1.0, 1.5, -1.0])
def test_an_objective_without_room_for_errors_or_success_is_refused(slo: float) -> None:
    with pytest.raises(ParametersRefused):
        Objective(slo=slo)


@pytest.mark.parametrize(("latency_ms", "is_good"), [(250, True), (250.1, False), (None, False)])
def test_a_probe_is_good_when_it_answered_in_time(latency_ms: float | None, is_good: bool) -> None:
    assert Objective(latency_ms=250).is_good(latency_ms) is is_good
