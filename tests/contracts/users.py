"""The users table of the contracts: how it is made and filled, and what is read of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from psycopg.sql import SQL

from tests.contracts.target import CONTROL_UID, Target, a_fence
from tests.sync_cases import SYNC, Person
from workers.engine.adapters.postgresql import PostgresAdapter
from workers.engine.vocabulary import Backfill, Compare, Fence, Phase, Side, StartSync, Sync

BACKFILL = Backfill(SYNC, Side.NEW)
COMPARE = Compare(SYNC)
VERIFYING = a_fence(phase=Phase.VERIFY, attempt=1)


def a_users_table(
    target: Target,
    *names: str | None,
    name: LiteralString = "text",
    parts: LiteralString = "first_name text, last_name text",
) -> None:
    """Make the table with a row for each name, ids from 1, not backfilled."""
    with target.as_owner() as connection:
        extra = SQL(", {}").format(SQL(parts)) if parts else SQL("")
        connection.execute(SQL("CREATE TABLE users (id bigint PRIMARY KEY, name {}{})").format(SQL(name), extra))
        rows = list(enumerate(names, start=1))
        connection.cursor().executemany("INSERT INTO users (id, name) VALUES (%s, %s)", rows)


def many_users(target: Target, rows: int) -> None:
    a_users_table(target)
    target.root.execute(
        "INSERT INTO users (id, name) SELECT n, 'First' || n || ' Last ' || n FROM generate_series(1, %s) AS n", [rows]
    )


def people(target: Target) -> dict[int, Person]:
    rows = target.root.execute("SELECT id, name, first_name, last_name FROM users ORDER BY id")
    return {number: (name, first, last) for number, name, first, last in rows}


def out_of_step(target: Target) -> int:
    """Count by SQL of its own, not by the adapter's."""
    row: Any = target.root.execute(
        """
        SELECT count(*) FROM users WHERE (
          first_name IS DISTINCT FROM split_part(name, ' ', 1)
          OR last_name IS DISTINCT FROM CASE WHEN strpos(name, ' ') > 0 THEN substr(name, strpos(name, ' ') + 1) END
        ) AND name IS DISTINCT FROM CASE WHEN last_name IS NULL THEN first_name ELSE first_name || ' ' || last_name END
        """
    ).fetchone()
    return int(row[0])


def dual_writing(target: Target, adapter: PostgresAdapter, *, sync: Sync = SYNC, lead: Side = Side.OLD) -> None:
    adapter.install(1, CONTROL_UID)
    adapter.apply(StartSync(sync, lead), a_fence(phase=Phase.DUAL_WRITE))


def backfill(
    adapter: PostgresAdapter, action: Backfill = BACKFILL, *, fence: Fence | None = None, rows: int = 2
) -> int:
    """Walk to the end; return how many rows were written."""
    fence = fence or a_fence()
    checkpoint = adapter.claim_lane(fence)
    while (upto := adapter.next_boundary(action, checkpoint.cursor, rows)) is not None:
        checkpoint = adapter.copy(action, checkpoint.cursor, upto, fence).checkpoint
    return adapter.conclude(fence).counters.get("written", 0)


def compared(adapter: PostgresAdapter, action: Compare = COMPARE, *, rows: int = 2) -> tuple[int, int, int]:
    """Walk to the end; return out of step, lossy old, lossy new."""
    checkpoint = adapter.claim_lane(VERIFYING)
    while (upto := adapter.next_boundary(action, checkpoint.cursor, rows)) is not None:
        checkpoint = adapter.compare(action, checkpoint.cursor, upto, VERIFYING).checkpoint
    counters = checkpoint.counters
    return (counters["out_of_step"], counters["lossy_old"], counters["lossy_new"])


def plant(target: Target, statement: LiteralString, parameters: Sequence[Any] = ()) -> None:
    """Write behind the sync's back, as a replication worker does."""
    with target.root.transaction():
        target.root.execute("SET LOCAL session_replication_role = replica")
        target.root.execute(statement, parameters)
