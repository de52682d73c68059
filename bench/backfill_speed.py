"""How many rows a second one lane fills and compares, by batch size: every batch with fence, checks and checkpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bench.database import FENCE, PLAN, SYNC, Database
from workers.engine.adapters.postgresql import PostgresAdapter
from workers.engine.vocabulary import Backfill, BatchAction, Compare, Phase, Side, StartSync

BATCHES = (500, 2_000, 10_000)


@dataclass(frozen=True)
class Speed:
    batch_rows: int
    backfill_rows_per_s: float
    verify_rows_per_s: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def measure_backfill(database: Database, *, rows: int) -> Sequence[Speed]:
    return [_measure(database, rows=rows, batch_rows=batch_rows) for batch_rows in BATCHES]


def _measure(database: Database, *, rows: int, batch_rows: int) -> Speed:
    database.make(rows=rows, in_step=False)
    with database.adapter() as adapter:
        adapter.install(PLAN, "bench")
        adapter.apply(StartSync(SYNC, Side.OLD), FENCE)
        filled = _walk(adapter, Backfill(SYNC, Side.NEW), Phase.BACKFILL, batch_rows)
        compared = _walk(adapter, Compare(SYNC), Phase.VERIFY, batch_rows)
    return Speed(batch_rows, rows / filled, rows / compared)


def _walk(adapter: PostgresAdapter, action: BatchAction, phase: Phase, batch_rows: int) -> float:
    """Return the seconds from the first batch to the last."""
    fence = replace(FENCE, phase=phase)
    checkpoint = adapter.claim_lane(fence)
    began = time.perf_counter()
    while (upto := adapter.next_boundary(action, checkpoint.cursor, batch_rows)) is not None:
        if isinstance(action, Backfill):
            checkpoint = adapter.copy(action, checkpoint.cursor, upto, fence).checkpoint
        else:
            checkpoint = adapter.compare(action, checkpoint.cursor, upto, fence).checkpoint
    return time.perf_counter() - began
