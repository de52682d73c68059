"""Every mapping must be one allow-listed expression over the other side's columns."""

from __future__ import annotations

from collections.abc import Iterator

from workers.engine.checks import Subject, objection_to
from workers.engine.errors import ExpressionRefused
from workers.engine.expressions import parse
from workers.engine.objection import Objection


def check(subject: Subject) -> Iterator[Objection]:
    """All of them are tried, not only up to the first that is refused."""
    sync = subject.sync
    for mappings, columns in ((sync.ahead, sync.old), (sync.back, sync.new)):
        for mapping in mappings:
            try:
                parse(mapping.expression, columns=columns, field=subject.field_of(mapping.expression))
            except ExpressionRefused as error:
                yield objection_to(error)
