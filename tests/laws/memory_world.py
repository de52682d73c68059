"""A world of the laws in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.laws.examples import Example, Values
from workers.engine.adapters.base import Adapter
from workers.engine.adapters.memory import MemoryAdapter, MemoryServer
from workers.engine.vocabulary import Column


class MemoryWorld:
    def __init__(self, example: Example, rows: Mapping[int, Values]) -> None:
        self.server = MemoryServer()
        self.name = example.operation.table
        self.server.create_table(self.name, (Column("id", "bigint", nullable=False), *example.columns), ("id",))
        for key, values in rows.items():
            self.insert(key, values)
        self.adapter("").install(1, "control-1")

    def adapter(self, tag: str) -> Adapter:
        return MemoryAdapter(self.server, tag=tag)

    def insert(self, key: int, values: Mapping[str, str | None]) -> None:
        self.server.insert(self.name, {"id": key, **values})

    def update(self, key: int, values: Mapping[str, str | None], *, new_key: int | None = None) -> None:
        self.server.update(self.name, (key,), values if new_key is None else {"id": new_key, **values})

    def delete(self, key: int) -> None:
        self.server.delete(self.name, (key,))

    def plant(self, key: int, values: Mapping[str, str | None]) -> None:
        self.server.table(self.name).rows[(key,)].update(values)

    def rows(self) -> dict[int, Values]:
        return {
            int(str(row["id"])): {
                column: None if cell is None else str(cell) for column, cell in row.items() if column != "id"
            }
            for row in self.server.table(self.name).rows.values()
        }

    def catalogue(self) -> tuple[str, ...]:
        columns = self.server.table(self.name).columns.values()
        syncs = (replace(sync, old_writes=0, new_writes=0) for sync in self.server.syncs.values())
        return (*map(repr, columns), *map(repr, syncs))
