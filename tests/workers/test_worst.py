"""Between two samples the worst reading counts, and one that failed is the worst."""

from __future__ import annotations

import pytest

from workers.engine.throttle import Reading
from workers.supervisor.worst import WorstReadings


def lag(observed: float | None, source: str = "replica1") -> Reading:
    return Reading("replication_lag", source, observed, 1.0, 2.0, "s", 1_000.0)


@pytest.mark.parametrize(
    ("seen", "worst"), [((0.1, 3.0, 0.2), 3.0), ((0.1, None, 0.2), None), ((None, 9.0), None), ((0.5,), 0.5)]
)
def test_the_worst_of_a_source_is_kept(seen, worst):
    readings = WorstReadings()

    for observed in seen:
        readings.add(lag(observed))

    assert [reading.observed for reading in readings.take()] == [worst]


def test_each_source_has_its_own():
    readings = WorstReadings()
    readings.add(lag(0.1, "replica1"))
    readings.add(lag(3.0, "replica2"))

    assert {(reading.source, reading.observed) for reading in readings.take()} == {("replica1", 0.1), ("replica2", 3.0)}


def test_a_peak_counts_in_one_sample_only():
    readings = WorstReadings()
    readings.add(lag(3.0))
    readings.take()

    readings.add(lag(0.1))

    assert [reading.observed for reading in readings.take()] == [0.1]
