"""The eight laws of a plan, each a function that fails where the law is broken, on whichever world it is given.

A law draws what it needs: rows, where it stops or fails, what the applications write in between. `make_world` says on
which engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.laws.applications import LONGEST_GAP, Applications
from tests.laws.drive import ALL_BUT_PURGE, BEGINNING, PLAN, Crash, Drive, untouched
from tests.laws.examples import Example, Values
from tests.laws.world import World, WorldMaker
from workers.engine.advance import Failed, Finished
from workers.engine.errors import ConnectionLost, Mismatch, OutcomeUnknown, Refused
from workers.engine.vocabulary import PHASES, Direction, Phase

Law = Callable[[WorldMaker, Example, st.DataObject], None]


def stopping_after_any_batch_and_resuming_changes_nothing_but_time(
    make_world: WorldMaker, example: Example, data: st.DataObject
) -> None:
    rows, route = data.draw(example.rows(), label="rows"), data.draw(_ROUTES, label="route")
    straight = _travel(make_world(example, rows), example, route, Drive.go_to)
    crashes = _Crashes(data)

    def go_with_crashes(drive: Drive, position: int) -> None:
        drive.meddle = crashes
        drive.go_to(position)

    interrupted = _travel(make_world(example, rows), example, route, go_with_crashes)

    assert interrupted == straight


def replaying_from_the_previous_checkpoint_is_harmless(
    make_world: WorldMaker, example: Example, data: st.DataObject
) -> None:
    drive, applications = _start(make_world, example, data)
    replays = cycle(data.draw(st.lists(st.booleans(), min_size=1, max_size=5), label="which batches are replayed"))

    def replay(name: str, call: Callable[[], Any]) -> Any:
        result = call()
        applications.act()
        return call() if name in ("copy", "compare") and next(replays) else result

    drive.meddle = replay
    for position in data.draw(_ROUTES, label="route"):
        drive.go_to(position)


def a_write_by_either_application_between_any_two_actions_survives_on_both_sides(
    make_world: WorldMaker, example: Example, data: st.DataObject
) -> None:
    drive, applications = _start(make_world, example, data)
    faults = _Faults(data, applications)
    drive.meddle = faults

    for position in data.draw(_ROUTES, label="route"):
        drive.go_to(position)
        applications.check()


def undoing_a_phase_restores_the_catalogue_and_the_old_side_exactly(
    make_world: WorldMaker, example: Example, data: st.DataObject
) -> None:
    drive, applications = _start(make_world, example, data)

    for phase in PHASES[:ALL_BUT_PURGE]:
        before = (drive.world.catalogue(), _side(drive.world, drive.sync.old))
        drive.meddle = _Crashes(data, most=2)
        drive.do(phase)
        drive.undo(phase)

        assert (drive.world.catalogue(), _side(drive.world, drive.sync.old)) == before

        drive.meddle = _Writes(applications)
        drive.do(phase)


def all_phases_before_contract_unwind_to_the_start(
    make_world: WorldMaker, example: Example, data: st.DataObject
) -> None:
    drive, applications = _start(make_world, example, data)
    drive.meddle = _Faults(data, applications)
    catalogue = drive.world.catalogue()

    drive.go_to(data.draw(st.integers(1, PHASES.index(Phase.CONTRACT)), label="as far as"))
    drive.go_to(BEGINNING)

    applications.check()
    assert drive.world.catalogue() == catalogue
    assert _leftovers(drive.world) == ()


def after_contract_and_purge_nothing_of_this_plan_remains_in_the_target(
    make_world: WorldMaker, example: Example, data: st.DataObject
) -> None:
    drive, applications = _start(make_world, example, data)
    drive.meddle = _Faults(data, applications)

    drive.go_to(len(PHASES))

    applications.check()
    assert _leftovers(drive.world) == ()
    assert "lockstep" not in " ".join(drive.world.catalogue())
    assert not any(column in row for row in drive.world.rows().values() for column in drive.sync.old)


def every_action_succeeds_when_repeated(make_world: WorldMaker, example: Example, data: st.DataObject) -> None:
    rows, route = data.draw(example.rows(), label="rows"), data.draw(_ROUTES, label="route")
    straight = _travel(make_world(example, rows), example, route, Drive.go_to)

    def twice(name: str, call: Callable[[], Any]) -> Any:
        first = call()
        return call() if name in ("apply", "claim_lane", "conclude") else first

    def go_by_phases_that_are_done_twice(drive: Drive, position: int) -> None:
        drive.meddle = twice
        while drive.position < position:
            phase = PHASES[drive.position]
            drive.do(phase)
            drive.do(phase)
        while drive.position > position:
            phase = PHASES[drive.position - 1]
            drive.undo(phase)
            drive.undo(phase)

    repeated = _travel(make_world(example, rows), example, route, go_by_phases_that_are_done_twice)

    assert repeated == straight


def a_failure_at_any_action_unwinds(make_world: WorldMaker, example: Example, data: st.DataObject) -> None:
    drive, applications = _start(make_world, example, data)
    start = drive.world.catalogue()

    for phase in PHASES[:ALL_BUT_PURGE]:
        before = drive.world.catalogue()
        drive.meddle = _Failure(data, applications)
        drive.before_phase(phase, Direction.FORWARD)
        try:
            drive.attempt(phase, Direction.FORWARD)
        except Crash:
            pass  # the worker that died is not started again
        drive.meddle = _Writes(applications)
        drive.undo(phase)

        assert drive.world.catalogue() == before

        drive.do(phase)

    drive.go_to(BEGINNING)
    assert drive.world.catalogue() == start
    assert _leftovers(drive.world) == ()


def verify_finds_every_difference_behind_the_syncs_back_and_passes_once_it_is_mended(
    make_world: WorldMaker, example: Example, data: st.DataObject
) -> None:
    """No law of the eight, but what cutover relies on."""
    drive, applications = _start(make_world, example, data)
    drive.meddle = _Writes(applications)
    drive.go_to(PHASES.index(Phase.VERIFY))
    drive.meddle = untouched
    assume(applications.truth)
    key = data.draw(st.sampled_from(sorted(applications.truth)), label="key")
    row = drive.world.rows()[key]
    drive.world.plant(key, dict.fromkeys((*drive.sync.old, *drive.sync.new), "torn"))

    found = drive.attempt(Phase.VERIFY, Direction.FORWARD)
    drive.world.plant(key, row)

    assert isinstance(found, Failed) and isinstance(found.error, Mismatch)
    assert isinstance(drive.attempt(Phase.VERIFY, Direction.FORWARD), Finished)


def writes_in_any_two_gaps_survive(make_world: WorldMaker, example: Example, *, apart: int) -> int:
    """The third law without chance: every statement in any two gaps of one journey that are so many calls apart.

    One write may leave a row for which the next one is dangerous. Returns how many gaps there were.
    """
    gap, calls = 0, 1
    while gap < calls:
        world = make_world(example, example.sample.seed)
        drive = Drive(world, example.operation)
        applications = Applications(example, world, drive, None)
        first, second = example.sample.parts
        meddle = drive.meddle = _WritesAt(applications, {gap: first, gap + apart: second})
        for position in TWICE_THROUGH_CONTRACT:
            drive.go_to(position)
        gap, calls = gap + 1, meddle.calls
    return calls


TWICE_THROUGH_CONTRACT = [ALL_BUT_PURGE, ALL_BUT_PURGE - 1, ALL_BUT_PURGE, BEGINNING]
"""Where progress of the first way back would be stale on the second."""

LAWS: tuple[Law, ...] = (
    stopping_after_any_batch_and_resuming_changes_nothing_but_time,
    replaying_from_the_previous_checkpoint_is_harmless,
    a_write_by_either_application_between_any_two_actions_survives_on_both_sides,
    undoing_a_phase_restores_the_catalogue_and_the_old_side_exactly,
    all_phases_before_contract_unwind_to_the_start,
    after_contract_and_purge_nothing_of_this_plan_remains_in_the_target,
    every_action_succeeds_when_repeated,
    a_failure_at_any_action_unwinds,
    verify_finds_every_difference_behind_the_syncs_back_and_passes_once_it_is_mended,
)

_ROUTES = st.lists(st.integers(BEGINNING, ALL_BUT_PURGE), min_size=1, max_size=4) | st.just(TWICE_THROUGH_CONTRACT)
"""Where a plan is taken, forward and back, one phase at a time."""


def _start(make_world: WorldMaker, example: Example, data: st.DataObject) -> tuple[Drive, Applications]:
    world = make_world(example, data.draw(example.rows(), label="rows"))
    drive = Drive(world, example.operation)
    return drive, Applications(example, world, drive, data)


def _travel(
    world: World, example: Example, route: list[int], go: Callable[[Drive, int], None]
) -> tuple[tuple[str, ...], dict[int, Values], dict[object, object]]:
    """Return all that a journey leaves behind: catalogue, rows and what its batch actions counted."""
    drive = Drive(world, example.operation)
    for position in route:
        go(drive, position)
    return world.catalogue(), world.rows(), {key: _without_batches(each) for key, each in drive.counters.items()}


def _without_batches(counters: Mapping[int, Mapping[str, int]]) -> dict[int, dict[str, int]]:
    """How many batches the rows were cut into is a matter of time."""
    return {
        action: {name: count for name, count in counted.items() if name != "batches"}
        for action, counted in counters.items()
    }


def _side(world: World, columns: tuple[str, ...]) -> dict[int, list[str | None]]:
    return {key: [row[column] for column in columns] for key, row in world.rows().items()}


def _leftovers(world: World) -> tuple[str, ...]:
    with world.adapter(f"lockstep:p{PLAN}:r0:l0:e0") as adapter:
        adapter.remove(PLAN)
        return adapter.leftovers(PLAN)


# What happens around the engine's calls.


@dataclass
class _Writes:
    """Applications write before a call."""

    applications: Applications

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        self.applications.act()
        result = call()
        self.applications.check()
        return result


@dataclass
class _WritesAt:
    """Applications write everything that they can before certain calls."""

    applications: Applications
    parts_by_call: dict[int, Values]
    calls: int = 0

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        if self.calls in self.parts_by_call:
            self.applications.write_all(self.parts_by_call[self.calls])
        self.calls += 1
        result = call()
        self.applications.check()
        return result


class _Crashes:
    """The worker dies before a call or after it, a few times."""

    def __init__(self, data: st.DataObject, *, most: int = 4) -> None:
        crashes = st.tuples(st.integers(0, LONGEST_GAP), st.booleans())
        self.crashes = data.draw(st.lists(crashes, max_size=most), label="crashes: after calls, took effect")
        self.passed = 0

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        gap, after = self.crashes[0] if self.crashes else (LONGEST_GAP, False)
        if not self.crashes or self.passed < gap:
            self.passed += 1
            return call()
        self.crashes.pop(0)
        self.passed = 0
        if after:
            call()
        raise Crash


class _Faults:
    """Applications write, and now and then a call loses its worker, its connection or its answer."""

    def __init__(self, data: st.DataObject, applications: Applications) -> None:
        self.applications = applications
        faults = st.tuples(st.integers(0, LONGEST_GAP), st.sampled_from(list(_FAULTS)), st.booleans())
        self.faults = data.draw(
            st.lists(faults, max_size=6), label="faults: after calls, which, whether it took effect"
        )
        self.passed = 0

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        self.applications.act()
        if not self.faults or self.passed < self.faults[0][0]:
            self.passed += 1
            result = call()
            self.applications.check()
            return result
        _, fault, after = self.faults.pop(0)
        self.passed = 0
        if after and fault != "connection lost":
            call()
        self.applications.check()
        raise _FAULTS[fault]()


class _Failure:
    """From one call on everything fails, or the worker dies when that call has taken effect."""

    def __init__(self, data: st.DataObject, applications: Applications) -> None:
        self.applications = applications
        self.calls_left = data.draw(st.integers(0, 4), label="calls before it fails")
        self.after = data.draw(st.booleans(), label="after it took effect")

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        self.applications.act()
        if self.calls_left:
            self.calls_left -= 1
            return call()
        if self.after:
            call()
            raise Crash
        raise Refused("This action was made to fail.")


_FAULTS: dict[str, Callable[[], Exception]] = {
    "crash": Crash,
    "connection lost": lambda: ConnectionLost("The connection was cut before anything was done."),
    "outcome unknown": lambda: OutcomeUnknown("No answer came."),
}
