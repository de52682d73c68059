"""Keeps the worst reading of each signal between two samples: a peak that lasted half a second still holds a run."""

from __future__ import annotations

from workers.engine.throttle import Reading


class WorstReadings:
    def __init__(self) -> None:
        self._worst: dict[tuple[str, str], Reading] = {}

    def add(self, reading: Reading) -> None:
        key = (reading.signal, reading.source)
        self._worst[key] = max(self._worst.get(key, reading), reading, key=_badness)

    def take(self) -> list[Reading]:
        """Return the worst of each signal and source since the last time, and begin anew."""
        taken = list(self._worst.values())
        self._worst.clear()
        return taken


def _badness(reading: Reading) -> float:
    """What could not be observed is worse than anything that was."""
    return float("inf") if reading.observed is None else reading.observed
