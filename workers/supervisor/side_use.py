"""Since when each side of a sync has not been used, from counters that only change by use.

The counters live in the target; the last change lives in the samples, with the counts it was seen by. So a restart
neither forgets a use nor invents one: counts that moved while nobody watched date the use to now. What cannot be
counted is unknown, never "unused".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from migrations_app.models import TargetSample
from workers.engine.adapters.base import Adapter
from workers.engine.errors import EngineError
from workers.engine.vocabulary import Sync

STATISTICS_EVERY_S = 5.0
"""Reading the statement statistics means reading all their texts."""

Counts = Mapping[str, int]


@dataclass
class _Side:
    counts: Counts = field(default_factory=dict)
    since: float | None = None
    """Epoch seconds of the last change that was seen; None where nothing could be counted yet."""

    def note(self, counts: Counts, now: float) -> float | None:
        """Return seconds since the last use; None where nothing can be counted now."""
        moved = any(self.counts.get(name) != count for name, count in counts.items())
        if moved or self.since is None:
            self.since = now
        self.counts = counts
        if not counts:
            self.since = None
            return None
        return max(0.0, now - self.since)


class SideUse:
    def __init__(self, plan_id: int, sync: Sync, last: TargetSample | None) -> None:
        self._source, self._sync = f"plan {plan_id}", sync
        self._columns = {"old": sync.old, "new": sync.new}
        self._sides = {side: _from_sample(last, f"{side}_side_use", self._source) for side in self._columns}
        self._reads: dict[str, int | None] = {}
        self._read_at = float("-inf")

    def read(self, primary: Adapter | None, now: float) -> list[dict[str, Any]]:
        """Return one row for each side; `now` in epoch seconds."""
        counted = self._count(primary, now)
        return [
            {
                "signal": f"{side}_side_use",
                "source": self._source,
                "observed": memory.note(counted[side], now) if counted is not None else None,
                "unit": "s",
                "slow_at": None,
                "hold_at": None,
                "counts": dict(memory.counts),
                "since": memory.since,
            }
            for side, memory in self._sides.items()
        ]

    def _count(self, primary: Adapter | None, now: float) -> dict[str, Counts] | None:
        """Return the counts of each side; None where the target does not answer."""
        if primary is None:
            return None
        try:
            use = primary.sync_use(self._sync)
            if now - self._read_at >= STATISTICS_EVERY_S:
                self._reads = {
                    side: primary.usage(self._sync.table, columns).calls for side, columns in self._columns.items()
                }
                self._read_at = now
        except EngineError:
            return None
        writes = {"old": use.old_writes, "new": use.new_writes} if use else {}
        return {
            side: {
                **({"writes": writes[side]} if side in writes else {}),
                **({"reads": reads} if (reads := self._reads.get(side)) is not None else {}),
            }
            for side in self._columns
        }


def _from_sample(sample: TargetSample | None, signal: str, source: str) -> _Side:
    """Take up what the last sample knew; nothing where it did not know."""
    for row in sample.readings if sample else ():
        if (row["signal"], row["source"]) == (signal, source) and row.get("counts"):
            return _Side(row["counts"], row["since"])
    return _Side()
