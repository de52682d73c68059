"""make demo-check says whether all of it held, and always ends with one JSON object of figures."""

import json

import pytest

from stack import check
from stack.one_shot import ProgramFailed


class BrokenStack:
    """A stack that does not come up."""

    rows = 20_000
    logs = "logs"

    def __enter__(self):
        raise ProgramFailed("the web server did not start")

    def __exit__(self, *error):
        pass


@pytest.mark.parametrize(
    ("latencies_ms", "expected"),
    [([], None), ([3.0], 3.0), ([float(n) for n in range(1, 101)], 99.0), ([1.0] * 99 + [50.0], 1.0)],
)
def test_p99_is_the_latency_that_all_but_one_in_a_hundred_stay_within(latencies_ms, expected):
    assert check.p99(latencies_ms) == expected


def test_what_did_not_come_up_did_not_hold(capsys):
    held, _ = check.play(BrokenStack())

    assert held is False
    assert "the web server did not start" in capsys.readouterr().err


def test_every_figure_is_there_also_where_nothing_was_measured():
    _, figures = check.play(BrokenStack())

    assert set(figures) == {
        *("rows", "seconds", "rows_per_s", "old_app_errors", "new_app_errors", "lost_writes", "app_p99_ms"),
        *("replica_lag_max_s", "abort_ms", "events", "mismatches_found", "rolled_back"),
    }
    assert json.loads(json.dumps(figures))["lost_writes"] is None
