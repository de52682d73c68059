"""What goes wrong on PostgreSQL reaches people as fact and remedy, and never with a value of a row."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier

from tests.contracts.beside import running, wait_until, waits_for_a_lock
from tests.contracts.target import CONTROL_UID, Target, a_fence
from tests.contracts.users import BACKFILL, a_users_table, backfill, dual_writing, people, plant
from tests.sync_cases import TABLE
from workers.engine.adapters.base import adapter_for
from workers.engine.adapters.postgresql import PostgresAdapter
from workers.engine.adapters.postgresql.names import quoted
from workers.engine.errors import (
    Deadlock,
    EngineError,
    HostNotFound,
    PrivilegeMissing,
    Refused,
    Unreachable,
    WrongPassword,
    WrongServer,
)
from workers.engine.vocabulary import AddColumn, Backfill, EnforceNotNull, Mapping, Phase, Sync, TableName

CANARY = "canary-4711-secret"


def connection_error(target: Target, **address: Any) -> EngineError:
    with target.adapter(**address) as adapter, pytest.raises(EngineError) as caught:
        adapter.identity()
    return caught.value


# Connections.


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ({"password": "wrong"}, WrongPassword),
        ({"password": ""}, WrongPassword),
        ({"user": "nobody_of_that_name"}, WrongPassword),
        ({"host": "no-such-host.invalid"}, HostNotFound),
        ({"host": ""}, HostNotFound),
        ({"host": "/tmp"}, HostNotFound),
        ({"host": "127.0.0.1,127.0.0.2"}, HostNotFound),
        ({"host": "host with\nblanks"}, HostNotFound),
        ({"port": 1}, Unreachable),
        ({"database": "no_such_database"}, Refused),
        ({"tls": "require"}, Refused),
    ],
    ids=str,
)
def test_each_way_not_to_connect_has_its_own_error(
    target: Target, address: dict[str, Any], expected: type[EngineError]
) -> None:
    error = connection_error(target, **address)

    assert type(error) is expected
    assert error.fact and error.remedy


def test_a_password_is_in_no_error_and_no_repr(target: Target) -> None:
    error = connection_error(target, password=CANARY)

    assert CANARY not in "".join(traceback.format_exception(error))
    assert CANARY not in repr(target.address(password=CANARY))


def test_the_environment_does_not_steer_the_connection(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c default_transaction_read_only=on")
    monkeypatch.setenv("PGDATABASE", "postgres")
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)

        assert adapter.identity().database == "shop"


def test_the_engine_is_found_by_its_name(target: Target) -> None:
    adapter = adapter_for(target.address(), tag="lockstep:test", lock_timeout_s=1, statement_timeout_s=1)

    assert isinstance(adapter, PostgresAdapter)


def test_nothing_is_opened_before_it_is_needed(target: Target) -> None:
    with target.adapter(host="no-such-host.invalid"):
        pass


def test_an_adapter_goes_on_after_an_error_with_a_new_connection(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        with pytest.raises(Refused):
            adapter.scalar("SELECT nothing FROM nowhere", 1)

        assert adapter.describe(TABLE).key == ("id",)


# Row values.


def every_text_of(error: BaseException) -> str:
    """What a log would hold: the error with its causes and contexts, and all that they carry."""
    texts = traceback.format_exception(error)
    seen: BaseException | None = error
    while seen is not None:
        texts += [repr(seen), str(vars(seen)), str(seen.args)]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(texts)


def test_a_value_that_does_not_fit_is_in_no_error(target: Target) -> None:
    a_users_table(target, f"{CANARY} Lee", parts="first_name varchar(3), last_name text")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence())

        with pytest.raises(Refused, match="22001") as caught:
            adapter.copy(BACKFILL, None, '["1"]', a_fence())

    assert CANARY not in every_text_of(caught.value)


def test_a_row_that_breaks_a_constraint_is_in_no_error(target: Target) -> None:
    a_users_table(
        target, f"{CANARY} Lee", parts="first_name text CONSTRAINT short CHECK (first_name = ''), last_name text"
    )
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence())

        with pytest.raises(Refused, match="short") as caught:
            adapter.copy(BACKFILL, None, '["1"]', a_fence())

    assert CANARY not in every_text_of(caught.value)


def test_a_row_that_breaks_a_unique_index_is_in_no_error(target: Target) -> None:
    a_users_table(target, f"{CANARY} Lee", f"{CANARY} Kim", parts="first_name text UNIQUE, last_name text")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence())

        with pytest.raises(Refused, match="users_first_name_key") as caught:
            adapter.copy(BACKFILL, None, '["2"]', a_fence())

    assert CANARY not in every_text_of(caught.value)


def test_a_trigger_that_shows_the_row_does_not_show_it_to_us(target: Target) -> None:
    a_users_table(target, f"{CANARY} Lee")
    target.create(
        "CREATE FUNCTION show() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'row %', NEW USING DETAIL = NEW::text, HINT = NEW::text; END$$",
        "CREATE TRIGGER show AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION show()",
    )
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence())

        with pytest.raises(Refused, match="P0001") as caught:
            adapter.copy(BACKFILL, None, '["1"]', a_fence())

    assert CANARY not in every_text_of(caught.value)


def test_a_key_is_in_no_error(target: Target) -> None:
    target.create("CREATE TABLE users (id text PRIMARY KEY, name text, first_name varchar(1), last_name text)")
    target.root.execute("INSERT INTO users VALUES (%s, 'Ann Lee')", [CANARY])
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence())
        upto = adapter.next_boundary(BACKFILL, None, 1)
        assert upto is not None

        with pytest.raises(Refused) as caught:
            adapter.copy(BACKFILL, None, upto, a_fence())
        with pytest.raises(EngineError) as foreign:
            adapter.next_boundary(BACKFILL, f'["{CANARY}", "2"]', 1)

    assert CANARY not in str(caught.value) + repr(caught.value.args)
    assert CANARY not in str(foreign.value)


def test_not_null_that_is_refused_shows_no_row(target: Target) -> None:
    a_users_table(target, "Ann Lee", name="text NOT NULL")
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        target.root.execute("ALTER TABLE users ADD COLUMN secret text DEFAULT 'canary-4711-secret'")
        target.root.execute("ALTER TABLE users ALTER COLUMN name DROP NOT NULL")
        target.root.execute(
            "INSERT INTO lockstep.made (plan, kind, schema_name, table_name, name)"
            " VALUES (1, 'relaxed', 'public', 'users', 'name')"
        )
        plant(target, "UPDATE users SET name = NULL")

        with pytest.raises(Refused) as caught:
            adapter.apply(EnforceNotNull(TABLE, "name"), a_fence())

    assert CANARY not in every_text_of(caught.value)


def test_a_signals_query_shows_no_row(target: Target) -> None:
    a_users_table(target, CANARY)
    with target.adapter() as adapter, pytest.raises(Refused) as caught:
        adapter.scalar("SELECT name::integer FROM users", 1)

    assert CANARY not in every_text_of(caught.value)


# Privileges, other servers, deadlocks.


def test_a_missing_privilege_is_said_as_one(target: Target) -> None:
    target.root.execute("CREATE TABLE users (id bigint PRIMARY KEY, name text)")  # the superuser's own
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        with pytest.raises(PrivilegeMissing):
            adapter.apply(AddColumn(TABLE, "first_name", "text"), a_fence())


def test_a_server_that_takes_no_writes_is_the_wrong_one(target: Target) -> None:
    target.root.execute("ALTER ROLE lockstep_executor SET default_transaction_read_only = on")
    try:
        with target.adapter() as adapter:
            adapter.install(1, CONTROL_UID)  # each transaction says for itself that it writes
    finally:
        target.root.execute("ALTER ROLE lockstep_executor RESET default_transaction_read_only")
    with target.adapter() as adapter, pytest.raises(WrongServer):
        with adapter._session.transaction(read_only=True) as transaction:
            transaction.run("CREATE TABLE public.nothing ()")


def test_a_deadlock_with_an_application_is_transient_and_ours_to_lose(target: Target) -> None:
    a_users_table(target, "Ann Lee", "Bo Kim")
    # Who looks first loses.
    target.root.execute("ALTER ROLE lockstep_executor SET deadlock_timeout = '50ms'")
    with target.adapter(a_fence().tag, lock_timeout_s=10, statement_timeout_s=20) as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence())
        with target.app.transaction():
            target.app.execute("UPDATE users SET name = 'Cy Orr' WHERE id = 2")
            with running(lambda: adapter.copy(BACKFILL, None, '["2"]', a_fence())) as outcome:
                wait_until(lambda: waits_for_a_lock(target, a_fence()))
                target.app.execute("UPDATE users SET name = 'Di Poe' WHERE id = 1")
        batch = adapter.copy(BACKFILL, None, '["2"]', a_fence())
    target.root.execute("ALTER ROLE lockstep_executor RESET deadlock_timeout")

    assert isinstance(outcome[0], Deadlock)
    assert batch.rows == 2
    assert people(target) == {1: ("Di Poe", "Di", "Poe"), 2: ("Cy Orr", "Cy", "Orr")}


# Names.


NAMES = ['Mixed "Case"', "select", "with blank", "é" * 31, "a" * 63, "a;b", "per%cent$1", "$lockstep$", "日本語", "'"]


def a_sync_named(name: str) -> Sync:
    """Schema, table, old column and one new column bear the name, or nearly so."""
    column = quoted(name)
    first = Mapping(name[:-1] + "2", f"split_part({column}, ' ', 1)")
    last = Mapping("last_name", f"substr({column}, strpos({column}, ' '))")
    way_back = Mapping(name, f"{quoted(first.column)} || last_name")
    return Sync("lockstep_p1o0", TableName(name, name), ahead=(first, last), back=(way_back,))


@pytest.mark.parametrize("name", NAMES)
def test_any_name_that_the_server_keeps_can_be_worked_with(target: Target, name: str) -> None:
    sync = a_sync_named(name)
    table = Identifier(name, name)
    target.root.execute(SQL("CREATE SCHEMA {} AUTHORIZATION shop_owner").format(Identifier(name)))
    with target.as_owner() as owner, target.adapter() as adapter:
        owner.execute(SQL("CREATE TABLE {} (id bigint PRIMARY KEY, {} text)").format(table, Identifier(name)))
        owner.execute(SQL("INSERT INTO {} VALUES (1, 'Ann Lee')").format(table))
        adapter.install(1, CONTROL_UID)
        for column in sync.new:
            adapter.apply(AddColumn(sync.table, column, "text"), a_fence(phase=Phase.EXPAND))
        dual_writing(target, adapter, sync=sync)

        backfill(adapter, Backfill(sync))
        owner.execute(SQL("INSERT INTO {} VALUES (2, 'Bo Kim')").format(table))

        columns = SQL(", ").join(map(Identifier, sync.new))
        found = owner.execute(SQL("SELECT {} FROM {} ORDER BY id").format(columns, table)).fetchall()
        assert found == [("Ann", " Lee"), ("Bo", " Kim")]
        adapter.remove(1)
        assert adapter.leftovers(1) == ()
