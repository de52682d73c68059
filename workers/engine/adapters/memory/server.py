"""The database in memory: tables that applications write to, and what Lockstep put beside them.

Each method is one transaction: it checks first and writes last, so that what raises has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from workers.engine.adapters.memory.sync import Cell, Row, sides_written, synced
from workers.engine.errors import EngineError, Interrupted, TableNotFound
from workers.engine.expressions import parse
from workers.engine.vocabulary import Checkpoint, Column, Phase, Side, Sync, TableName

Key = tuple[Cell, ...]
ProgressKey = tuple[int, int, Phase, int, int, int]
"""Plan, operation, phase, action, lane, attempt: what a Fence calls its key."""


class WriteRefused(Exception):
    """An application's own write broke a rule of the table: what its driver would raise."""


@dataclass
class MemoryTable:
    name: TableName
    columns: dict[str, Column]
    key: tuple[str, ...]
    rows: dict[Key, Row] = field(default_factory=dict)

    def defaults(self) -> Row:
        return {name: _default(column) for name, column in self.columns.items()}

    def walk(self) -> list[Key]:
        """Return the keys in order; they compare, since each column of a key has one type and no NULL."""
        return sorted(self.rows)

    def key_of(self, row: Row) -> Key:
        return tuple(row[column] for column in self.key)

    def add_column(self, column: Column) -> None:
        self.columns[column.name] = column
        for row in self.rows.values():
            row[column.name] = _default(column)

    def drop_column(self, name: str) -> None:
        del self.columns[name]
        for row in self.rows.values():
            del row[name]

    def rename_column(self, name: str, new_name: str) -> None:
        """Keep the column's place in the table."""
        columns = [
            replace(column, name=new_name) if column.name == name else column for column in self.columns.values()
        ]
        self.columns = {column.name: column for column in columns}
        for row in self.rows.values():
            row[new_name] = row.pop(name)

    def set_nullable(self, name: str, *, nullable: bool) -> None:
        self.columns[name] = replace(self.columns[name], nullable=nullable)


@dataclass
class StandingSync:
    sync: Sync
    lead: Side
    plan: int
    old_writes: int = 0
    new_writes: int = 0


@dataclass
class Progress:
    """One progress row: the checkpoint, and the epoch that may write it."""

    epoch: int
    run: int
    checkpoint: Checkpoint = field(default_factory=lambda: Checkpoint(cursor=None))
    written_at: float | None = None
    """Epoch seconds of the last committed batch or action; None before the first."""
    findings: list[Key] = field(default_factory=list)


@dataclass
class Books:
    """What Lockstep keeps in the target, as the schema `lockstep` does on a real one."""

    control_uid: str | None = None
    """The control plane that installed it; None where nothing is installed."""
    plans: set[int] = field(default_factory=set)
    progress: dict[ProgressKey, Progress] = field(default_factory=dict)
    stops: set[int] = field(default_factory=set)
    """Plans that may not write."""
    made: dict[tuple[TableName, str], int] = field(default_factory=dict)
    """Columns that a plan added, so that undo never drops what Lockstep did not make."""
    relaxed: dict[tuple[TableName, str], int] = field(default_factory=dict)
    """Columns that were NOT NULL before a plan; the entry follows the column's name."""
    retired: dict[tuple[TableName, str], int] = field(default_factory=dict)
    """Retired columns, by the name that they bear now."""


@dataclass(frozen=True)
class Fault:
    error: EngineError
    after_commit: bool
    call: str
    """Name of the adapter's method that it strikes; empty for the next one, whichever it is."""


class MemoryServer:
    def __init__(self, *, clock: Callable[[], float] | None = None) -> None:
        """Without a clock each reading is one second later than the last, so that tests need no real time."""
        self.tables: dict[TableName, MemoryTable] = {}
        self.syncs: dict[str, StandingSync] = {}
        self.books = Books()
        self.scalars: dict[str, float] = {}
        """Answers to `scalar`, by query."""
        self.replica_lag_s: float | None = 0.0
        """None: it cannot be observed."""
        self.active: set[str] = set()
        """Tags of sessions with a transaction in flight."""
        self.cancelled: set[str] = set()
        self.in_flight: Callable[[str], None] = lambda call: None
        """Called inside every transaction of the engine, before it changes anything: where a test cancels it."""
        self._faults: list[Fault] = []
        self._ticks = 0.0
        self.clock = clock or self._tick

    def _tick(self) -> float:
        self._ticks += 1.0
        return self._ticks

    # What applications do. The syncs act, as triggers do.

    def create_table(self, name: TableName, columns: tuple[Column, ...], key: tuple[str, ...]) -> None:
        self.tables[name] = MemoryTable(name, {column.name: column for column in columns}, key)

    def insert(self, name: TableName, values: Mapping[str, Cell]) -> None:
        table = self.table(name)
        self._store(table, None, table.defaults() | self._known(table, values))

    def update(self, name: TableName, key: Key, values: Mapping[str, Cell]) -> bool:
        """Return whether there was such a row."""
        table = self.table(name)
        known = self._known(table, values)
        if key not in table.rows:
            return False
        self._store(table, key, table.rows[key] | known)
        return True

    def delete(self, name: TableName, key: Key) -> bool:
        return self.table(name).rows.pop(key, None) is not None

    def table(self, name: TableName) -> MemoryTable:
        if name not in self.tables:
            raise TableNotFound(f"There is no table {name}.", remedy="Check schema and name.", field="table")
        return self.tables[name]

    def _known(self, table: MemoryTable, values: Mapping[str, Cell]) -> Row:
        for column in values:
            if column not in table.columns:
                raise WriteRefused(f"column {column} does not exist")
        return dict(values)

    def _store(self, table: MemoryTable, key: Key | None, row: Row) -> None:
        before = None if key is None else table.rows[key]
        written = []
        for standing in self.syncs.values():
            if standing.sync.table == table.name:
                defaults = table.defaults()
                written.append((standing, sides_written(standing.sync, before, row, defaults)))
                row = synced(standing.sync, standing.lead, before, row, defaults=defaults, key=table.key)
        for column in table.columns.values():
            _check(column, row[column.name])
        new_key = table.key_of(row)
        if new_key != key and new_key in table.rows:
            raise WriteRefused("duplicate key")
        if key is not None:
            del table.rows[key]
        table.rows[new_key] = row
        for standing, (old_side, new_side) in written:
            standing.old_writes += old_side
            standing.new_writes += new_side

    # Faults, for tests.

    def fail_next(self, error: EngineError, *, after_commit: bool = False, call: str = "") -> None:
        """Raise `error` in the engine's next call (of that name), before its transaction commits or after."""
        self._faults.append(Fault(error, after_commit, call))

    @contextmanager
    def transaction(self, call: str, tag: str) -> Iterator[None]:
        fault = next((fault for fault in self._faults if fault.call in ("", call)), None)
        if fault is not None:
            self._faults.remove(fault)
        self.active.add(tag)
        try:
            self.in_flight(call)
            if tag in self.cancelled:
                self.cancelled.discard(tag)
                raise Interrupted("The statement was cancelled from a side connection.")
            if fault is not None and not fault.after_commit:
                raise fault.error
            yield
            if fault is not None:
                raise fault.error
        finally:
            self.active.discard(tag)


def _default(column: Column) -> Cell:
    """Defaults are constant here: literals of the mapping language."""
    return None if column.default is None else parse(column.default, columns=()).evaluate({})


def _check(column: Column, value: Cell) -> None:
    if value is None and not column.nullable:
        raise WriteRefused(f"null value in column {column.name}")
    if isinstance(value, str) and column.length is not None and len(value) > column.length:
        raise WriteRefused(f"value too long for column {column.name}")
