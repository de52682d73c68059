"""What is watched for one plan that is under way: its probe and error budget, and the use of both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from migrations_app.content import operations_of
from migrations_app.lifecycle import ACTIVE_RUNS, PhaseStatus
from migrations_app.models import Plan, TargetSample
from migrations_app.selectors.clock import ControlClock
from migrations_app.services.guards import guard_trip
from workers.engine.adapters.base import Adapter
from workers.engine.budget import Assessment, GuardAction, Objective, Standing, Window, assess
from workers.engine.signals.probe import budget_reading
from workers.engine.throttle import Reading
from workers.engine.vocabulary import Phase
from workers.supervisor.prober import Prober
from workers.supervisor.side_use import SideUse

GUARD = "probe"


class PlanWatch:
    def __init__(self, plan: Plan, clock: ControlClock) -> None:
        self._plan, self._clock = plan, clock
        self._since = clock()
        self._guards = plan.content["guards"]
        self._objective = Objective(
            slo=self._guards["slo"], latency_ms=self._guards["latency_ms"], run_share=self._guards["cap"]
        )
        self._windows = tuple(
            Window(w["long_s"], w["short_s"], w["burn"], GuardAction(w["action"])) for w in self._guards["windows"]
        )
        self._use = SideUse(plan.pk, operations_of(plan.content)[0].sync(f"p{plan.pk}o0"), _last_sample(plan))
        self._assessment: Assessment | None = None
        self._prober: Prober | None = None
        if self._guards["probe"]:
            reach_s = max([3600.0, *(window.long_s for window in self._windows)])
            self._prober = Prober(plan, self._objective, clock, reach_s=reach_s)
            self._prober.start()

    @property
    def limits(self) -> Mapping[str, float]:
        limits: Mapping[str, float] = self._plan.content["limits"]
        return limits

    def end(self) -> None:
        if self._prober:
            self._prober.end()

    def readings(self, primary: Adapter | None) -> list[dict[str, Any]]:
        """Return this plan's part of the target's sample, and judge the error budget on the way."""
        now = self._clock()
        rows = self._use.read(primary, now)
        if self._prober is None:
            return rows
        self._assessment = assess(
            self._prober.buckets(),
            self._objective,
            self._windows,
            now,
            began=self._began() or now,
            watched_since=self._since,
        )
        if self._prober.refusal and self._assessment.standing is Standing.NO_DATA:
            reason = f"{self._assessment.reason}: {self._prober.refusal}"
            self._assessment = replace(self._assessment, reason=reason)
        found = (budget_reading(self._assessment, now), self._prober.latency(now))
        return rows + [as_row(replace(reading, source=f"plan {self._plan.pk}")) for reading in found if reading]

    def brake(self) -> None:
        """Do what the spent budget asks for; slowing is done by the burn's reading alone."""
        found = self._assessment
        if found is None or found.action in (None, GuardAction.SLOW):
            return
        numbers = {
            "standing": found.standing,
            "spent": found.spent,
            "cap": self._objective.run_share,
            "slo": self._objective.slo,
            "windows": [
                {
                    "long_s": burn.window.long_s,
                    "short_s": burn.window.short_s,
                    "threshold": burn.window.factor,
                    "long_burn": burn.long,
                    "short_burn": burn.short,
                }
                for burn in found.burns
                if burn.standing is Standing.BREACH
            ],
        }
        guard_trip(self._plan, GUARD, found.action, reason=found.reason, numbers=numbers)

    def _began(self) -> float | None:
        """Return since when the budget counts against this plan: its run, or cutover where it may be undone."""
        run = self._plan.runs.filter(status__in=ACTIVE_RUNS).first()
        if run is not None:
            return float((run.started_at or run.requested_at).timestamp())
        if not self._guards["undo_cutover"]:
            return None
        cutover = self._plan.phases.filter(name=Phase.CUTOVER, status=PhaseStatus.DONE).first()
        return float(cutover.since.timestamp()) if cutover else None


def as_row(reading: Reading) -> dict[str, Any]:
    """Return a reading as it is kept in a sample, which has the time."""
    names = ("signal", "source", "observed", "unit", "slow_at", "hold_at")
    return {name: getattr(reading, name) for name in names}


def _last_sample(plan: Plan) -> TargetSample | None:
    found: TargetSample | None = TargetSample.objects.filter(target=plan.target_id).order_by("-n").first()
    return found
