"""Walks a table by its key: cursors, and the SQL that compares them where the order is known, in the server.

A cursor is the JSON text of the key's values in the server's own text form. It is never compared here: text sorts
by a collation, and "c" before "D" in one is "c" after "D" in another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from workers.engine.adapters.postgresql.catalogue import Found
from workers.engine.adapters.postgresql.names import qualified, quoted
from workers.engine.adapters.postgresql.session import Transaction
from workers.engine.errors import Refused
from workers.engine.vocabulary import Cursor


@dataclass(frozen=True)
class Walk:
    table: str
    """Quoted."""
    columns: tuple[str, ...]
    """Of the key, quoted."""
    types: tuple[str, ...]

    @classmethod
    def over(cls, found: Found) -> Walk:
        return cls(qualified(found.shape.table), tuple(map(quoted, found.shape.key)), found.key_types)

    @property
    def cursor(self) -> str:
        """SQL of a row's cursor."""
        values = ", ".join(f"{column}::text" for column in self.columns)
        return f"json_build_array({values})::text"

    def parameters(self, *cursors: Cursor | None) -> list[str]:
        """Return the values to bind, in the order in which `between` numbers them."""
        return [value for cursor in cursors if cursor is not None for value in self._read(cursor)]

    def between(self, *, after: bool, upto: bool) -> str:
        """Return the condition on a range whose ends are bound as `$1`, `$2` ...: first after, then upto."""
        bounds = []
        if after:
            bounds.append(self._compared(">", 1))
        if upto:
            bounds.append(self._compared("<=", 1 + (len(self.columns) if after else 0)))
        return " AND ".join(bounds) or "true"

    def sorted(self, direction: str = "ASC") -> str:
        return ", ".join(f"{column} {direction}" for column in self.columns)

    def find(self, transaction: Transaction, after: Cursor | None, rows: int) -> tuple[Cursor | None, bool]:
        """Return the key of the `rows`-th row after the cursor, or else of the last; and whether it is the last."""
        where = self.between(after=after is not None, upto=False)
        start = self.parameters(after)
        reach = f"SELECT {self.cursor} FROM {self.table} WHERE {where} ORDER BY {self.sorted()} LIMIT 1"
        found: Cursor | None = transaction.value(f"{reach} OFFSET {int(rows) - 1}", *start)
        if found is not None:
            return found, False
        last = f"SELECT {self.cursor} FROM {self.table} WHERE {where} ORDER BY {self.sorted('DESC')} LIMIT 1"
        return transaction.value(last, *start), True

    def _compared(self, operator: str, first: int) -> str:
        placeholders = [f"${first + index}::{type_name}" for index, type_name in enumerate(self.types)]
        if len(placeholders) == 1:
            return f"{self.columns[0]} {operator} {placeholders[0]}"
        return f"({', '.join(self.columns)}) {operator} ({', '.join(placeholders)})"

    def _read(self, cursor: Cursor) -> list[str]:
        values = json.loads(cursor)
        if not isinstance(values, list) or len(values) != len(self.columns):
            raise Refused(
                "The checkpoint was made with another key than the table has now.",
                remedy="Roll the backfill back, so that it starts from the first row again.",
            )
        return values
