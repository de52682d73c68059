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
        # Everything goes but the extension: dropping the schema would take it along, and the default grants too.
        self.root.execute(
            """
            DO $$ DECLARE found record; BEGIN
              FOR found IN SELECT nspname FROM pg_namespace
                WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'public')
              LOOP EXECUTE format('DROP SCHEMA %I CASCADE', found.nspname); END LOOP;
              FOR found IN SELECT oid::regclass AS name, relkind FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm', 'f', 'v')
                  AND relname NOT LIKE 'pg_stat_statements%'
              LOOP
                IF to_regclass(found.name::text) IS NOT NULL THEN
                  EXECUTE format('DROP %s %s CASCADE', CASE found.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN
                    'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, found.name);
                END IF;
              END LOOP;
            END $$
            """
        )

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
