"""The fence: who may write for a plan now. Its rows live in the target and are locked by whoever writes.

A lane's row carries the newest epoch. A writer locks it first, so that raising the epoch waits for the writer's
transaction, and every later one of an older epoch finds itself fenced.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from workers.engine.adapters.postgresql.session import Transaction
from workers.engine.errors import Drifted, Fenced
from workers.engine.vocabulary import Checkpoint, Cursor, Fence

# The lock on the plan's row is kept to the end, so that a stop can wait for whoever claims for the first time.
ENTER = """
INSERT INTO lockstep.lane (plan, lane, run, epoch)
SELECT plan, $2, $3, $4 FROM lockstep.plan WHERE plan = $1 FOR KEY SHARE
ON CONFLICT DO NOTHING
"""
LOCK = "SELECT epoch, run FROM lockstep.lane WHERE plan = $1 AND lane = $2 FOR UPDATE"
# A statement of its own, so that it sees a stop that was written while the lane's lock was awaited.
STOPPED = """
SELECT EXISTS (SELECT FROM lockstep.stop WHERE plan = $1), (SELECT stop FROM lockstep.control)
"""
TAKE = "UPDATE lockstep.lane SET run = $3, epoch = $4, stopped = false WHERE plan = $1 AND lane = $2"

KEY = "plan = $1 AND operation = $2 AND phase = $3 AND action = $4 AND lane = $5 AND attempt = $6"
START = """
INSERT INTO lockstep.progress (plan, operation, phase, action, lane, attempt, run, epoch)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
"""
READ = f"SELECT cursor, seq, rows, done, counters FROM lockstep.progress WHERE {KEY}"
SAVE = f"""
UPDATE lockstep.progress SET run = $7, epoch = $8, cursor = $9, seq = seq + 1, rows = rows + $10,
  counters = $11::jsonb, written_at = clock_timestamp()
WHERE {KEY} RETURNING cursor, seq, rows, done, counters
"""
NOTE_WRITE = f"""
UPDATE lockstep.progress SET run = $7, epoch = $8, written_at = clock_timestamp() WHERE {KEY}
"""
CONCLUDE = f"UPDATE lockstep.progress SET done = true WHERE {KEY} RETURNING cursor, seq, rows, done, counters"

# Attempts above 0 belong to one run and are never gone on with.
FORGET = """
UPDATE lockstep.progress SET cursor = NULL, seq = 0, rows = 0, done = false, counters = '{}'
WHERE plan = $1 AND operation = $2 AND phase = $3 AND attempt = 0
"""

# By the tag alone: an epoch of this lane that is older than ours.
END_ZOMBIES = """
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 1000)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND application_name ~ $1 AND substring(application_name, 'e([0-9]+)$')::bigint < $2
"""


def claim(transaction: Transaction, fence: Fence) -> None:
    """Write the fence's run and epoch into its lane; raises Fenced where a newer epoch or a stop stands there."""
    transaction.run(ENTER, fence.plan, fence.lane, fence.run, fence.epoch)
    epoch, run = _locked(transaction, fence)
    if epoch > fence.epoch:
        raise Fenced(f"Epoch {epoch} stands in the target, newer than {fence.epoch}.")
    if (epoch, run) != (fence.epoch, fence.run):
        transaction.run(TAKE, fence.plan, fence.lane, fence.run, fence.epoch)


def hold(transaction: Transaction, fence: Fence) -> Checkpoint:
    """Lock the lane for this transaction and return the checkpoint; raises Fenced unless the fence stands there."""
    epoch, run = _locked(transaction, fence)
    checkpoint = read(transaction, fence)
    if (epoch, run) != (fence.epoch, fence.run) or checkpoint is None:
        raise Fenced(f"Epoch {fence.epoch} of run {fence.run} does not stand in the target.")
    return checkpoint


def _locked(transaction: Transaction, fence: Fence) -> tuple[int, int]:
    """Return the epoch and the run that stand in the lane, locked; raises Fenced where a stop forbids to write."""
    row = transaction.row(LOCK, fence.plan, fence.lane)
    if row is None:
        if transaction.value("SELECT EXISTS (SELECT FROM lockstep.plan WHERE plan = $1)", fence.plan):
            raise Fenced(f"Lane {fence.lane} of plan {fence.plan} was never claimed.")
        raise Drifted(f"Plan {fence.plan} is not installed in this database.", remedy="Install it first.")
    plan_stopped, target_stopped = transaction.rows(STOPPED, fence.plan)[0]
    if target_stopped:
        raise Fenced(
            "Everything on this target was told to stop.", remedy="UPDATE lockstep.control SET stop = false to go on."
        )
    if plan_stopped:
        raise Fenced(f"Plan {fence.plan} was told to stop.", remedy="Pause and resume, or roll back, to go on.")
    epoch, run = row
    return epoch, run


def start(transaction: Transaction, fence: Fence) -> Checkpoint:
    """Make the progress row where there is none, and return what stands in it."""
    transaction.run(START, *_key(fence), fence.run, fence.epoch)
    checkpoint = read(transaction, fence)
    assert checkpoint is not None
    return checkpoint


def read(transaction: Transaction, fence: Fence) -> Checkpoint | None:
    row = transaction.row(READ, *_key(fence))
    return None if row is None else _checkpoint(*row)


def save(
    transaction: Transaction, fence: Fence, earlier: Checkpoint, *, upto: Cursor, rows: int, counters: Mapping[str, int]
) -> Checkpoint:
    total = {name: earlier.counters.get(name, 0) + count for name, count in counters.items()}
    row = transaction.row(SAVE, *_key(fence), fence.run, fence.epoch, upto, rows, json.dumps(total))
    assert row is not None
    return _checkpoint(*row)


def note_write(transaction: Transaction, fence: Fence) -> None:
    """Date the run's last write, for actions that go without batches."""
    transaction.run(START, *_key(fence), fence.run, fence.epoch)
    transaction.run(NOTE_WRITE, *_key(fence), fence.run, fence.epoch)


def conclude(transaction: Transaction, fence: Fence) -> Checkpoint:
    row = transaction.row(CONCLUDE, *_key(fence))
    assert row is not None
    return _checkpoint(*row)


def forget(transaction: Transaction, fence: Fence) -> None:
    """Let later runs start this phase's batches from the first key again."""
    transaction.run(FORGET, fence.plan, fence.operation, fence.phase.value)


def end_zombies(transaction: Transaction, fence: Fence) -> int:
    """Terminate sessions of this lane with an older epoch; return how many."""
    pattern = f"^lockstep:p{fence.plan}:r[0-9]+:l{fence.lane}:e[0-9]+$"
    return int(transaction.value(END_ZOMBIES, pattern, fence.epoch))


def _key(fence: Fence) -> tuple[int, int, str, int, int, int]:
    return (fence.plan, fence.operation, fence.phase.value, fence.action, fence.lane, fence.attempt)


def _checkpoint(cursor: Cursor | None, seq: int, rows: int, done: bool, counters: Mapping[str, int]) -> Checkpoint:
    return Checkpoint(cursor=cursor, seq=seq, rows=rows, done=done, counters=counters)
