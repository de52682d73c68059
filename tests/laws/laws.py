"""The eight laws of a plan, each a function that fails where the law is broken, on whichever world it is given.

A law draws what it needs: rows, where it stops or fails, what the applications write in between. `make_world` says on
which engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.laws.applications import Applications
from tests.laws.drive import ALL_BUT_PURGE, BEGINNING, PLAN, Crash, Drive
from tests.laws.examples import Example, Values
from tests.laws.world import World, WorldMaker
from workers.engine.advance import Failed, Finished
from workers.engine.errors import ConnectionLost, Mismatch, OutcomeUnknown, Refused
from workers.engine.vocabulary import PHASES, Direction, Phase

MOST_WRITES = 2
"""Between two calls of the engine: several statements meet one gap, and a batch still comes before the table ends."""

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

    def replay(name: str, call: Callable[[], Any]) -> Any:
        result = call()
        applications.act(MOST_WRITES)
        if name in ("copy", "compare") and data.draw(st.booleans(), label="replay"):
            result = call()
            applications.check()
        return result

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
    phase = data.draw(st.sampled_from([*drive.steps][:ALL_BUT_PURGE]), label="phase")
    drive.meddle = _Writes(data, applications)
    drive.go_to(PHASES.index(phase))
    drive.meddle = _Crashes(data)
    before = (drive.world.catalogue(), _side(drive.world, drive.sync.old))

    drive.do(phase)
    drive.undo(phase)

    assert (drive.world.catalogue(), _side(drive.world, drive.sync.old)) == before


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
    catalogue = drive.world.catalogue()
    position = data.draw(st.integers(0, PHASES.index(Phase.CONTRACT)), label="fails in")
    drive.meddle = _Writes(data, applications)
    drive.go_to(position)
    phase = PHASES[position]
    drive.meddle = _Failure(data, applications)

    drive.before_phase(phase, Direction.FORWARD)
    try:
        drive.attempt(phase, Direction.FORWARD)
    except Crash:
        pass  # the worker that died is not started again
    drive.meddle = _Writes(data, applications)
    drive.undo(phase)
    drive.go_to(BEGINNING)

    applications.check()
    assert drive.world.catalogue() == catalogue
    assert _leftovers(drive.world) == ()


def verify_finds_every_difference_behind_the_syncs_back_and_passes_once_it_is_mended(
    make_world: WorldMaker, example: Example, data: st.DataObject
) -> None:
    """No law of the eight, but what cutover relies on."""
    drive, applications = _start(make_world, example, data)
    assume(applications.truth)
    drive.go_to(PHASES.index(Phase.VERIFY))
    key = data.draw(st.sampled_from(sorted(applications.truth)), label="key")
    row = drive.world.rows()[key]
    drive.world.plant(key, dict.fromkeys((*drive.sync.old, *drive.sync.new), "torn"))

    found = drive.attempt(Phase.VERIFY, Direction.FORWARD)
    drive.world.plant(key, row)

    assert isinstance(found, Failed) and isinstance(found.error, Mismatch)
    assert isinstance(drive.attempt(Phase.VERIFY, Direction.FORWARD), Finished)


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

_ROUTES = st.lists(st.integers(BEGINNING, ALL_BUT_PURGE), min_size=1, max_size=4) | st.sampled_from(
    [
        [ALL_BUT_PURGE, ALL_BUT_PURGE - 1, ALL_BUT_PURGE, ALL_BUT_PURGE - 1],
        [ALL_BUT_PURGE, BEGINNING, ALL_BUT_PURGE],
    ]
)
"""Where a plan is taken, forward and back, one phase at a time. Twice through contract is where progress gets stale."""


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
    """Applications write before each call and after it."""

    data: st.DataObject
    applications: Applications

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        self.applications.act(MOST_WRITES)
        result = call()
        self.applications.check()
        return result


@dataclass
class _Crashes:
    """The worker dies before a call or after it, a few times."""

    data: st.DataObject
    left: int = 4

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        crash = (
            self.data.draw(st.sampled_from(["none", "none", "before", "after"]), label=name) if self.left else "none"
        )
        if crash == "none":
            return call()
        self.left -= 1
        if crash == "after":
            call()
        raise Crash


@dataclass
class _Faults:
    """Applications write, and now and then a call loses its worker, its connection or its answer."""

    data: st.DataObject
    applications: Applications
    left: int = 4

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        self.applications.act(MOST_WRITES)
        fault = self.data.draw(_FAULTS, label=name) if self.left else None
        if fault is None:
            result = call()
        else:
            self.left -= 1
            if fault.after:
                call()
        self.applications.check()
        if fault is None:
            return result
        raise fault.error()


@dataclass
class _Failure:
    """From one call on everything fails, or the worker dies when that call has taken effect."""

    data: st.DataObject
    applications: Applications
    calls: int = 0
    fails_at: int = field(init=False)
    after: bool = field(init=False)

    def __post_init__(self) -> None:
        self.fails_at = self.data.draw(st.integers(0, 3), label="call that fails")
        self.after = self.data.draw(st.booleans(), label="after it took effect")

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        self.applications.act(MOST_WRITES)
        self.calls += 1
        if self.calls <= self.fails_at:
            return call()
        if self.after:
            call()
            raise Crash
        raise Refused("This action was made to fail.")


@dataclass(frozen=True)
class _Fault:
    error: Callable[[], Exception]
    after: bool
    """Whether the call took effect."""


_FAULTS = st.sampled_from(
    [
        *[None] * 6,
        _Fault(Crash, after=False),
        _Fault(Crash, after=True),
        _Fault(lambda: ConnectionLost("The connection was cut."), after=False),
        _Fault(lambda: OutcomeUnknown("No answer came, and nothing was done."), after=False),
        _Fault(lambda: OutcomeUnknown("No answer came, but it was done."), after=True),
    ]
)
