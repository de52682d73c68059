"""Rows to figures: gaps stay gaps, thresholds are drawn, burns are what the guard compares."""

from migrations_app.charts import figures, markers, points_of, rows_for_table
from migrations_app.content import parse_content
from migrations_app.selectors.series import Cursor, LagPoint, ProbePoint, RunPoint, Series
from tests.builders import content
from workers.engine.budget import Bucket, GuardAction, Objective, Window, assess

CONTENT = parse_content(content(), target_uid="x")
WINDOW = {"long_s": 60, "short_s": 10, "burn": 10.0, "action": "pause"}


def a_series(**changes):
    return Series(cursor=Cursor(), **changes)


def points(series, replicas=("replica1",), window=None):
    guards = CONTENT["guards"] | {"windows": [window or WINDOW]}
    return points_of(series, CONTENT | {"guards": guards}, list(replicas))


def run_points(*seconds):
    return [RunPoint(n, at * 1000, n * 100, 100.0, 50) for n, at in enumerate(seconds, start=1)]


def test_neighbours_are_joined():
    line = points(a_series(run=run_points(1, 2, 4)))["progress:rows"]

    assert line == {"x": [1000, 2000, 4000], "y": [100, 200, 300]}


def test_an_outage_is_drawn_as_a_gap():
    line = points(a_series(run=run_points(1, 2, 20)))["progress:rows"]

    assert line == {"x": [1000, 2000, 2001, 20000], "y": [100, 200, None, 300]}


def test_an_outage_between_two_deltas_is_a_gap_as_well():
    line = points(a_series(run=run_points(20), run_before=RunPoint(0, 2000, 0, 0, 0)))["progress:rows"]

    assert line == {"x": [2001, 20000], "y": [None, 100]}


def test_a_thinned_run_is_not_torn_apart_by_its_own_steps():
    line = points(a_series(run=run_points(1, 13, 25), step_s=12.0))["progress:rows"]

    assert None not in line["y"]


def test_a_replica_that_could_not_be_asked_has_no_value():
    lag = [LagPoint(1, 1000, {"replica1": 0.5}), LagPoint(2, 2000, {"replica1": None}), LagPoint(3, 3000, {})]

    assert points(a_series(lag=lag))["lag:replica1"]["y"] == [0.5, None, None]


def test_a_burn_is_what_the_guard_compares():
    probe = [ProbePoint(second, 5, 1 if second % 7 == 0 else 0) for second in range(100, 300)]
    window = Window(60, 10, 10.0, GuardAction.PAUSE)

    drawn = points(a_series(probe=probe))["budget:0"]["customdata"]
    guard = [
        assess(
            [Bucket(p.second, p.total, p.bad) for p in probe[: n + 1]], Objective(), [window], p.second + 0.9, began=0
        )
        for n, p in enumerate(probe)
    ]

    burns = [min(each.burns[0].long, each.burns[0].short) if each.burns[0].long is not None else None for each in guard]
    assert drawn[70:] == [round(burn, 2) for burn in burns[70:]]


def test_a_burn_at_its_limit_is_a_hundred_percent():
    probe = [ProbePoint(second, 100, 1) for second in range(100)]

    assert points(a_series(probe=probe), window=WINDOW | {"burn": 10.0})["budget:0"]["y"][-1] == 100.0


def test_a_delta_of_a_burn_goes_on_from_the_snapshot():
    probe = [ProbePoint(second, 5, second % 3 == 0) for second in range(200)]
    whole = points(a_series(probe=probe))["budget:0"]["y"]

    delta = points(a_series(probe=probe[150:], probe_lead=probe[150 - 60 : 150]))["budget:0"]["y"]

    assert delta == whole[150:]


def test_too_few_probes_prove_nothing():
    assert points(a_series(probe=[ProbePoint(1, 5, 5)]))["budget:0"]["y"] == [None]


def test_thresholds_are_those_of_the_plan():
    drawn = figures(a_series(), CONTENT, [], ["replica1"])["lag"]["layout"]["thresholds"]

    assert [(each["y"], each["label"]) for each in drawn] == [(1, "slows at 1 s"), (2, "holds at 2 s")]


def test_each_replica_has_its_line_under_its_name():
    drawn = figures(a_series(), CONTENT, [], ["a", "b"])["lag"]["data"]

    assert [(trace["uid"], trace["name"]) for trace in drawn] == [("lag:a", "a"), ("lag:b", "b")]


def test_events_that_explain_a_bend_are_marked():
    told = [
        an_event("run_waited", verdict="hold"),
        an_event("pause_requested", by="guard probe"),
        an_event("action_started"),
        an_event("abort_requested"),
    ]

    assert [marker["label"] for marker in markers(told)] == ["held", "guard: pause", "abort"]


def test_a_table_has_the_newest_values_and_leaves_gaps_out():
    figure = figures(a_series(run=run_points(1, 2, 20), expected_rows=1000), CONTENT, [], [])["progress"]

    assert rows_for_table(figure) == {"names": ["rows done"], "rows": [(20000, [300]), (2000, [200]), (1000, [100])]}


def an_event(kind, by="worker", **payload):
    return {"kind": kind, "by": by, "at_ms": 1000, "payload": {"phase": "backfill"} | payload}
