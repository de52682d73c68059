"""The Operation protocol and its registry: a named, immutable change that knows its phases and their reverses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, TypeVar

from workers.engine.errors import ParametersRefused
from workers.engine.vocabulary import Step, Sync, TableName


class Operation(Protocol):
    """One change. Implementations are frozen dataclasses whose fields are the parameters."""

    kind: ClassVar[str]
    title: ClassVar[str]

    @classmethod
    def parameters_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the parameters: forms, API and reference pages are made from it."""

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Operation:
        """Build from plain values; raises ParametersRefused or ExpressionRefused with the field's name."""

    def parameters(self) -> dict[str, Any]:
        """Return the plain values again; `from_parameters(parameters())` equals self."""

    @property
    def table(self) -> TableName:
        """The table that it claims."""

    def sync(self, tag: str) -> Sync:
        """Return its sync. `tag` is `p<plan>o<operation>`, the same for every step of a plan."""

    def steps(self, tag: str) -> tuple[Step, ...]:
        """Return one step for each phase that has something to do, in phase order."""

    def describe(self) -> str:
        """Say in one line what it does, for people."""


_Class = TypeVar("_Class", bound="type[Operation]")
OPERATIONS: dict[str, type[Operation]] = {}


def register(operation: _Class) -> _Class:
    """Class decorator: make an operation known by its kind."""
    OPERATIONS[operation.kind] = operation
    return operation


def operation_from(kind: str, parameters: Mapping[str, Any]) -> Operation:
    """Return the operation of that kind; raises ParametersRefused for an unknown one."""
    if kind not in OPERATIONS:
        known = ", ".join(sorted(OPERATIONS))
        raise ParametersRefused(f'There is no operation "{kind}".', remedy=f"Choose one of: {known}.", field="kind")
    return OPERATIONS[kind].from_parameters(parameters)
