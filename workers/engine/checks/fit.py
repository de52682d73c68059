"""What a mapping may give must fit the column that takes it, or the sync would make an application's write fail.

Judged by types, not by rows: the next write may hold what no row holds yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.engine.checks import Subject
from workers.engine.expressions import Expression
from workers.engine.objection import Objection, Severity


def check(subject: Subject) -> Iterator[Objection]:
    old_lengths = {name: _length_of(subject, name) for name in subject.sync.old}
    new_lengths = {name: _length_of(subject, name) for name in subject.sync.new}
    for name, expression in subject.ahead.items():
        yield from _check_length(subject, name, expression, old_lengths, new_lengths[name])
    for name, expression in subject.back.items():
        yield from _check_length(subject, name, expression, new_lengths, old_lengths[name])
        yield from _check_null(subject, name, expression)


def _check_length(
    subject: Subject, name: str, expression: Expression, lengths: dict[str, int | None], most: int | None
) -> Iterator[Objection]:
    longest = expression.longest(lengths)
    if most is None or (longest is not None and longest <= most):
        return
    can_be = "of any length" if longest is None else f"up to {longest} characters long"
    yield Objection(
        "value_may_not_fit",
        "Value may not fit",
        Severity.BLOCK,
        f'What the mapping gives for "{name}" can be {can_be}; the column holds {most}. A longer one would make the'
        " application's own write fail.",
        f"Choose a longer type, or cut the value: left(..., {most}).",
        field=subject.field_of(expression.text),
    )


def _check_null(subject: Subject, name: str, expression: Expression) -> Iterator[Objection]:
    """New columns are nullable, so that the old application's rows may leave them out."""
    column = subject.shape.column(name)
    if column is None or column.nullable or not expression.can_be_null(subject.sync.new):
        return
    yield Objection(
        "value_may_be_null",
        "Value may be NULL",
        Severity.BLOCK,
        f'The column "{name}" is NOT NULL, and the mapping can give NULL for it. Then the application\'s own write'
        " would fail.",
        "Give a value for that case: coalesce(..., '').",
        field=subject.field_of(expression.text),
    )


def _length_of(subject: Subject, name: str) -> int | None:
    """The wanted type counts where the column is not there yet."""
    column = subject.shape.column(name)
    if column is not None:
        return column.length
    found = re.search(r"\((\d+)\)\s*$", subject.types.get(name, ""))
    return int(found[1]) if found else None
