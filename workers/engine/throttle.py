"""Go, slow or hold: what the readings of a target's signals allow now. Pure, and blind means hold.

A reading that is old, missing or not a number holds like one over its threshold, because a replica that cannot be
asked may be the one that is far behind.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isnan

STALE_S = 15.0
"""Three missed samples of five seconds, so that one slow poll does not flap."""
RESUME = 0.8
"""Part of `hold_at` below which a held run goes on, so that it does not swing about the threshold."""
SLOWEST = 0.1
"""A slowed run still moves: slower than a tenth looks like a fault and only prolongs the dual-write."""


@dataclass(frozen=True)
class Reading:
    """One observation of one signal, with the thresholds that stand for it."""

    signal: str
    source: str
    """The replica or part that it is about; empty for the primary itself."""
    observed: float | None
    """None where it could not be observed."""
    slow_at: float
    """Above it the run is slowed, the more the nearer it comes to `hold_at`."""
    hold_at: float
    unit: str
    at: float
    """Epoch seconds at which it was observed."""

    @property
    def utilisation(self) -> float | None:
        """Return the part of the hold threshold that is used; None where nothing was observed or nothing is allowed."""
        return None if self.observed is None or self.hold_at <= 0 else self.observed / self.hold_at

    @property
    def subject(self) -> str:
        return _words(self.signal) + (f" of {self.source}" if self.source else "")


class Kind(StrEnum):
    GO = "go"
    SLOW = "slow"
    HOLD = "hold"


@dataclass(frozen=True)
class Verdict:
    kind: Kind
    factor: float = 1.0
    """Part of full speed: 1 for go, 0 for hold."""
    reason: str = ""
    """`<signal> <observed> > <threshold>`; empty for go."""


def decide(
    readings: Sequence[Reading],
    now: float,
    *,
    previous: Kind = Kind.GO,
    required: Collection[str] = (),
    stale_s: float = STALE_S,
) -> Verdict:
    """Return the strictest of what the readings ask for.

    `required` names the signals that must have a reading; `previous` is the last verdict, since a held run goes on
    only well below the threshold.
    """
    seen = {reading.signal for reading in readings}
    missing = [_hold(f"{_words(signal)} has not been observed") for signal in required if signal not in seen]
    verdicts = [_judge(reading, now, previous, stale_s) for reading in readings]
    return min([*missing, *verdicts], key=lambda verdict: verdict.factor, default=Verdict(Kind.GO))


def _judge(reading: Reading, now: float, previous: Kind, stale_s: float) -> Verdict:
    observed, age = reading.observed, now - reading.at
    if observed is None or isnan(observed):
        return _hold(f"{reading.subject} cannot be observed")
    if age < -stale_s:
        return _hold(f"{reading.subject} is dated {-age:.0f} s ahead > {stale_s:.0f} s")
    if not age <= stale_s:
        return _hold(f"{reading.subject} was last observed {age:.0f} s ago > {stale_s:.0f} s")
    hold_above = reading.hold_at * (RESUME if previous is Kind.HOLD else 1.0)
    if not observed <= hold_above:
        return _hold(_reason(reading, observed, hold_above))
    if not observed <= reading.slow_at:
        room = (reading.hold_at - observed) / (reading.hold_at - reading.slow_at)
        return Verdict(Kind.SLOW, max(SLOWEST, room), _reason(reading, observed, reading.slow_at))
    return Verdict(Kind.GO)


def _hold(reason: str) -> Verdict:
    return Verdict(Kind.HOLD, 0.0, reason)


def _reason(reading: Reading, observed: float, threshold: float) -> str:
    """Say it with one decimal, or with three where both sides would otherwise read the same."""
    decimals = 1 if f"{observed:.1f}" != f"{threshold:.1f}" else 3
    return (
        f"{reading.subject} {observed:.{decimals}f} {reading.unit} > {threshold:.{decimals}f} {reading.unit}"
    ).replace("  ", " ")


def _words(signal: str) -> str:
    return signal.replace("_", " ")
