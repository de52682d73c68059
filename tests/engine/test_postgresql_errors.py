"""What PostgreSQL's error codes mean to the engine: whether to try again, to stop, or to ask a person."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors as server

from workers.engine.adapters.postgresql.errors import not_connected, translated
from workers.engine.errors import (
    ConnectionLost,
    Deadlock,
    Drifted,
    EngineError,
    Interrupted,
    LockTimeout,
    OutcomeUnknown,
    PrivilegeMissing,
    Refused,
    SerializationFailure,
    StatementTimeout,
    Transient,
    Unreachable,
    Unsupported,
    WrongPassword,
    WrongServer,
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (server.LockNotAvailable, LockTimeout),
        (server.DeadlockDetected, Deadlock),
        (server.SerializationFailure, SerializationFailure),
        (server.AdminShutdown, Interrupted),
        (server.CrashShutdown, ConnectionLost),
        (server.CannotConnectNow, ConnectionLost),
        (server.IdleInTransactionSessionTimeout, ConnectionLost),
        (server.TransactionTimeout, StatementTimeout),
        (server.InsufficientPrivilege, PrivilegeMissing),
        (server.ReadOnlySqlTransaction, WrongServer),
        (server.UndefinedTable, Drifted),
        (server.UndefinedColumn, Drifted),
        (server.DuplicateColumn, Transient),
        (server.InternalError_, Transient),
        (server.TooManyConnections, Transient),
        (server.DiskFull, Transient),
        (server.StringDataRightTruncation, Refused),
        (server.NotNullViolation, Refused),
        (server.UniqueViolation, Refused),
        (server.DependentObjectsStillExist, Refused),
        (server.FeatureNotSupported, Unsupported),
        (server.ProgramLimitExceeded, Refused),
        (psycopg.OperationalError, ConnectionLost),
        (psycopg.InterfaceError, ConnectionLost),
    ],
)
def test_each_error_asks_for_its_own_reaction(error: type[psycopg.Error], expected: type[EngineError]) -> None:
    found = translated(error("canary: the driver's own words"), committing=False)

    assert type(found) is expected
    assert "canary" not in str(found)


def test_a_cancelled_statement_whose_reason_cannot_be_read_is_tried_again() -> None:
    """A server may speak another language: tried again, an aborted run meets its fence."""
    assert type(translated(server.QueryCanceled("Anfrage abgebrochen"), committing=False)) is StatementTimeout


@pytest.mark.parametrize("error", [psycopg.OperationalError, server.AdminShutdown, server.CrashShutdown])
def test_any_end_of_the_session_while_commit_is_on_its_way_is_an_unknown_outcome(error: type[psycopg.Error]) -> None:
    assert type(translated(error(), committing=True)) is OutcomeUnknown


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ('FATAL:  password authentication failed for user "x"', WrongPassword),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1"', WrongPassword),
        ('FATAL:  role "x" does not exist', WrongPassword),
        ('FATAL:  database "x" does not exist', Refused),
        ("server does not support SSL, but SSL was required", Refused),
        ("FATAL:  sorry, too many clients already", Unreachable),
        ("FATAL:  the database system is starting up", Unreachable),
        ("connection refused", Unreachable),
        ("timeout expired", Unreachable),
        ("Unbekannter Fehler", Unreachable),
    ],
)
def test_each_reason_not_to_connect_has_a_remedy(words: str, expected: type[EngineError]) -> None:
    found = not_connected(psycopg.OperationalError(words), host="db", port=5432, database="shop", user="executor")

    assert type(found) is expected
    assert found.remedy
