"""The old and the new application, and what each of their writes promised: the truth that laws hold the table to.

The old one writes the old columns and stops before contract. The new one writes the new columns from dual-write done
on. In a row that is not in step, a value that equals the stored one cannot be told from a column that was not written;
so the new one waits with NULLs for backfill done, and with what an undone dual-write left behind.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.laws.drive import Drive
from tests.laws.examples import KEYS, Example, Values
from tests.laws.world import World
from workers.engine.adapters.memory.sync import ahead, back, in_step
from workers.engine.expressions import parse
from workers.engine.vocabulary import Direction, Phase, Side


@dataclass
class Truth:
    """One row as its last writer left it; the other side is whatever follows from it."""

    old: Values
    new: Values
    last: Side


class Applications:
    def __init__(self, example: Example, world: World, drive: Drive, data: st.DataObject) -> None:
        self.example, self.world, self.data = example, world, data
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

    def act(self, most: int) -> None:
        for _ in range(self.data.draw(st.integers(0, most), label="writes")):
            self._act()

    def _act(self) -> None:
        sides = [side for side, runs in ((Side.OLD, self.old_runs), (Side.NEW, self.new_runs)) if runs]
        side = self.data.draw(st.sampled_from(sides), label="application")
        free = [key for key in KEYS if key not in self.truth]
        kinds = ["insert"] * bool(free) + ["update", "update", "delete"] * bool(self.truth)
        kinds += ["move"] * bool(free and self.truth)
        kind = self.data.draw(st.sampled_from(kinds), label="statement")
        if kind == "insert":
            self._insert(side, self._draw_key(free))
        elif kind == "delete":
            key = self._draw_key(list(self.truth))
            self.world.delete(key)
            del self.truth[key]
        else:
            key = self._draw_key(list(self.truth))
            self._update(side, key, self._draw_key(free) if kind == "move" else None)
        self.check()

    def _draw_key(self, keys: list[int]) -> int:
        return self.data.draw(st.sampled_from(sorted(keys)), label="key")

    def _insert(self, side: Side, key: int) -> None:
        if side is Side.OLD:
            values = self.data.draw(self.example.old_rows, label="old row")
            self.world.insert(key, values)
            self.truth[key] = Truth(self._defaults() | values, {}, Side.OLD)
        else:
            values = self.data.draw(self.example.new_rows, label="new row")
            self.world.insert(key, values)
            self._new_truth(key, dict.fromkeys(self.sync.new) | values)

    def _update(self, side: Side, key: int, new_key: int | None) -> None:
        changes = self.example.old_changes if side is Side.OLD else self.example.new_changes
        if new_key is not None:
            changes = changes | st.just({})
        values = self.data.draw(changes, label=f"{side} changes")
        row = self.world.rows()[key]
        if side is Side.NEW and not self.backfilled and not in_step(self.sync, dict(row)):
            values = {column: value for column, value in values.items() if value != row[column]}
        self.world.update(key, values, new_key=new_key)
        truth = self.truth.pop(key)
        key = key if new_key is None else new_key
        self.truth[key] = truth
        if side is Side.OLD and values and values != truth.old:
            self.truth[key] = Truth(truth.old | values, {}, Side.OLD)
        elif side is Side.NEW and values:
            self._new_truth(key, self._seen(row) | values)

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


def _texts(row: object) -> Values:
    assert isinstance(row, dict)
    return {column: None if value is None else str(value) for column, value in row.items()}
