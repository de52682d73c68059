"""The error tree: what can go wrong on a target, each class with the reaction it asks for.

A message is a fact, then a remedy. Messages never hold row values: adapters translate driver errors at the
border and keep only SQLSTATE and object names.
"""

from __future__ import annotations


class EngineError(Exception):
    """Base of all; `code` is stable and part of the API, `remedy` says how to mend it (may be empty)."""

    code = "engine_error"

    def __init__(self, fact: str, *, remedy: str = "", field: str = "", position: int | None = None) -> None:
        super().__init__(fact)
        self.fact = fact
        self.remedy = remedy
        self.field = field
        """The input field that the error is about, or empty."""
        self.position = position
        """0-based offset of the offending part in that field's text, or None where the text is not known."""

    def __str__(self) -> str:
        return f"{self.fact} {self.remedy}".strip()


class Refused(EngineError):
    """Will not be done as asked; shown to a person, never retried."""

    code = "refused"


class TableNotFound(Refused):
    code = "table_not_found"


class ColumnNotFound(Refused):
    code = "column_not_found"


class NoUsableKey(Refused):
    """The table has no primary key and no unique index over NOT NULL columns to walk along."""

    code = "no_usable_key"


class ColumnMismatch(Refused):
    """A column of the wanted name exists with another type, nullability or default."""

    code = "column_mismatch"


class ExpressionRefused(Refused):
    """A mapping expression is not one allow-listed expression; `position` points at the offending part."""

    code = "expression_refused"


class IdentifierRefused(Refused):
    """A name is empty, too long for the engine, or holds a control character."""

    code = "identifier_refused"


class ParametersRefused(Refused):
    """An operation's parameters are incomplete or contradict each other; `field` names the one."""

    code = "parameters_refused"


class Unsupported(Refused):
    """The engine, its version or the table's shape cannot do it."""

    code = "unsupported"


class Irreversible(Refused):
    code = "irreversible"


class PrivilegeMissing(Refused):
    """The account may not do it; the remedy is the GRANT that mends it."""

    code = "privilege_missing"


class WrongPassword(Refused):
    code = "wrong_password"


class HostNotFound(Refused):
    code = "host_not_found"


class WrongServer(Refused):
    """The address answers, but not as the primary server that the plan was made for."""

    code = "wrong_server"


class Transient(EngineError):
    """May succeed when repeated: costs budget, retried with jitter."""

    code = "transient"


class LockTimeout(Transient):
    """A lock was not granted in time; `blockers` says who held it, since when and in which state (never SQL text)."""

    code = "lock_timeout"

    def __init__(self, fact: str, *, remedy: str = "", blockers: tuple[str, ...] = ()) -> None:
        super().__init__(fact, remedy=remedy)
        self.blockers = blockers


class Deadlock(Transient):
    code = "deadlock"


class SerializationFailure(Transient):
    code = "serialization_failure"


class StatementTimeout(Transient):
    """The statement took longer than its limit: the batch is halved and tried again."""

    code = "statement_timeout"


class ConnectionLost(Transient):
    """Before COMMIT was sent, so nothing of the transaction stands."""

    code = "connection_lost"


class Unreachable(Transient):
    """No connection could be made at all."""

    code = "unreachable"


class Interrupted(EngineError):
    """Our statement was cancelled or our session terminated from a side connection; nothing of it stands."""

    code = "interrupted"


class Fenced(EngineError):
    """The target holds a newer epoch, or says stop: somebody else goes on, or nobody may. Write nothing more."""

    code = "fenced"


class Drifted(EngineError):
    """The table is no longer the one that the plan was made for."""

    code = "drifted"


class Mismatch(EngineError):
    """Verification found differences. Sticky: only a full clean pass opens the gate."""

    code = "mismatch"


class OutcomeUnknown(EngineError):
    """COMMIT (or a DDL statement) was sent and no answer came. Never retried blindly: look at the target."""

    code = "outcome_unknown"
