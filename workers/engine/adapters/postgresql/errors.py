"""Translates what the driver raises into the engine's error tree.

Only SQLSTATE and names of objects pass: DETAIL, and the message itself for many codes, carry row values.
"""

from __future__ import annotations

import psycopg

from workers.engine.adapters.postgresql.names import shown
from workers.engine.errors import (
    ConnectionLost,
    Deadlock,
    Drifted,
    EngineError,
    HostNotFound,
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


def translated(error: psycopg.Error, *, committing: bool) -> EngineError:
    """Return the engine's error. An ERROR in answer to COMMIT is a rollback for certain; all else then is unknown."""
    code = error.sqlstate
    if committing and (code is None or error.diag.severity_nonlocalized != "ERROR"):
        return OutcomeUnknown(
            "COMMIT was sent and no answer came.", remedy="Look at the checkpoint in the target before going on."
        )
    if code is None:
        return ConnectionLost("The connection to the target was lost.", remedy="It is tried again.")
    return _by_code(code, error) or _by_class(code, error)


def _by_code(code: str, error: psycopg.Error) -> EngineError | None:
    match code:
        case "55P03":
            return LockTimeout("A lock was not granted in time.", remedy="It is tried again.")
        case "40P01":
            return Deadlock("The target chose this transaction to end a deadlock.", remedy="It is tried again.")
        case "40001":
            return SerializationFailure("The target asked for a repetition.", remedy="It is tried again.")
        case "57014":
            return _cancelled(error)
        case "57P01":  # terminated from the side, or the server goes down
            return Interrupted("The session on the target was terminated.")
        case "25P04":
            return StatementTimeout("The transaction took too long.", remedy="It is tried in smaller steps.")
        case "42501":
            return PrivilegeMissing(
                "The account may not do this on the target.", remedy="The preflight names the GRANT that is missing."
            )
        case "25006":
            return WrongServer("The server takes no writes.", remedy="Give the address of the primary.")
        case "42P01" | "42703" | "42704" | "42883" | "3F000":
            return Drifted(
                f"Something that the plan names is no longer there (SQLSTATE {code}).",
                remedy="Look at who changed the table, then plan again.",
            )
        case "42701" | "42710" | "42P07" | "42723" | "XX000":  # made by somebody at this very moment
            return Transient(f"The catalogue changed meanwhile (SQLSTATE {code}).", remedy="It is tried again.")
        case "2BP01":
            return Refused(
                f"Other objects depend on it (SQLSTATE {code}).",
                remedy="Drop or change them first; the preflight lists them.",
            )
    return None


def _by_class(code: str, error: psycopg.Error) -> EngineError:
    match code[:2]:
        case "08":
            return ConnectionLost("The connection to the target was lost.", remedy="It is tried again.")
        case "57" | "25":
            return ConnectionLost(f"The target ended the session (SQLSTATE {code}).", remedy="It is tried again.")
        case "53":
            return Transient(f"The target is short of resources (SQLSTATE {code}).", remedy="It is tried again.")
        case "22" | "23":
            return Refused(
                f"A value does not fit{_where(error)} (SQLSTATE {code}).",
                remedy="Count these rows by the preflight, and mend them or the mapping.",
            )
        case "0A":
            return Unsupported(f"The target cannot do this (SQLSTATE {code}).")
    return Refused(f"The target refused a statement{_where(error)} (SQLSTATE {code}).")


def _cancelled(error: psycopg.Error) -> EngineError:
    """Both causes share a code. A server that speaks another language reads as a timeout: tried again, then fenced."""
    if "user request" in (error.diag.message_primary or ""):
        return Interrupted("The statement was cancelled from a side connection.")
    return StatementTimeout("The statement took longer than its limit.", remedy="It is tried in smaller steps.")


def _where(error: psycopg.Error) -> str:
    """Name the object, as far as the server says which."""
    names = (error.diag.constraint_name, error.diag.column_name, error.diag.table_name)
    return next((f' in "{name}"' for name in names if name), "")


def not_connected(error: psycopg.Error, *, host: str, port: int, database: str, user: str) -> EngineError:
    """Say why no connection came about. libpq has only a text for it, so its known phrases decide."""
    text = str(error).lower()
    host, database, user = shown(host), shown(database), shown(user)
    if "password authentication failed" in text or "no password supplied" in text or "fe_sendauth" in text:
        return WrongPassword(
            f'{host}:{port} refused the password of the account "{user}".', remedy="Enter the password again."
        )
    if "authentication method requirement" in text:
        return WrongPassword(
            f"{host}:{port} asks for the password in the clear, without having proven who it is.",
            remedy="Choose verify-full, or let the server use SCRAM.",
        )
    if "does not exist" in text and "role" in text:
        return WrongPassword(f'{host}:{port} has no account "{user}".', remedy="Check the user name.")
    if "pg_hba.conf" in text:
        return WrongPassword(
            f'{host}:{port} does not admit the account "{user}" from here.',
            remedy="Add a line to pg_hba.conf, or choose another TLS mode.",
        )
    if "does not exist" in text and "database" in text:
        return Refused(f'{host}:{port} has no database "{database}".', remedy="Check its name.", field="database")
    if "certificate" in text or "ssl" in text:
        return Refused(
            f"{host}:{port} could not be reached with the TLS mode that was chosen.",
            remedy="Check the server's certificate and the TLS mode.",
            field="tls",
        )
    if "too many clients" in text or "remaining connection slots" in text:
        return Unreachable(f"{host}:{port} has no connection left.", remedy="Raise max_connections or wait.")
    if "starting up" in text or "shutting down" in text or "recovery" in text:
        return Unreachable(f"{host}:{port} is starting up or shutting down.", remedy="Wait a moment.")
    return Unreachable(
        f"{host}:{port} does not answer.", remedy="Check host and port, and that the server runs and lets us in."
    )


def host_not_found(host: str) -> HostNotFound:
    return HostNotFound(
        f'The host name "{shown(host)}" resolves to nothing.', remedy="Check its spelling.", field="host"
    )
