"""Runs a plan's probe five times a second on the primary and counts what was bad: the error budget's eyes."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Sequence

from migrations_app.models import Plan, Target
from migrations_app.selectors.clock import ControlClock
from migrations_app.services.samples import ProbedSecond, probes_write
from workers.engine.adapters.base import Adapter
from workers.engine.budget import Bucket, Objective
from workers.engine.errors import EngineError, Refused
from workers.engine.throttle import Reading
from workers.supervisor.control import attempt, borrowed_connection
from workers.targets import adapter_of

EVERY_S = 0.2
BETWEEN_TRIES_S = 1.0
RELOAD_AFTER = 25
"""Failures in a row, five seconds' worth, after which the target's address is read anew."""
PATIENCE = 4
"""Times the objective's latency after which a probe is given up; it is bad long before."""
LEAST_TIMEOUT_S = 0.5
LATEST = 5
"""Probes whose middle one is the latency shown: one second's, so that one hiccup does not hold a run."""

OLD_S = 3.0
"""Probes that ended longer ago say nothing of now."""


class Prober(threading.Thread):
    def __init__(self, plan: Plan, objective: Objective, clock: ControlClock, *, reach_s: float) -> None:
        """`reach_s` is how far back `buckets` must know."""
        super().__init__(name=f"prober-{plan.pk}", daemon=True)
        self._plan, self._objective, self._clock, self._reach_s = plan, objective, clock, reach_s
        self._query: str = plan.content["guards"]["probe"]
        self._timeout_s = max(LEAST_TIMEOUT_S, PATIENCE * objective.latency_ms / 1000)
        self._ended = threading.Event()
        self._latest: deque[float | None] = deque(maxlen=LATEST)
        self._probed_at = float("-inf")
        self._running: ProbedSecond | None = None
        self._over: list[ProbedSecond] = []
        known = plan.probe_buckets.filter(second__gte=clock() - reach_s).order_by("second")
        self._guard = threading.Lock()
        self._buckets = deque(Bucket(*row) for row in known.values_list("second", "total", "bad"))
        self.refusal = ""
        """Why the target takes no probe now, though it answers; empty where it does."""

    def end(self) -> None:
        self._ended.set()

    def buckets(self) -> Sequence[Bucket]:
        """Return the seconds that are over, oldest first."""
        with self._guard:
            return list(self._buckets)

    def latency(self, now: float) -> Reading | None:
        """Return the middle latency of the last probes, unobserved where most failed; None where none is new."""
        if now - self._probed_at > OLD_S:
            return None
        middle = statistics.median_high(float("inf") if each is None else each for each in self._latest)
        observed = None if middle == float("inf") else middle
        slow_at = self._objective.latency_ms
        return Reading("probe", "", observed, slow_at, 2 * slow_at, "ms", now)

    def run(self) -> None:
        while not self._ended.is_set():
            attempt("probe", self._probe_on, plan=self._plan.pk)
            self._ended.wait(BETWEEN_TRIES_S)

    def _probe_on(self) -> None:
        """Probe until the end, or until it is refused: a wrong password or query proves nothing and is not counted."""
        target = Target.objects.get(pk=self._plan.target_id)
        failures = 0
        with adapter_of(target, tag=f"lockstep:probe:p{self._plan.pk}") as adapter:
            while not self._ended.is_set() and failures < RELOAD_AFTER:
                began = time.monotonic()
                latency_ms = self._probe(adapter)
                self.refusal = ""
                failures = failures + 1 if latency_ms is None else 0
                self._latest.append(latency_ms)
                self._probed_at = self._clock()
                self._count(self._objective.is_good(latency_ms), latency_ms)
                if self._over:
                    with borrowed_connection():
                        probes_write(self._plan.pk, self._over)
                    self._over = []
                self._ended.wait(max(0.0, EVERY_S - (time.monotonic() - began)))

    def _probe(self, adapter: Adapter) -> float | None:
        """Return how long it took in milliseconds, or None where it failed. What it answers does not matter."""
        began = time.monotonic()
        try:
            adapter.scalar(self._query, self._timeout_s)
        except Refused as error:
            self.refusal = str(error)
            raise
        except EngineError:
            return None
        return (time.monotonic() - began) * 1000

    def _count(self, is_good: bool, latency_ms: float | None) -> None:
        second = int(self._clock())
        worst_ms = self._timeout_s * 1000 if latency_ms is None else latency_ms
        at = self._running
        if at is None or at.second != second:
            if at is not None:
                self._end_second(at)
            at = ProbedSecond(second, 0, 0, 0.0)
        self._running = ProbedSecond(second, at.total + 1, at.bad + (not is_good), max(at.worst_ms, worst_ms))

    def _end_second(self, over: ProbedSecond) -> None:
        self._over.append(over)
        with self._guard:
            self._buckets.append(Bucket(over.second, over.total, over.bad))
            while self._buckets[0].second < over.second - self._reach_s:
                self._buckets.popleft()
