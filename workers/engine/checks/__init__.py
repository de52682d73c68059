"""What speaks against an operation on a target: every check is one file here, and `preflight` asks them all.

A check is a function `check(subject)` that yields Objections. It looks at the shape of the table and at the
adapter's answers, never at the engine's name, and knows nothing of the other checks. Nothing here changes the target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from workers.engine.adapters.base import Adapter
from workers.engine.errors import EngineError
from workers.engine.expressions import Expression, parse
from workers.engine.objection import Objection, Severity
from workers.engine.operation import Operation
from workers.engine.vocabulary import Action, AddColumn, Column, Sync, TableShape


@dataclass(frozen=True)
class Subject:
    """One operation on the table as it stands."""

    operation: Operation
    tag: str
    adapter: Adapter
    shape: TableShape
    accepted_lossy_rows: int
    limit_s: float
    """Most seconds for one pass over the table."""

    @cached_property
    def sync(self) -> Sync:
        return self.operation.sync(self.tag)

    @cached_property
    def actions(self) -> tuple[Action, ...]:
        steps = self.operation.steps(self.tag)
        return tuple(action for step in steps for action in (*step.do, *step.undo))

    @cached_property
    def types(self) -> dict[str, str]:
        """The wanted type of each column that the operation adds."""
        return {action.column: action.type for action in self.actions if isinstance(action, AddColumn)}

    @property
    def mapped(self) -> tuple[Column, ...]:
        """Columns of both sides that are there."""
        found = (self.shape.column(name) for name in (*self.sync.old, *self.sync.new))
        return tuple(column for column in found if column is not None)

    @cached_property
    def ahead(self) -> dict[str, Expression]:
        """By new column; raises ExpressionRefused."""
        sources = self.sync.old
        return {each.column: self._parsed(each.expression, sources) for each in self.sync.ahead}

    @cached_property
    def back(self) -> dict[str, Expression]:
        """By old column; raises ExpressionRefused."""
        return {each.column: self._parsed(each.expression, self.sync.new) for each in self.sync.back}

    def field_of(self, value: str) -> str:
        """Return the path of the parameter with that value, or an empty text."""
        return next((path for path, found in _paths(self.operation.parameters()) if found == value), "")

    def _parsed(self, text: str, columns: Sequence[str]) -> Expression:
        return parse(text, columns=columns, field=self.field_of(text))


Check = Callable[[Subject], Iterator[Objection]]


def preflight(
    operation: Operation, tag: str, adapter: Adapter, *, accepted_lossy_rows: int = 0, limit_s: float = 60.0
) -> tuple[Objection, ...]:
    """Return all objections, those that block first; read-only and repeatable. Engine errors become objections."""
    try:
        adapter.identity()
        shape = adapter.describe(operation.table)
    except EngineError as error:
        return (objection_to(error),)
    subject = Subject(operation, tag, adapter, shape, accepted_lossy_rows, limit_s)
    found: list[Objection] = []
    for check in CHECKS.values():
        # Several checks may meet the same error, such as an expression that cannot be parsed.
        found += [objection for objection in _objections(check, subject) if objection not in found]
    return tuple(sorted(found, key=lambda objection: objection.severity is not Severity.BLOCK))


def objection_to(error: EngineError, *, field: str = "") -> Objection:
    title = error.code.replace("_", " ").capitalize()
    return Objection(error.code, title, Severity.BLOCK, error.fact, error.remedy, field=error.field or field)


def _objections(check: Check, subject: Subject) -> list[Objection]:
    try:
        return list(check(subject))
    except EngineError as error:
        return [objection_to(error)]


def _paths(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Give every text among the parameters with its path: `parts.0.name`."""
    if isinstance(value, str):
        yield path, value
        return
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for name, each in inner:
        yield from _paths(each, f"{path}.{name}" if path else str(name))


CHECKS: dict[str, Check] = {
    module.name: import_module(f"{__name__}.{module.name}").check for module in iter_modules(__path__)
}
"""By the name of their file. Loaded last, since each of them needs what stands above."""
