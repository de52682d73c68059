"""What hangs on an old column is named early: some of it keeps purge from dropping the column, some goes along."""

from __future__ import annotations

from collections.abc import Iterator

from workers.engine.checks import Subject
from workers.engine.objection import Objection, Severity

KEEP = ("view", "materialized view", "generated column", "function", "publication")
"""They follow when the column is retired, and keep purge from dropping it: their owner has to change them first."""
GO_ALONG = ("index", "statistics")
"""They are dropped together with the column."""


def check(subject: Subject) -> Iterator[Objection]:
    for dependant in subject.shape.dependants:
        if dependant.column not in subject.sync.old:
            continue
        if dependant.kind in KEEP:
            consequence = "It keeps purge from dropping the column."
            remedy = "Its owner drops it or lets it read the new columns before purge; Lockstep never drops it."
        elif dependant.kind in GO_ALONG:
            consequence = "It goes when purge drops the column."
            remedy = "Make one on the new columns, if queries need it, before cutover."
        elif dependant.kind == "trigger":
            consequence = "It does not fire for what the new version writes, which names the new columns."
            remedy = "Let its owner add the new columns to it; it also keeps purge from dropping the column."
        else:
            continue
        yield Objection(
            "dependant_of_old_column",
            "Something hangs on the old column",
            Severity.WARN,
            f'The {dependant.kind} {dependant.name} hangs on the column "{dependant.column}". {consequence}',
            remedy,
            field=subject.field_of(dependant.column),
        )
