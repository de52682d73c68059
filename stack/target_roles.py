"""Makes the databases and roles that a control database and a target have in real life, none of them a superuser."""

from psycopg import Connection
from psycopg.sql import SQL, Identifier, Literal

from stack.postgres import PostgresServer
from stack.postgres_programs import has_statement_statistics

CONTROL_DATABASE = "lockstep"
CONTROL_ROLE = "lockstep"
TARGET_DATABASE = "shop"
TABLE_OWNER = "shop_owner"  # owns the application's tables; nobody signs in with it
EXECUTOR = "lockstep_executor"  # the account Lockstep works with
APPLICATION = "shop_app"  # the account the application works with


def prepare_control(server: PostgresServer, *, password: str) -> None:
    """Make the control database and the role that owns it; may be repeated."""
    with server.connect() as connection:
        # CREATEDB: the test runner makes a database of its own.
        _role(connection, CONTROL_ROLE, "LOGIN CREATEDB", password)
        _database(connection, CONTROL_DATABASE, owner=CONTROL_ROLE)


def prepare_target(server: PostgresServer, *, executor_password: str, app_password: str) -> None:
    """Make the target database with the table owner, Lockstep's account and the application's; may be repeated."""
    with server.connect() as connection:
        _role(connection, TABLE_OWNER, "NOLOGIN")
        _role(connection, EXECUTOR, "LOGIN NOSUPERUSER", executor_password)
        _role(connection, APPLICATION, "LOGIN NOSUPERUSER", app_password)
        connection.execute(SQL("GRANT pg_monitor, pg_signal_backend TO {}").format(Identifier(EXECUTOR)))
        # A member may ALTER what the owner owns, and owns nothing itself.
        connection.execute(SQL("GRANT {} TO {}").format(Identifier(TABLE_OWNER), Identifier(EXECUTOR)))
        _database(connection, TARGET_DATABASE, owner="postgres")
        connection.execute(
            SQL("GRANT CREATE ON DATABASE {} TO {}").format(*map(Identifier, (TARGET_DATABASE, EXECUTOR)))
        )
    with server.connect(TARGET_DATABASE) as connection:
        if has_statement_statistics():
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        connection.execute(SQL("GRANT USAGE, CREATE ON SCHEMA public TO {}").format(Identifier(TABLE_OWNER)))
        for kind, rights in (("TABLES", "SELECT, INSERT, UPDATE, DELETE"), ("SEQUENCES", "USAGE, SELECT")):
            statement = SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA public GRANT {} ON {} TO {}")
            names = (Identifier(TABLE_OWNER), SQL(rights), SQL(kind), Identifier(APPLICATION))
            connection.execute(statement.format(*names))


def _role(connection: Connection, name: str, options: str, password: str | None = None) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    verb = SQL("ALTER ROLE {} {}") if exists else SQL("CREATE ROLE {} {}")
    statement = verb.format(Identifier(name), SQL(options))
    if password is not None:
        statement += SQL(" PASSWORD {}").format(Literal(password))
    connection.execute(statement)


def _database(connection: Connection, name: str, *, owner: str) -> None:
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        connection.execute(SQL("CREATE DATABASE {} OWNER {}").format(Identifier(name), Identifier(owner)))
