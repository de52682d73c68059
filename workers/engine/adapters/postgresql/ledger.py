"""What a plan made in the target, or took from a column: read and written in the transaction of the change itself.

Kinds: `column` (added, so that undo may drop it), `sync` (with the table as it was then), `retired` (with what
Restore gives back), `relaxed` (was NOT NULL before Retire).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from workers.engine.adapters.postgresql.session import Transaction
from workers.engine.vocabulary import TableName

Kind = Literal["column", "sync", "retired", "relaxed"]

WRITE = """
INSERT INTO lockstep.made (plan, kind, schema_name, table_name, name, detail) VALUES ($1, $2, $3, $4, $5, $6::jsonb)
ON CONFLICT (kind, schema_name, table_name, name) DO UPDATE SET plan = EXCLUDED.plan, detail = EXCLUDED.detail
"""
READ = """
SELECT plan, schema_name, table_name, name, detail FROM lockstep.made
WHERE kind = $1 AND schema_name = $2 AND table_name = $3 AND name = $4
"""
STRIKE = "DELETE FROM lockstep.made WHERE kind = $1 AND schema_name = $2 AND table_name = $3 AND name = $4"
OF_PLAN = """
SELECT plan, schema_name, table_name, name, detail FROM lockstep.made WHERE plan = $1 AND kind = $2 ORDER BY name
"""


@dataclass(frozen=True)
class Entry:
    plan: int
    table: TableName
    name: str
    detail: Mapping[str, Any] = field(default_factory=dict)


def write(transaction: Transaction, kind: Kind, entry: Entry) -> None:
    transaction.run(WRITE, entry.plan, kind, entry.table.schema, entry.table.name, entry.name, as_json(entry))


def as_json(entry: Entry) -> str:
    return json.dumps(dict(entry.detail))


def read(transaction: Transaction, kind: Kind, table: TableName, name: str) -> Entry | None:
    row = transaction.row(READ, kind, table.schema, table.name, name)
    return None if row is None else _entry(*row)


def strike(transaction: Transaction, kind: Kind, table: TableName, name: str) -> None:
    transaction.run(STRIKE, kind, table.schema, table.name, name)


def entries(transaction: Transaction, plan: int, kind: Kind) -> tuple[Entry, ...]:
    return tuple(_entry(*row) for row in transaction.rows(OF_PLAN, plan, kind))


def _entry(plan: int, schema: str, table: str, name: str, detail: Mapping[str, Any]) -> Entry:
    return Entry(plan, TableName(schema, table), name, detail)
