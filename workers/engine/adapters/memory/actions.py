"""What each action does to the database in memory. All can be repeated: what is so already is left so."""

from __future__ import annotations

import re

from workers.engine.adapters.memory.server import MemoryServer, StandingSync
from workers.engine.errors import ColumnMismatch, ColumnNotFound, Drifted, Irreversible, Refused, Unsupported
from workers.engine.vocabulary import (
    Action,
    AddColumn,
    AllowNull,
    Backfill,
    Checkpoint,
    Column,
    Compare,
    DropColumn,
    EnforceNotNull,
    Fence,
    ForgetProgress,
    Lead,
    Purge,
    Restore,
    Retire,
    StartSync,
    StopSync,
    TableName,
)


def carry_out(server: MemoryServer, action: Action, fence: Fence) -> None:
    match action:
        case AddColumn():
            _add_column(server, action, fence.plan)
        case DropColumn():
            _drop_column(server, action, fence.plan)
        case StartSync():
            _start_sync(server, action, fence.plan)
        case StopSync():
            server.syncs.pop(action.sync.name, None)
        case Lead():
            _lead(server, action)
        case ForgetProgress():
            _forget_progress(server, fence)
        case AllowNull():
            _allow_null(server, action.table, action.column, fence.plan)
        case Retire():
            _retire(server, action, fence.plan)
        case Restore():
            _restore(server, action)
        case EnforceNotNull():
            _enforce_not_null(server, action)
        case Purge():
            _purge(server, action)
        case Backfill() | Compare():
            raise Unsupported(f"{type(action).__name__} goes by batches.", remedy="Call copy or compare.")


def _add_column(server: MemoryServer, action: AddColumn, plan: int) -> None:
    table = server.table(action.table)
    wanted = Column(action.column, action.type, length=length_of(action.type))
    found = table.columns.get(action.column)
    if found is None:
        table.add_column(wanted)
        server.books.made[(action.table, action.column)] = plan
    elif found != wanted:
        raise ColumnMismatch(
            f"The column {action.table}.{action.column} exists, and not as nullable {action.type} without default.",
            remedy="Choose another name, or change the column to match.",
        )


def _drop_column(server: MemoryServer, action: DropColumn, plan: int) -> None:
    """Drop what this plan made; an adopted column is not its own."""
    table = server.table(action.table)
    if server.books.made.get((action.table, action.column)) != plan:
        return
    if action.column in table.columns:
        table.drop_column(action.column)
    del server.books.made[(action.table, action.column)]


def _start_sync(server: MemoryServer, action: StartSync, plan: int) -> None:
    sync = action.sync
    for column in (*sync.old, *sync.new):
        _existing(server, sync.table, column)
    standing = server.syncs.get(sync.name)
    if standing is not None and standing.sync == sync:
        standing.lead = action.lead
    else:
        server.syncs[sync.name] = StandingSync(sync, action.lead, plan)


def _lead(server: MemoryServer, action: Lead) -> None:
    name = action.sync.name
    if name not in server.syncs:
        raise Drifted(f"The sync {name} does not stand.", remedy="Start dual-write again.")
    server.syncs[name].lead = action.side


def _forget_progress(server: MemoryServer, fence: Fence) -> None:
    """Attempt 0 marks what later runs would go on with."""
    for (plan, operation, phase, _, _, attempt), progress in server.books.progress.items():
        if (plan, operation, phase, attempt) == (fence.plan, fence.operation, fence.phase, 0):
            progress.checkpoint = Checkpoint(cursor=None)


def _allow_null(server: MemoryServer, table: TableName, name: str, plan: int) -> None:
    columns = server.table(table).columns
    if name in columns and not columns[name].nullable:
        server.table(table).set_nullable(name, nullable=True)
        server.books.relaxed[(table, name)] = plan


def _retire(server: MemoryServer, action: Retire, plan: int) -> None:
    table = server.table(action.table)
    if action.column not in table.columns and action.retired_name in table.columns:
        return
    _existing(server, action.table, action.column)
    _allow_null(server, action.table, action.column, plan)
    _rename(server, action.table, action.column, action.retired_name)
    server.books.retired[(action.table, action.retired_name)] = plan


def _restore(server: MemoryServer, action: Restore) -> None:
    columns = server.table(action.table).columns
    if action.retired_name not in columns:
        if action.column not in columns:
            raise Irreversible(f"The column {action.table}.{action.column} was dropped.", remedy="Use a backup.")
        return
    if action.column in columns:
        raise ColumnMismatch(
            f"There is a new column {action.table}.{action.column}.", remedy="Rename it, then undo again."
        )
    _rename(server, action.table, action.retired_name, action.column)
    server.books.retired.pop((action.table, action.retired_name), None)


def _rename(server: MemoryServer, table: TableName, name: str, new_name: str) -> None:
    server.table(table).rename_column(name, new_name)
    plan = server.books.relaxed.pop((table, name), None)
    if plan is not None:
        server.books.relaxed[(table, new_name)] = plan


def _enforce_not_null(server: MemoryServer, action: EnforceNotNull) -> None:
    if (action.table, action.column) not in server.books.relaxed:
        return
    table = server.table(action.table)
    nulls = sum(row[action.column] is None for row in table.rows.values())
    if nulls:
        raise Refused(
            f"The column {action.table}.{action.column} was NOT NULL and is now NULL in {nulls} rows.",
            remedy="Give these rows a value, then undo again.",
        )
    table.set_nullable(action.column, nullable=False)
    del server.books.relaxed[(action.table, action.column)]


def _purge(server: MemoryServer, action: Purge) -> None:
    table = server.table(action.table)
    retired = (action.table, action.retired_name)
    if retired in server.books.retired and action.retired_name in table.columns:
        table.drop_column(action.retired_name)
    server.books.retired.pop(retired, None)
    server.books.relaxed.pop(retired, None)


def _existing(server: MemoryServer, table: TableName, name: str) -> Column:
    columns = server.table(table).columns
    if name not in columns:
        raise ColumnNotFound(f"There is no column {table}.{name}.", remedy=f"There are: {', '.join(columns)}.")
    return columns[name]


def length_of(type_name: str) -> int | None:
    """Return n of `character varying(n)`; None for a type without."""
    found = re.search(r"\((\d+)\)$", type_name)
    return int(found.group(1)) if found else None
