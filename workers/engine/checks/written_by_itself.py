"""A mapped column may not have a value that nobody wrote: a generated one, or a default that is new each time."""

from __future__ import annotations

from collections.abc import Iterator

from workers.engine.checks import Subject
from workers.engine.objection import Objection, Severity


def check(subject: Subject) -> Iterator[Objection]:
    for column in subject.mapped:
        if column.generated:
            yield Objection(
                "generated_column",
                "Column is generated",
                Severity.BLOCK,
                f'The column "{column.name}" is generated, so nobody can write it.',
                "Map the columns that it is made from.",
                field=subject.field_of(column.name),
            )
        elif column.default_is_volatile:
            yield Objection(
                "volatile_default",
                "Default is new each time",
                Severity.BLOCK,
                f'The default of the column "{column.name}" gives another value each time, or depends on who asks. The'
                " sync could not tell a default from a value that the application wrote.",
                "Drop the default while the plan runs, and let the application write the value.",
                field=subject.field_of(column.name),
            )
