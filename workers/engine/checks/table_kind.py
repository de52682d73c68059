"""Only a plain table can be worked on: triggers, keys and statistics of other kinds behave differently."""

from __future__ import annotations

from collections.abc import Iterator

from workers.engine.checks import Subject
from workers.engine.objection import Objection, Severity

REMEDIES = {
    "view": "Name the table that the view reads.",
    "materialized view": "Name the table that the view reads.",
    "foreign table": "Register the server that holds the table as a target.",
    "partition": "A partition has the columns of its parent, which is not supported yet.",
    "partitioned table": "Partitioned tables are not supported yet.",
    "inheritance": "Tables that inherit, or are inherited from, are not supported.",
    "typed table": "A table of a type takes its columns from it; detach it with ALTER TABLE ... NOT OF.",
}


def check(subject: Subject) -> Iterator[Objection]:
    kind = subject.shape.kind
    if kind != "table":
        yield Objection(
            "unsupported_table_kind",
            "Not a plain table",
            Severity.BLOCK,
            f"{subject.shape.table} is no plain table, but: {kind}.",
            REMEDIES.get(kind, "Name a plain table."),
            field="table",
        )
