"""What PostgreSQL's catalogue tells of a table and its server, and what preflight makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, LiteralString

import pytest

from tests.contracts.target import CONTROL_UID, Target
from tests.contracts.users import a_users_table, dual_writing
from tests.sync_cases import TABLE
from workers.engine.checks import preflight
from workers.engine.errors import TableNotFound
from workers.engine.objection import Objection, Severity
from workers.engine.operations.split_column import Part, SplitColumn
from workers.engine.vocabulary import Column, TableName, Trigger

FIRST = Part("first_name", "text", "split_part(name, ' ', 1)")
LAST = Part("last_name", "text", "case when strpos(name, ' ') > 0 then substr(name, strpos(name, ' ') + 1) end")
SPLIT = SplitColumn(
    schema="public",
    table_name="users",
    column="name",
    parts=(FIRST, LAST),
    join="case when last_name is null then first_name else first_name || ' ' || last_name end",
)


def objections(target: Target, operation: SplitColumn = SPLIT, **given: Any) -> dict[str, Objection]:
    with target.adapter() as adapter:
        return {each.code: each for each in preflight(operation, "p1o0", adapter, **given)}


# Identity and shape.


def test_a_server_says_who_it_is(target: Target) -> None:
    with target.adapter() as adapter:
        identity = adapter.identity()

    row = target.root.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
    assert row == (identity.system,)
    assert (identity.database, identity.is_primary, identity.timeline) == ("shop", True, 1)
    assert int(identity.version.split(".")[0]) >= 14


def test_a_table_is_described_column_by_column(target: Target) -> None:
    a_users_table(
        target,
        "Ann Lee",
        name="varchar(80) NOT NULL DEFAULT ''",
        parts="born date, tag text DEFAULT md5(random()::text), loud text GENERATED ALWAYS AS (name || '!') STORED,"
        " since text DEFAULT now()::text, who text DEFAULT CURRENT_USER, gone text",
    )
    target.create("ALTER TABLE users DROP COLUMN gone", "ANALYZE users")
    with target.adapter() as adapter:
        shape = adapter.describe(TABLE)

    assert shape.columns == (
        Column("id", "bigint", nullable=False),
        Column("name", "character varying(80)", nullable=False, default="''::character varying", length=80),
        Column("born", "date"),
        Column("tag", "text", default="md5((random())::text)", default_is_volatile=True),
        Column("loud", "text", generated=True),
        Column("since", "text", default="(now())::text"),
        Column("who", "text", default="CURRENT_USER", default_is_volatile=True),
    )
    assert (shape.key, shape.rows, shape.kind, shape.row_security) == (("id",), 1, "table", False)
    assert shape.bytes > 0


def test_a_table_never_analysed_has_an_estimate_of_zero(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        assert adapter.describe(TABLE).rows == 0


@pytest.mark.parametrize("table", [TableName("public", "nobody"), TableName("nowhere", "users")], ids=str)
def test_a_table_that_is_not_there_is_not_found(target: Target, table: TableName) -> None:
    a_users_table(target)
    with target.adapter() as adapter, pytest.raises(TableNotFound):
        adapter.describe(table)


def test_what_hangs_on_a_column_is_listed_by_kind(target: Target) -> None:
    a_users_table(target, name="text UNIQUE CHECK (name <> 'x')", parts="loud text GENERATED ALWAYS AS (name) STORED")
    target.create(
        "CREATE INDEX by_name ON users (name)",
        "CREATE UNIQUE INDEX by_lower ON users (lower(name))",
        "CREATE VIEW names AS SELECT name FROM users",
        "CREATE MATERIALIZED VIEW kept AS SELECT name FROM users",
        "CREATE STATISTICS joint ON id, name FROM users",
        "CREATE TABLE visits (name text REFERENCES users (name))",
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER on_name AFTER UPDATE OF name ON users FOR EACH ROW EXECUTE FUNCTION note()",
        "CREATE POLICY own ON users USING (name = 'x')",
        "CREATE FUNCTION one() RETURNS text BEGIN ATOMIC SELECT name FROM users; END",
    )
    target.root.execute("CREATE PUBLICATION news FOR TABLE users (id, name)")
    with target.adapter() as adapter:
        shape = adapter.describe(TABLE)

    assert {(each.kind, each.name) for each in shape.dependants if each.column == "name"} == {
        ("check", "users_name_check on public.users"),
        ("unique", "users_name_key on public.users"),
        ("generated column", "loud"),
        ("index", "public.by_name"),
        ("unique index", "public.by_lower"),
        ("view", "public.names"),
        ("materialized view", "public.kept"),
        ("statistics", "joint"),
        ("referenced by", "visits_name_fkey on public.visits"),
        ("trigger", "on_name"),
        ("policy", "own"),
        ("function", "public.one()"),
        ("publication", "news"),
    }


def test_triggers_are_listed_with_those_that_would_undo_a_sync(target: Target) -> None:
    a_users_table(target)
    target.create("CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    for name, when, level in (
        ("a_first", "BEFORE INSERT OR UPDATE", "ROW"),
        ("zzz_last", "BEFORE UPDATE", "ROW"),
        ("zzz_after", "AFTER UPDATE", "ROW"),
        ("zzz_delete", "BEFORE DELETE", "ROW"),
        ("zzz_once", "BEFORE UPDATE", "STATEMENT"),
    ):
        with target.as_owner() as owner:
            owner.execute(f"CREATE TRIGGER {name} {when} ON users FOR EACH {level} EXECUTE FUNCTION note()".encode())
    with target.adapter() as adapter:
        triggers = {trigger.name: trigger for trigger in adapter.describe(TABLE).triggers}

    assert [name for name, trigger in triggers.items() if trigger.after_ours] == ["zzz_last"]
    assert triggers["a_first"] == Trigger("a_first", "BEFORE", ("INSERT", "UPDATE"))
    assert triggers["zzz_after"].timing == "AFTER"


# Grants.


@pytest.fixture
def bystander(target: Target) -> Iterator[dict[str, str]]:
    """An account that may sign in and nothing else."""
    target.root.execute("DROP ROLE IF EXISTS bystander")
    target.root.execute("CREATE ROLE bystander LOGIN PASSWORD 'secret'")
    yield {"user": "bystander", "password": "secret"}
    target.root.execute("DROP OWNED BY bystander")
    target.root.execute("DROP ROLE bystander")


def test_the_account_of_the_documentation_lacks_nothing(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        assert adapter.missing_grants(TABLE) == ()
        adapter.install(1, CONTROL_UID)
        assert adapter.missing_grants(TABLE) == ()


def test_each_missing_privilege_is_named_with_a_grant_that_mends_it(target: Target, bystander: dict[str, str]) -> None:
    target.root.execute("CREATE SCHEMA shut AUTHORIZATION shop_owner")
    target.create('CREATE TABLE shut."My Users" (id bigint PRIMARY KEY, name text)')
    table = TableName("shut", "My Users")
    with target.adapter(**bystander) as adapter:
        missing = adapter.missing_grants(table)

        assert [each.grant for each in missing] == [
            "GRANT CREATE ON DATABASE shop TO bystander",
            "GRANT USAGE ON SCHEMA shut TO bystander",
            "GRANT shop_owner TO bystander",
            'GRANT SELECT ON shut."My Users" TO bystander',
            'GRANT TRIGGER ON shut."My Users" TO bystander',
            'GRANT UPDATE ON shut."My Users" TO bystander',
            "GRANT pg_monitor TO bystander",
        ]
        for each in missing:
            target.root.execute(each.grant.encode())
        assert adapter.missing_grants(table) == ()


def test_nobody_is_told_to_make_the_account_a_superuser(target: Target, bystander: dict[str, str]) -> None:
    target.root.execute("CREATE TABLE public.of_the_superuser (id bigint PRIMARY KEY, name text)")
    try:
        with target.adapter(**bystander) as adapter:
            grants = [each.grant for each in adapter.missing_grants(TableName("public", "of_the_superuser"))]
    finally:
        target.root.execute("DROP TABLE public.of_the_superuser")

    assert "ALTER TABLE public.of_the_superuser OWNER TO bystander" in grants


def test_a_schema_lockstep_of_another_account_asks_for_membership(target: Target, bystander: dict[str, str]) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
    with target.adapter(**bystander) as adapter:
        grants = [each.grant for each in adapter.missing_grants(TABLE)]

    assert "GRANT lockstep_executor TO bystander" in grants


# Preflight on a real server.


def test_a_plan_that_can_be_carried_out_meets_no_objection(target: Target) -> None:
    a_users_table(target, "Ann Lee", "Mary Ann Smith", None, "Cher", "Bo ", parts="")

    assert objections(target) == {}


def test_a_replica_is_objected_to(target: Target, replica: dict[str, Any]) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter(**replica) as adapter:
        codes = {each.code for each in preflight(SPLIT, "p1o0", adapter)}

    assert codes & {"wrong_server", "table_not_found"}


OBJECTIONS: dict[str, tuple[tuple[LiteralString, ...], str]] = {
    "a view": (("CREATE TABLE t (id bigint PRIMARY KEY, name text)", "CREATE VIEW users AS SELECT * FROM t"), ""),
    "a partitioned table": (
        ("CREATE TABLE users (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id)",),
        "",
    ),
    "a table that others inherit": (
        ("CREATE TABLE users (id bigint PRIMARY KEY, name text)", "CREATE TABLE vips () INHERITS (users)"),
        "",
    ),
    "no key": (("CREATE TABLE users (id bigint, name text)",), "no_usable_key"),
    "no such column": (("CREATE TABLE users (id bigint PRIMARY KEY, nom text)",), "column_not_found"),
    "a number": (("CREATE TABLE users (id bigint PRIMARY KEY, name integer)",), "unsupported_type"),
    "padded text": (("CREATE TABLE users (id bigint PRIMARY KEY, name character(9))",), "unsupported_type"),
    "a column in the way": (
        ("CREATE TABLE users (id bigint PRIMARY KEY, name text, first_name varchar(9))",),
        "column_mismatch",
    ),
    "too short for the way back": (
        ("CREATE TABLE users (id bigint PRIMARY KEY, name varchar(80))",),
        "value_may_not_fit",
    ),
    "NOT NULL": (("CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL)",), "value_may_be_null"),
    "a check": (
        ("CREATE TABLE users (id bigint PRIMARY KEY, name text CHECK (name <> ''))",),
        "constraint_on_mapped_column",
    ),
    "unique": (("CREATE TABLE users (id bigint PRIMARY KEY, name text UNIQUE)",), "constraint_on_mapped_column"),
    "a volatile default": (
        ("CREATE TABLE users (id bigint PRIMARY KEY, name text DEFAULT gen_random_uuid()::text)",),
        "volatile_default",
    ),
    "forced row security": (
        (
            "CREATE TABLE users (id bigint PRIMARY KEY, name text)",
            "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE users FORCE ROW LEVEL SECURITY",
        ),
        "row_security",
    ),
    "a later trigger": (
        (
            "CREATE TABLE users (id bigint PRIMARY KEY, name text)",
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER zzz BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION note()",
        ),
        "trigger_fires_later",
    ),
}


@pytest.mark.parametrize(("statements", "code"), OBJECTIONS.values(), ids=OBJECTIONS)
def test_a_table_that_cannot_be_split_is_objected_to(
    target: Target, statements: tuple[LiteralString, ...], code: str
) -> None:
    target.create(*statements)

    found = objections(target)

    assert (code or "unsupported_table_kind") in found
    assert found[code or "unsupported_table_kind"].severity is Severity.BLOCK


def test_row_security_that_the_owner_passes_by_is_no_objection(target: Target) -> None:
    a_users_table(target, parts="")
    target.create("ALTER TABLE users ENABLE ROW LEVEL SECURITY")

    assert objections(target) == {}


def test_a_published_table_without_replica_identity_is_objected_to(target: Target) -> None:
    target.create("CREATE TABLE users (id bigint NOT NULL UNIQUE, name text)")
    target.root.execute("CREATE PUBLICATION news FOR TABLE users")

    assert "replica_identity" in objections(target)


def test_missing_privileges_are_objections_with_their_grants(target: Target, bystander: dict[str, str]) -> None:
    a_users_table(target, parts="")
    with target.adapter(**bystander) as adapter:
        found = preflight(SPLIT, "p1o0", adapter)

    remedies = {each.remedy for each in found if each.code == "privilege_missing"}
    assert "GRANT shop_owner TO bystander;" in remedies


def test_lossy_rows_are_counted_on_the_server(target: Target) -> None:
    a_users_table(target, "Ann Lee", "Mary Ann Smith", None, "  ", "Ana de la Cruz", parts="")
    lossy = SplitColumn(
        "public", "users", "name", (FIRST, Part("last_name", "text", "split_part(name, ' ', 2)")), SPLIT.join
    )

    found = objections(target, lossy)

    assert found["lossy_mapping"].count == 3  # and NULL comes back as NULL
    assert objections(target, lossy, accepted_lossy_rows=3)["lossy_mapping"].severity is Severity.WARN


def test_rows_that_do_not_fit_are_counted_on_the_server(target: Target) -> None:
    a_users_table(target, "Ann Lee", "Maximilian Lee", parts="")
    short = SplitColumn(
        "public", "users", "name", (Part("first_name", "varchar(5)", FIRST.expression), LAST), SPLIT.join
    )

    found = objections(target, short)

    assert found["rows_do_not_fit"].count == 1
    assert "value_may_not_fit" in found


def test_a_count_that_takes_too_long_is_an_objection(target: Target) -> None:
    a_users_table(target, parts="")
    target.root.execute("INSERT INTO users SELECT n, repeat('x ', 2000) FROM generate_series(1, 3000) AS n")

    assert "not_counted" in objections(target, limit_s=0.001)


def test_what_hangs_on_the_old_column_is_a_warning(target: Target) -> None:
    a_users_table(target, parts="")
    target.create("CREATE INDEX by_name ON users (name)", "CREATE VIEW names AS SELECT name FROM users")

    found = objections(target)

    assert [(each.code, each.severity) for each in found.values()] == [("dependant_of_old_column", Severity.WARN)]


def test_wrong_names_and_expressions_are_objections_and_change_nothing(target: Target) -> None:
    a_users_table(target, "Ann Lee", parts="")
    parts = (Part("f" * 64, "json", "(select 1)"), Part("last_name", "text", "name; drop table users"))
    wrong = replace(SPLIT, parts=parts, join="x")

    found = objections(target, wrong)

    assert {"identifier_refused", "expression_refused"} <= set(found)
    with target.adapter() as adapter:
        assert adapter.leftovers(1) == ()


def test_what_the_plan_itself_hangs_on_the_columns_is_not_held_against_it(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        dual_writing(target, adapter)

    assert objections(target) == {}
