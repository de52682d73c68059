"""A real PostgreSQL for tests: the accounts of Lockstep, application and superuser, and a clean database each time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString
from urllib.parse import unquote, urlsplit

import psycopg

from workers.engine.adapters.base import Address
from workers.engine.adapters.postgresql import PostgresAdapter
from workers.engine.vocabulary import Fence, Phase

CONTROL_UID = "control-1"

# All but the extension's own objects; dropping the schema public would take those and the default grants along.
EVERYTHING = """
SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace
WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'public')
UNION ALL
SELECT format('DROP %s IF EXISTS public.%I CASCADE', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN
  'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, relname)
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm', 'f', 'v', 'S')
  AND relname NOT LIKE 'pg\\_stat\\_statements%'
UNION ALL
SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname NOT LIKE 'pg\\_stat\\_statements%'
UNION ALL
SELECT format('DROP TYPE IF EXISTS public.%I CASCADE', typname)
FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
UNION ALL
SELECT format('DROP PUBLICATION %I', pubname) FROM pg_publication
"""


def target_is_there() -> bool:
    return "LOCKSTEP_TEST_TARGET_URL" in os.environ


class Target:
    """The database `shop` of the throw-away server: tables belong to shop_owner, and shop_app may write them."""

    def __init__(self) -> None:
        self._superuser_url = os.environ["LOCKSTEP_TEST_TARGET_URL"]
        parts = urlsplit(self._superuser_url)
        self.host, self.port = str(parts.hostname), int(parts.port or 5432)
        self.superuser, self.superuser_password = unquote(parts.username or ""), unquote(parts.password or "")
        self.database = parts.path.lstrip("/")
        self.root = self._connect(self.superuser, self.superuser_password)
        """The superuser's connection: makes tables, looks at everything, does harm."""
        self.app = self.application()

    def application(self) -> psycopg.Connection[Any]:
        """Open one more of the application's connections; it commits each statement."""
        return self._connect("shop_app", os.environ["LOCKSTEP_TEST_APP_PASSWORD"])

    def address(self, **changes: Any) -> Address:
        values: dict[str, Any] = {
            "engine": "postgresql",
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "user": "lockstep_executor",
            "password": os.environ["LOCKSTEP_TEST_EXECUTOR_PASSWORD"],
        }
        return Address(**(values | changes))

    def adapter(
        self, tag: str = "lockstep:test", *, lock_timeout_s: float = 0.3, statement_timeout_s: float = 5, **address: Any
    ) -> PostgresAdapter:
        return PostgresAdapter(
            self.address(**address), tag=tag, lock_timeout_s=lock_timeout_s, statement_timeout_s=statement_timeout_s
        )

    def create(self, *statements: LiteralString) -> None:
        """Run DDL as the owner of the application's tables."""
        with self.as_owner() as connection:
            for statement in statements:
                connection.execute(statement)

    @contextmanager
    def as_owner(self) -> Iterator[psycopg.Connection[Any]]:
        self.root.execute("SET ROLE shop_owner")
        try:
            yield self.root
        finally:
            self.root.execute("RESET ROLE")

    def clean(self) -> None:
        """Leave an empty schema public and no trace of Lockstep."""
        if self.app.closed:
            self.app = self.application()
        self.root.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'lockstep:%'"
        )
        for (statement,) in self.root.execute(EVERYTHING).fetchall():
            self.root.execute(statement.encode())

    def close(self) -> None:
        self.root.close()
        self.app.close()

    def _connect(self, user: str, password: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=self.host, port=self.port, dbname=self.database, user=user, password=password, autocommit=True
        )


def a_fence(
    *,
    plan: int = 1,
    phase: Phase = Phase.BACKFILL,
    action: int = 0,
    lane: int = 0,
    attempt: int = 0,
    run: int = 1,
    epoch: int = 1,
) -> Fence:
    return Fence(plan, 0, phase, action, lane=lane, attempt=attempt, run=run, epoch=epoch)
