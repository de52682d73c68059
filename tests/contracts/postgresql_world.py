"""A world of the laws on a real PostgreSQL, where the applications work under their own account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.sql import SQL, Composed, Identifier

from tests.contracts.target import CONTROL_UID, Target
from tests.laws.examples import Example, Values
from workers.engine.adapters.base import Adapter
from workers.engine.vocabulary import Column

CATALOGUE = """
SELECT line FROM (
  SELECT 1 AS part, attnum::int AS place, concat_ws(' ', attname, format_type(atttypid, atttypmod),
    CASE WHEN attnotnull THEN 'NOT NULL' END, pg_get_expr(adbin, adrelid)) AS line
  FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT 2, 0, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %(table)s::regclass AND contype <> 'n'
  UNION ALL
  SELECT 3, 0, pg_get_triggerdef(pg_trigger.oid) || tgenabled::text || prosrc
  FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE tgrelid = %(table)s::regclass
) AS described ORDER BY part, place, line
"""


class PostgresWorld:
    def __init__(self, target: Target, example: Example, rows: Mapping[int, Values]) -> None:
        self.target = target
        target.clean()
        table = example.operation.table
        self.table = Identifier(table.schema, table.name)
        columns = [SQL("id bigint PRIMARY KEY"), *map(_definition, example.columns)]
        with target.as_owner() as connection:
            connection.execute(SQL("CREATE TABLE {} ({})").format(self.table, SQL(", ").join(columns)))
        for key, values in rows.items():
            self.insert(key, values)
        with self.adapter("lockstep:test") as adapter:
            adapter.install(1, CONTROL_UID)

    def adapter(self, tag: str) -> Adapter:
        return self.target.adapter(tag)

    def insert(self, key: int, values: Mapping[str, str | None]) -> None:
        written = {"id": key, **values}
        self.target.app.execute(
            SQL("INSERT INTO {} ({}) VALUES ({})").format(
                self.table, SQL(", ").join(map(Identifier, written)), SQL(", ").join([SQL("%s")] * len(written))
            ),
            list(written.values()),
        )

    def update(self, key: int, values: Mapping[str, str | None], *, new_key: int | None = None) -> None:
        written = {**({} if new_key is None else {"id": new_key}), **values}
        if written:
            self.target.app.execute(self._update(written), [*written.values(), key])

    def delete(self, key: int) -> None:
        self.target.app.execute(SQL("DELETE FROM {} WHERE id = %s").format(self.table), [key])

    def plant(self, key: int, values: Mapping[str, str | None]) -> None:
        """As a replication worker writes: triggers do not fire."""
        with self.target.root.transaction():
            self.target.root.execute("SET LOCAL session_replication_role = replica")
            self.target.root.execute(self._update(values), [*values.values(), key])

    def rows(self) -> dict[int, Values]:
        cursor = self.target.app.execute(SQL("SELECT * FROM {}").format(self.table), prepare=False)
        names = [column.name for column in cursor.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in cursor]
        return {row.pop("id"): row for row in found}

    def catalogue(self) -> tuple[str, ...]:
        table = {"table": self.table.as_string(None)}
        return tuple(line for (line,) in self.target.root.execute(CATALOGUE, table))

    def _update(self, values: Mapping[str, Any]) -> Composed:
        sets = SQL(", ").join(SQL("{} = %s").format(Identifier(column)) for column in values)
        return SQL("UPDATE {} SET {} WHERE id = %s").format(self.table, sets)


def _definition(column: Column) -> Composed:
    parts: list[Any] = [Identifier(column.name), SQL(column.type)]  # type: ignore[arg-type]
    if not column.nullable:
        parts.append(SQL("NOT NULL"))
    if column.default is not None:
        parts.append(SQL("DEFAULT {}").format(SQL(column.default)))  # type: ignore[arg-type]
    return SQL(" ").join(parts)
