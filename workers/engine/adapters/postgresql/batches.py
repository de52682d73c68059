"""Carries out backfill and comparison by ranges of keys, each range in one transaction with its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

from workers.engine.adapters.postgresql import fence as fences
from workers.engine.adapters.postgresql.catalogue import Found, read_table, require_key
from workers.engine.adapters.postgresql.keys import Walk
from workers.engine.adapters.postgresql.names import quoted
from workers.engine.adapters.postgresql.session import Session, Transaction
from workers.engine.adapters.postgresql.standing import require_sync
from workers.engine.adapters.postgresql.sync import OURS, Rules, mark_setting
from workers.engine.errors import Drifted, TableNotFound
from workers.engine.vocabulary import Backfill, Batch, BatchAction, Compare, Cursor, Fence, Side

MOST_FINDINGS = 1000  # keys kept for each comparison: enough to mend by hand what is worth mending by hand

NOTE_FINDINGS = """
INSERT INTO lockstep.finding (plan, operation, run, key)
SELECT {plan}, {operation}, {run}, {cursor} FROM {table} WHERE {where} AND NOT {in_step}
LIMIT GREATEST(0, {most} - (SELECT count(*) FROM lockstep.finding
  WHERE plan = {plan} AND operation = {operation} AND run = {run}))
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class BatchStatements:
    """What the batches of one action send, for the table as it was when they were written."""

    walk: Walk
    rules: Rules

    @classmethod
    def of(cls, action: BatchAction, found: Found) -> BatchStatements:
        return cls(Walk.over(require_key(found)), Rules(action.sync))

    def backfill(self, side: Side, *, after: bool) -> str:
        """Write only where neither side follows from the other: a write of the other side that came first stands."""
        assignments = ", ".join(
            f"{quoted(mapping.column)} = {self.rules.derived(mapping, side)}" for mapping in self.rules.mappings(side)
        )
        return (
            f"UPDATE {self.walk.table} SET {assignments}\n"
            f"WHERE {self.walk.between(after=after, upto=True)} AND NOT {self.rules.in_step()}"
        )

    def count(self, *, after: bool) -> str:
        return f"SELECT count(*) FROM {self.walk.table} WHERE {self.walk.between(after=after, upto=True)}"

    def compare(self, *, after: bool) -> str:
        """OFFSET 0 keeps the two conditions from being worked out once for each count."""
        return (
            "SELECT count(*), count(*) FILTER (WHERE NOT ahead AND NOT back),\n"
            "  count(*) FILTER (WHERE ahead AND NOT back),"
            " count(*) FILTER (WHERE back AND NOT ahead)\n"
            f"FROM (SELECT {self.rules.follows(Side.NEW)} AS ahead, {self.rules.follows(Side.OLD)} AS back\n"
            f"  FROM {self.walk.table} WHERE {self.walk.between(after=after, upto=True)} OFFSET 0) AS compared"
        )

    def note_findings(self, fence: Fence, *, after: bool) -> str:
        return NOTE_FINDINGS.format(
            plan=int(fence.plan),
            operation=int(fence.operation),
            run=int(fence.run),
            cursor=self.walk.cursor,
            table=self.walk.table,
            where=self.walk.between(after=after, upto=True),
            in_step=self.rules.in_step(),
            most=MOST_FINDINGS,
        )


def render(action: BatchAction, found: Found) -> tuple[str, ...]:
    """Return the statement of a batch; `$1` and on are the ends of its range."""
    written = BatchStatements.of(action, found)
    return (written.backfill(action.side, after=True) if isinstance(action, Backfill) else written.compare(after=True),)


class Batches:
    """Remembers, for one session, the statements of each action and where a walk has seen the table's end."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._statements: dict[BatchAction, BatchStatements] = {}
        self._ends: dict[BatchAction, Cursor] = {}

    def next_boundary(self, action: BatchAction, after: Cursor | None, rows: int) -> Cursor | None:
        """Rows added beyond the last key were written under the sync: a walk that has reached it is at its end.

        Without that, a table that grows as fast as it is walked would never be done.
        """
        if after is not None and self._ends.get(action) == after:
            return None
        with self._session.transaction(table=action.sync.table, read_only=True) as transaction:
            boundary, is_last = self._written(transaction, action).walk.find(transaction, after, rows)
        if boundary is not None and is_last:
            self._ends[action] = boundary
        return boundary

    def copy(self, action: Backfill, after: Cursor | None, upto: Cursor, fence: Fence) -> Batch:
        with self._session.transaction(table=action.sync.table) as transaction:
            earlier = fences.hold(transaction, fence)
            written = self._written(transaction, action)
            ends = written.walk.parameters(after, upto)
            transaction.settings({mark_setting(action.sync): OURS})
            touched = transaction.run(written.backfill(action.side, after=after is not None), *ends)
            # Asked while the rows' lock keeps the table as it is.
            require_sync(transaction, action.sync)
            walked = transaction.value(written.count(after=after is not None), *ends)
            counters = {"written": touched}
            checkpoint = fences.save(transaction, fence, earlier, upto=upto, rows=walked, counters=counters)
        return Batch(checkpoint, walked, counters)

    def compare(self, action: Compare, after: Cursor | None, upto: Cursor, fence: Fence) -> Batch:
        with self._session.transaction(table=action.sync.table) as transaction:
            earlier = fences.hold(transaction, fence)
            written = self._written(transaction, action)
            ends = written.walk.parameters(after, upto)
            row = transaction.row(written.compare(after=after is not None), *ends)
            assert row is not None
            walked, out_of_step, lossy_old, lossy_new = row
            require_sync(transaction, action.sync)
            if out_of_step:
                transaction.run(written.note_findings(fence, after=after is not None), *ends)
            counters = {"out_of_step": out_of_step, "lossy_old": lossy_old, "lossy_new": lossy_new}
            checkpoint = fences.save(transaction, fence, earlier, upto=upto, rows=walked, counters=counters)
        return Batch(checkpoint, walked, counters)

    def _written(self, transaction: Transaction, action: BatchAction) -> BatchStatements:
        if action not in self._statements:
            try:
                found = read_table(transaction, action.sync.table)
            except TableNotFound as error:
                raise Drifted(error.fact, remedy="Look at who changed the table, then plan again.") from None
            self._statements[action] = BatchStatements.of(action, found)
        return self._statements[action]
