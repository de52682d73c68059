"""How each engine spells what the mapping language says: names, literals, functions.

Operators are found through search_path, which whoever installs the SQL pins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from workers.engine.errors import Unsupported

Reference = Callable[[str], str]
"""Gives the SQL of a column, such as `NEW."name"`."""


class Rendering(Protocol):
    def column(self, name: str) -> str: ...
    def text(self, value: str) -> str: ...
    def number(self, value: int) -> str: ...
    def null(self) -> str: ...
    def as_text(self, sql: str) -> str: ...
    def call(self, function: str, arguments: Sequence[str]) -> str: ...


class PostgresRendering:
    """PostgreSQL 12 and later (split_part counts from the end from 14 on)."""

    SYNTAX = {"coalesce": "COALESCE", "nullif": "NULLIF"}
    """Parts of the grammar, not functions of pg_catalog."""
    NAMES = {"trim": "btrim"}

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def column(self, name: str) -> str:
        """Read as text under "C": equality is then exact, and columns of different collations can meet."""
        return f'({self._reference(name)}::pg_catalog.text COLLATE pg_catalog."C")'

    def text(self, value: str) -> str:
        """A literal with a backslash says E, so that it reads alike whatever standard_conforming_strings says."""
        quoted = "'" + value.replace("'", "''") + "'"
        return "E" + quoted.replace("\\", "\\\\") if "\\" in value else quoted

    def number(self, value: int) -> str:
        return str(value) if value >= 0 else f"({value})"

    def null(self) -> str:
        return "NULL::pg_catalog.text"

    def as_text(self, sql: str) -> str:
        return f"({sql})::pg_catalog.text"

    def call(self, function: str, arguments: Sequence[str]) -> str:
        if function == "||":
            return f"({' || '.join(arguments)})"
        name = self.SYNTAX.get(function) or f"pg_catalog.{_quoted(self.NAMES.get(function, function))}"
        return f"{name}({', '.join(arguments)})"


def _quoted(name: str) -> str:
    """`left` and `right` are keywords that may only be called bare where they stand without a schema."""
    return f'"{name}"' if name in ("left", "right") else name


RENDERINGS: dict[str, Callable[[Reference], Rendering]] = {"postgresql": PostgresRendering}


def rendering_for(engine: str, reference: Reference) -> Rendering:
    """Raise Unsupported for an engine that has no spelling of the language."""
    if engine not in RENDERINGS:
        raise Unsupported(
            f'The mapping language has no spelling for the engine "{engine}".',
            remedy=f"Choose one of: {', '.join(RENDERINGS)}.",
        )
    return RENDERINGS[engine](reference)
