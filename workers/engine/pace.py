"""How fast to go: rows per batch from what the last batches cost, and a limit in rows per second.

Shrinks at once and grows slowly, so that a batch stays short enough for locks, replicas and an abort. Frozen values:
every method returns the next one, and the clock's reading is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

SAMPLES = 10
"""Batches that are weighed before growing: with ten, the 90th percentile lets one hiccup pass."""
GROWTH = 1.5
"""Most growth at a time: a batch that met its target is then at worst half a target too long."""
FAR_OVER = 5
"""Times the target at which halving would take too long to help."""


@dataclass(frozen=True)
class PaceLimits:
    """The bounds of a batch. Seconds bound it from above: they are also what an abort or a rollback costs."""

    first_rows: int = 1_000
    """Size before anything was measured."""
    min_rows: int = 10
    """Below this the fixed cost of a transaction is all there is."""
    max_rows: int = 50_000
    """Keeps the locks of one transaction, and the replica's work for it, in bounds where rows are cheap."""
    target_s: float = 0.3
    cap_s: float = 1.0
    """Longer than this halves at once: an abort must be through within a second."""

    def bounded(self, rows: float) -> int:
        return min(self.max_rows, max(self.min_rows, int(rows)))


@dataclass(frozen=True)
class Pace:
    """The batch size now, and the seconds of the batches since it last changed."""

    limits: PaceLimits
    rows: int
    samples: tuple[float, ...] = ()

    @classmethod
    def starting(cls, limits: PaceLimits, rows: int | None = None) -> Pace:
        """`rows` is where an earlier slice left off; None starts from the limits' first size."""
        return cls(limits, limits.bounded(limits.first_rows if rows is None else rows))

    def learn(self, rows: int, seconds: float) -> Pace:
        """Return the pace after a batch of `rows` rows. One that was kept smaller than asked never makes it grow."""
        if seconds > FAR_OVER * self.limits.target_s:
            return self._shrunk(min(rows, self.rows) / 10)
        if seconds > self.limits.cap_s:
            return self._shrunk(min(rows, self.rows) / 2)
        if rows < self.rows:
            return self
        samples = (*self.samples, seconds)
        if len(samples) < SAMPLES:
            return replace(self, samples=samples)
        slow = sorted(samples)[ceil(0.9 * len(samples)) - 1]
        change = min(GROWTH, self.limits.target_s / slow) if slow > 0 else GROWTH
        return Pace(self.limits, self.limits.bounded(self.rows * change))

    def halved(self) -> Pace:
        """Return half the pace: a statement ran into its limit."""
        return self._shrunk(self.rows / 2)

    @property
    def is_smallest(self) -> bool:
        return self.rows <= self.limits.min_rows

    def _shrunk(self, rows: float) -> Pace:
        return Pace(self.limits, self.limits.bounded(rows))


@dataclass(frozen=True)
class RateLimit:
    """Rows per second as a token bucket that holds one batch: a batch goes at once, the next when it is paid for.

    To change the rate, replace `rows_per_s`; what is owed stays owed.
    """

    rows_per_s: float | None = None
    """None for no limit."""
    free_at: float = 0.0
    """Clock reading from which on the next batch may start."""

    def bounded(self, rows: int) -> int:
        """Return at most a second's worth of rows, so that the wait for a batch is never longer than that."""
        return rows if self.rows_per_s is None else max(1, min(rows, int(self.rows_per_s)))

    def wait_s(self, now: float) -> float:
        return max(0.0, self.free_at - now) if self.rows_per_s is not None else 0.0

    def spend(self, rows: int, began: float) -> RateLimit:
        """Return the limit after a batch of `rows` rows that began at that clock reading."""
        if self.rows_per_s is None:
            return self
        return replace(self, free_at=max(self.free_at, began) + rows / self.rows_per_s)
