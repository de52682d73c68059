"""Actions without batches on PostgreSQL: what they change, adopt, refuse and give back, and what a preview shows."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.contracts.target import CONTROL_UID, Target, a_fence
from tests.contracts.users import BACKFILL, a_users_table, backfill, dual_writing, out_of_step, people, plant
from tests.sync_cases import SYNC, TABLE
from workers.engine.adapters.postgresql import PostgresAdapter
from workers.engine.adapters.postgresql.session import Transaction
from workers.engine.errors import (
    ColumnMismatch,
    ColumnNotFound,
    Drifted,
    IdentifierRefused,
    Irreversible,
    LockTimeout,
    Refused,
    TableNotFound,
    Unsupported,
)
from workers.engine.vocabulary import (
    Action,
    AddColumn,
    AllowNull,
    Column,
    Compare,
    DropColumn,
    EnforceNotNull,
    Fence,
    ForgetProgress,
    Lead,
    Purge,
    Restore,
    Retire,
    Side,
    StartSync,
    StopSync,
    TableName,
)

RETIRED = "lockstep_p1o0_retired"
RETIRE, RESTORE = Retire(TABLE, "name", RETIRED), Restore(TABLE, "name", RETIRED)
ADD = AddColumn(TABLE, "first_name", "varchar(40)")
DROP = DropColumn(TABLE, "first_name")
NOT_NULL_DEFAULT = "text NOT NULL DEFAULT 'No Name'"


def an_installed(adapter: PostgresAdapter) -> PostgresAdapter:
    adapter.install(1, CONTROL_UID)
    return adapter


def the_column(adapter: PostgresAdapter, name: str) -> Column | None:
    return adapter.describe(TABLE).column(name)


# Columns.


def test_an_added_column_is_nullable_without_a_default_and_is_dropped_by_undo(target: Target) -> None:
    a_users_table(target, parts="")
    with target.adapter() as adapter:
        an_installed(adapter).apply(ADD, a_fence())
        added = the_column(adapter, "first_name")

        adapter.apply(DROP, a_fence())

        assert added == Column("first_name", "character varying(40)", length=40)
        assert the_column(adapter, "first_name") is None


def test_a_column_that_matches_exactly_is_adopted_and_never_dropped(target: Target) -> None:
    a_users_table(target, parts="first_name varchar(40)")
    with target.adapter() as adapter:
        an_installed(adapter).apply(ADD, a_fence())
        adapter.apply(DROP, a_fence())

        assert the_column(adapter, "first_name") is not None


def test_a_column_of_another_plan_is_not_dropped(target: Target) -> None:
    a_users_table(target, parts="")
    with target.adapter() as adapter:
        an_installed(adapter).install(2, CONTROL_UID)
        adapter.apply(ADD, a_fence(plan=1))

        adapter.apply(DROP, a_fence(plan=2))

        assert the_column(adapter, "first_name") is not None


@pytest.mark.parametrize(
    "existing",
    [
        "varchar(41)",
        "text",
        "varchar(40) NOT NULL",
        "varchar(40) DEFAULT ''",
        "varchar(40) GENERATED ALWAYS AS (name) STORED",
    ],
)
def test_a_column_that_exists_otherwise_is_a_mismatch(target: Target, existing: Any) -> None:
    a_users_table(target, parts="first_name " + existing)
    with target.adapter() as adapter, pytest.raises(ColumnMismatch):
        an_installed(adapter).apply(ADD, a_fence())


@pytest.mark.parametrize("type_name", ["integer", "text; DROP TABLE users", "varchar(0)", "text[]", "citext", ""])
def test_a_type_that_cannot_be_mapped_is_refused(target: Target, type_name: str) -> None:
    a_users_table(target)
    with target.adapter() as adapter, pytest.raises(Unsupported):
        an_installed(adapter).apply(AddColumn(TABLE, "age", type_name), a_fence())


@pytest.mark.parametrize("name", ["", "a" * 64, "é" * 32, "nul\x00", "line\n", "\ud800"], ids=ascii)
def test_a_name_that_the_server_would_change_is_refused_before_it_is_quoted(target: Target, name: str) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        an_installed(adapter)
        for action in (
            AddColumn(TABLE, name, "text"),
            DropColumn(TableName("public", name), "age"),
            Purge(TABLE, name),
        ):
            with pytest.raises(IdentifierRefused):
                adapter.render(action)
            with pytest.raises(IdentifierRefused):
                adapter.apply(action, a_fence())


def test_a_table_that_is_not_there_is_named(target: Target) -> None:
    with target.adapter() as adapter, pytest.raises(TableNotFound, match=r"public\.users"):
        an_installed(adapter).apply(ADD, a_fence())


def test_a_column_that_others_need_is_not_dropped(target: Target) -> None:
    a_users_table(target, parts="")
    with target.adapter() as adapter:
        an_installed(adapter).apply(ADD, a_fence())
        target.create("CREATE VIEW firsts AS SELECT first_name FROM users")

        with pytest.raises(Refused, match="depend"):
            adapter.apply(DROP, a_fence())


# Sync.


def test_a_sync_over_columns_that_are_not_there_is_refused(target: Target) -> None:
    a_users_table(target, parts="first_name text")
    with target.adapter() as adapter, pytest.raises(ColumnNotFound, match="last_name"):
        an_installed(adapter).apply(StartSync(SYNC), a_fence())


@pytest.mark.parametrize(
    "parts",
    [
        "first_name integer, last_name text",
        "first_name text, last_name text GENERATED ALWAYS AS ('x') STORED",
        "first_name text DEFAULT md5(random()::text), last_name text",
        "first_name text DEFAULT CURRENT_USER, last_name text",
    ],
)
def test_a_sync_over_columns_that_it_could_not_keep_in_step_is_refused(target: Target, parts: Any) -> None:
    a_users_table(target, parts=parts)
    with target.adapter() as adapter:
        with pytest.raises(Unsupported):
            an_installed(adapter).apply(StartSync(SYNC), a_fence())

        assert adapter.leftovers(1) == ("rows in lockstep.plan: 1",)


def test_starting_a_sync_waits_for_open_writers(target: Target) -> None:
    """None of them may write on without the sync: their rows would be out of step for ever."""
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter, target.application() as writer:
        an_installed(adapter)
        with writer.transaction():
            writer.execute("INSERT INTO users (id, name) VALUES (2, 'Bo Kim')")
            with pytest.raises(LockTimeout):
                adapter.apply(StartSync(SYNC), a_fence())

        adapter.apply(StartSync(SYNC), a_fence())

        assert backfill(adapter) == 2
    assert out_of_step(target) == 0


def test_the_lead_turns_in_place_while_writers_are_open(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter, target.application() as writer:
        dual_writing(target, adapter)
        with writer.transaction():
            writer.execute("INSERT INTO users (id, name) VALUES (1, 'Ann Lee')")

            adapter.apply(Lead(SYNC, Side.NEW), a_fence())

            writer.execute("UPDATE users SET name = 'Cy Orr', first_name = 'Bo' WHERE id = 1")

    assert people(target)[1] == ("Bo Lee", "Bo", "Lee")


def test_the_lead_of_a_sync_that_does_not_stand_is_not_turned(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        with target.as_owner() as owner:
            owner.execute("ALTER TABLE users DISABLE TRIGGER USER")
        with pytest.raises(Drifted):
            adapter.apply(Lead(SYNC, Side.NEW), a_fence())
        adapter.apply(StopSync(SYNC), a_fence())

        with pytest.raises(Drifted):
            adapter.apply(Lead(SYNC, Side.NEW), a_fence())


def test_a_sync_needs_no_rights_of_the_application_in_our_schema(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            target.app.execute("SELECT * FROM lockstep.progress")

        target.app.execute("INSERT INTO users (id, name) VALUES (1, 'Ann Lee')")

        use = adapter.sync_use(SYNC)
    assert use is not None and use.old_writes == 1


def test_a_hostile_search_path_does_not_change_what_the_sync_does(target: Target) -> None:
    a_users_table(target)
    target.root.execute("CREATE SCHEMA evil")
    target.root.execute(
        "CREATE FUNCTION evil.split_part(text, text, int) RETURNS text LANGUAGE sql AS $$SELECT 'evil'$$"
    )
    target.root.execute("CREATE FUNCTION evil.never(text, text) RETURNS bool LANGUAGE sql AS $$SELECT false$$")
    target.root.execute("CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.never)")
    target.root.execute("GRANT USAGE ON SCHEMA evil TO PUBLIC")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        with target.app.transaction():
            target.app.execute("SET LOCAL search_path = evil, pg_catalog, public")

            target.app.execute("INSERT INTO public.users (id, name) VALUES (1, 'Ann Lee')")

    assert people(target)[1] == ("Ann Lee", "Ann", "Lee")


def test_writes_are_counted_once_for_each_transaction(target: Target) -> None:
    a_users_table(target, "Ann Lee", "Bo Kim")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        with target.app.transaction():
            target.app.execute("UPDATE users SET name = name || '!'")
            target.app.execute("UPDATE users SET name = name || '!'")
        target.app.execute("UPDATE users SET first_name = 'Cy' WHERE id = 1")
        target.app.execute("UPDATE users SET last_name = 'Orr' WHERE id = 1")
        backfill(adapter)

        use = adapter.sync_use(SYNC)

    assert use is not None
    assert (use.old_writes, use.new_writes) == (1, 2)


def test_a_sync_started_again_keeps_its_counts(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        target.app.execute("INSERT INTO users (id, name) VALUES (1, 'Ann Lee')")

        adapter.apply(StartSync(SYNC), a_fence())

        use = adapter.sync_use(SYNC)
    assert use is not None and use.old_writes == 1


def test_other_triggers_fire_before_the_sync(target: Target) -> None:
    a_users_table(target)
    target.create(
        "CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN NEW.name := btrim(NEW.name); RETURN NEW; END$$",
        "CREATE TRIGGER set_tidy BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION tidy()",
    )
    with target.adapter() as adapter:
        dual_writing(target, adapter)

        target.app.execute("INSERT INTO users (id, name) VALUES (1, '  Ann Lee ')")
        target.app.execute("UPDATE users SET name = ' Bo Kim  ' WHERE id = 1")

    assert people(target)[1] == ("Bo Kim", "Bo", "Kim")


def test_a_sync_survives_upserts_copies_and_merges(target: Target) -> None:
    a_users_table(target)
    upsert = "INSERT INTO users (id, name) VALUES (1, %s) ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name"
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        target.app.execute(upsert, ["Ann Lee"])
        target.app.execute(upsert, ["Bo Kim"])
        with target.app.cursor().copy("COPY users (id, first_name, last_name) FROM STDIN") as rows:
            rows.write_row((2, "Cy", "Orr"))
        target.app.execute(
            "MERGE INTO users USING (VALUES (1, 'Di'), (3, 'Ed')) AS v(id, first) ON users.id = v.id"
            " WHEN MATCHED THEN UPDATE SET first_name = v.first"
            " WHEN NOT MATCHED THEN INSERT (id, first_name) VALUES (v.id, v.first)"
        )

    assert people(target) == {1: ("Di Kim", "Di", "Kim"), 2: ("Cy Orr", "Cy", "Orr"), 3: ("Ed", "Ed", None)}


# Contract and its way back.


def test_a_retired_column_keeps_its_data_and_need_not_be_written(target: Target) -> None:
    a_users_table(target, "Ann Lee", name=NOT_NULL_DEFAULT)
    with target.adapter() as adapter:
        an_installed(adapter).apply(RETIRE, a_fence())

        target.app.execute("INSERT INTO users (id) VALUES (2)")

        assert the_column(adapter, "name") is None
        assert the_column(adapter, RETIRED) == Column(RETIRED, "text")
    values = target.root.execute("SELECT lockstep_p1o0_retired FROM users ORDER BY id").fetchall()
    assert values == [("Ann Lee",), (None,)]


def test_the_way_back_restores_name_default_and_not_null(target: Target) -> None:
    a_users_table(target, "Ann Lee", name=NOT_NULL_DEFAULT)
    with target.adapter() as adapter:
        before = adapter.describe(TABLE)
        for action in (AllowNull(TABLE, "name"), RETIRE, RESTORE, EnforceNotNull(TABLE, "name")):
            an_installed(adapter).apply(action, a_fence())
            adapter.apply(action, a_fence())

        assert adapter.describe(TABLE) == before


def test_a_not_null_that_was_lifted_survives_a_second_contract(target: Target) -> None:
    """The first way back was broken off before it enforced NOT NULL again."""
    a_users_table(target, "Ann Lee", name=NOT_NULL_DEFAULT)
    with target.adapter() as adapter:
        for action in (AllowNull(TABLE, "name"), RETIRE, RESTORE, RETIRE, RESTORE):
            an_installed(adapter).apply(action, a_fence())

        adapter.apply(EnforceNotNull(TABLE, "name"), a_fence())

        assert the_column(adapter, "name") == Column("name", "text", nullable=False, default="'No Name'::text")


def test_not_null_is_not_enforced_where_it_was_none(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        for action in (AllowNull(TABLE, "name"), RETIRE, RESTORE, EnforceNotNull(TABLE, "name")):
            an_installed(adapter).apply(action, a_fence())

        assert the_column(adapter, "name") == Column("name", "text")


def test_rows_without_a_value_refuse_not_null_and_leave_no_check_behind(target: Target) -> None:
    a_users_table(target, "Ann Lee", name=NOT_NULL_DEFAULT)
    enforce = EnforceNotNull(TABLE, "name")
    with target.adapter() as adapter:
        an_installed(adapter).apply(AllowNull(TABLE, "name"), a_fence())
        plant(target, "INSERT INTO users (id, name) VALUES (2, NULL)")

        with pytest.raises(Refused, match="NULL in some rows"):
            adapter.apply(enforce, a_fence())

        target.app.execute("UPDATE users SET name = NULL WHERE id = 1")
        plant(target, "UPDATE users SET name = 'mended'")
        adapter.apply(enforce, a_fence())
        assert the_column(adapter, "name") == Column("name", "text", nullable=False, default="'No Name'::text")


def test_writers_and_readers_pass_while_not_null_is_validated(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    a_users_table(target, "Ann Lee", name=NOT_NULL_DEFAULT)
    honest = Transaction.run
    written = []

    def run(self: Transaction, statement: str, *parameters: Any) -> int:
        result = honest(self, statement, *parameters)
        if "VALIDATE" in statement:  # its transaction is still open
            written.append(target.app.execute("UPDATE users SET name = 'Bo Kim'").rowcount)
        return result

    with target.adapter() as adapter:
        an_installed(adapter).apply(AllowNull(TABLE, "name"), a_fence())
        monkeypatch.setattr(Transaction, "run", run)
        target.app.execute("SET lock_timeout = '1s'")
        adapter.apply(EnforceNotNull(TABLE, "name"), a_fence())

    assert written == [1]


def test_a_column_that_came_anew_is_not_overwritten_by_the_way_back(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        an_installed(adapter).apply(RETIRE, a_fence())
        target.create("ALTER TABLE users ADD COLUMN name text")

        for action in (RESTORE, RETIRE):
            with pytest.raises(ColumnMismatch):
                adapter.apply(action, a_fence())


def test_there_is_no_way_back_after_purge(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        for action in (RETIRE, Purge(TABLE, RETIRED), Purge(TABLE, RETIRED)):
            an_installed(adapter).apply(action, a_fence())

        with pytest.raises(Irreversible):
            adapter.apply(RESTORE, a_fence())


def test_purge_drops_nothing_that_was_not_retired_by_us(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        an_installed(adapter).apply(Purge(TABLE, "name"), a_fence())

        assert the_column(adapter, "name") is not None


def test_what_hangs_on_a_column_follows_it_when_it_is_retired(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    target.create("CREATE INDEX users_name ON users (name)", "CREATE VIEW names AS SELECT name FROM users")
    with target.adapter() as adapter:
        an_installed(adapter).apply(RETIRE, a_fence())
        with pytest.raises(Refused, match="depend"):
            adapter.apply(Purge(TABLE, RETIRED), a_fence())

        assert target.root.execute("SELECT name FROM names").fetchall() == [("Ann Lee",)]
        target.create("DROP VIEW names")
        adapter.apply(Purge(TABLE, RETIRED), a_fence())


# Previews.

PLAN: tuple[Action, ...] = (
    AddColumn(TABLE, "first_name", "text"),
    AddColumn(TABLE, "last_name", "text"),
    StartSync(SYNC),
    Lead(SYNC, Side.NEW),
    Lead(SYNC, Side.OLD),
    ForgetProgress(BACKFILL),
    AllowNull(TABLE, "name"),
    StopSync(SYNC),
    RETIRE,
    RESTORE,
    StartSync(SYNC, Side.NEW),
    EnforceNotNull(TABLE, "name"),
    StopSync(SYNC),
    RETIRE,
    Purge(TABLE, RETIRED),
)


@pytest.mark.parametrize("name", ["text", NOT_NULL_DEFAULT])
def test_what_an_action_sends_is_what_the_preview_before_the_plan_shows(
    target: Target, monkeypatch: pytest.MonkeyPatch, name: Any
) -> None:
    a_users_table(target, "Ann Lee", name=name, parts="")
    sent: list[str] = []
    honest = Transaction.run

    def run(self: Transaction, statement: str, *parameters: Any) -> int:
        if statement.startswith(("ALTER", "CREATE", "DROP")):
            sent.append(statement)
        return honest(self, statement, *parameters)

    with target.adapter() as adapter:
        previews = [adapter.render(action) for action in PLAN]
        an_installed(adapter)
        monkeypatch.setattr(Transaction, "run", run)
        for action, preview in zip(PLAN, previews, strict=True):
            sent.clear()
            adapter.apply(action, a_fence())
            assert tuple(sent) == preview


def test_batches_are_not_applied(target: Target) -> None:
    with target.adapter() as adapter:
        for action in (BACKFILL, Compare(SYNC)):
            with pytest.raises(Unsupported):
                adapter.apply(action, a_fence())


def test_every_action_is_told_apart_by_its_own_progress(target: Target) -> None:
    a_users_table(target, parts="")
    fences: list[Fence] = [a_fence(action=0), a_fence(action=1)]
    with target.adapter() as adapter:
        an_installed(adapter)
        for fence, column in zip(fences, ("first_name", "last_name"), strict=True):
            adapter.apply(AddColumn(TABLE, column, "text"), fence)

    row = target.root.execute("SELECT count(*) FROM lockstep.progress").fetchone()
    assert row == (2,)
