"""The old and the new application, and what each of their writes promised: the truth that laws hold the table to.

The old one writes the old columns and stops before contract. The new one writes the new columns from dual-write done
on. In a row that is not in step, a value that equals the stored one cannot be told from a column that was not written;
so the new one waits with NULLs for backfill done, and with what an undone dual-write left behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from hypothesis import strategies as st

from tests.laws.drive import Drive
from tests.laws.examples import KEYS, Example, Values
from tests.laws.world import World
from workers.engine.adapters.memory.sync import ahead, back, in_step
from workers.engine.expressions import parse
from workers.engine.vocabulary import Direction, Phase, Side

MOST_WRITES = 4
"""In one phase, forward or back; a phase is some five calls of the engine."""
LONGEST_GAP = 3
"""Calls of the engine between two writes; 0 lets several meet the same gap."""

Writer = Literal["old", "new", "both"]
Kind = Literal["insert", "update", "move", "delete"]


@dataclass(frozen=True)
class Write:
    """What an application does once it gets to it, whatever the table holds by then."""

    gap: int
    """Calls of the engine that it lets pass since the write before."""
    writer: Writer
    kind: Kind
    place: int
    """Which of the keys that come into question."""
    new_place: int
    values: Values


@lru_cache(maxsize=64)
def writes(example: Example, writers: tuple[Writer, ...]) -> st.SearchStrategy[list[Write]]:
    """What happens in one phase, drawn at once: drawing at each call costs more than all the rest of a law."""
    return st.lists(
        st.one_of([_writes_of(example, writer, kind) for writer in writers for kind in get_args(Kind)]),
        max_size=MOST_WRITES,
    )


def _writes_of(example: Example, writer: Writer, kind: Kind) -> st.SearchStrategy[Write]:
    rows, changes = (
        (example.old_rows, example.old_changes) if writer == "old" else (example.new_rows, example.new_changes)
    )
    values = {"insert": rows, "update": changes, "move": changes | st.just({}), "delete": st.just({})}
    place = st.integers(0, len(KEYS) - 1)
    return st.builds(Write, st.integers(0, LONGEST_GAP), st.just(writer), st.just(kind), place, place, values[kind])


@dataclass
class Truth:
    """One row as its last writer left it; the other side is whatever follows from it."""

    old: Values
    new: Values
    last: Side


class Applications:
    def __init__(self, example: Example, world: World, drive: Drive, data: st.DataObject | None) -> None:
        """Without `data` they write only what they are told to."""
        self.example, self.world, self.data = example, world, data
        self.writes: list[Write] = []
        self.passed = 0
        """Calls of the engine since the last write."""
        self.sync = drive.sync
        self.old_runs, self.new_runs, self.backfilled = True, False, False
        self.old_is_kept = True
        """False from the start of contract until it is undone: the new side alone holds the truth."""
        self.new_leads = False
        self.truth: dict[int, Truth] = {}
        for key, row in world.rows().items():
            self.truth[key] = Truth(self._old(row), {}, Side.OLD)
        drive.before_phase = self.before_phase
        drive.after_phase = self.after_phase

    # Which version is deployed when.

    def before_phase(self, phase: Phase, direction: Direction) -> None:
        match (phase, direction):
            case (Phase.DUAL_WRITE, Direction.BACK):
                self.new_runs = False
            case (Phase.BACKFILL, Direction.BACK):
                self.backfilled = False
            case (Phase.CONTRACT, Direction.FORWARD):
                self.old_runs, self.old_is_kept = False, False
        if self.data is not None:
            self.writes += self.data.draw(writes(self.example, self._writers()), label=f"writes in {phase} {direction}")

    def after_phase(self, phase: Phase, direction: Direction) -> None:
        match (phase, direction):
            case (Phase.EXPAND, Direction.BACK):
                self._forget_new_side()
            case (Phase.DUAL_WRITE, Direction.FORWARD):
                self.new_runs = True
            case (Phase.BACKFILL, Direction.FORWARD):
                self.backfilled = True
            case (Phase.CUTOVER, _):
                self.new_leads = direction is Direction.FORWARD
            case (Phase.CONTRACT, Direction.BACK):
                self.old_runs, self.old_is_kept = True, True
        self.check()

    def _forget_new_side(self) -> None:
        """The new columns are dropped: the old side is what is left of each write."""
        self.truth = {key: Truth(truth.old, {}, Side.OLD) for key, truth in self.truth.items()}

    # What they write.

    def act(self) -> None:
        """Let the applications write what is due; what is not possible by then is left out."""
        while self.writes and self.writes[0].gap <= self.passed:
            self._act(self.writes.pop(0))
            self.passed = 0
        self.passed += 1

    def write_all(self, part: Values) -> None:
        """Let each that runs do one statement of each kind. Rows move from the end of the table to its beginning."""
        old, new = self.example.sample.old, self.example.sample.new
        kept = next(iter(self.example.sample.seed))
        for writer in self._writers():
            row, change = (old, old) if writer == "old" else (new, part)
            others, free = sorted(self.truth.keys() - {kept}), sorted(set(KEYS) - self.truth.keys())
            self._update(Write(0, writer, "move", 0, 0, {}), others[-1], free[0])
            self._insert(Write(0, writer, "insert", 0, 0, row), others[-1])
            self._update(Write(0, writer, "update", 0, 0, change), kept, kept)
            self._delete(others[0])
            self.check()

    def _act(self, write: Write) -> None:
        there, free = sorted(self.truth), [key for key in KEYS if key not in self.truth]
        if write.writer not in self._writers():
            return
        match write.kind:
            case "insert" if free:
                self._insert(write, _pick(free, write.place))
            case "update" if there:
                key = _pick(there, write.place)
                self._update(write, key, key)
            case "move" if there and free:
                self._update(write, _pick(there, write.place), _pick(free, write.new_place))
            case "delete" if there:
                self._delete(_pick(there, write.place))
        self.check()

    def _writers(self) -> tuple[Writer, ...]:
        """A new version may also write both sides, in step, until the old column is gone."""
        old: tuple[Writer, ...] = ("old",) if self.old_runs else ()
        new: tuple[Writer, ...] = ("new",) if self.new_runs else ()
        both: tuple[Writer, ...] = ("both",) if self.new_runs and self.old_is_kept else ()
        return old + new + both

    def _insert(self, write: Write, key: int) -> None:
        if write.writer == "old":
            self.world.insert(key, write.values)
            self.truth[key] = Truth(self._defaults() | write.values, {}, Side.OLD)
            return
        new = dict.fromkeys(self.sync.new) | write.values
        self.world.insert(key, write.values if write.writer == "new" else self._both(new))
        self._new_truth(key, new)

    def _update(self, write: Write, key: int, new_key: int) -> None:
        row, values = self.world.rows()[key], write.values
        new: Values = {} if write.writer == "old" else self._seen(row) | values
        if write.writer == "both":
            values = self._both(new)
        if write.writer != "old" and not self.backfilled and not in_step(self.sync, dict(row)):
            unchanged = [column for column in self.sync.new if column in values and values[column] == row[column]]
            if unchanged:  # it waits for backfill done
                return
        self.world.update(key, values, new_key=None if new_key == key else new_key)
        truth = self.truth[new_key] = self.truth.pop(key)
        if write.writer != "old" and values:
            self._new_truth(new_key, new)
        elif values and values != truth.old:
            self.truth[new_key] = Truth(truth.old | values, {}, Side.OLD)

    def _delete(self, key: int) -> None:
        self.world.delete(key)
        del self.truth[key]

    def _both(self, new: Values) -> Values:
        return _texts(back(self.sync, dict(new))) | new

    def _new_truth(self, key: int, new: Values) -> None:
        self.truth[key] = Truth(_texts(back(self.sync, dict(new))), new, Side.NEW)

    def _seen(self, row: Values) -> Values:
        """What the new application means by the parts that it does not write."""
        if self.old_is_kept and not self.new_leads and not in_step(self.sync, dict(row)):
            return _texts(ahead(self.sync, dict(row)))
        return {column: row[column] for column in self.sync.new}

    def _old(self, row: Values) -> Values:
        return {column: row[column] for column in self.sync.old}

    def _defaults(self) -> Values:
        defaults = {column.name: column.default for column in self.example.columns}
        return {
            name: None if default is None else str(parse(default, columns=()).evaluate({}))
            for name, default in defaults.items()
            if name in self.sync.old
        }

    # What must hold at any moment.

    def check(self) -> None:
        rows = self.world.rows()
        assert rows.keys() == self.truth.keys()
        for key, truth in self.truth.items():
            self._check_row(rows[key], truth)

    def _check_row(self, row: Values, truth: Truth) -> None:
        if self.old_is_kept:
            assert self._old(row) == truth.old
            if self.backfilled:
                assert in_step(self.sync, dict(row))
        if self.new_runs and (self.new_leads or in_step(self.sync, dict(row))):
            self._check_new_side({column: row[column] for column in self.sync.new}, truth)

    def _check_new_side(self, new: Values, truth: Truth) -> None:
        """What the old application wrote may stand split in more than one way, as long as it gives the old value."""
        if truth.last is Side.NEW:
            assert new == truth.new
        else:
            assert new == _texts(ahead(self.sync, dict(truth.old))) or _texts(back(self.sync, dict(new))) == truth.old


def _pick(keys: list[int], place: int) -> int:
    return keys[place % len(keys)]


def _texts(row: object) -> Values:
    assert isinstance(row, dict)
    return {column: None if value is None else str(value) for column, value in row.items()}
