"""The Adapter protocol, its capabilities and the table of engines: what every engine must be able to say and do.

An adapter is bound to one address and one session at a time. After any error its connection is closed and the next
call opens a new one, so that no half-finished transaction is ever continued. Driver errors are translated at this
border: SQLSTATE and object names pass, row values do not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import TracebackType
from typing import Literal, Protocol

from workers.engine.errors import Unsupported
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


@dataclass(frozen=True)
class Address:
    """Where a target is: fields, never a DSN or URI, since those can carry options of their own. Its repr hides."""

    engine: str
    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    tls: str = "prefer"
    """libpq's words: disable, prefer, require, verify-ca, verify-full."""
    tls_ca_file: str = ""

    def __repr__(self) -> str:
        return f"Address({self.engine} {self.host}:{self.port})"


@dataclass(frozen=True)
class Capabilities:
    """Facts that checks and laws ask for, never engine names."""

    transactional_ddl: bool
    sync: Literal["trigger", "stream"]
    online_index: bool
    instant_add_column: bool
    identifier_bytes: int


@dataclass(frozen=True)
class MissingGrant:
    """A privilege that the account lacks: what for, and the statement that gives it."""

    privilege: str
    needed_for: str
    grant: str


@dataclass(frozen=True)
class Replica:
    """One replica as the primary sees it; found when a target is registered."""

    name: str
    host: str
    """Empty where it is connected over a local socket."""
    state: str


@dataclass(frozen=True)
class Session:
    """One of our own sessions on the target, found by its tag."""

    tag: str
    pid: int
    state: str
    """`active`, `idle`, `idle in transaction` ..."""


@dataclass(frozen=True)
class ThereAndBack:
    """Preflight counts of rows, from one pass over the table under a statement timeout."""

    rows: int
    lossy: int
    """back(ahead(x)) is distinct from x."""
    unfit: int
    """ahead(x) does not fit into the new column's type."""


@dataclass(frozen=True)
class SyncUse:
    """How often applications wrote each side since the sync stands: it moves with every use, whatever its unit is."""

    old_writes: int
    new_writes: int


@dataclass(frozen=True)
class Usage:
    """What the server's statement statistics say of reads of a column; None where they are off."""

    calls: int | None
    detail: str


def is_a_select(query: str) -> bool:
    """Return whether the text begins as a signal's query must: with SELECT, in any case, and nothing before it."""
    return re.match(r"\s*select\b", query, re.IGNORECASE) is not None


class Adapter(Protocol):
    """Everything that the engine does to a target."""

    capabilities: Capabilities

    def __enter__(self) -> Adapter: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    # What is there. All read-only.
    def identity(self) -> Identity: ...
    def describe(self, table: TableName) -> TableShape:
        """Raise TableNotFound or NoUsableKey."""

    def missing_grants(self, table: TableName) -> tuple[MissingGrant, ...]: ...
    def there_and_back(self, sync: Sync, types: Mapping[str, str], limit_s: float) -> ThereAndBack:
        """Count what the mapping does not restore; `types` are those of the new columns. Raises StatementTimeout."""

    def usage(self, table: TableName, columns: Sequence[str]) -> Usage: ...
    def sync_use(self, sync: Sync) -> SyncUse | None: ...
    def replicas(self) -> tuple[Replica, ...]: ...
    def position(self) -> str:
        """Return the primary's write position now, opaque; give it to `replica_lag_s` of an adapter on the replica."""

    def replica_lag_s(self, position: str) -> float | None:
        """On a replica: seconds that it is behind, 0 once `position` is replayed; None where it cannot tell.

        Raises WrongServer where the server is no replica.
        """

    def scalar(self, query: str, timeout_s: float) -> float | None:
        """Run one SELECT in a read-only transaction; None where it gives no number. Only numbers come back.

        Raises Refused for what `is_a_select` denies, and where it writes or names something that is not there.
        """

    def server_clock(self) -> float:
        """Return the target's clock as epoch seconds."""

    # What the plan puts there.
    def install(self, plan: int, control_uid: str) -> None:
        """Create the lockstep schema and its tables; repeatable.

        Raises WrongServer where another control plane owns it.
        """

    def remove(self, plan: int) -> None:
        """Remove everything of this plan, and the schema where no other plan is left; repeatable (law 6)."""

    def leftovers(self, plan: int) -> tuple[str, ...]:
        """Name every object of this plan that is still in the target."""

    def render(self, action: Action) -> tuple[str, ...]:
        """Return exactly the statements that apply() or copy() would send, in order, with parameters as written."""

    def apply(self, action: Action, fence: Fence) -> None:
        """Do one action that is not a batch action, behind the fence; repeatable.

        Raises Fenced, LockTimeout, ColumnMismatch, Unsupported, OutcomeUnknown.
        """

    # Batches.
    def claim_lane(self, fence: Fence) -> Checkpoint:
        """Write `fence.epoch` into the progress row (made if it is not there) and return what stands in it.

        Raises Fenced where a newer epoch stands there, or where a stop row forbids it.
        """

    def read_checkpoint(self, fence: Fence) -> Checkpoint | None: ...
    def next_boundary(self, action: BatchAction, after: Cursor | None, rows: int) -> Cursor | None:
        """Return the key of the `rows`-th row after `after`, or of the last one; None past the end.

        Keyset, no OFFSET over the table. A walk that was given the last key is at its end, whatever is added meanwhile.
        """

    def copy(self, action: Backfill, after: Cursor | None, upto: Cursor, fence: Fence) -> Batch:
        """Bring one range into step: fence check, rows, checkpoint, one transaction.

        Raises Fenced, Interrupted, Transient, Drifted, OutcomeUnknown.
        """

    def compare(self, action: Compare, after: Cursor | None, upto: Cursor, fence: Fence) -> Batch:
        """Count one range: out_of_step, lossy_old, lossy_new. Keys of the first findings stay in the target."""

    def conclude(self, fence: Fence) -> Checkpoint:
        """Mark the lane's progress done."""

    # The brake.
    def set_stop(self, plan: int, run: int, *, wait_s: float) -> int:
        """Write the stop row and a newer epoch for every lane of the run; repeatable.

        Return the newest epoch that stands in the target then, 0 where no lane was ever claimed.
        """

    def lift_stop(self, fence: Fence) -> None:
        """Take the lane for this fence and the plan's stop away, at once: no late worker of that run gets between.

        Raises Fenced where a newer epoch stands there, or where the whole target is stopped. Repeatable.
        """

    def live_sessions(self, plan: int, run: int) -> tuple[Session, ...]: ...
    def cancel(self, plan: int, run: int) -> int:
        """Cancel what is active and terminate what is idle in transaction, by tag; return how many."""

    def terminate(self, plan: int, run: int) -> int:
        """End every session of the run that is at anything, by tag, whether it hears cancels or not; return how many.

        Nothing of an open transaction stands then: the server rolls it back.
        """

    def last_write_at(self, plan: int, run: int) -> float | None:
        """Epoch seconds by the target's clock of the run's last committed batch or action; None before the first."""


ENGINES: dict[str, str] = {
    "postgresql": "workers.engine.adapters.postgresql.PostgresAdapter",
}


def adapter_for(address: Address, *, tag: str, lock_timeout_s: float, statement_timeout_s: float) -> Adapter:
    """Return an adapter that opens lazily; use it as a context manager."""
    if address.engine not in ENGINES:
        raise Unsupported(
            f'There is no engine "{address.engine}".', remedy=f"Choose one of: {', '.join(ENGINES)}.", field="engine"
        )
    module, name = ENGINES[address.engine].rsplit(".", 1)
    adapter: Adapter = getattr(import_module(module), name)(
        address, tag=tag, lock_timeout_s=lock_timeout_s, statement_timeout_s=statement_timeout_s
    )
    return adapter
