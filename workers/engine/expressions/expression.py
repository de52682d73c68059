"""One parsed expression of the mapping language, as operations, checks and adapters use it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from workers.engine.expressions.nodes import Kind, Node, Row, Value
from workers.engine.expressions.rendering import Reference, rendering_for


@dataclass(frozen=True)
class Expression:
    """Made by `parse` only."""

    text: str
    """As its author wrote it."""
    columns: frozenset[str]
    """The columns that it reads."""
    root: Node

    @property
    def kind(self) -> Kind:
        return self.root.kind

    def render(self, engine: str, reference: Reference) -> str:
        """Return its SQL, to be sent as it is: it holds no parameter, and `%` stands single."""
        return self.root.sql(rendering_for(engine, reference))

    def evaluate(self, row: Row) -> Value:
        """Return what the engines give for that row; the Python twin of `render`."""
        return self.root.evaluate(row)

    def can_be_null(self, nullable: Collection[str]) -> bool:
        """Whether it may give NULL, where `nullable` are the columns that may. Too careful, never too hopeful."""
        return self.root.can_be_null(nullable)

    def longest(self, lengths: Mapping[str, int | None]) -> int | None:
        """Return the most characters of its text, given those of its columns; None where there is no limit."""
        return self.root.longest(lengths)
