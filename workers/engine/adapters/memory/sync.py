"""What a two-way sync does to one row that an application writes: the rules that every engine's trigger follows.

A row trigger sees the row before and after, not the statement: a side is written where its values changed. `lead`
says who wins when one write changes both sides, and whose value counts in a row that is not in step: the old side's
until a backfill of the new side is through, the new side's until one of the old side is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from workers.engine.expressions import Expression, parse
from workers.engine.vocabulary import Mapping as Derivation
from workers.engine.vocabulary import Side, Sync

Cell = str | int | None
Row = dict[str, Cell]


def synced(
    sync: Sync, lead: Side, before: Row | None, after: Row, *, defaults: Mapping[str, Cell], key: tuple[str, ...]
) -> Row:
    """Return `after` as it is stored; `before` is None for an INSERT, which writes what differs from `defaults`."""
    old_side, new_side = sides_written(sync, before, after, defaults)
    if old_side and new_side and in_step(sync, after):  # an application that writes both
        return after
    if before is None and not new_side:  # also where the old side is its default
        return after | ahead(sync, after)
    if old_side and (not new_side or lead is Side.OLD):
        if before is not None and lead is Side.NEW and not in_step(sync, before):
            after = after | _untouched(back(sync, before), before, after)
        return after | ahead(sync, after)
    if new_side:
        if before is not None and lead is Side.OLD and not in_step(sync, before):
            after = after | _untouched(ahead(sync, before), before, after)
        return after | back(sync, after)
    if before is not None and not in_step(sync, after) and any(before[column] != after[column] for column in key):
        # The row may have moved behind a backfill that has not seen it.
        return after | (ahead(sync, after) if lead is Side.OLD else back(sync, after))
    return after


def sides_written(sync: Sync, before: Row | None, after: Row, defaults: Mapping[str, Cell]) -> tuple[bool, bool]:
    """Return whether the old side and whether the new side was written."""
    earlier = defaults if before is None else before
    return (
        any(after[column] != earlier.get(column) for column in sync.old),
        any(after[column] != earlier.get(column) for column in sync.new),
    )


def in_step(sync: Sync, row: Row) -> bool:
    """Whether one of the sides derives from the other."""
    return new_follows(sync, row) or old_follows(sync, row)


def new_follows(sync: Sync, row: Row) -> bool:
    return ahead(sync, row).items() <= row.items()


def old_follows(sync: Sync, row: Row) -> bool:
    return back(sync, row).items() <= row.items()


def ahead(sync: Sync, row: Row) -> Row:
    """Return the new side as it follows from the old one."""
    return _derived(sync.ahead, row, sync.old)


def back(sync: Sync, row: Row) -> Row:
    """Return the old side as it follows from the new one."""
    return _derived(sync.back, row, sync.new)


def _derived(derivations: tuple[Derivation, ...], row: Row, columns: tuple[str, ...]) -> Row:
    texts = {column: None if row[column] is None else str(row[column]) for column in columns}
    return {each.column: _parsed(each.expression, columns).evaluate(texts) for each in derivations}


@lru_cache(maxsize=256)
def _parsed(expression: str, columns: tuple[str, ...]) -> Expression:
    return parse(expression, columns=columns)


def _untouched(derived: Row, before: Row, after: Row) -> Row:
    """Return what derives from the leading side, of the columns that this statement did not change.

    The row is not in step, so that their stored values are stale: without this, a partial write of one side would
    carry them over to the other.
    """
    return {column: value for column, value in derived.items() if after[column] == before[column]}
