"""Backfill and comparison on PostgreSQL: what they write, count and leave alone."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from tests.contracts.target import Target, a_fence
from tests.contracts.users import (
    BACKFILL,
    COMPARE,
    VERIFYING,
    a_users_table,
    backfill,
    compared,
    dual_writing,
    many_users,
    out_of_step,
    people,
    plant,
)
from tests.sync_cases import LOSSY, SYNC
from workers.engine.errors import Drifted, Fenced
from workers.engine.vocabulary import AddColumn, Backfill, Compare, ForgetProgress, Side


def test_backfill_fills_every_row_and_counts_what_it_wrote(target: Target) -> None:
    a_users_table(target, "Ann Lee", None, "Cher", "Mary Ann Smith", "Bo ", "", " ", "李 🦉")
    with target.adapter() as adapter:
        dual_writing(target, adapter)

        written = backfill(adapter)

    # NULL is in step with NULL.
    assert written == 7
    assert list(people(target).values()) == [
        ("Ann Lee", "Ann", "Lee"),
        (None, None, None),
        ("Cher", "Cher", None),
        ("Mary Ann Smith", "Mary", "Ann Smith"),
        ("Bo ", "Bo", ""),
        ("", "", None),
        (" ", "", ""),
        ("李 🦉", "李", "🦉"),
    ]


def test_backfill_leaves_a_write_of_the_new_side_that_came_first(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        target.app.execute("UPDATE users SET first_name = 'Mary Ann', last_name = 'Lee' WHERE id = 1")

        written = backfill(adapter)

    assert written == 0
    assert people(target)[1] == ("Mary Ann Lee", "Mary Ann", "Lee")


def test_a_batch_reports_the_rows_walked_and_the_checkpoint_that_stands(target: Target) -> None:
    a_users_table(target, "Ann Lee", "Bo Kim", "Cy Orr", "Di Poe", "Ed Ray")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        start = adapter.claim_lane(a_fence())
        upto = adapter.next_boundary(BACKFILL, start.cursor, 3)
        assert upto is not None

        batch = adapter.copy(BACKFILL, None, upto, a_fence())

        assert (batch.rows, batch.counters) == (3, {"written": 3})
        assert (batch.checkpoint.seq, batch.checkpoint.rows, batch.checkpoint.done) == (1, 3, False)
        assert adapter.read_checkpoint(a_fence()) == batch.checkpoint
        assert adapter.claim_lane(a_fence(run=2, epoch=2)) == batch.checkpoint


def test_a_boundary_is_the_key_of_the_nth_row_or_of_the_last(target: Target) -> None:
    a_users_table(target, "Ann Lee", "Bo Kim", "Cy Orr")
    with target.adapter() as adapter:
        assert adapter.next_boundary(BACKFILL, None, 2) == '["2"]'
        assert adapter.next_boundary(BACKFILL, '["2"]', 2) == '["3"]'
        assert adapter.next_boundary(BACKFILL, '["3"]', 2) is None


def test_a_table_that_grows_as_fast_as_it_is_walked_comes_to_an_end(target: Target) -> None:
    a_users_table(target, "Ann Lee", "Bo Kim")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        last = adapter.next_boundary(BACKFILL, None, 5)
        target.app.execute("INSERT INTO users (id, name) VALUES (3, 'Cy Orr')")

        assert adapter.next_boundary(BACKFILL, last, 5) is None

    assert out_of_step(target) == 2  # the two old rows, not the new one


def test_an_empty_table_has_no_boundary(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        assert adapter.next_boundary(BACKFILL, None, 5) is None


def test_progress_that_was_forgotten_starts_anew(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        backfill(adapter)

        adapter.apply(ForgetProgress(BACKFILL), a_fence(run=2, epoch=2))

        again = adapter.claim_lane(a_fence(run=3, epoch=3))
    assert (again.cursor, again.seq, again.rows, again.done, again.counters) == (None, 0, 0, False, {})


def test_backfill_of_the_old_side_derives_it_from_the_new(target: Target) -> None:
    a_users_table(target, "Ann Lee", "Bo Kim")
    with target.adapter() as adapter:
        dual_writing(target, adapter, lead=Side.NEW)
        plant(target, "UPDATE users SET first_name = 'Cy', last_name = 'Orr' WHERE id = 1")

        written = backfill(adapter, Backfill(SYNC, Side.OLD))

    assert written == 2
    assert people(target) == {1: ("Cy Orr", "Cy", "Orr"), 2: (None, None, None)}


def test_a_comparison_counts_each_kind_of_difference(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        dual_writing(target, adapter, sync=LOSSY)
        plant(
            target,
            """
            INSERT INTO users VALUES
              (1, 'Ann Lee', 'Ann', 'Lee'),              -- in step
              (2, 'Mary Ann Smith', 'Mary', 'Smith'),    -- the new side lost the middle
              (3, 'Mary Ann Smith', 'Mary Ann', 'Smith'),-- the old side cannot say which is which
              (4, 'Ann Lee', 'Bo', 'Kim'),               -- torn
              (5, 'Ann Lee', NULL, NULL),                -- not backfilled
              (6, NULL, NULL, NULL)                      -- in step
            """,
        )

        counted = compared(adapter, Compare(LOSSY))

    assert counted == (2, 1, 1)
    keys = target.root.execute("SELECT plan, operation, run, key FROM lockstep.finding ORDER BY key").fetchall()
    assert keys == [(1, 0, 1, '["4"]'), (1, 0, 1, '["5"]')]


def test_a_comparison_keeps_the_first_thousand_keys(target: Target) -> None:
    many_users(target, 1200)
    with target.adapter() as adapter:
        dual_writing(target, adapter)

        counted = compared(adapter, rows=700)

    assert counted == (1200, 0, 0)
    row = target.root.execute("SELECT count(*) FROM lockstep.finding").fetchone()
    assert row == (1000,)


def test_comparisons_are_exact(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        plant(target, "INSERT INTO users VALUES (1, 'Ann', 'ann', NULL), (2, 'Bo', 'Bo ', NULL), (3, '', NULL, NULL)")

        assert compared(adapter) == (3, 0, 0)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE users DISABLE TRIGGER zz_lockstep_p1o0_update",
        "DROP TRIGGER zz_lockstep_p1o0_insert ON users",
        "ALTER TABLE users RENAME COLUMN name TO nom",
        "ALTER TABLE users DROP COLUMN last_name CASCADE",
        "DROP TABLE users",
        "ALTER TABLE users RENAME TO people; CREATE TABLE users (LIKE people INCLUDING ALL)",
    ],
)
def test_a_batch_notices_that_the_table_is_no_longer_the_one_of_the_plan(target: Target, change: str) -> None:
    a_users_table(target, "Ann Lee", "Bo Kim", "Cy Orr")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence())
        adapter.copy(BACKFILL, None, '["1"]', a_fence())
        before = adapter.read_checkpoint(a_fence())
        with target.as_owner() as owner:
            for statement in change.split("; "):
                owner.execute(statement.encode())

        with pytest.raises(Drifted):
            adapter.copy(BACKFILL, '["1"]', '["2"]', a_fence())

        assert adapter.read_checkpoint(a_fence()) == before


@pytest.mark.parametrize(
    "change", ["ALTER COLUMN name TYPE varchar(100)", "ALTER COLUMN id TYPE numeric", "DROP last_name"]
)
def test_the_server_itself_keeps_what_a_standing_sync_needs(target: Target, change: str) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)

    with pytest.raises(psycopg.errors.Error, match="trigger"), target.as_owner() as owner:
        owner.execute(f"ALTER TABLE users {change}".encode())


def test_a_comparison_does_not_pass_while_the_sync_is_disabled(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        backfill(adapter)
        target.root.execute("ALTER TABLE users DISABLE TRIGGER ALL")

        with pytest.raises(Drifted):
            compared(adapter)


def test_a_change_to_other_columns_does_not_stop_a_backfill(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        target.create("ALTER TABLE users ADD COLUMN age integer", "CREATE INDEX ON users (age)")

        assert backfill(adapter) == 1


def test_a_batch_without_a_claim_is_fenced(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)

        with pytest.raises(Fenced):
            adapter.copy(BACKFILL, None, '["1"]', a_fence(action=7))
        with pytest.raises(Fenced):
            adapter.compare(COMPARE, None, '["1"]', VERIFYING)


def test_what_a_batch_sends_is_what_is_rendered(target: Target) -> None:
    a_users_table(target, "Ann Lee", "Bo Kim")
    with target.adapter() as adapter:
        (statement,) = adapter.render(BACKFILL)
        dual_writing(target, adapter)

        (again,) = adapter.render(BACKFILL)

    assert statement == again
    assert statement.startswith('UPDATE "public"."users" SET "first_name" = ')
    assert '"id" > $1::bigint AND "id" <= $2::bigint AND NOT' in statement


def test_two_syncs_on_two_tables_do_not_meet(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    target.create("CREATE TABLE others (id bigint PRIMARY KEY, name text, first_name text, last_name text)")
    target.root.execute("INSERT INTO others VALUES (1, 'Ann Lee')")
    other = replace(SYNC, name="lockstep_p1o1", table=replace(SYNC.table, name="others"))
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        dual_writing(target, adapter, sync=other)

        assert backfill(adapter) == 1
        assert backfill(adapter, Backfill(other), fence=replace(a_fence(), operation=1)) == 1
        use = adapter.sync_use(SYNC)

    assert use is not None
    assert (use.old_writes, use.new_writes) == (0, 0)


def test_a_backfill_may_add_columns_of_limited_length(target: Target) -> None:
    a_users_table(target, "Ann Lee", name="varchar(80)", parts="")
    with target.adapter() as adapter:
        adapter.install(1, "control-1")
        for column in ("first_name", "last_name"):
            adapter.apply(AddColumn(SYNC.table, column, "varchar(80)"), a_fence())
        dual_writing(target, adapter)

        assert backfill(adapter) == 1

    assert people(target)[1] == ("Ann Lee", "Ann", "Lee")
