"""Reads a plan's state once for all sockets of a process whose readers may do the same, instead of once for each.

The state in words takes some twenty queries. It is kept for a second, and never beyond the next event, so that a page
hears of an event with words that know it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from migrations_app.authorize import roles_of
from migrations_app.models import Plan, User
from migrations_app.selectors.feed import last_seq, present_state
from migrations_app.selectors.votes import editors_of

KEEP_S = 1.0
"""What changes without an event, such as an age or a figure in a reason, may be this late."""

State = tuple[dict[str, Any], dict[str, Any]]
Readers = tuple[int, frozenset[str], bool]


@dataclass(frozen=True)
class Kept:
    until: float
    seq: int
    state: State


class SharedState:
    """Keeps the newest state of each plan for each kind of reader."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Readers, Kept] = {}

    def __call__(self, plan: Plan, actor: User) -> State:
        """Return state and derived as `present_state` would, at most KEEP_S old. Three queries where it is known."""
        readers = (plan.pk, frozenset(roles_of(actor, plan.target)), actor.person in editors_of(plan))
        seq = last_seq(plan)
        with self._lock:
            kept = self._kept.get(readers)
        if kept is not None and kept.seq == seq and self._clock() < kept.until:
            return kept.state
        state = present_state(plan, actor)
        with self._lock:
            now = self._clock()
            self._kept = {key: each for key, each in self._kept.items() if now < each.until}
            self._kept[readers] = Kept(now + KEEP_S, seq, state)
        return state
