"""Carries out the actions that go without batches, each in one transaction: fence, catalogue, statements, ledger.

Every action is repeatable, since it first looks at what already stands.
"""

from __future__ import annotations

from workers.engine.adapters.postgresql import fence as fences
from workers.engine.adapters.postgresql import ledger
from workers.engine.adapters.postgresql.ledger import Entry
from workers.engine.adapters.postgresql.names import column_type, qualified
from workers.engine.adapters.postgresql.session import Session, Transaction
from workers.engine.adapters.postgresql.standing import fingerprint, require_sync
from workers.engine.adapters.postgresql.statements import (
    NOT_NULL_CHECK,
    Place,
    PlainAction,
    read_place,
    statements,
    table_of,
)
from workers.engine.errors import ColumnMismatch, Irreversible, Refused, Unsupported
from workers.engine.vocabulary import (
    Action,
    AddColumn,
    AllowNull,
    Backfill,
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
)


def apply(session: Session, action: Action, fence: Fence) -> None:
    """Carry out one action; repeatable, since each transaction first looks at what already stands."""
    if isinstance(action, Backfill | Compare):
        raise Unsupported(f"{type(action).__name__} goes by batches.", remedy="Call copy or compare.")
    if isinstance(action, EnforceNotNull):
        _apply_enforce_not_null(session, action, fence)
        return
    with session.transaction(table=table_of(action)) as transaction:
        fences.claim(transaction, fence)
        place = read_place(transaction, action, with_ledger=True)
        if _is_wanted(transaction, action, place, fence):
            for step in statements(action, place):
                for statement in step:
                    transaction.run(statement)
        _note(transaction, action, place, fence)
        fences.note_write(transaction, fence)


def _is_wanted(transaction: Transaction, action: PlainAction, place: Place, fence: Fence) -> bool:
    """Whether there is anything left to do; raises where it cannot be done."""
    match action:
        case AddColumn():
            return _is_missing(action, place)
        case DropColumn():
            return _is_ours(transaction, action, fence) and place.column(action.column) is not None
        case StartSync():
            for column in (*action.sync.old, *action.sync.new):
                _check_mapped(place.existing(column))
            return True
        case Lead():
            require_sync(transaction, action.sync)
            return True
        case AllowNull(column=column):
            # Where Retire went through already, the column bears another name.
            return place.column(column) is not None
        case Retire():
            return _is_retirable(action, place)
        case Restore():
            return _is_restorable(action, place)
        case Purge():
            return place.retired is not None and place.column(action.retired_name) is not None
    return True


def _is_missing(action: AddColumn, place: Place) -> bool:
    """A column that is exactly as wanted is adopted: it stays when the plan is undone."""
    found = place.column(action.column)
    wanted = column_type(action.type)
    if found is None:
        return True
    if (found.type, found.nullable, found.default, found.generated) != (wanted, True, None, False):
        raise ColumnMismatch(
            f"The column {action.table}.{action.column} exists as {described(found)}; wanted is {wanted}, nullable,"
            " without a default.",
            remedy="Choose another name, or change the column to match.",
            field=action.column,
        )
    return False


def _is_ours(transaction: Transaction, action: DropColumn, fence: Fence) -> bool:
    made = ledger.read(transaction, "column", action.table, action.column)
    return made is not None and made.plan == fence.plan


def _check_mapped(column: Column) -> None:
    if column.generated:
        raise Unsupported(f'The column "{column.name}" is generated.', remedy="Map a plain column.", field=column.name)
    column_type(column.type)


def _is_retirable(action: Retire, place: Place) -> bool:
    if place.column(action.retired_name) is None:
        place.existing(action.column)
        return True
    if place.column(action.column) is not None:
        raise ColumnMismatch(
            f"There is a new column {action.table}.{action.column} beside the retired one.",
            remedy="Rename or drop it, then go on.",
        )
    return False


def _is_restorable(action: Restore, place: Place) -> bool:
    is_there, is_retired = place.column(action.column) is not None, place.column(action.retired_name) is not None
    if is_there and is_retired:
        raise ColumnMismatch(
            f"There is a new column {action.table}.{action.column}.", remedy="Rename it, then undo again."
        )
    if not is_there and not is_retired:
        raise Irreversible(f"The column {action.table}.{action.column} was dropped.", remedy="Use a backup.")
    return is_retired


def _note(transaction: Transaction, action: PlainAction, place: Place, fence: Fence) -> None:
    """Keep the ledger and the checkpoints true to what was just done."""
    table = table_of(action)
    match action:
        case AddColumn(column=column):
            if place.column(column) is None:
                ledger.write(transaction, "column", Entry(fence.plan, table, column))
        case DropColumn(column=column):
            if _is_ours(transaction, action, fence):
                ledger.strike(transaction, "column", table, column)
        case StartSync():
            name = action.sync.name
            ledger.write(transaction, "sync", Entry(fence.plan, table, name, fingerprint(action.sync, place.found)))
        case StopSync():
            ledger.strike(transaction, "sync", table, action.sync.name)
        case ForgetProgress():
            fences.forget(transaction, fence)
        case AllowNull(column=column):
            found = place.column(column)
            if found is not None and not found.nullable:
                ledger.write(transaction, "relaxed", Entry(fence.plan, table, column))
        case Retire():
            _note_retired(transaction, action, place, fence)
        case Restore():
            ledger.strike(transaction, "retired", table, action.retired_name)
            if place.retired and place.retired.detail["not_null"]:
                ledger.write(transaction, "relaxed", Entry(fence.plan, table, action.column))
        case Purge():
            ledger.strike(transaction, "retired", table, action.retired_name)


def _note_retired(transaction: Transaction, action: Retire, place: Place, fence: Fence) -> None:
    column = place.column(action.column)
    if column is None:
        return
    detail = {
        "column": action.column,
        "not_null": not column.nullable or place.relaxed is not None,
        "default": column.default,
    }
    ledger.write(transaction, "retired", Entry(fence.plan, action.table, action.retired_name, detail))
    ledger.strike(transaction, "relaxed", action.table, action.column)


def _apply_enforce_not_null(session: Session, action: EnforceNotNull, fence: Fence) -> None:
    for index in range(3):
        # Validating reads the whole table: no limit but a cancel.
        limit_s = 0 if index == 1 else None
        try:
            with session.transaction(table=action.table, statement_timeout_s=limit_s) as transaction:
                fences.claim(transaction, fence)
                place = read_place(transaction, action, with_ledger=True)
                place.existing(action.column)
                if place.relaxed is None:
                    return
                _enforce(transaction, action, place, index)
                fences.note_write(transaction, fence)
        except Refused as refusal:
            if index != 1:
                raise
            _drop_check(session, action, fence)
            raise Refused(
                f"The column {action.table}.{action.column} is NULL in some rows and was NOT NULL before.",
                remedy="Give these rows a value, then undo again.",
            ) from refusal


def _enforce(transaction: Transaction, action: EnforceNotNull, place: Place, index: int) -> None:
    is_checked = transaction.value(
        "SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = $1 AND conname = $2)",
        place.found.oid,
        NOT_NULL_CHECK,
    )
    if index == 0 and is_checked:
        return
    for statement in statements(action, place)[index]:
        transaction.run(statement)
    if index == 2:
        ledger.strike(transaction, "relaxed", action.table, action.column)


def _drop_check(session: Session, action: EnforceNotNull, fence: Fence) -> None:
    """While it stands it would refuse the application's own NULLs."""
    with session.transaction(table=action.table) as transaction:
        fences.claim(transaction, fence)
        transaction.run(f"ALTER TABLE {qualified(action.table)} DROP CONSTRAINT IF EXISTS {NOT_NULL_CHECK}")


def described(column: Column) -> str:
    parts = [column.type, "nullable" if column.nullable else "NOT NULL"]
    if column.generated:
        parts.append("generated")
    elif column.default is not None:
        parts.append("with a default")
    return ", ".join(parts)
