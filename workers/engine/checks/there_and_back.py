"""Rows that the mapping does not restore are counted before dual-write: the sync would lose them before verify."""

from __future__ import annotations

from collections.abc import Iterator

from workers.engine.checks import Subject
from workers.engine.errors import StatementTimeout
from workers.engine.objection import Objection, Severity


def check(subject: Subject) -> Iterator[Objection]:
    """Nothing is counted where a column is missing, or an expression is refused: reading it here raises."""
    is_complete = all(subject.shape.column(name) for name in subject.sync.old)
    if not (is_complete and subject.ahead and subject.back):
        return
    try:
        counted = subject.adapter.there_and_back(subject.sync, subject.types, subject.limit_s)
    except StatementTimeout:
        yield Objection(
            "not_counted",
            "Rows could not be counted",
            Severity.BLOCK,
            f"Counting what the mapping does not restore took longer than {subject.limit_s:g} s.",
            "Allow it more time, or ask at a quieter hour.",
        )
        return
    if counted.lossy:
        yield _lossy(subject, counted.lossy, counted.rows)
    if counted.unfit:
        yield Objection(
            "rows_do_not_fit",
            "Rows do not fit",
            Severity.BLOCK,
            f"In {counted.unfit:,} of {counted.rows:,} rows a part is longer than its new column.",
            "Choose a longer type, or mend these rows.",
            count=counted.unfit,
        )


def _lossy(subject: Subject, lossy: int, rows: int) -> Objection:
    accepted = subject.accepted_lossy_rows
    signed = f"the plan accepts {accepted:,}" if accepted else "the plan accepts none"
    return Objection(
        "lossy_mapping",
        "Mapping loses data",
        Severity.WARN if lossy <= accepted else Severity.BLOCK,
        f"There and back, the mapping does not restore the old value in {lossy:,} of {rows:,} rows; {signed}.",
        "Mend the mapping or these rows, or accept their number in the plan.",
        count=lossy,
    )
