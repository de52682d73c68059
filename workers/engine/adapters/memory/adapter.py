"""The Adapter protocol over a database in memory: what the engine does to it, in the plainest form there is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType

from workers.engine.adapters.base import (
    Capabilities,
    MissingGrant,
    Replica,
    Session,
    SyncUse,
    ThereAndBack,
    Usage,
    is_a_select,
)
from workers.engine.adapters.memory.actions import carry_out, length_of
from workers.engine.adapters.memory.server import Key, MemoryServer, MemoryTable, Progress, ProgressKey
from workers.engine.adapters.memory.sync import ahead, back, in_step, new_follows, old_follows
from workers.engine.errors import (
    Drifted,
    Fenced,
    NoUsableKey,
    Refused,
    WrongServer,
)
from workers.engine.vocabulary import (
    Action,
    Backfill,
    Batch,
    BatchAction,
    Checkpoint,
    Compare,
    Cursor,
    Fence,
    Identity,
    Side,
    Sync,
    TableName,
    TableShape,
)

MOST_FINDINGS = 100  # keys kept of what compare found: enough to look at, few enough to hold


class MemoryAdapter:
    capabilities = Capabilities(
        transactional_ddl=True, sync="trigger", online_index=True, instant_add_column=True, identifier_bytes=63
    )

    def __init__(self, server: MemoryServer, *, tag: str = "") -> None:
        self.server = server
        self.books = server.books
        self.tag = tag

    def __enter__(self) -> MemoryAdapter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    # What is there.

    def identity(self) -> Identity:
        return Identity(system="memory", timeline=1, database="memory", is_primary=True, version="memory")

    def describe(self, table: TableName) -> TableShape:
        found = self.server.table(table)
        if not found.key:
            raise NoUsableKey(f"The table {table} has no key to walk along.", remedy="Add a primary key.")
        return TableShape(table, tuple(found.columns.values()), found.key, rows=len(found.rows), bytes=0)

    def missing_grants(self, table: TableName) -> tuple[MissingGrant, ...]:
        return ()

    def there_and_back(self, sync: Sync, types: Mapping[str, str], limit_s: float) -> ThereAndBack:
        rows = self.server.table(sync.table).rows.values()
        lengths = {column: length_of(type_name) for column, type_name in types.items()}
        derived = [(row, ahead(sync, row)) for row in rows]
        return ThereAndBack(
            rows=len(derived),
            lossy=sum(not back(sync, new).items() <= row.items() for row, new in derived),
            unfit=sum(
                any(len(str(new[column])) > length for column, length in lengths.items() if length is not None)
                for _, new in derived
            ),
        )

    def usage(self, table: TableName, columns: Sequence[str]) -> Usage:
        return Usage(calls=None, detail="A database in memory keeps no statement statistics.")

    def sync_use(self, sync: Sync) -> SyncUse | None:
        standing = self.server.syncs.get(sync.name)
        return None if standing is None else SyncUse(standing.old_writes, standing.new_writes)

    def replicas(self) -> tuple[Replica, ...]:
        return ()

    def position(self) -> str:
        return str(self.server.clock())

    def replica_lag_s(self, position: str) -> float | None:
        return self.server.replica_lag_s

    def scalar(self, query: str, timeout_s: float) -> float | None:
        if not is_a_select(query):
            raise Refused("A signal's query is one SELECT.", remedy="Begin it with SELECT.")
        return self.server.scalars.get(query)

    def server_clock(self) -> float:
        return self.server.clock()

    # What the plan puts there.

    def install(self, plan: int, control_uid: str) -> None:
        if self.books.control_uid not in (None, control_uid):
            raise WrongServer(
                "Another control plane works on this server.", remedy="Unregister the target there first."
            )
        self.books.control_uid = control_uid
        self.books.plans.add(plan)

    def remove(self, plan: int) -> None:
        """Remove syncs and records; columns are never dropped here, since they hold data."""
        books = self.books
        self.server.syncs = {name: sync for name, sync in self.server.syncs.items() if sync.plan != plan}
        books.progress = {key: progress for key, progress in books.progress.items() if key[0] != plan}
        for owned in (books.made, books.relaxed, books.retired):
            for key in [key for key, owner in owned.items() if owner == plan]:
                del owned[key]
        books.stops.discard(plan)
        books.plans.discard(plan)
        if not books.plans:
            books.control_uid = None

    def leftovers(self, plan: int) -> tuple[str, ...]:
        books = self.books
        return (
            *(f"sync {name}" for name, standing in self.server.syncs.items() if standing.plan == plan),
            *(f"retired column {table}.{name}" for (table, name), owner in books.retired.items() if owner == plan),
            *(f"record of column {table}.{name}" for (table, name), owner in books.made.items() if owner == plan),
            *(f"record of NOT NULL {table}.{name}" for (table, name), owner in books.relaxed.items() if owner == plan),
            *(f"progress of {key}" for key in books.progress if key[0] == plan),
            *(f"stop of plan {plan}" for stopped in books.stops if stopped == plan),
        )

    def render(self, action: Action) -> tuple[str, ...]:
        """There is no language between the engine and this database: an action is its own statement."""
        return (repr(action),)

    def apply(self, action: Action, fence: Fence) -> None:
        with self.server.transaction("apply", self.tag):
            progress = self._claimed(fence)
            carry_out(self.server, action, fence)
            progress.written_at = self.server.clock()

    # Batches.

    def claim_lane(self, fence: Fence) -> Checkpoint:
        with self.server.transaction("claim_lane", self.tag):
            return self._claimed(fence).checkpoint

    def read_checkpoint(self, fence: Fence) -> Checkpoint | None:
        progress = self.books.progress.get(_key(fence))
        return None if progress is None else progress.checkpoint

    def next_boundary(self, action: BatchAction, after: Cursor | None, rows: int) -> Cursor | None:
        keys = self._range(self._walked(action.sync), after, None)[:rows]
        return _cursor(keys[-1]) if keys else None

    def copy(self, action: Backfill, after: Cursor | None, upto: Cursor, fence: Fence) -> Batch:
        with self.server.transaction("copy", self.tag):
            progress, table, sync = self._fenced(fence), self._walked(action.sync), action.sync
            derive = ahead if action.side is Side.NEW else back
            keys = self._range(table, after, upto)
            needed = [key for key in keys if not in_step(sync, table.rows[key])]
            for key in needed:
                table.rows[key] = table.rows[key] | derive(sync, table.rows[key])
            return self._commit(progress, upto, len(keys), {"written": len(needed)})

    def compare(self, action: Compare, after: Cursor | None, upto: Cursor, fence: Fence) -> Batch:
        with self.server.transaction("compare", self.tag):
            progress, table, sync = self._fenced(fence), self._walked(action.sync), action.sync
            counters = {"out_of_step": 0, "lossy_old": 0, "lossy_new": 0}
            keys = self._range(table, after, upto)
            for key in keys:
                follows = (new_follows(sync, table.rows[key]), old_follows(sync, table.rows[key]))
                if all(follows):
                    continue
                counters[_FINDINGS[follows]] += 1
                if len(progress.findings) < MOST_FINDINGS:
                    progress.findings.append(key)
            return self._commit(progress, upto, len(keys), counters)

    def conclude(self, fence: Fence) -> Checkpoint:
        with self.server.transaction("conclude", self.tag):
            progress = self._fenced(fence)
            progress.checkpoint = replace(progress.checkpoint, done=True)
            return progress.checkpoint

    def _commit(self, progress: Progress, upto: Cursor, rows: int, counters: Mapping[str, int]) -> Batch:
        earlier = progress.checkpoint
        progress.checkpoint = replace(
            earlier,
            cursor=upto,
            seq=earlier.seq + 1,
            rows=earlier.rows + rows,
            counters={name: earlier.counters.get(name, 0) + count for name, count in counters.items()},
        )
        progress.written_at = self.server.clock()
        return Batch(progress.checkpoint, rows, counters)

    def _walked(self, sync: Sync) -> MemoryTable:
        """Raise Drifted where the table no longer has what the plan was made for."""
        table = self.server.tables.get(sync.table)
        if table is None or not {*sync.old, *sync.new} <= table.columns.keys():
            raise Drifted(
                f"The table {sync.table} has changed.", remedy="Look at who changed it, then make a new plan."
            )
        return table

    def _range(self, table: MemoryTable, after: Cursor | None, upto: Cursor | None) -> list[Key]:
        keys = table.walk()
        first = 0 if after is None else _position_after(keys, _read(after))
        return keys[first:] if upto is None else keys[first : _position_after(keys, _read(upto))]

    # Fence and brake.

    def _claimed(self, fence: Fence) -> Progress:
        """Return the progress row, now under this epoch; a newer one that stands there wins."""
        self._check_stop(fence)
        progress = self.books.progress.setdefault(_key(fence), Progress(fence.epoch, fence.run))
        if progress.epoch > fence.epoch:
            raise Fenced(f"Epoch {progress.epoch} stands in the target, newer than {fence.epoch}.")
        progress.epoch, progress.run = fence.epoch, fence.run
        return progress

    def _fenced(self, fence: Fence) -> Progress:
        """Return the progress row, which must have been claimed under this epoch."""
        self._check_stop(fence)
        progress = self.books.progress.get(_key(fence))
        if progress is None or (progress.epoch, progress.run) != (fence.epoch, fence.run):
            raise Fenced(f"Epoch {fence.epoch} of run {fence.run} does not stand in the target.")
        return progress

    def _check_stop(self, fence: Fence) -> None:
        if self.books.control_uid is None:
            raise Drifted("Lockstep is not installed in this database.", remedy="Install it for the plan first.")
        if fence.plan in self.books.stops:
            raise Fenced(f"Plan {fence.plan} was told to stop.", remedy="Pause and resume, or roll back, to go on.")

    def set_stop(self, plan: int, run: int, *, wait_s: float) -> int:
        self.books.stops.add(plan)
        for key, progress in self.books.progress.items():
            if (key[0], progress.run) == (plan, run):
                progress.epoch += 1
        return max((progress.epoch for key, progress in self.books.progress.items() if key[0] == plan), default=0)

    def lift_stop(self, fence: Fence) -> None:
        lanes = [row for key, row in self.books.progress.items() if (key[0], key[4]) == (fence.plan, fence.lane)]
        newest = max((row.epoch for row in lanes), default=0)
        if newest > fence.epoch:
            raise Fenced(f"Epoch {newest} stands in the target, newer than {fence.epoch}.")
        for row in lanes:
            row.epoch, row.run = fence.epoch, fence.run
        self.books.stops.discard(fence.plan)

    def live_sessions(self, plan: int, run: int) -> tuple[Session, ...]:
        tags = sorted(tag for tag in self.server.active if tag.startswith(f"lockstep:p{plan}:r{run}:"))
        return tuple(Session(tag, pid=number, state="active") for number, tag in enumerate(tags, start=1))

    def cancel(self, plan: int, run: int) -> int:
        tags = {session.tag for session in self.live_sessions(plan, run)}
        self.server.cancelled |= tags
        return len(tags)

    def terminate(self, plan: int, run: int) -> int:
        return self.cancel(plan, run)

    def last_write_at(self, plan: int, run: int) -> float | None:
        return max(
            (
                progress.written_at
                for key, progress in self.books.progress.items()
                if (key[0], progress.run) == (plan, run) and progress.written_at is not None
            ),
            default=None,
        )


_FINDINGS = {(False, False): "out_of_step", (True, False): "lossy_old", (False, True): "lossy_new"}
"""By whether the new side follows from the old one, and the old one from the new one."""


def _key(fence: Fence) -> ProgressKey:
    return (fence.plan, fence.operation, fence.phase, fence.action, fence.lane, fence.attempt)


def _cursor(key: Key) -> Cursor:
    return json.dumps(key)


def _read(cursor: Cursor) -> Key:
    return tuple(json.loads(cursor))


def _position_after(keys: list[Key], key: Key) -> int:
    """The key itself may be gone: what counts is its place."""
    return next((index for index, found in enumerate(keys) if found > key), len(keys))
