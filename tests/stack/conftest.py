"""Servers that the tests of stack share, started once; every one of them is real."""

import secrets

import pytest

from stack.ports import free_port
from stack.postgres import PostgresServer
from stack.target_roles import prepare_target


@pytest.fixture(scope="session")
def primary(tmp_path_factory):
    server = PostgresServer.create(
        tmp_path_factory.mktemp("pg") / "primary", free_port(), secrets.token_hex(8), fast=True
    )
    server.start()
    yield server
    server.destroy()


@pytest.fixture(scope="session")
def target(primary):
    """The primary with the roles and the database of a target."""
    prepare_target(primary, executor_password="executor-secret", app_password="app-secret")
    with primary.connect("shop") as connection:
        connection.execute("SET ROLE shop_owner")
        connection.execute("CREATE TABLE users (id int PRIMARY KEY, name text)")
    return primary
