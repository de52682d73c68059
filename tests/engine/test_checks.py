"""What preflight objects to, on tables in memory whose shape is as each test needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from workers.engine.adapters.base import MissingGrant, ThereAndBack
from workers.engine.adapters.memory import MemoryAdapter, MemoryServer
from workers.engine.checks import CHECKS, preflight
from workers.engine.errors import EngineError, StatementTimeout, Unreachable
from workers.engine.objection import Objection, Severity
from workers.engine.operations.split_column import Part, SplitColumn
from workers.engine.vocabulary import Column, Dependant, Identity, Sync, TableName, TableShape, Trigger

USERS = TableName("public", "users")
ID = Column("id", "bigint", nullable=False)
NAME = Column("name", "text")


class ShapedAdapter(MemoryAdapter):
    """A database in memory that tells of its table, its grants and itself what a test wants told."""

    def __init__(self, columns: tuple[Column, ...], rows: tuple[str | None, ...], /, **shape: Any) -> None:
        server = MemoryServer()
        server.create_table(USERS, columns, ("id",))
        for number, value in enumerate(rows, start=1):
            server.insert(USERS, {"id": number, columns[1].name: value})
        super().__init__(server)
        self.shape = shape
        self.is_primary = True
        self.missing: tuple[MissingGrant, ...] = ()
        self.fault: EngineError | None = None

    def identity(self) -> Identity:
        return replace(super().identity(), is_primary=self.is_primary)

    def describe(self, table: TableName) -> TableShape:
        return replace(super().describe(table), **self.shape)

    def missing_grants(self, table: TableName) -> tuple[MissingGrant, ...]:
        return self.missing

    def there_and_back(self, sync: Sync, types: Mapping[str, str], limit_s: float) -> ThereAndBack:
        if self.fault:
            raise self.fault
        return super().there_and_back(sync, types, limit_s)


def a_table(*names: str | None, name: Column = NAME, others: tuple[Column, ...] = (), **shape: Any) -> ShapedAdapter:
    return ShapedAdapter((ID, name, *others), names, **shape)


def a_split(**changes: Any) -> SplitColumn:
    operation = SplitColumn(
        schema="public",
        table_name="users",
        column="name",
        parts=(
            Part("first_name", "text", "split_part(name, ' ', 1)"),
            Part("last_name", "text", "case when strpos(name, ' ') > 0 then substr(name, strpos(name, ' ') + 1) end"),
        ),
        join="case when last_name is null then first_name else first_name || ' ' || last_name end",
    )
    return replace(operation, **changes)


LOSSY = (
    Part("first_name", "text", "split_part(name, ' ', 1)"),
    Part("last_name", "text", "nullif(split_part(name, ' ', 2), '')"),
)


def objections_to(adapter: ShapedAdapter, operation: SplitColumn | None = None, **given: Any) -> tuple[Objection, ...]:
    return preflight(operation or a_split(), "p1o0", adapter, **given)


def the_one(objections: tuple[Objection, ...], code: str) -> Objection:
    (found,) = (objection for objection in objections if objection.code == code)
    return found


def test_a_plan_that_can_be_carried_out_meets_no_objection() -> None:
    assert objections_to(a_table("Ann Lee", "Mary Ann Smith", None, "Cher", "Bo ")) == ()


def test_a_target_that_cannot_be_reached_is_the_one_objection() -> None:
    adapter = a_table()

    def unreachable() -> Identity:
        raise Unreachable("db:5432 does not answer.", remedy="Check host and port.")

    adapter.identity = unreachable  # type: ignore[method-assign]

    (objection,) = objections_to(adapter)

    assert (objection.code, objection.text, objection.remedy) == (
        "unreachable",
        "db:5432 does not answer.",
        "Check host and port.",
    )


def test_a_replica_is_not_worked_on() -> None:
    adapter = a_table()
    adapter.is_primary = False

    assert the_one(objections_to(adapter), "wrong_server").severity is Severity.BLOCK


def test_a_table_that_is_not_there_is_named() -> None:
    (objection,) = objections_to(a_table(), a_split(table_name="people"))

    assert (objection.code, objection.field) == ("table_not_found", "table")


def test_each_missing_privilege_comes_with_its_grant() -> None:
    adapter = a_table()
    adapter.missing = (MissingGrant("UPDATE on users", "the backfill", "GRANT UPDATE ON users TO executor"),)

    objection = the_one(objections_to(adapter), "privilege_missing")

    assert objection.text == "The account lacks UPDATE on users, needed for the backfill."
    assert objection.remedy == "GRANT UPDATE ON users TO executor;"


@pytest.mark.parametrize("kind", ["view", "partitioned table", "foreign table", "inheritance", "something new"])
def test_only_a_plain_table_is_worked_on(kind: str) -> None:
    objection = the_one(objections_to(a_table(kind=kind)), "unsupported_table_kind")

    assert kind in objection.text


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    objection = the_one(objections_to(a_table(), a_split(column="nom")), "column_not_found")

    assert (objection.field, objection.remedy) == ("column", "It has: id, name.")


@pytest.mark.parametrize("type_name", ["integer", "character(10)", "citext", "jsonb", "varchar_of_ours"])
def test_a_column_of_another_type_than_text_is_not_mapped(type_name: str) -> None:
    objections = objections_to(a_table(name=Column("name", type_name)))

    assert the_one(objections, "unsupported_type").field == "column"


def test_a_column_of_the_key_is_not_split() -> None:
    assert the_one(objections_to(a_table(key=("id", "name"))), "mapped_key").field == "column"


def test_a_new_column_that_matches_exactly_is_adopted() -> None:
    adapter = a_table(others=(Column("first_name", "character varying(20)", length=20),))
    parts = (Part("first_name", "varchar (20)", "left(name, 20)"), a_split().parts[1])

    codes = {objection.code for objection in objections_to(adapter, a_split(parts=parts))}

    assert "column_mismatch" not in codes


@pytest.mark.parametrize(
    "existing",
    [
        Column("first_name", "integer"),
        Column("first_name", "text", nullable=False),
        Column("first_name", "text", default="''"),
        Column("first_name", "text", generated=True),
    ],
    ids=["type", "NOT NULL", "default", "generated"],
)
def test_a_new_column_that_exists_otherwise_is_in_the_way(existing: Column) -> None:
    objections = objections_to(a_table(others=(existing,)))

    assert the_one(objections, "column_mismatch").field == "parts.0.name"


@pytest.mark.parametrize(
    "name", ["a" * 64, "é" * 32, "tab\x00le", "new\nline"], ids=["64 letters", "64 bytes", "NUL", "newline"]
)
def test_a_name_that_the_engine_would_change_is_refused(name: str) -> None:
    parts = (replace(a_split().parts[0], name=name), a_split().parts[1])

    objection = the_one(objections_to(a_table(), a_split(parts=parts)), "identifier_refused")

    assert objection.field == "parts.0.name"
    assert objection.text.isprintable()


def test_every_expression_that_is_refused_is_named_with_its_field() -> None:
    parts = (a_split().parts[0], replace(a_split().parts[1], expression="(select 1)"))

    objections = objections_to(a_table("Ann Lee"), a_split(parts=parts, join="first_name; drop table users"))

    refused = [objection.field for objection in objections if objection.code == "expression_refused"]
    assert sorted(refused) == ["join", "parts.1.expression"]


def test_a_mapping_that_may_give_more_than_the_new_column_holds_is_refused_whatever_the_rows_hold() -> None:
    parts = (replace(a_split().parts[0], type="varchar(20)"), a_split().parts[1])

    objection = the_one(objections_to(a_table(), a_split(parts=parts)), "value_may_not_fit")

    assert objection.field == "parts.0.expression"
    assert "of any length; the column holds 20" in objection.text


def test_a_way_back_that_may_give_more_than_the_old_column_holds_is_refused() -> None:
    name = Column("name", "character varying(80)", length=80)

    assert the_one(objections_to(a_table(name=name)), "value_may_not_fit").field == "join"


def test_lengths_that_fit_both_ways_meet_no_objection() -> None:
    name = Column("name", "character varying(80)", length=80)
    parts = (
        Part("first_name", "varchar(40)", "left(name, 40)"),
        Part("last_name", "varchar(40)", "substr(name, 41, 40)"),
    )

    assert objections_to(a_table(name=name), a_split(parts=parts, join="first_name || last_name")) == ()


def test_a_way_back_that_may_be_null_is_refused_for_a_not_null_column() -> None:
    objection = the_one(objections_to(a_table(name=replace(NAME, nullable=False))), "value_may_be_null")

    assert objection.field == "join"


def test_a_way_back_that_is_never_null_suits_a_not_null_column() -> None:
    operation = a_split(join="coalesce(first_name, '') || coalesce(' ' || last_name, '')")

    assert objections_to(a_table(name=replace(NAME, nullable=False)), operation) == ()


def test_rows_that_the_mapping_does_not_restore_are_counted_and_block() -> None:
    adapter = a_table("Ann Lee", "Mary Ann Smith", "Ana de la Cruz")

    objection = the_one(objections_to(adapter, a_split(parts=LOSSY)), "lossy_mapping")

    assert (objection.severity, objection.count) == (Severity.BLOCK, 2)
    assert "2 of 3 rows; the plan accepts none" in objection.text


def test_lossy_rows_up_to_the_number_signed_for_are_a_warning() -> None:
    adapter = a_table("Ann Lee", "Mary Ann Smith", "Ana de la Cruz")

    objection = the_one(objections_to(adapter, a_split(parts=LOSSY), accepted_lossy_rows=2), "lossy_mapping")

    assert objection.severity is Severity.WARN


def test_one_lossy_row_more_than_signed_for_blocks() -> None:
    adapter = a_table("Ann Lee", "Mary Ann Smith", "Ana de la Cruz")

    objection = the_one(objections_to(adapter, a_split(parts=LOSSY), accepted_lossy_rows=1), "lossy_mapping")

    assert objection.severity is Severity.BLOCK


def test_rows_whose_parts_are_too_long_are_counted() -> None:
    parts = (replace(a_split().parts[0], type="character varying(3)"), a_split().parts[1])

    assert the_one(objections_to(a_table("Ann Lee", "Anna Lee"), a_split(parts=parts)), "rows_do_not_fit").count == 1


def test_a_count_that_takes_too_long_blocks() -> None:
    adapter = a_table()
    adapter.fault = StatementTimeout("too slow")

    assert "longer than 5 s" in the_one(objections_to(adapter, limit_s=5), "not_counted").text


@pytest.mark.parametrize("kind", ["check", "unique index", "foreign key", "referenced by", "policy", "exclusion"])
@pytest.mark.parametrize("column", ["name", "first_name"])
def test_a_constraint_that_could_refuse_what_the_sync_writes_blocks(kind: str, column: str) -> None:
    adapter = a_table(others=(Column("first_name", "text"),), dependants=(Dependant(kind, "the_rule", column),))

    objection = the_one(objections_to(adapter), "constraint_on_mapped_column")

    assert objection.severity is Severity.BLOCK
    assert "the_rule" in objection.text


def test_a_constraint_on_another_column_does_not_matter() -> None:
    assert objections_to(a_table(dependants=(Dependant("check", "the_rule", "id"),))) == ()


@pytest.mark.parametrize("kind", ["view", "materialized view", "generated column", "index", "trigger", "publication"])
def test_what_hangs_on_the_old_column_is_a_warning_that_says_who_acts(kind: str) -> None:
    objection = the_one(
        objections_to(a_table(dependants=(Dependant(kind, "theirs", "name"),))), "dependant_of_old_column"
    )

    assert objection.severity is Severity.WARN
    assert objection.remedy


def test_a_generated_column_is_not_mapped() -> None:
    assert the_one(objections_to(a_table(name=replace(NAME, generated=True))), "generated_column").field == "column"


def test_a_default_that_is_new_each_time_blocks() -> None:
    name = replace(NAME, default="md5(random()::text)", default_is_volatile=True)

    adapter = a_table(name=NAME, columns=(ID, name))

    assert the_one(objections_to(adapter), "volatile_default").field == "column"


def test_a_trigger_that_rewrites_rows_after_the_sync_blocks() -> None:
    trigger = Trigger("zzz_upper", "BEFORE", ("INSERT", "UPDATE"), after_ours=True)

    assert "zzz_upper" in the_one(objections_to(a_table(triggers=(trigger,))), "trigger_fires_later").text


@pytest.mark.parametrize(
    "trigger",
    [Trigger("a_upper", "BEFORE", ("UPDATE",)), Trigger("zzz", "BEFORE", ("UPDATE",), enabled=False, after_ours=True)],
    ids=["earlier", "disabled"],
)
def test_other_triggers_do_not_matter(trigger: Trigger) -> None:
    assert objections_to(a_table(triggers=(trigger,))) == ()


def test_row_security_that_applies_to_the_account_blocks() -> None:
    assert the_one(objections_to(a_table(row_security=True)), "row_security").severity is Severity.BLOCK


@pytest.mark.parametrize(
    ("kind", "code"),
    [("subscription", "fed_by_subscription"), ("publication without replica identity", "replica_identity")],
)
def test_logical_replication_that_breaks_the_promise_blocks(kind: str, code: str) -> None:
    assert the_one(objections_to(a_table(dependants=(Dependant(kind, "theirs", ""),))), code)


def test_an_error_of_the_engine_in_one_check_does_not_hide_the_others() -> None:
    adapter = a_table(row_security=True)
    adapter.fault = Unreachable("gone")

    assert {objection.code for objection in objections_to(adapter)} == {"unreachable", "row_security"}


def test_what_blocks_comes_first() -> None:
    adapter = a_table(row_security=True, dependants=(Dependant("view", "theirs", "name"),))

    assert [objection.severity for objection in objections_to(adapter)] == [Severity.BLOCK, Severity.WARN]


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_every_check_says_what_it_is_for(check: Any) -> None:
    module = __import__(check.__module__, fromlist=["check"])

    assert module.__doc__
