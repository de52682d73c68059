"""The database that is measured: a users table, the application's own connection, and the demo's split of the name."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg

from workers.engine.adapters.base import Address
from workers.engine.adapters.postgresql import PostgresAdapter
from workers.engine.operations.split_column import Part, SplitColumn
from workers.engine.vocabulary import Fence, Phase

PLAN = 1
SPLIT = SplitColumn(
    schema="public",
    table_name="users",
    column="name",
    parts=(
        Part("first_name", "text", "split_part(name, ' ', 1)"),
        Part("last_name", "text", "case when strpos(name, ' ') > 0 then substr(name, strpos(name, ' ') + 1) end"),
    ),
    join="case when last_name is null then first_name else first_name || ' ' || last_name end",
)
SYNC = SPLIT.sync(f"p{PLAN}o0")
FENCE = Fence(PLAN, 0, Phase.DUAL_WRITE, 0, lane=0, attempt=0, run=1, epoch=1)

FILL = """
INSERT INTO users (id, name, first_name, last_name, visits)
SELECT n, 'First' || n || ' Last ' || n, CASE WHEN %(in_step)s THEN 'First' || n END,
  CASE WHEN %(in_step)s THEN 'Last ' || n END, 0
FROM generate_series(1, %(rows)s) AS n
"""


class Database:
    def __init__(self) -> None:
        parts = urlsplit(os.environ["LOCKSTEP_TEST_TARGET_URL"])
        self.place: dict[str, Any] = {"host": parts.hostname, "port": parts.port, "dbname": parts.path.lstrip("/")}
        self.root = psycopg.connect(
            **self.place, user=unquote(parts.username or ""), password=unquote(parts.password or ""), autocommit=True
        )
        self.app = psycopg.connect(
            **self.place, user="shop_app", password=os.environ["LOCKSTEP_TEST_APP_PASSWORD"], autocommit=True
        )
        self.version = self.root.info.parameter_status("server_version")

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()
        self.root.close()
        self.app.close()

    def spent_s(self) -> float:
        """Return what the application's server process has used: processor time where it can be read, else the clock.

        Processor time stays the same when the machine is busy with other things.
        """
        try:
            fields = Path(f"/proc/{self.app.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return time.perf_counter()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime

    def adapter(self) -> PostgresAdapter:
        address = Address(
            "postgresql",
            self.place["host"],
            self.place["port"],
            self.place["dbname"],
            "lockstep_executor",
            os.environ["LOCKSTEP_TEST_EXECUTOR_PASSWORD"],
        )
        return PostgresAdapter(address, tag=FENCE.tag, lock_timeout_s=5, statement_timeout_s=60)

    def drop(self) -> None:
        self.root.execute("DROP TABLE IF EXISTS users")
        self.root.execute("DROP SCHEMA IF EXISTS lockstep CASCADE")

    def make(self, *, rows: int, in_step: bool) -> None:
        """Make the table anew, vacuumed and analysed, with everything written back."""
        self.drop()
        self.root.execute("SET ROLE shop_owner")
        self.root.execute(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text, first_name text, last_name text, visits integer)"
        )
        self.root.execute("RESET ROLE")
        self.root.execute(FILL, {"rows": rows, "in_step": in_step})
        self.root.execute("VACUUM ANALYZE users")
        self.root.execute("CHECKPOINT")
