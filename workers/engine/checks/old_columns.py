"""The columns to be replaced must be there, plain, and of a type that a mapping can read and write back."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.engine.checks import Subject
from workers.engine.objection import Objection, Severity

TEXT_TYPES = re.compile(r"(text|character varying|varchar)\b")


def check(subject: Subject) -> Iterator[Objection]:
    for name in subject.sync.old:
        column, field = subject.shape.column(name), subject.field_of(name)
        if column is None:
            yield Objection(
                "column_not_found",
                "Column not found",
                Severity.BLOCK,
                f'The table {subject.shape.table} has no column "{name}".',
                f"It has: {', '.join(each.name for each in subject.shape.columns)}.",
                field=field,
            )
            continue
        if not TEXT_TYPES.match(column.type):
            yield Objection(
                "unsupported_type",
                "Type cannot be mapped",
                Severity.BLOCK,
                f'The column "{name}" is {column.type}. Only text can be mapped: equality of other types is not that'
                " of what they show (blanks, case, digits), so the sync could not tell whether a side was written.",
                "Change its type first, or plan another operation.",
                field=field,
            )
        if name in subject.shape.key:
            yield Objection(
                "mapped_key",
                "Column is part of the key",
                Severity.BLOCK,
                f'The column "{name}" is part of the key that batches walk along.',
                "Give the table another primary key first.",
                field=field,
            )
