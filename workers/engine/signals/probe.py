"""How long a read of the plan's choice takes on the primary: what applications feel, and the error budget's source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from workers.engine.budget import Assessment, GuardAction, Standing
from workers.engine.errors import EngineError
from workers.engine.signals import Server, Settings, Signal
from workers.engine.throttle import Reading

HOLD_BURN = 12.0
"""Twelve times the burn that slows is, with the windows by default, the one that aborts."""


def read(
    primary: Server, replicas: Mapping[str, Server], clock: Callable[[], float], settings: Settings
) -> Sequence[Reading]:
    """Run the probe once and time it; None where it failed, timed out or gave no number."""
    if not settings.query:
        return []
    began = clock()
    try:
        answered = primary.scalar(settings.query, settings.timeout_s) is not None
    except EngineError:
        answered = False
    latency_ms = (clock() - began) * 1_000 if answered else None
    return [Reading(SIGNAL.name, "", latency_ms, settings.slow_at, settings.hold_at, SIGNAL.unit, began)]


SIGNAL = Signal(
    name="probe",
    title="Probe latency",
    unit="ms",
    defaults=Settings(slow_at=100.0, hold_at=500.0),  # a keyed read takes a few ms; half a second is felt by people
    read=read,
)


def budget_reading(assessment: Assessment, at: float) -> Reading:
    """Say a budget that asks to slow as one more reading, so that the loop knows one brake.

    Unit: times the burn at which the plan's windows ask to slow. None (hold) where nobody has probed for too long.
    """
    blind = assessment.standing is Standing.NO_DATA and assessment.action is not None
    nearness = [
        min(burn.long, burn.short) / burn.window.factor
        for burn in assessment.burns
        if burn.window.action is GuardAction.SLOW and burn.long is not None and burn.short is not None
    ]
    return Reading("error_budget_burn", "", None if blind else max(nearness, default=0.0), 1.0, HOLD_BURN, "x", at)
