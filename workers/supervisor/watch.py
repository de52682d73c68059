"""Watches one target over connections of its own: reads its signals twice a second and writes a sample each second.

Also while no run is active, so that a run starts with knowledge and a chart shows what was normal before it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack

from migrations_app.lifecycle import PlanStatus
from migrations_app.models import Plan, Target
from migrations_app.selectors.clock import ControlClock
from migrations_app.services.samples import sample_write
from workers.engine.adapters.base import Adapter
from workers.engine.signals import SIGNALS, Settings
from workers.supervisor.control import attempt
from workers.supervisor.patience import Patient
from workers.supervisor.plan_watch import PlanWatch, as_row
from workers.supervisor.worst import WorstReadings
from workers.targets import adapter_of

ROUND_S = 0.5
IDLE_ROUND_S = 1.0
"""How soon a plan that becomes active is noticed."""
SAMPLE_EVERY_S = 0.95
"""A second, less what a round may come early."""
IDLE_EVERY_S = 5.0
"""Of a target without an active plan only the lag is of interest, and only roughly."""
RELOAD_EVERY_S = 5.0
"""A changed address or password is noticed within it."""
STUCK_S = 15.0
"""As for a stale reading: another supervisor may try."""
PLAN_SIGNALS = ("probe",)
"""Read for each plan by its own watch."""


class Watch(threading.Thread):
    """One target's thread."""

    def __init__(self, target_id: int) -> None:
        super().__init__(name=f"watch-{target_id}", daemon=True)
        self._target_id = target_id
        self._ended = threading.Event()
        self._moved_at = time.monotonic()
        self._servers = _Servers()
        self._clock = ControlClock()
        self._plans: dict[int, PlanWatch] = {}
        self._worst = WorstReadings()
        self._sampled_at = self._loaded_at = float("-inf")

    def end(self) -> None:
        self._ended.set()

    def is_stuck(self) -> bool:
        """Return whether a round has taken so long that another supervisor should try."""
        return time.monotonic() - self._moved_at > STUCK_S

    def run(self) -> None:
        try:
            while not self._ended.is_set():
                self._moved_at = began = time.monotonic()
                attempt("watch", self._round, target=self._target_id)
                round_s = ROUND_S if self._plans else IDLE_ROUND_S
                self._ended.wait(max(0.0, round_s - (time.monotonic() - began)))
        finally:
            for plan in self._plans.values():
                plan.end()
            self._servers.close()

    def _round(self) -> None:
        now = time.monotonic()
        if now - self._loaded_at >= RELOAD_EVERY_S:
            self._servers.load(self._target_id)
            self._loaded_at = now
        self._follow_plans()
        every_s = SAMPLE_EVERY_S if self._plans else IDLE_EVERY_S
        if not self._plans and now - self._sampled_at < every_s:
            return
        self._read_signals()
        if now - self._sampled_at >= every_s:
            self._sampled_at = now
            self._write_sample()

    def _follow_plans(self) -> None:
        """Watch the plans that are under way on this target, and no others."""
        under_way = Plan.objects.filter(
            target=self._target_id, status__in=(PlanStatus.ACTIVE, PlanStatus.REVERTING)
        ).select_related("target")
        found = {plan.pk: plan for plan in under_way}
        for pk in set(self._plans) - set(found):
            self._plans.pop(pk).end()
        for pk in set(found) - set(self._plans):
            self._plans[pk] = PlanWatch(found[pk], self._clock)

    def _read_signals(self) -> None:
        """Read every signal of the server, and keep the worst of each until the next sample."""
        if self._servers.primary is None:
            return
        for signal in SIGNALS.values():
            if signal.name in PLAN_SIGNALS:
                continue
            thresholds = self._thresholds(signal.name, signal.defaults)
            for reading in signal.read(self._servers.primary, self._servers.replicas, self._clock, thresholds):
                self._worst.add(reading)

    def _thresholds(self, signal: str, defaults: Settings) -> Settings:
        """Return the strictest thresholds of the plans under way; a run compares with its own plan's."""
        limits = [plan.limits for plan in self._plans.values()]
        if signal != "replication_lag" or not limits:
            return defaults
        return Settings(min(limit["lag_slow_s"] for limit in limits), min(limit["lag_hold_s"] for limit in limits))

    def _write_sample(self) -> None:
        readings = [as_row(reading) for reading in self._worst.take()]
        for plan in self._plans.values():
            readings += plan.readings(self._servers.primary)
        sample_write(self._target_id, readings)
        for plan in self._plans.values():
            plan.brake()


class _Servers:
    """Connections to the primary and the replicas, renewed when the target's row says something else."""

    def __init__(self) -> None:
        self.primary: Adapter | None = None
        """None while its password cannot be had."""
        self.replicas: Mapping[str, Patient] = {}
        self._key: object = None
        self._open = ExitStack()

    def load(self, target_id: int) -> None:
        """Raise SecretUnavailable where there is no password; the next load tries again."""
        target = Target.objects.get(pk=target_id)
        replicas = list(target.replicas.all())
        key = (_place(target), [(replica.name, replica.host, replica.port) for replica in replicas])
        if key == self._key:
            return
        self.close()
        tag = f"lockstep:watch:t{target.pk}"
        self.primary = self._open.enter_context(adapter_of(target, tag=tag))
        self.replicas = {
            replica.name: Patient(replica.name, self._open.enter_context(adapter_of(target, replica, tag=tag)))
            for replica in replicas
        }
        self._key = key

    def close(self) -> None:
        self._open.close()
        self.primary, self.replicas, self._key = None, {}, None


def _place(target: Target) -> tuple[object, ...]:
    secret = (target.secret_kind, target.secret_reference, target.secret_sealed)
    return (target.engine, target.host, target.port, target.database, target.username, target.tls, *secret)
