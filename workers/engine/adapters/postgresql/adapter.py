"""The Adapter protocol on PostgreSQL 14 and later: which transaction each call opens, and what it runs in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TypeVar

from workers.engine.adapters.base import (
    Address,
    Capabilities,
    MissingGrant,
    Replica,
    SyncUse,
    ThereAndBack,
    Usage,
)
from workers.engine.adapters.base import Session as LiveSession
from workers.engine.adapters.postgresql import actions, batches, brake, catalogue, observation, schema, statements
from workers.engine.adapters.postgresql import fence as fences
from workers.engine.adapters.postgresql.names import IDENTIFIER_BYTES
from workers.engine.adapters.postgresql.session import Session
from workers.engine.errors import Drifted, LockTimeout, Refused, WrongServer
from workers.engine.vocabulary import (
    Action,
    Backfill,
    Batch,
    BatchAction,
    Checkpoint,
    Compare,
    Cursor,
    Fence,
    Identity,
    Sync,
    TableName,
    TableShape,
)

Result = TypeVar("Result")

ENDING_S = 10  # ending a session waits a second for each


class PostgresAdapter:
    capabilities = Capabilities(
        transactional_ddl=True,
        sync="trigger",
        online_index=True,
        instant_add_column=True,
        identifier_bytes=IDENTIFIER_BYTES,
    )

    def __init__(self, address: Address, *, tag: str, lock_timeout_s: float, statement_timeout_s: float) -> None:
        self._session = Session(
            address, tag=tag, lock_timeout_s=lock_timeout_s, statement_timeout_s=statement_timeout_s
        )
        self._batches = batches.Batches(self._session)

    def __enter__(self) -> PostgresAdapter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    # What is there.

    def identity(self) -> Identity:
        with self._session.transaction(read_only=True) as transaction:
            return catalogue.read_identity(transaction)

    def describe(self, table: TableName) -> TableShape:
        with self._session.transaction(table=table, read_only=True) as transaction:
            return catalogue.require_key(catalogue.read_table(transaction, table)).shape

    def missing_grants(self, table: TableName) -> tuple[MissingGrant, ...]:
        with self._session.transaction(table=table, read_only=True) as transaction:
            return catalogue.read_missing_grants(transaction, table)

    def there_and_back(self, sync: Sync, types: Mapping[str, str], limit_s: float) -> ThereAndBack:
        with self._session.transaction(table=sync.table, read_only=True, statement_timeout_s=limit_s) as transaction:
            return observation.count_there_and_back(transaction, sync, types)

    def usage(self, table: TableName, columns: Sequence[str]) -> Usage:
        with self._session.transaction(read_only=True) as transaction:
            return observation.read_usage(transaction, table, columns)

    def sync_use(self, sync: Sync) -> SyncUse | None:
        with self._session.transaction(read_only=True) as transaction:
            return observation.read_sync_use(transaction, sync)

    def replicas(self) -> tuple[Replica, ...]:
        with self._session.transaction(read_only=True) as transaction:
            return observation.read_replicas(transaction)

    def position(self) -> str:
        with self._session.transaction(read_only=True) as transaction:
            return observation.read_position(transaction)

    def replica_lag_s(self, position: str) -> float | None:
        with self._session.transaction(read_only=True) as transaction:
            return observation.replica_lag_s(transaction, position)

    def scalar(self, query: str, timeout_s: float) -> float | None:
        try:
            with self._session.transaction(read_only=True, statement_timeout_s=timeout_s) as transaction:
                return observation.scalar(transaction, query)
        except (Drifted, WrongServer) as error:
            problem = "writes" if isinstance(error, WrongServer) else "names something that is not there"
            raise Refused(f"The query of a signal {problem}.", remedy="Mend the query.") from error

    def server_clock(self) -> float:
        with self._session.transaction(read_only=True) as transaction:
            return float(transaction.value("SELECT EXTRACT(EPOCH FROM clock_timestamp())"))

    # What the plan puts there.

    def install(self, plan: int, control_uid: str) -> None:
        with self._session.transaction() as transaction:
            schema.install(transaction, plan, control_uid)

    def remove(self, plan: int) -> None:
        with self._session.transaction() as transaction:
            schema.remove(transaction, plan)

    def leftovers(self, plan: int) -> tuple[str, ...]:
        with self._session.transaction(read_only=True) as transaction:
            return schema.leftovers(transaction, plan)

    def render(self, action: Action) -> tuple[str, ...]:
        """Look at the target for what a statement depends on: keys, defaults, what is to be given back."""
        if isinstance(action, Backfill | Compare):
            with self._session.transaction(table=action.sync.table, read_only=True) as transaction:
                return batches.render(action, catalogue.read_table(transaction, action.sync.table))
        with self._session.transaction(table=statements.table_of(action), read_only=True) as transaction:
            place = statements.read_place(transaction, action, with_ledger=schema.is_installed(transaction))
            return tuple(line for step in statements.statements(action, place) for line in step)

    def apply(self, action: Action, fence: Fence) -> None:
        self._past_zombies(fence, partial(actions.apply, self._session, action, fence))

    # Batches.

    def claim_lane(self, fence: Fence) -> Checkpoint:
        return self._past_zombies(fence, partial(self._claim, fence))

    def _claim(self, fence: Fence) -> Checkpoint:
        with self._session.transaction() as transaction:
            fences.claim(transaction, fence)
            return fences.start(transaction, fence)

    def _past_zombies(self, fence: Fence, work: Callable[[], Result]) -> Result:
        """Where an older epoch of this lane may be what holds the lock, end its sessions and try once more."""
        try:
            return work()
        except LockTimeout:
            with self._session.transaction(statement_timeout_s=ENDING_S) as transaction:
                if not fences.end_zombies(transaction, fence):
                    raise
        return work()

    def read_checkpoint(self, fence: Fence) -> Checkpoint | None:
        with self._session.transaction(read_only=True) as transaction:
            return fences.read(transaction, fence) if schema.is_installed(transaction) else None

    def next_boundary(self, action: BatchAction, after: Cursor | None, rows: int) -> Cursor | None:
        return self._batches.next_boundary(action, after, rows)

    def copy(self, action: Backfill, after: Cursor | None, upto: Cursor, fence: Fence) -> Batch:
        return self._batches.copy(action, after, upto, fence)

    def compare(self, action: Compare, after: Cursor | None, upto: Cursor, fence: Fence) -> Batch:
        return self._batches.compare(action, after, upto, fence)

    def conclude(self, fence: Fence) -> Checkpoint:
        with self._session.transaction() as transaction:
            fences.hold(transaction, fence)
            return fences.conclude(transaction, fence)

    # The brake.

    def set_stop(self, plan: int, run: int, *, wait_s: float) -> int:
        return brake.set_stop(self._session, plan, run, wait_s=wait_s)

    def lift_stop(self, fence: Fence) -> None:
        self._past_zombies(fence, partial(self._lift_stop, fence))

    def _lift_stop(self, fence: Fence) -> None:
        with self._session.transaction() as transaction:
            brake.clear_stop(transaction, fence.plan)
            fences.claim(transaction, fence)

    def live_sessions(self, plan: int, run: int) -> tuple[LiveSession, ...]:
        with self._session.transaction(read_only=True) as transaction:
            return brake.live_sessions(transaction, plan, run)

    def cancel(self, plan: int, run: int) -> int:
        with self._session.transaction() as transaction:
            return brake.cancel(transaction, plan, run)

    def terminate(self, plan: int, run: int) -> int:
        with self._session.transaction() as transaction:
            return brake.terminate(transaction, plan, run)

    def last_write_at(self, plan: int, run: int) -> float | None:
        with self._session.transaction(read_only=True) as transaction:
            return brake.last_write_at(transaction, plan, run)
