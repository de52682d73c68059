"""What the sync's triggers add to an application's statements: the same ones with and without it, in turn.

With and without alternate within one run, so that what else the machine does meets both; the cheapest of each counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, LiteralString

from bench.database import FENCE, PLAN, SYNC, Database
from workers.engine.vocabulary import Side, StartSync

STATEMENTS: tuple[tuple[str, LiteralString], ...] = (
    ("UPDATE of the old column, all rows", "UPDATE users SET name = name || 'x'"),
    ("UPDATE of one new column, all rows", "UPDATE users SET last_name = last_name || 'x'"),
    ("UPDATE of both sides in step, all rows", "UPDATE users SET name = name || 'x', last_name = last_name || 'x'"),
    ("UPDATE of another column, all rows", "UPDATE users SET visits = visits + 1"),
    (
        "INSERT of the old column",
        "INSERT INTO users (id, name) SELECT id + 100000000, name FROM users WHERE id < 100000000",
    ),
    (
        "INSERT of the new columns",
        "INSERT INTO users (id, first_name, last_name) SELECT id + 200000000, first_name, last_name FROM users"
        " WHERE id < 100000000",
    ),
)


@dataclass(frozen=True)
class Cost:
    statement: str
    rows: int
    without_s: float
    with_s: float

    @property
    def ratio(self) -> float:
        return self.with_s / self.without_s

    @property
    def added_us_per_row(self) -> float:
        return (self.with_s - self.without_s) / self.rows * 1_000_000

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": round(self.ratio, 3), "added_us_per_row": round(self.added_us_per_row, 3)}


def measure_sync_cost(database: Database, *, rows: int, rounds: int) -> Sequence[Cost]:
    return [_measure(database, *named, rows=rows, rounds=rounds) for named in STATEMENTS]


def _measure(database: Database, name: str, statement: LiteralString, *, rows: int, rounds: int) -> Cost:
    without: list[float] = []
    with_sync: list[float] = []
    for _ in range(rounds):
        for times, is_synced in ((without, False), (with_sync, True)):
            database.make(rows=rows, in_step=True)
            if is_synced:
                with database.adapter() as adapter:
                    adapter.install(PLAN, "bench")
                    adapter.apply(StartSync(SYNC, Side.OLD), FENCE)
            before_s = database.spent_s()
            database.app.execute(statement)
            times.append(database.spent_s() - before_s)
    return Cost(name, rows, min(without), min(with_sync))
