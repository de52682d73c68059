"""Drives the phases of a plan on a world through the engine's own loop, and lets a law meddle with every call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from tests.laws.world import World
from workers.engine.adapters.base import Adapter
from workers.engine.advance import Finished, Hands, Intent, Limits, Outcome, Work, advance
from workers.engine.operation import Operation
from workers.engine.pace import PaceLimits
from workers.engine.vocabulary import PHASES, Direction, Phase, Step

PLAN, OPERATION = 1, 0
BEGINNING, ALL_BUT_PURGE = 0, PHASES.index(Phase.PURGE)
"""Positions: how many phases are done."""

# Two or three rows a batch, so that the few rows of a law make several batches.
LIMITS = Limits(pace=PaceLimits(first_rows=2, min_rows=1, max_rows=3), accepted_lossy_rows=1_000_000)

Meddle = Callable[[str, Callable[[], Any]], Any]
"""Given a call's name and the call, returns what the loop gets: it may call once, twice or never, or raise."""


class Crash(Exception):
    """The worker died here. It is no EngineError, so that the loop cannot react to it."""


def untouched(name: str, call: Callable[[], Any]) -> Any:
    return call()


class Meddled:
    """An adapter whose writing calls go through a law's hands."""

    WRITING = ("claim_lane", "apply", "copy", "compare", "conclude")

    def __init__(self, adapter: Adapter, meddle: Meddle) -> None:
        self._adapter = adapter
        self._meddle = meddle

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._adapter, name)
        if name not in self.WRITING:
            return attribute
        return lambda *arguments: self._meddle(name, lambda: attribute(*arguments))


class Drive:
    """Carries a plan of one operation through its phases. Each attempt is a run of its own with a newer epoch."""

    def __init__(self, world: World, operation: Operation) -> None:
        self.world = world
        self.steps: dict[Phase, Step] = {step.phase: step for step in operation.steps(f"p{PLAN}o{OPERATION}")}
        self.sync = operation.sync(f"p{PLAN}o{OPERATION}")
        self.position = BEGINNING
        self.run = 0
        self.meddle: Meddle = untouched
        self.before_phase: Callable[[Phase, Direction], None] = lambda phase, direction: None
        self.after_phase: Callable[[Phase, Direction], None] = lambda phase, direction: None
        self.counters: dict[tuple[Phase, Direction], Mapping[int, Mapping[str, int]]] = {}
        """What each phase reported when it finished last."""

    def go_to(self, position: int) -> None:
        while self.position < position:
            self.do(PHASES[self.position])
        while self.position > position:
            self.undo(PHASES[self.position - 1])

    def do(self, phase: Phase) -> None:
        self._finish(phase, Direction.FORWARD)
        self.position = PHASES.index(phase) + 1

    def undo(self, phase: Phase) -> None:
        self._finish(phase, Direction.BACK)
        self.position = PHASES.index(phase)

    def _finish(self, phase: Phase, direction: Direction) -> None:
        """A crash is followed by the next attempt, as the supervisor would have it."""
        self.before_phase(phase, direction)
        outcome: Outcome | None = None
        while outcome is None:
            try:
                outcome = self.attempt(phase, direction)
            except Crash:
                continue
        assert isinstance(outcome, Finished), f"{phase} {direction}: {outcome}"
        self.counters[(phase, direction)] = outcome.counters
        self.after_phase(phase, direction)

    def attempt(self, phase: Phase, direction: Direction) -> Outcome:
        self.run += 1
        actions = self.steps[phase].actions(direction)
        work = Work(
            PLAN,
            OPERATION,
            self.run,
            lane=0,
            epoch=self.run,
            phase=phase,
            direction=direction,
            actions=actions,
            limits=LIMITS,
        )
        tag = f"lockstep:p{PLAN}:r{self.run}:l0:e{self.run}"
        with self.world.adapter(tag) as adapter:
            return advance(work, cast(Adapter, Meddled(adapter, self.meddle)), _hands(), slice_s=3600)


def _hands() -> Hands:
    """Time passes by sleeping only; nothing slows, pauses or aborts."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    return Hands(
        clock=lambda: now[0],
        sleep=sleep,
        random=lambda: 0.5,
        wall=lambda: now[0],
        intent=lambda: Intent.GO,
        renew=lambda: True,
        readings=lambda: (),
        emit=lambda event: None,
    )
