"""What each action without batches sends, given what stands in the target; `render` and `apply` both ask here.

So a preview cannot lie: what is already so is left out by `apply` alone. Each inner tuple is one transaction.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

from workers.engine.adapters.postgresql import ledger, sync
from workers.engine.adapters.postgresql.catalogue import Found, read_table
from workers.engine.adapters.postgresql.ledger import Entry
from workers.engine.adapters.postgresql.names import checked, column_type, qualified, quoted
from workers.engine.adapters.postgresql.session import Transaction
from workers.engine.errors import ColumnNotFound
from workers.engine.vocabulary import (
    AddColumn,
    AllowNull,
    Column,
    DropColumn,
    EnforceNotNull,
    ForgetProgress,
    Lead,
    Purge,
    Restore,
    Retire,
    StartSync,
    StopSync,
    TableName,
)

NOT_NULL_CHECK = "lockstep_not_null"
"""Stands only while EnforceNotNull runs. One name will do: a table belongs to one plan at a time."""

Statements = tuple[tuple[str, ...], ...]
PlainAction = (
    AddColumn
    | DropColumn
    | StartSync
    | StopSync
    | Lead
    | ForgetProgress
    | AllowNull
    | Retire
    | Restore
    | EnforceNotNull
    | Purge
)


@dataclass(frozen=True)
class Place:
    """What stands in the target where an action acts."""

    found: Found
    retired: Entry | None = None
    relaxed: Entry | None = None

    def column(self, name: str) -> Column | None:
        return self.found.shape.column(name)

    def existing(self, name: str) -> Column:
        column = self.column(name)
        if column is None:
            raise ColumnNotFound(
                f'The table {self.found.shape.table} has no column "{name}".',
                remedy=f"It has: {', '.join(column.name for column in self.found.shape.columns)}.",
            )
        return column


def table_of(action: PlainAction) -> TableName:
    match action:
        case StartSync() | StopSync() | Lead():
            return action.sync.table
        case ForgetProgress():
            return action.action.sync.table
    return action.table


def check_names(action: PlainAction) -> None:
    """Raise IdentifierRefused for any name of the action, also where no statement would come to name it."""
    names = [*astuple(table_of(action))]
    match action:
        case StartSync() | StopSync() | Lead():
            names += [action.sync.name, *action.sync.old, *action.sync.new]
        case Retire() | Restore():
            names += [action.column, action.retired_name]
        case Purge():
            names.append(action.retired_name)
        case AddColumn() | DropColumn() | AllowNull() | EnforceNotNull():
            names.append(action.column)
    for name in names:
        checked(name)


def read_place(transaction: Transaction, action: PlainAction, *, with_ledger: bool) -> Place:
    """`with_ledger` is False where the schema lockstep is not there yet."""
    check_names(action)
    table = table_of(action)
    found = read_table(transaction, table)
    if not with_ledger:
        return Place(found)
    match action:
        case Restore():
            return Place(found, retired=ledger.read(transaction, "retired", table, action.retired_name))
        case Purge():
            return Place(found, retired=ledger.read(transaction, "retired", table, action.retired_name))
        case Retire() | EnforceNotNull():
            return Place(found, relaxed=ledger.read(transaction, "relaxed", table, action.column))
    return Place(found)


def statements(action: PlainAction, place: Place) -> Statements:
    """Return what the action sends, as if nothing of it were done yet."""
    table = qualified(table_of(action))
    match action:
        case AddColumn(column=column, type=spelling):
            return ((f"ALTER TABLE {table} ADD COLUMN {quoted(column)} {column_type(spelling)}",),)
        case DropColumn(column=column):
            return ((f"ALTER TABLE {table} DROP COLUMN {quoted(column)}",),)
        case StartSync(lead=lead):
            return (sync.start(action.sync, lead, place.found.shape),)
        case StopSync():
            return (sync.stop(action.sync.table, action.sync.name),)
        case Lead(side=side):
            return (sync.turn(action.sync, side, place.found.shape),)
        case ForgetProgress():
            return ()
        case AllowNull(column=column):
            found = place.column(column)
            if found is None or found.nullable:
                return ()
            return ((f"ALTER TABLE {table} ALTER COLUMN {quoted(column)} DROP NOT NULL",),)
        case Retire():
            return (_retire(action, table),)
        case Restore():
            return (_restore(action, table, place),)
        case EnforceNotNull():
            return _enforce_not_null(action, table, place)
        case Purge(retired_name=column):
            return ((f"ALTER TABLE {table} DROP COLUMN {quoted(column)}",),)


def _retire(action: Retire, table: str) -> tuple[str, ...]:
    """Both are dropped whether they stand or not, so that what is sent does not hang on what ran before."""
    retired = quoted(action.retired_name)
    return (
        f"ALTER TABLE {table} RENAME COLUMN {quoted(action.column)} TO {retired}",
        f"ALTER TABLE {table} ALTER COLUMN {retired} DROP NOT NULL, ALTER COLUMN {retired} DROP DEFAULT",
    )


def _restore(action: Restore, table: str, place: Place) -> tuple[str, ...]:
    """Before the column is retired, a preview shows the default that it has now."""
    column = place.column(action.column)
    default = place.retired.detail["default"] if place.retired else column.default if column else None
    name = quoted(action.column)
    rename = f"ALTER TABLE {table} RENAME COLUMN {quoted(action.retired_name)} TO {name}"
    return (rename, *((f"ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {default}",) if default else ()))


def _enforce_not_null(action: EnforceNotNull, table: str, place: Place) -> Statements:
    """A validated check proves to SET NOT NULL that no scan is needed; validating lets readers and writers pass."""
    column = place.column(action.column)
    if place.relaxed is None and (column is None or column.nullable):
        return ()
    name = quoted(action.column)
    return (
        (f"ALTER TABLE {table} ADD CONSTRAINT {NOT_NULL_CHECK} CHECK ({name} IS NOT NULL) NOT VALID",),
        (f"ALTER TABLE {table} VALIDATE CONSTRAINT {NOT_NULL_CHECK}",),
        (f"ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL, DROP CONSTRAINT {NOT_NULL_CHECK}",),
    )
