"""The account must have every privilege that the plan needs; each missing one is named with its GRANT."""

from __future__ import annotations

from collections.abc import Iterator

from workers.engine.checks import Subject
from workers.engine.objection import Objection, Severity


def check(subject: Subject) -> Iterator[Objection]:
    for missing in subject.adapter.missing_grants(subject.shape.table):
        yield Objection(
            "privilege_missing",
            "Privilege missing",
            Severity.BLOCK,
            f"The account lacks {missing.privilege}, needed for {missing.needed_for}.",
            f"{missing.grant};",
        )
