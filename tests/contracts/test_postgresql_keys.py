"""Walking a PostgreSQL table by any usable key: every row once, in the server's own order."""

from __future__ import annotations

from typing import LiteralString

import pytest
from psycopg.sql import SQL

from tests.contracts.target import Target, a_fence
from tests.contracts.users import BACKFILL, dual_writing, out_of_step
from tests.sync_cases import TABLE
from workers.engine.adapters.postgresql import PostgresAdapter
from workers.engine.errors import NoUsableKey

KEYS: dict[str, tuple[LiteralString, LiteralString]] = {
    "negative and sparse": (
        "id bigint PRIMARY KEY",
        "SELECT * FROM (VALUES (-9223372036854775808), (-5), (0), (7), (1000000000), (9223372036854775807)) AS v",
    ),
    "text by the server's collation": (
        "id text PRIMARY KEY",
        "SELECT * FROM (VALUES ('c'), ('D'), (''), ('é'), ('a b'), ('''quoted'''), ('\"'), ('%s $1'), ('🦉'), ('\\'))"
        " AS v",
    ),
    "text under a collation of its own": (
        'id text COLLATE "C" PRIMARY KEY',
        "SELECT * FROM (VALUES ('c'), ('D'), ('é'), ('z')) AS v",
    ),
    "varchar": ("id varchar(3) PRIMARY KEY", "SELECT * FROM (VALUES ('a'), ('a  '), ('abc'), ('')) AS v"),
    "blank-padded": ("id character(5) PRIMARY KEY", "SELECT * FROM (VALUES ('a'), ('ab'), ('b c'), ('')) AS v"),
    "uuid": ("id uuid PRIMARY KEY", "SELECT md5(n::text)::uuid FROM generate_series(1, 9) AS n"),
    "timestamp with its microseconds": (
        "id timestamptz PRIMARY KEY",
        "SELECT '2024-02-29 23:59:59.999999+13'::timestamptz + n * interval '1 microsecond'"
        " FROM generate_series(1, 5) AS n",
    ),
    "date before Christ and at the end of time": (
        "id date PRIMARY KEY",
        "SELECT * FROM (VALUES ('0044-03-15 BC'::date), ('2024-01-01'), ('infinity'), ('-infinity')) AS v",
    ),
    "numeric": (
        "id numeric PRIMARY KEY",
        "SELECT * FROM (VALUES (0.1), (0.10000000000000000001), (-1e30), ('NaN')) AS v",
    ),
    "double": (
        "id double precision PRIMARY KEY",
        "SELECT * FROM (VALUES (0.1::float8), (0.1::float8 + 1e-17), (1e-320), (1e300), ('-Infinity'), ('NaN')) AS v"
        " GROUP BY 1",
    ),
    "bytes": ("id bytea PRIMARY KEY", "SELECT * FROM (VALUES ('\\x00'::bytea), ('\\x'), ('\\xff00'), ('\\x5c')) AS v"),
    "boolean": ("id boolean PRIMARY KEY", "SELECT * FROM (VALUES (true), (false)) AS v"),
    "enum in its own order": ("id mood PRIMARY KEY", "SELECT unnest(enum_range(NULL::mood))"),
    "domain": ("id positive PRIMARY KEY", "SELECT n FROM generate_series(1, 5) AS n"),
    "interval": (
        "id interval PRIMARY KEY",
        "SELECT * FROM (VALUES ('1 mon'::interval), ('-3 days'), ('1 day 02:03:04.5'), ('100 years')) AS v",
    ),
    "inet": ("id inet PRIMARY KEY", "SELECT * FROM (VALUES ('10.0.0.1'::inet), ('::1'), ('10.0.0.0/8')) AS v"),
    "unique index instead of a primary key": (
        "id bigint NOT NULL UNIQUE",
        "SELECT n * 3 FROM generate_series(1, 7) AS n",
    ),
}

COMPOSITE: dict[str, tuple[LiteralString, LiteralString]] = {
    "number and text": (
        "tenant integer, id text, PRIMARY KEY (tenant, id)",
        "SELECT n % 3 - 1, chr(97 + n) FROM generate_series(1, 9) AS n",
    ),
    "text first": (
        "tenant text, id bigint, PRIMARY KEY (tenant, id)",
        "SELECT chr(65 + n % 2 * 33), n FROM generate_series(1, 9) AS n",
    ),
    "other order than the columns": (
        "tenant integer, id integer, PRIMARY KEY (id, tenant)",
        "SELECT n, 10 - n / 2 FROM generate_series(1, 9) AS n",
    ),
}


def a_table(target: Target, key: LiteralString, keys: LiteralString) -> int:
    """Make the table with these keys; return how many rows it has."""
    target.create(
        "CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad')", "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)"
    )
    with target.as_owner() as owner:
        columns = SQL("CREATE TABLE users ({}, name text DEFAULT 'Ann Lee', first_name text, last_name text)")
        # Columns of a key come first, so that the keys fill them.
        names = SQL("tenant, id") if "tenant" in key else SQL("id")
        owner.execute(columns.format(SQL(key)))
        return owner.execute(SQL("INSERT INTO users ({}) {}").format(names, SQL(keys))).rowcount


def walked(adapter: PostgresAdapter, rows: int) -> list[int]:
    """Backfill to the end; return the rows of each batch."""
    checkpoint = adapter.claim_lane(a_fence())
    batches = []
    while (upto := adapter.next_boundary(BACKFILL, checkpoint.cursor, rows)) is not None:
        batch = adapter.copy(BACKFILL, checkpoint.cursor, upto, a_fence())
        checkpoint = batch.checkpoint
        batches.append(batch.rows)
    return batches


@pytest.mark.parametrize("rows", [1, 2, 100])
@pytest.mark.parametrize(("key", "keys"), [*KEYS.values(), *COMPOSITE.values()], ids=[*KEYS, *COMPOSITE])
def test_every_row_is_walked_once(target: Target, key: LiteralString, keys: LiteralString, rows: int) -> None:
    count = a_table(target, key, keys)
    with target.adapter() as adapter:
        dual_writing(target, adapter)

        batches = walked(adapter, rows)

    full, rest = divmod(count, rows)
    assert batches == [rows] * full + [rest] * bool(rest)
    assert out_of_step(target) == 0


def test_rows_that_go_and_come_between_batches_do_not_disturb_the_walk(target: Target) -> None:
    a_table(target, *KEYS["negative and sparse"])
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence())
        first = adapter.next_boundary(BACKFILL, None, 3)
        assert first is not None
        target.app.execute("DELETE FROM users WHERE id IN (0, 7)")
        target.app.execute("INSERT INTO users (id) VALUES (1), (2)")

        assert adapter.copy(BACKFILL, None, first, a_fence()).rows == 2
        assert adapter.next_boundary(BACKFILL, first, 1) == '["1"]'


@pytest.mark.parametrize(
    "key",
    [
        "id bigint",
        "id bigint UNIQUE",
        "id bigint NOT NULL, EXCLUDE USING btree (id WITH =)",
        "id jsonb NOT NULL",
    ],
)
def test_a_table_without_a_usable_key_is_refused(target: Target, key: LiteralString) -> None:
    a_table(target, key, "SELECT NULL WHERE false")
    with target.adapter() as adapter, pytest.raises(NoUsableKey, match=r"public\.users"):
        adapter.describe(TABLE)


@pytest.mark.parametrize(
    "index",
    [
        "CREATE UNIQUE INDEX ON users (id) WHERE id > 0",
        "CREATE UNIQUE INDEX ON users ((id + 1))",
        "CREATE UNIQUE INDEX ON users (id, (name || ''))",
        "CREATE INDEX ON users (id)",
    ],
)
def test_an_index_that_does_not_tell_every_row_apart_is_no_key(target: Target, index: LiteralString) -> None:
    a_table(target, "id bigint NOT NULL", "SELECT 1")
    target.create(index)
    with target.adapter() as adapter, pytest.raises(NoUsableKey):
        adapter.describe(TABLE)


def test_an_index_in_another_order_than_its_column_is_no_key(target: Target) -> None:
    """Each batch would sort the whole table."""
    a_table(target, "id text NOT NULL", "SELECT 'a'")
    target.create('CREATE UNIQUE INDEX ON users (id COLLATE "C")', "CREATE UNIQUE INDEX ON users (id text_pattern_ops)")
    with target.adapter() as adapter, pytest.raises(NoUsableKey):
        adapter.describe(TABLE)


def test_the_primary_key_comes_before_other_unique_indexes(target: Target) -> None:
    a_table(target, "code integer NOT NULL UNIQUE, id bigint PRIMARY KEY", "SELECT NULL WHERE false")
    with target.adapter() as adapter:
        assert adapter.describe(TABLE).key == ("id",)


def test_columns_that_an_index_only_includes_are_no_part_of_the_key(target: Target) -> None:
    a_table(target, "id bigint NOT NULL, code text NOT NULL DEFAULT ''", "SELECT n FROM generate_series(1, 3) AS n")
    target.create("CREATE UNIQUE INDEX ON users (id) INCLUDE (code)")
    with target.adapter() as adapter:
        assert adapter.describe(TABLE).key == ("id",)
