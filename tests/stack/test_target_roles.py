"""The accounts of a target have the rights they have in real life, and no more."""

import psycopg
import pytest


def as_role(target, role):
    return psycopg.connect(target.url("shop", user=role[0], password=role[1]), autocommit=True)


EXECUTOR = ("lockstep_executor", "executor-secret")
APPLICATION = ("shop_app", "app-secret")


def test_lockstep_may_alter_a_table_it_does_not_own(target):
    with as_role(target, EXECUTOR) as connection:
        connection.execute("ALTER TABLE users ADD COLUMN first_name text")
        connection.execute("ALTER TABLE users DROP COLUMN first_name")


def test_lockstep_may_make_its_own_schema(target):
    with as_role(target, EXECUTOR) as connection:
        connection.execute("CREATE SCHEMA lockstep")
        connection.execute("DROP SCHEMA lockstep")


def test_lockstep_is_no_superuser(target):
    with as_role(target, EXECUTOR) as connection:
        assert connection.execute("SHOW is_superuser").fetchone() == ("off",)


def test_lockstep_sees_the_statements_of_others(target):
    with as_role(target, EXECUTOR) as connection:
        hidden = "SELECT count(*) FROM pg_stat_statements WHERE query = '<insufficient privilege>'"
        assert connection.execute(hidden).fetchone() == (0,)


def test_the_application_reads_and_writes_its_tables(target):
    with as_role(target, APPLICATION) as connection:
        connection.execute("INSERT INTO users VALUES (1, 'Ada Lovelace')")
        assert connection.execute("SELECT name FROM users").fetchone() == ("Ada Lovelace",)


def test_the_application_may_not_alter_its_tables(target):
    with as_role(target, APPLICATION) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("ALTER TABLE users ADD COLUMN x text")
