"""Looks at the target beside Lockstep, as its superuser: what stands there, whatever anybody says about it.

Quiet rows are loaded and then written by no application, so each of their parts that is filled was filled by the
backfill.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import LiteralString

import psycopg

GLANCE_S = 0.01
FILLED = "SELECT count(*) FROM public.users WHERE id <= %s AND id %% 10 > 6 AND first_name IS NOT NULL"
FILLABLE = "SELECT count(*) FROM public.users WHERE id <= %s AND id %% 10 > 6 AND name IS NOT NULL"
AHEAD = """
SELECT id FROM public.users WHERE id <= %s AND id %% 10 > 6 AND first_name IS NULL AND name IS NOT NULL
ORDER BY id LIMIT 1 OFFSET %s FOR UPDATE
"""
BLOCKED = """
SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'lockstep:%' AND wait_event_type = 'Lock'
"""
TWO_WORDS = (
    "SELECT id, last_name FROM public.users WHERE id %% 10 = 7 AND id > %s AND last_name <> '' ORDER BY id LIMIT 1"
)
SET_LAST_NAME = "UPDATE public.users SET last_name = %s WHERE id = %s"
LEFTOVERS = """
SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname LIKE 'lockstep%'
UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgname LIKE '%lockstep%'
UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE proname LIKE 'lockstep%'
UNION ALL SELECT 'relation ' || relname FROM pg_class WHERE relname LIKE 'lockstep%'
UNION ALL SELECT 'column ' || attname FROM pg_attribute WHERE attname LIKE 'lockstep%' AND NOT attisdropped
UNION ALL SELECT 'session ' || application_name FROM pg_stat_activity WHERE application_name LIKE 'lockstep:p%'
"""
COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = 'public.users'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
LAG_EVERY_S = 0.25
REPLAYED = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"


@dataclass(frozen=True)
class Planted:
    """A difference made behind the sync's back, and what mends it."""

    row: int
    last_name: str


class Witness:
    """One superuser's session on the target."""

    def __init__(self, url: str, rows: int):
        self.url = url
        self.rows = rows
        self.connection = psycopg.connect(url, autocommit=True, application_name="shop-witness")

    def close(self) -> None:
        self.connection.close()

    def filled_share(self) -> float:
        """Return which share of the quiet rows the backfill has filled."""
        return self.filled() / max(self._number(FILLABLE, self.rows), 1)

    def filled(self) -> int:
        return self._number(FILLED, self.rows)

    @contextmanager
    def lock_ahead(self, rows: int) -> Iterator[None]:
        """Hold a row some way ahead of the backfill, so that it must wait in the middle of a batch."""
        with psycopg.connect(self.url, application_name="shop-lock") as connection:
            connection.execute(AHEAD, [self.rows, rows])
            yield
            connection.rollback()

    def backfill_is_blocked(self) -> bool:
        """Return whether a session of Lockstep waits for a lock, with a transaction open."""
        return self._number(BLOCKED) > 0

    def plant_difference(self) -> Planted:
        """Change one part of a quiet row where no trigger sees it."""
        row, last_name = self.connection.execute(TWO_WORDS, [0]).fetchone() or (0, "")
        with self.connection.transaction():
            self.connection.execute("SET LOCAL session_replication_role = replica")
            self.connection.execute(SET_LAST_NAME, ["planted", row])
        return Planted(row, last_name)

    def mend(self, planted: Planted) -> None:
        """Write the row as an application would, so that the sync sees it."""
        self.connection.execute(SET_LAST_NAME, [planted.last_name, planted.row])

    def leftovers(self) -> list[str]:
        """Name everything of Lockstep's that is in the target."""
        return [name for (name,) in self.connection.execute(LEFTOVERS)]

    def columns(self) -> list[str]:
        return [name for (name,) in self.connection.execute(COLUMNS)]

    def _number(self, query: LiteralString, *values: int) -> int:
        (found,) = self.connection.execute(query, values or None).fetchone() or (0,)
        return int(found)


class LastWrite(threading.Thread):
    """Watches the quiet rows and remembers when the backfill was last seen to write; ends after some silence."""

    def __init__(self, url: str, rows: int, *, silence_s: float, longest_s: float):
        super().__init__(daemon=True)
        self.url = url
        self.rows = rows
        self.silence_s = silence_s
        self.longest_s = longest_s
        self.last_at = time.monotonic()
        self.writes = 0

    def run(self) -> None:
        witness = Witness(self.url, self.rows)
        started, before = time.monotonic(), witness.filled()
        while time.monotonic() - self.last_at < self.silence_s and time.monotonic() - started < self.longest_s:
            now = witness.filled()
            if now != before:
                self.last_at, before = time.monotonic(), now
                self.writes += 1
            time.sleep(GLANCE_S)
        witness.close()


class LagWatch(threading.Thread):
    """Measures again and again how long a replica takes to have what the primary has, and remembers the worst."""

    def __init__(self, primary_url: str, replica_url: str):
        super().__init__(daemon=True)
        self.primary_url = primary_url
        self.replica_url = replica_url
        self.max_s = 0.0
        self.is_over = threading.Event()

    def run(self) -> None:
        with (
            psycopg.connect(self.primary_url, autocommit=True, application_name="shop-lag") as primary,
            psycopg.connect(self.replica_url, autocommit=True, application_name="shop-lag") as replica,
        ):
            while not self.is_over.wait(LAG_EVERY_S):
                position = primary.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
                started = time.monotonic()
                while replica.execute(REPLAYED, position).fetchone() == (False,) and not self.is_over.is_set():
                    time.sleep(GLANCE_S)
                self.max_s = max(self.max_s, time.monotonic() - started)
