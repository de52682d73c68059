"""A constraint on a mapped column judges what the sync writes there, and would make an application's write fail."""

from __future__ import annotations

from collections.abc import Iterator

from workers.engine.checks import Subject
from workers.engine.objection import Objection, Severity

JUDGES = {
    "check": "a check",
    "primary key": "the primary key",
    "unique": "a unique constraint",
    "unique index": "a unique index",
    "exclusion": "an exclusion constraint",
    "foreign key": "a foreign key",
    "referenced by": "a foreign key of another table",
    "policy": "a row security policy",
}


def check(subject: Subject) -> Iterator[Objection]:
    for dependant in subject.shape.dependants:
        if dependant.kind in JUDGES and dependant.column in (*subject.sync.old, *subject.sync.new):
            yield Objection(
                "constraint_on_mapped_column",
                "Constraint on a mapped column",
                Severity.BLOCK,
                f'{JUDGES[dependant.kind].capitalize()}, {dependant.name}, holds for the column "{dependant.column}".'
                " A value that the sync derives may break it, and then the application's own write fails.",
                "Drop it while the plan runs, and let the application keep the rule.",
                field=subject.field_of(dependant.column),
            )
