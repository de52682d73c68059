"""The two-way sync on PostgreSQL, by the table of cases that every engine follows."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.sql import SQL, Identifier, Literal

from tests.contracts.target import CONTROL_UID, Target, a_fence
from tests.sync_cases import SYNC_CASES, TABLE, Person, SyncCase
from workers.engine.vocabulary import StartSync


def a_users_table(target: Target, *, name_default: str | None = None) -> None:
    extra = SQL("") if name_default is None else SQL("NOT NULL DEFAULT {}").format(Literal(name_default))
    with target.as_owner() as connection:
        connection.execute(
            SQL("CREATE TABLE users (id bigint PRIMARY KEY, name text {}, first_name text, last_name text)").format(
                extra
            )
        )


def write(target: Target, case: SyncCase) -> None:
    columns = SQL(", ").join(map(Identifier, case.writes))
    values = list(case.writes.values())
    if case.before is None:
        named = SQL("id, {}").format(columns) if case.writes else SQL("id")
        marks = SQL(", ").join([SQL("%s")] * (1 + len(values)))
        target.app.execute(SQL("INSERT INTO users ({}) VALUES ({})").format(named, marks), [1, *values])
    else:
        sets = SQL(", ").join(SQL("{} = %s").format(Identifier(column)) for column in case.writes or {"id": 1})
        target.app.execute(SQL("UPDATE users SET {} WHERE id = 1").format(sets), values or [1])


def a_person(target: Target) -> Person:
    row: Any = target.root.execute("SELECT name, first_name, last_name FROM users").fetchone()
    return row


@pytest.mark.parametrize("case", SYNC_CASES, ids=str)
def test_the_sync_follows_the_table_of_cases(target: Target, case: SyncCase) -> None:
    a_users_table(target, name_default=case.name_default)
    if case.before is not None:
        target.root.execute("INSERT INTO users VALUES (1, %s, %s, %s)", case.before)
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        adapter.apply(StartSync(case.sync, case.lead), a_fence())

        write(target, case)

        use = adapter.sync_use(case.sync)
    assert use is not None
    assert (a_person(target), (use.old_writes, use.new_writes)) == (case.after, case.counted)
    assert case.sync.table == TABLE
