"""What each signal asks its servers, and what it says when they do not answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from workers.engine.adapters.memory import MemoryAdapter, MemoryServer
from workers.engine.budget import Assessment, Bucket, GuardAction, Objective, Window, assess
from workers.engine.errors import EngineError, StatementTimeout, Unreachable, WrongServer
from workers.engine.signals import SIGNALS, Server, Settings
from workers.engine.signals.probe import budget_reading
from workers.engine.throttle import Kind, Reading, decide

NOW = 1_000.0
LAG = SIGNALS["replication_lag"]
PROBE = SIGNALS["probe"]
QUERY = "SELECT 1"


class Away:
    """A server that answers nothing."""

    def __init__(self, error: EngineError) -> None:
        self.error = error

    def position(self) -> str:
        raise self.error

    def replica_lag_s(self, position: str) -> float | None:
        raise self.error

    def scalar(self, query: str, timeout_s: float) -> float | None:
        raise self.error


def a_server(*, lag_s: float | None = 0.0) -> MemoryAdapter:
    server = MemoryServer()
    server.replica_lag_s = lag_s
    server.scalars[QUERY] = 1.0
    return MemoryAdapter(server)


def a_clock(*, step_s: float = 0.0) -> Callable[[], float]:
    """Return a clock that is `step_s` later at each look."""
    looks = iter(range(1_000))
    return lambda: NOW + next(looks) * step_s


def lag_of(primary: Server, **replicas: Server) -> list[Reading]:
    return list(LAG.read(primary, replicas, a_clock(), LAG.defaults))


def probe_of(primary: Server, *, query: str = QUERY, took_s: float = 0.02) -> list[Reading]:
    settings = Settings(slow_at=100, hold_at=500, query=query)
    return list(PROBE.read(primary, {}, a_clock(step_s=took_s), settings))


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal_is_registered_under_its_own_name(name: str) -> None:
    assert SIGNALS[name].name == name


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal_slows_before_it_holds(name: str) -> None:
    assert SIGNALS[name].defaults.slow_at < SIGNALS[name].defaults.hold_at


# Replication lag.


def test_every_replica_has_a_reading_of_its_own() -> None:
    readings = lag_of(a_server(), east=a_server(lag_s=0.2), west=a_server(lag_s=3.0))

    assert [(reading.source, reading.observed) for reading in readings] == [("east", 0.2), ("west", 3.0)]


def test_a_target_without_replicas_has_no_lag_to_read() -> None:
    assert lag_of(a_server()) == []


@pytest.mark.parametrize("error", [Unreachable("No connection."), WrongServer("It is no replica.")])
def test_a_replica_that_cannot_be_asked_is_a_reading_without_a_value(error: EngineError) -> None:
    readings = lag_of(a_server(), east=a_server(lag_s=0.2), west=Away(error))

    assert [reading.observed for reading in readings] == [0.2, None]


def test_no_lag_is_known_while_the_primary_cannot_be_asked() -> None:
    readings = lag_of(Away(Unreachable("No connection.")), east=a_server(lag_s=0.2))

    assert [reading.observed for reading in readings] == [None]


def test_a_reading_carries_the_plans_thresholds() -> None:
    [reading] = LAG.read(a_server(), {"east": a_server()}, a_clock(), Settings(slow_at=5, hold_at=9))

    assert (reading.slow_at, reading.hold_at, reading.unit) == (5, 9, "s")


def test_a_reading_is_dated_when_the_replica_was_asked() -> None:
    readings = LAG.read(a_server(), {"east": a_server(), "west": a_server()}, a_clock(step_s=2), LAG.defaults)

    assert [reading.at for reading in readings] == [NOW, NOW + 2]


# Probe.


def test_a_probe_is_timed() -> None:
    [reading] = probe_of(a_server(), took_s=0.02)

    assert reading.observed == pytest.approx(20)


@pytest.mark.parametrize("server", [Away(StatementTimeout("Too slow.")), Away(Unreachable("No connection."))])
def test_a_probe_that_fails_is_a_reading_without_a_value(server: Server) -> None:
    [reading] = probe_of(server)

    assert reading.observed is None


def test_a_probe_that_gives_no_number_has_failed() -> None:
    [reading] = probe_of(a_server(), query="SELECT 2")

    assert reading.observed is None


def test_a_plan_without_a_probe_has_no_reading_of_it() -> None:
    assert probe_of(a_server(), query="") == []


# The budget as a reading.


def an_assessment(*, bad: int, run_s: float = 20, windows: tuple[Window, ...] | None = None) -> Assessment:
    buckets = [Bucket(second, 100, bad) for second in range(940, 1_001)]
    window = Window(30, 5, 2, GuardAction.SLOW)
    return assess(buckets, Objective(slo=0.99), windows or (window,), NOW, began=NOW - run_s)


@pytest.mark.parametrize(("bad", "kind"), [(1, Kind.GO), (3, Kind.SLOW), (30, Kind.HOLD)])
def test_a_burning_budget_slows_and_then_holds(bad: int, kind: Kind) -> None:
    reading = budget_reading(an_assessment(bad=bad), NOW)

    assert decide([reading], NOW).kind is kind


def test_a_budget_that_nobody_probes_holds() -> None:
    assessment = assess([], Objective(), (), NOW, began=NOW - 16)

    assert decide([budget_reading(assessment, NOW)], NOW).kind is Kind.HOLD


def test_a_budget_without_a_window_that_slows_goes() -> None:
    pause = Window(30, 5, 2, GuardAction.PAUSE)

    assert budget_reading(an_assessment(bad=50, windows=(pause,)), NOW).observed == 0
