"""Stops a run from the side: the stop row, the newer epoch, the cancel, and the proof that nothing writes any more.

Sessions are found by their tag alone, so that nobody else's is ever touched.
"""

from __future__ import annotations

from workers.engine.adapters.base import Session as LiveSession
from workers.engine.adapters.postgresql import schema
from workers.engine.adapters.postgresql.session import Session, Transaction

STOP = """
INSERT INTO lockstep.stop (plan, run) SELECT plan, $2 FROM lockstep.plan WHERE plan = $1
ON CONFLICT (plan) DO UPDATE SET run = EXCLUDED.run, at = clock_timestamp()
"""
DRAIN_CLAIMS = "SELECT FROM lockstep.plan WHERE plan = $1 FOR UPDATE"
# Once for each stop: the next claim brings the plan's next epoch, which is the one that is written here.
RAISE_EPOCHS = """
UPDATE lockstep.lane SET epoch = epoch + 1, stopped = true WHERE plan = $1 AND run = $2 AND NOT stopped
"""
STANDING_EPOCH = "SELECT COALESCE(max(epoch), 0) FROM lockstep.lane WHERE plan = $1"
OUR_SESSIONS = """
SELECT application_name, pid, COALESCE(state, '') FROM pg_stat_activity
WHERE datname = current_database() AND starts_with(application_name, $1)
  AND pid <> pg_backend_pid() ORDER BY pid
"""
# A cancel does nothing to a session that waits for its client in an open transaction.
CANCEL = """
SELECT count(*) FILTER (WHERE CASE state WHEN 'active' THEN pg_cancel_backend(pid)
  ELSE pg_terminate_backend(pid) END)
FROM pg_stat_activity
WHERE datname = current_database() AND starts_with(application_name, $1)
  AND pid <> pg_backend_pid() AND (state = 'active' OR state LIKE 'idle in transaction%')
"""
# Whatever it is at, also where the server does not track what that is.
TERMINATE = """
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND starts_with(application_name, $1)
  AND pid <> pg_backend_pid() AND state IS DISTINCT FROM 'idle'
"""
LAST_WRITE = """
SELECT EXTRACT(EPOCH FROM max(written_at))::double precision FROM lockstep.progress
WHERE plan = $1 AND run = $2
"""


def set_stop(session: Session, plan: int, run: int, *, wait_s: float) -> int:
    """Forbid new writes at once, then wait for those in flight; raises LockTimeout where one outlasts `wait_s`.

    Each step has a transaction of its own: held together, their locks could meet a batch's in the other order.
    """
    with session.transaction() as transaction:
        if not schema.is_installed(transaction):
            return 0
        transaction.run(STOP, plan, run)
    for statement, parameters in ((DRAIN_CLAIMS, (plan,)), (RAISE_EPOCHS, (plan, run))):
        with session.transaction(lock_timeout_s=wait_s, statement_timeout_s=wait_s + 1) as transaction:
            transaction.run(statement, *parameters)
    with session.transaction(read_only=True) as transaction:
        return int(transaction.value(STANDING_EPOCH, plan))


def clear_stop(transaction: Transaction, plan: int) -> None:
    transaction.run("DELETE FROM lockstep.stop WHERE plan = $1", plan)


def live_sessions(transaction: Transaction, plan: int, run: int) -> tuple[LiveSession, ...]:
    return tuple(LiveSession(*row) for row in transaction.rows(OUR_SESSIONS, _prefix(plan, run)))


def cancel(transaction: Transaction, plan: int, run: int) -> int:
    return int(transaction.value(CANCEL, _prefix(plan, run)))


def terminate(transaction: Transaction, plan: int, run: int) -> int:
    return int(transaction.value(TERMINATE, _prefix(plan, run)))


def last_write_at(transaction: Transaction, plan: int, run: int) -> float | None:
    if not schema.is_installed(transaction):
        return None
    found: float | None = transaction.value(LAST_WRITE, plan, run)
    return found


def _prefix(plan: int, run: int) -> str:
    return f"lockstep:p{int(plan)}:r{int(run)}:"
