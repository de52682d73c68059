"""Row security that applies to Lockstep's own account would hide rows from backfill and verify."""

from __future__ import annotations

from collections.abc import Iterator

from workers.engine.checks import Subject
from workers.engine.objection import Objection, Severity


def check(subject: Subject) -> Iterator[Objection]:
    if subject.shape.row_security:
        yield Objection(
            "row_security",
            "Row security applies",
            Severity.BLOCK,
            f"Row security of {subject.shape.table} applies to this account, so that it may not see every row.",
            "Use a member of the table's owner and ALTER TABLE ... NO FORCE ROW LEVEL SECURITY, or grant BYPASSRLS.",
        )
