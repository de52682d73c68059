"""One connection to the target, opened when first needed and closed after any error; all work goes by transactions.

Every transaction pins its own settings with SET LOCAL and nothing is prepared, so that a transaction pooler in
between does no harm. Whether COMMIT was sent decides what an error means.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from workers.engine.adapters.base import Address
from workers.engine.adapters.postgresql.errors import host_not_found, not_connected, translated
from workers.engine.adapters.postgresql.names import literal, quoted
from workers.engine.errors import LockTimeout, Unsupported, WrongServer
from workers.engine.vocabulary import TableName

CONNECT_TIMEOUT_S = 5
# Only a server that has proven who it is may ask for the password itself; others learn it by no answer of ours.
PROVEN_TLS = ("verify-ca", "verify-full")
# A dead peer is noticed after 5 + 3 x 5 s.
KEEPALIVES: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # ms; keepalives rest while something sent was not acknowledged
}
IDLE_IN_TRANSACTION_S = 3  # a worker that stopped in mid-batch lets go of its locks
OLDEST_VERSION = 140000  # CREATE OR REPLACE TRIGGER, client_connection_check_interval
FIRST_TRANSACTION_TIMEOUT = 170000  # the first version that has transaction_timeout

# Values are compared as text between sessions, so their spelling may not depend on a role's or database's settings.
PINNED = {
    "search_path": "",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "client_min_messages": "error",
    "client_connection_check_interval": "1s",  # the server ends a statement whose client has died
    "row_security": "off",  # a policy that would hide rows is an error, not a silent filter
}

# A fence that a crash forgets is none. What waits for replicas as well stays as it is.
DURABLE = """
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local')
"""

BLOCKERS = """
SELECT a.pid, a.application_name, a.usename, a.state, a.xact_start
FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.granted AND l.relation = to_regclass($1)
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND a.pid <> pg_backend_pid()
GROUP BY 1, 2, 3, 4, 5 ORDER BY a.xact_start NULLS LAST LIMIT 5
"""

Values = tuple[Any, ...]


class Transaction:
    """What one open transaction may do: run statements with `$1` parameters and read what they give."""

    def __init__(self, cursor: psycopg.RawCursor[Values]) -> None:
        self._cursor = cursor

    def run(self, statement: str, *parameters: Any) -> int:
        """Return how many rows it touched."""
        self._cursor.execute(statement.encode(), parameters, prepare=False)
        return self._cursor.rowcount

    def rows(self, statement: str, *parameters: Any) -> list[Values]:
        self.run(statement, *parameters)
        return self._cursor.fetchall()

    def row(self, statement: str, *parameters: Any) -> Values | None:
        self.run(statement, *parameters)
        return self._cursor.fetchone()

    def value(self, statement: str, *parameters: Any) -> Any:
        """Return the first column of the first row; None where there is no row."""
        found = self.row(statement, *parameters)
        return found[0] if found else None

    def settings(self, values: Mapping[str, str]) -> None:
        self._cursor.execute(_set_local(values).encode())

    def only_value(self, query: str) -> Any:
        """Run a text that was not written here: sent so that the server takes no second statement; None for no row."""
        self._cursor.execute(query.encode(), binary=True)
        found = self._cursor.fetchone() if self._cursor.description else None
        return found[0] if found else None


class Session:
    def __init__(self, address: Address, *, tag: str, lock_timeout_s: float, statement_timeout_s: float) -> None:
        self.address = address
        self.tag = tag
        self.lock_timeout_s = lock_timeout_s
        self.statement_timeout_s = statement_timeout_s
        self._connection: psycopg.Connection[Values] | None = None

    def close(self) -> None:
        """Drop the connection; the server rolls back what was open. Repeatable."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def transaction(
        self,
        *,
        table: TableName | None = None,
        lock_timeout_s: float | None = None,
        statement_timeout_s: float | None = None,
        read_only: bool = False,
    ) -> Iterator[Transaction]:
        """Open one READ COMMITTED transaction and commit it at the end; any error closes the connection.

        `table` is the one whose lock may not be granted. A `statement_timeout_s` of 0 is no limit, also for the
        whole transaction.
        """
        committing = False
        try:
            transaction = self._begin(
                self.lock_timeout_s if lock_timeout_s is None else lock_timeout_s,
                self.statement_timeout_s if statement_timeout_s is None else statement_timeout_s,
                read_only=read_only,
            )
            yield transaction
            committing = True
            transaction.run("COMMIT")
            return
        except psycopg.Error as error:
            failure = translated(error, committing=committing)
            if isinstance(failure, LockTimeout):
                failure = _with_blockers(failure, self._blockers(table))
            # The driver's words may hold row values, and a traceback prints the context of an exception.
            error.args = (error.sqlstate or type(error).__name__,)
            self.close()
        except BaseException:
            self.close()
            raise
        raise failure from None

    def _begin(self, lock_timeout_s: float, statement_timeout_s: float, *, read_only: bool) -> Transaction:
        connection = self._connection
        if connection is None or connection.closed:
            connection = self._connection = self._connect()
        limits = {
            "lock_timeout": _milliseconds(lock_timeout_s),
            "statement_timeout": _milliseconds(statement_timeout_s),
            "idle_in_transaction_session_timeout": _milliseconds(IDLE_IN_TRANSACTION_S),
        }
        if connection.info.server_version >= FIRST_TRANSACTION_TIMEOUT:
            # Two statements may use up their limit; a transaction with more slow ones is cut off.
            whole_s = lock_timeout_s + 2 * statement_timeout_s + 1 if statement_timeout_s else 0
            limits["transaction_timeout"] = _milliseconds(whole_s)
        mode = "READ ONLY" if read_only else "READ WRITE"
        cursor = psycopg.RawCursor(connection)
        begin = f"BEGIN ISOLATION LEVEL READ COMMITTED {mode}; {_set_local(PINNED | limits)}; {DURABLE}"
        try:
            cursor.execute(begin.encode())
        except psycopg.errors.FeatureNotSupported:  # what a server in recovery says to READ WRITE
            raise WrongServer("The server is a replica.", remedy="Give the address of the primary.") from None
        return Transaction(cursor)

    def _connect(self) -> psycopg.Connection[Values]:
        address = self.address
        if not address.host or address.host[0] in "/@" or "," in address.host:  # sockets and lists of hosts
            raise host_not_found(address.host)
        try:
            socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise host_not_found(address.host) from None
        try:
            connection: psycopg.Connection[Values] = psycopg.Connection.connect(
                host=address.host,
                port=address.port,
                dbname=address.database,
                user=address.user,
                password=address.password,
                sslmode=address.tls,
                sslrootcert=address.tls_ca_file or None,
                require_auth="" if address.tls in PROVEN_TLS else "!password",
                application_name=self.tag,
                client_encoding="UTF8",
                options="",  # not what PGOPTIONS says
                connect_timeout=CONNECT_TIMEOUT_S,
                autocommit=True,  # BEGIN and COMMIT are sent by name
                prepare_threshold=None,
                **KEEPALIVES,
            )
        except psycopg.Error as error:
            failure = not_connected(
                error, host=address.host, port=address.port, database=address.database, user=address.user
            )
            raise failure from None
        if connection.info.server_version < OLDEST_VERSION:
            connection.close()
            raise Unsupported("The target is older than PostgreSQL 14.", remedy="Upgrade it first.")
        return connection

    def _blockers(self, table: TableName | None) -> tuple[str, ...]:
        """Say who holds locks on the table just now; nothing where that cannot be seen."""
        if self._connection is None or self._connection.closed or table is None:
            return ()
        try:
            cursor = psycopg.RawCursor(self._connection)
            cursor.execute(b"ROLLBACK")
            cursor.execute(BLOCKERS.encode(), (f"{quoted(table.schema)}.{quoted(table.name)}",), prepare=False)
            found = cursor.fetchall()
        except psycopg.Error:
            return ()
        return tuple(_blocker(*row) for row in found)


def _with_blockers(timeout: LockTimeout, blockers: tuple[str, ...]) -> LockTimeout:
    """Retries are told by their text, so that the text says who is in the way."""
    if not blockers:
        return timeout
    return LockTimeout(f"{timeout.fact} On the table: {'; '.join(blockers)}.", remedy=timeout.remedy, blockers=blockers)


def _blocker(pid: int, application: str | None, user: str | None, state: str | None, since: Any) -> str:
    started = f", in a transaction since {since:%Y-%m-%dT%H:%M:%SZ}" if since else ""
    return f"pid {pid} {application or 'without a name'} ({user or 'unknown account'}), {state or 'unknown'}{started}"


def _milliseconds(seconds: float) -> str:
    """A limit above 0 never becomes 0, which would be no limit at all."""
    return f"{max(1, round(seconds * 1000)) if seconds else 0}ms"


def _set_local(values: Mapping[str, str]) -> str:
    return "; ".join(f"SET LOCAL {name} = {literal(value)}" for name, value in values.items())
