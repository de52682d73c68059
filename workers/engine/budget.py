"""Error budgets: how fast probes of the target spend what the objective allows, and which brake that pulls. Pure.

burn = error ratio / (1 - slo): at 1 the budget lasts its period exactly. A window is breached only where its long
and its short part both burn faster than its factor: the long one so that a blip does not brake, the short one so
that the brake is let go soon after the errors end. No data is never taken for success.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from workers.engine.errors import ParametersRefused

NO_DATA_SLOW_S = 15.0
"""As for a stale reading of a signal."""
NO_DATA_PAUSE_S = 60.0
"""A target that no probe has seen for a minute needs a person."""


class GuardAction(StrEnum):
    """What a spent budget asks for, mildest first."""

    SLOW = "slow"
    PAUSE = "pause"
    ABORT = "abort"


class Standing(StrEnum):
    OK = "ok"
    BREACH = "breach"
    NO_DATA = "no_data"


@dataclass(frozen=True)
class Objective:
    """What the target promises its applications, and how much of the room for errors one run may use."""

    slo: float = 0.999
    """Share of probes that must be good."""
    latency_ms: float = 250.0
    """A probe that takes longer is bad."""
    period_s: float = 30 * 86_400.0
    """Over which the promise holds."""
    run_share: float = 0.02
    """Part of the period's budget that one run may spend before it pauses."""

    def __post_init__(self) -> None:
        if not 0 < self.slo < 1:
            raise ParametersRefused(
                f"An objective of {self.slo:g} leaves no room for errors or none for success.",
                remedy="Give a share between 0 and 1, such as 0.999.",
                field="slo",
            )

    def is_good(self, latency_ms: float | None) -> bool:
        """Judge one probe; None where it failed."""
        return latency_ms is not None and latency_ms <= self.latency_ms


@dataclass(frozen=True)
class Window:
    """A burn rate that is too fast when both parts show it, and what it asks for."""

    long_s: float
    short_s: float
    factor: float
    action: GuardAction
    min_events: int = 10
    """Fewer probes than this in the long part prove nothing."""


WINDOWS = (
    Window(300, 30, 14.4, GuardAction.SLOW),  # would pause the run if it went on for an hour
    Window(3_600, 300, 14.4, GuardAction.PAUSE),  # 2 % of 30 days in 1 h
    Window(21_600, 1_800, 6.0, GuardAction.PAUSE),  # 5 % of 30 days in 6 h
    Window(300, 30, 172.8, GuardAction.ABORT),  # 2 % of 30 days in 5 min
    Window(3_600, 300, 36.0, GuardAction.ABORT),  # 5 % of 30 days in 1 h
)
"""The SRE workbook's page and ticket rates, moved to what a run of hours can still react to."""


@dataclass(frozen=True)
class Bucket:
    """The probes of one second."""

    second: int
    """Epoch second in which they ended."""
    total: int
    bad: int


@dataclass(frozen=True)
class Burn:
    """How fast one window burns."""

    window: Window
    long: float | None
    """None where the window holds too few probes."""
    short: float | None

    @property
    def standing(self) -> Standing:
        if self.long is None or self.short is None:
            return Standing.NO_DATA
        return Standing.BREACH if min(self.long, self.short) > self.window.factor else Standing.OK

    @property
    def reason(self) -> str:
        """Say the breach, or what is missing."""
        over = f"over {self.window.long_s:.0f} s and {self.window.short_s:.0f} s"
        if self.long is None or self.short is None:
            return f"error budget burn {over} has fewer than {self.window.min_events} probes"
        return f"error budget burn {over} {min(self.long, self.short):.1f} x > {self.window.factor:.1f} x"


@dataclass(frozen=True)
class Assessment:
    """What the probes say now."""

    standing: Standing
    action: GuardAction | None
    """The strictest that is asked for; None for nothing."""
    burns: tuple[Burn, ...]
    spent: float
    """Part of the period's budget that went since the run began."""
    reason: str
    """Why it asks for the action, or what is missing; empty when all is well."""


def assess(
    buckets: Sequence[Bucket],
    objective: Objective,
    windows: Sequence[Window],
    now: float,
    *,
    began: float,
    watched_since: float = 0.0,
) -> Assessment:
    """Judge the probes; `buckets` in order of time, `now` and the run's `began` as epoch seconds.

    `watched_since`: since when whoever judges has been probing at all, so that one which has only started is given
    the time for its first probe; what went on before, the loop has held for want of a fresh reading.

    One pass over the buckets, so that it may be asked each second with those of hours.
    """
    tally = _Tally(buckets, now)
    burns = tuple(_burn(tally, window, objective) for window in windows)
    spent = tally.bad_seconds(began) / ((1 - objective.slo) * objective.period_s)
    breaches: list[tuple[GuardAction | None, str]] = [
        (burn.window.action, burn.reason) for burn in burns if burn.standing is Standing.BREACH
    ]
    if spent > objective.run_share:
        breaches.append((GuardAction.PAUSE, f"error budget spent by this run {spent:.2%} > {objective.run_share:.2%}"))
    since = max(began, watched_since)
    gaps = _gaps(burns, now - max(since, tally.newest), now - since)
    standing = Standing.BREACH if breaches else Standing.NO_DATA if gaps else Standing.OK
    action, reason = max([*breaches, *gaps], key=lambda asked: _SEVERITY.index(asked[0]), default=(None, ""))
    return Assessment(standing, action, burns, spent, reason)


_SEVERITY = (None, *GuardAction)


def _gaps(burns: Sequence[Burn], blind_s: float, run_s: float) -> list[tuple[GuardAction | None, str]]:
    """Return what cannot be judged, and what that asks for; a window that is not yet full asks for nothing."""
    gaps: list[tuple[GuardAction | None, str]] = []
    if blind_s > NO_DATA_SLOW_S:
        action = GuardAction.PAUSE if blind_s > NO_DATA_PAUSE_S else GuardAction.SLOW
        gaps.append((action, f"error budget has seen no probe for {blind_s:.0f} s > {NO_DATA_SLOW_S:.0f} s"))
    for burn in burns:
        if burn.standing is Standing.NO_DATA:
            gaps.append((GuardAction.SLOW if run_s > burn.window.long_s else None, burn.reason))
    return gaps


class _Tally:
    """Running sums over the buckets up to now, so that any stretch that ends now costs two look-ups."""

    def __init__(self, buckets: Sequence[Bucket], now: float) -> None:
        known = [bucket for bucket in buckets if bucket.total > 0 and bucket.second <= now]
        self.now = now
        self.seconds = [bucket.second for bucket in known]
        self.totals = list(accumulate((bucket.total for bucket in known), initial=0))
        self.bads = list(accumulate((bucket.bad for bucket in known), initial=0))
        self.shares = list(accumulate((bucket.bad / bucket.total for bucket in known), initial=0.0))
        self.newest = float(self.seconds[-1]) if known else float("-inf")

    def ratio(self, last_s: float, min_events: int) -> float | None:
        """Return the share of bad probes in the last seconds; None where there are too few."""
        first = bisect_left(self.seconds, self.now - last_s)
        total = self.totals[-1] - self.totals[first]
        return (self.bads[-1] - self.bads[first]) / total if total >= max(1, min_events) else None

    def bad_seconds(self, since: float) -> float:
        """Return how many seconds since then were bad, a second with some bad probes in part."""
        return self.shares[-1] - self.shares[bisect_left(self.seconds, since)]


def _burn(tally: _Tally, window: Window, objective: Objective) -> Burn:
    room = 1 - objective.slo
    long, short = tally.ratio(window.long_s, window.min_events), tally.ratio(window.short_s, 1)
    return Burn(window, None if long is None else long / room, None if short is None else short / room)
