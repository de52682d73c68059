"""What is observed on PostgreSQL: replicas and their lag, statement statistics, the sync's counts, signals' queries."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest

from tests.contracts.beside import wait_until
from tests.contracts.target import Target, a_fence
from tests.contracts.users import a_users_table, dual_writing
from tests.sync_cases import SYNC, TABLE
from workers.engine.errors import Refused, StatementTimeout, WrongServer
from workers.engine.vocabulary import StopSync

# Replicas.


def test_a_replica_is_found_by_its_primary(target: Target, replica: dict[str, Any]) -> None:
    with target.adapter() as adapter:
        (found,) = adapter.replicas()

    assert (found.state, found.host) == ("streaming", "127.0.0.1")
    assert found.name


def test_a_replica_says_that_it_is_none_of_the_primaries(target: Target, replica: dict[str, Any]) -> None:
    with target.adapter() as adapter, target.adapter(**replica) as follower:
        primary, standby = adapter.identity(), follower.identity()

    assert (standby.is_primary, standby.system, standby.timeline) == (False, primary.system, primary.timeline)


def test_a_replica_that_has_replayed_the_position_is_not_behind(target: Target, replica: dict[str, Any]) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter, target.adapter(**replica) as follower:
        position = adapter.position()
        wait_until(lambda: follower.replica_lag_s(position) == 0)


def test_a_replica_that_stops_replaying_falls_behind_by_the_clock(target: Target, replica: dict[str, Any]) -> None:
    a_users_table(target, "Ann Lee")
    superuser = {"user": target.superuser, "password": target.superuser_password, "dbname": target.database}
    with (
        target.adapter() as adapter,
        target.adapter(**replica) as follower,
        psycopg.connect(**replica, **superuser, autocommit=True) as standby,
    ):
        wait_until(lambda: follower.replica_lag_s(adapter.position()) == 0)
        standby.execute("SELECT pg_wal_replay_pause()")
        try:
            target.app.execute("UPDATE users SET name = 'Bo Kim'")
            position = adapter.position()
            time.sleep(0.4)  # the lag is time

            first = follower.replica_lag_s(position)
            second = follower.replica_lag_s(position)
        finally:
            standby.execute("SELECT pg_wal_replay_resume()")
        wait_until(lambda: follower.replica_lag_s(position) == 0)

    assert first is not None and second is not None
    assert 0.4 <= first < second < 10


def test_the_primary_has_no_lag_of_its_own(target: Target) -> None:
    with target.adapter() as adapter, pytest.raises(WrongServer):
        adapter.replica_lag_s(adapter.position())


def test_a_replica_takes_no_plan(target: Target, replica: dict[str, Any]) -> None:
    with target.adapter(**replica) as follower, pytest.raises(WrongServer):
        follower.install(1, "control-1")


# Signals.


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("SELECT 1", 1.0),
        ("SELECT 2.5::numeric", 2.5),
        ("select 0.5::float8, 'ignored'", 0.5),
        ("  SELECT count(*) FROM users WHERE name LIKE 'A%'", 1.0),
        ("SELECT count(*) FROM public.users", 2.0),
        ("SELECT NULL", None),
        ("SELECT 1 WHERE false", None),
        ("SELECT 'text'", None),
        ("SELECT name FROM users", None),
        ("SELECT true", None),
        ("SELECT 'NaN'::float8", None),
        ("SELECT 'Infinity'::numeric", None),
    ],
)
def test_a_signals_query_gives_a_number_or_nothing(target: Target, query: str, value: float | None) -> None:
    a_users_table(target, "Ann Lee", "Bo Kim")
    with target.adapter() as adapter:
        assert adapter.scalar(query, 1) == value


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1; SELECT 2",
        "DELETE FROM users",
        "WITH gone AS (DELETE FROM users RETURNING 1) SELECT count(*) FROM gone",
        "SELECT 1 INTO public.taken",
        "COMMIT",
        "",
        "SELECT FROM",
        "SELECT nothing",
    ],
)
def test_anything_but_one_select_is_refused_and_changes_nothing(target: Target, query: str) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        with pytest.raises(Refused):
            adapter.scalar(query, 1)

        assert adapter.scalar("SELECT count(*) FROM users", 1) == 1


def test_a_select_that_writes_is_refused(target: Target) -> None:
    target.create("CREATE SEQUENCE numbers")
    with target.adapter() as adapter, pytest.raises(Refused, match="writes"):
        adapter.scalar("SELECT nextval('numbers')", 1)


def test_a_query_that_takes_too_long_is_cut_off(target: Target) -> None:
    with target.adapter() as adapter, pytest.raises(StatementTimeout):
        adapter.scalar("SELECT pg_sleep(10)::text::float8", 0.1)


def test_a_query_cannot_change_settings_for_later_ones(target: Target) -> None:
    with target.adapter() as adapter:
        adapter.scalar("SELECT 1 FROM set_config('search_path', 'evil', false)", 1)
        adapter.scalar("SELECT 1 FROM set_config('statement_timeout', '1', false)", 1)

        assert (
            adapter.scalar("SELECT count(*) FROM pg_class WHERE current_setting('search_path') LIKE '%evil%'", 1) == 0
        )


def test_the_targets_clock_is_the_targets(target: Target) -> None:
    with target.adapter() as adapter:
        assert abs(adapter.server_clock() - time.time()) < 5


# Who uses what.


def test_statements_that_name_table_and_column_are_counted(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        before = adapter.usage(TABLE, ["name"])
        if before.calls is None:
            pytest.skip(before.detail)
        for _ in range(3):
            target.app.execute("SELECT id, name FROM users WHERE id = 1", prepare=False)
        target.app.execute("SELECT id, first_name FROM users", prepare=False)
        adapter.describe(TABLE)

        after = adapter.usage(TABLE, ["name"])

    assert after.calls is not None
    assert after.calls - before.calls == 3


def test_without_statement_statistics_nothing_is_claimed(target: Target) -> None:
    a_users_table(target)
    target.root.execute("DROP EXTENSION IF EXISTS pg_stat_statements")
    try:
        with target.adapter() as adapter:
            usage = adapter.usage(TABLE, ["name"])
    finally:
        target.root.execute("CREATE EXTENSION pg_stat_statements")

    assert usage.calls is None
    assert "pg_stat_statements" in usage.detail


def test_a_sync_that_does_not_stand_is_not_used(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        assert adapter.sync_use(SYNC) is None
        dual_writing(target, adapter)
        use = adapter.sync_use(SYNC)
        adapter.apply(StopSync(SYNC), a_fence())

        assert use is not None and (use.old_writes, use.new_writes) == (0, 0)
        assert adapter.sync_use(SYNC) is None
