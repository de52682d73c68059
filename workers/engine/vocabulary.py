"""The words of the engine as frozen values: phases, tables, syncs, actions, steps, checkpoints. No I/O.

Everything that operations say and adapters do is made of these; see docs/glossary.md for one meaning each.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingView
from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    """The phases of a plan, in order. PURGE is the end of contract: it has no approval of its own and no way back."""

    EXPAND = "expand"
    DUAL_WRITE = "dual_write"
    BACKFILL = "backfill"
    VERIFY = "verify"
    CUTOVER = "cutover"
    CONTRACT = "contract"
    PURGE = "purge"


PHASES: tuple[Phase, ...] = tuple(Phase)


class Direction(StrEnum):
    FORWARD = "forward"
    BACK = "back"


class Side(StrEnum):
    """Who wins when one write changes both sides of a sync."""

    OLD = "old"
    NEW = "new"


@dataclass(frozen=True)
class TableName:
    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Column:
    """One column as the catalogue has it. `type` is the engine's own full spelling (`character varying(80)`)."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    """The default's SQL text as the catalogue prints it; None where there is none."""
    default_is_volatile: bool = False
    generated: bool = False
    length: int | None = None
    """Most characters that a text type holds; None for no limit or for another type."""


@dataclass(frozen=True)
class Trigger:
    name: str
    timing: str
    """`BEFORE` or `AFTER`."""
    events: tuple[str, ...]
    enabled: bool = True
    after_ours: bool = False
    """It rewrites rows after a sync's trigger would: it could undo what the sync wrote."""


@dataclass(frozen=True)
class Dependant:
    """Something that hangs on a column: a view, an index, a constraint, a generated column, a publication."""

    kind: str
    name: str
    column: str


@dataclass(frozen=True)
class TableShape:
    """What the catalogue says of one table."""

    table: TableName
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """Columns of the key that batches walk along: the primary key, else a unique index over NOT NULL columns."""
    rows: int
    """The server's estimate; 0 where it has none."""
    bytes: int
    triggers: tuple[Trigger, ...] = ()
    dependants: tuple[Dependant, ...] = ()
    kind: str = "table"
    """`table`, `partitioned`, `view`, `foreign` ... as the engine names it."""
    row_security: bool = False

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Mapping:
    """`column` takes the value of `expression`, an expression of the mapping language over the other side's columns."""

    column: str
    expression: str


@dataclass(frozen=True)
class Sync:
    """A named two-way dual-write between columns of one table; see architecture.md section 3 for its rules."""

    name: str
    """Lockstep's own name for it, at most 40 bytes: prefix of every object that the sync needs in the target."""
    table: TableName
    ahead: tuple[Mapping, ...]
    """New columns, each from old columns."""
    back: tuple[Mapping, ...]
    """Old columns, each from new columns."""

    @property
    def old(self) -> tuple[str, ...]:
        return tuple(mapping.column for mapping in self.back)

    @property
    def new(self) -> tuple[str, ...]:
        return tuple(mapping.column for mapping in self.ahead)


# Actions: one engine-neutral intent each. Every action succeeds when repeated (law 7).


@dataclass(frozen=True)
class AddColumn:
    """Add a nullable column without default; one that exists exactly so is adopted, and then never dropped by undo."""

    table: TableName
    column: str
    type: str


@dataclass(frozen=True)
class DropColumn:
    """Undo of AddColumn: drops the column only where this plan made it."""

    table: TableName
    column: str


@dataclass(frozen=True)
class StartSync:
    sync: Sync
    lead: Side = Side.OLD


@dataclass(frozen=True)
class StopSync:
    sync: Sync


@dataclass(frozen=True)
class Lead:
    """Say who wins when one write changes both sides."""

    sync: Sync
    side: Side


@dataclass(frozen=True)
class Backfill:
    """Bring `side` into step by batches, only in rows where neither side derives from the other."""

    sync: Sync
    side: Side = Side.NEW


@dataclass(frozen=True)
class ForgetProgress:
    """No data changes, but later backfills of this operation in this phase start from the first key again."""

    action: Backfill


@dataclass(frozen=True)
class Compare:
    """Count by batches how old and new side agree, there and back."""

    sync: Sync


@dataclass(frozen=True)
class AllowNull:
    """Lift a NOT NULL and remember it: once its sync stops, nobody fills the column. EnforceNotNull undoes it."""

    table: TableName
    column: str


@dataclass(frozen=True)
class Retire:
    """Make a column unreachable by its name and keep its data, under `retired_name`; writes need not name it."""

    table: TableName
    column: str
    retired_name: str


@dataclass(frozen=True)
class Restore:
    """Undo of Retire: the column has its name, nullability and default again. NOT NULL waits for `EnforceNotNull`."""

    table: TableName
    column: str
    retired_name: str


@dataclass(frozen=True)
class EnforceNotNull:
    """Give a column its NOT NULL back, where AllowNull or Retire took one away, without a long lock."""

    table: TableName
    column: str


@dataclass(frozen=True)
class Purge:
    """Drop a retired column for good."""

    table: TableName
    retired_name: str


Action = (
    AddColumn
    | DropColumn
    | StartSync
    | StopSync
    | Lead
    | Backfill
    | ForgetProgress
    | Compare
    | AllowNull
    | Retire
    | Restore
    | EnforceNotNull
    | Purge
)
BatchAction = Backfill | Compare


def title_of(action: Action) -> str:
    """Say an action in a few words, for people."""
    match action:
        case AddColumn(column=column):
            return f"Add column {column}"
        case DropColumn(column=column):
            return f"Drop column {column}"
        case StartSync(sync=sync):
            return f"Start the sync of {_sides(sync)}"
        case StopSync(sync=sync):
            return f"Stop the sync of {_sides(sync)}"
        case Lead(sync=sync, side=side):
            return f"Let the {side} side lead in {_sides(sync)}"
        case Backfill(sync=sync, side=side):
            return f"Backfill {', '.join(sync.new if side is Side.NEW else sync.old)}"
        case ForgetProgress(action=backfill):
            return f"Forget the progress of: {title_of(backfill)}"
        case Compare(sync=sync):
            return f"Compare {_sides(sync)}"
        case AllowNull(column=column):
            return f"Allow NULL in column {column}"
        case Retire(column=column):
            return f"Retire column {column}"
        case Restore(column=column):
            return f"Restore column {column}"
        case EnforceNotNull(column=column):
            return f"Enforce NOT NULL on column {column}"
        case Purge(retired_name=column):
            return f"Purge column {column}"


def _sides(sync: Sync) -> str:
    return f"{', '.join(sync.old)} and {', '.join(sync.new)}"


@dataclass(frozen=True)
class Step:
    """What one operation does and undoes in one phase; `undo` is already in the order in which it runs."""

    phase: Phase
    do: tuple[Action, ...]
    undo: tuple[Action, ...] = ()
    reversible: bool = True
    way_back: str = ""
    """One sentence for people: what undoing this phase does and what it would lose."""

    def actions(self, direction: Direction) -> tuple[Action, ...]:
        return self.do if direction is Direction.FORWARD else self.undo


Cursor = str
"""The last key done, opaque: made by an adapter, only read by it. Never leaves the target and the worker."""


@dataclass(frozen=True)
class Fence:
    """Who writes: the key of a progress row in the target and the epoch that must stand in it.

    Key: (plan, operation, phase, action, lane). `run` and `epoch` are columns. `attempt` is 0 for work that a later
    run goes on with (backfill), and the run's id for work that every run does anew (compare).
    """

    plan: int
    operation: int
    phase: Phase
    action: int
    """Position in the step's action tuple."""
    lane: int
    attempt: int
    run: int
    epoch: int

    @property
    def tag(self) -> str:
        """Session name on the target (`application_name`), at most 63 bytes."""
        return f"lockstep:p{self.plan}:r{self.run}:l{self.lane}:e{self.epoch}"


@dataclass(frozen=True)
class Checkpoint:
    """Progress as it stands in the target, committed with the batch."""

    cursor: Cursor | None
    """None before the first batch."""
    seq: int = 0
    """Batches committed."""
    rows: int = 0
    """Rows walked over."""
    done: bool = False
    counters: MappingView[str, int] = field(default_factory=dict)
    """For Backfill: written. For Compare: out_of_step, lossy_old, lossy_new."""


@dataclass(frozen=True)
class Batch:
    """One committed batch."""

    checkpoint: Checkpoint
    rows: int
    """Rows walked over by this batch."""
    counters: MappingView[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Identity:
    """Which server this is; compared at every open so that a moved address is noticed."""

    system: str
    timeline: int
    database: str
    is_primary: bool
    version: str
