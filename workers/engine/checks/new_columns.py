"""A new column must be addable as wanted; one that exists exactly so is adopted, any other is in the way."""

from __future__ import annotations

from collections.abc import Iterator

from workers.engine.checks import Subject, objection_to
from workers.engine.errors import EngineError
from workers.engine.objection import Objection, Severity
from workers.engine.vocabulary import AddColumn


def check(subject: Subject) -> Iterator[Objection]:
    for action in subject.actions:
        if isinstance(action, AddColumn):
            yield from _check_type(subject, action)
            yield from _check_existing(subject, action)


def _check_type(subject: Subject, action: AddColumn) -> Iterator[Objection]:
    """The adapter knows which types it can map: it refuses to write the statement for another."""
    try:
        subject.adapter.render(action)
    except EngineError as error:
        path = subject.field_of(action.column)
        if error.field == "type" and path.endswith(".name"):
            path = f"{path.removesuffix('.name')}.type"
        refusal = objection_to(error)
        yield Objection(refusal.code, refusal.title, refusal.severity, refusal.text, refusal.remedy, field=path)


def _check_existing(subject: Subject, action: AddColumn) -> Iterator[Objection]:
    found = subject.shape.column(action.column)
    if found is None:
        return
    same_type = _spelled(found.type) == _spelled(action.type)
    if same_type and found.nullable and found.default is None and not found.generated:
        return
    details = [found.type, "nullable" if found.nullable else "NOT NULL"]
    details += ["generated"] if found.generated else ["with a default"] if found.default is not None else []
    yield Objection(
        "column_mismatch",
        "Column exists and differs",
        Severity.BLOCK,
        f'The column "{action.column}" exists as {", ".join(details)}; wanted is {action.type}, nullable, without a'
        " default.",
        "Choose another name, or change the column to match: one that matches is adopted.",
        field=subject.field_of(action.column),
    )


def _spelled(type_name: str) -> str:
    """One spelling for the two that SQL has."""
    return type_name.lower().replace("varchar", "character varying").replace(" (", "(").strip()
