"""The database in memory: its sync by the table of cases, and what the engine relies on in any adapter."""

from __future__ import annotations

import pytest

from tests.sync_cases import LOSSY, SYNC, SYNC_CASES, TABLE, SyncCase
from workers.engine.adapters.memory import MemoryAdapter, MemoryServer, WriteRefused
from workers.engine.errors import (
    ColumnMismatch,
    ConnectionLost,
    Drifted,
    Fenced,
    Interrupted,
    Irreversible,
    NoUsableKey,
    OutcomeUnknown,
    Refused,
    TableNotFound,
    Unsupported,
    WrongServer,
)
from workers.engine.vocabulary import (
    AddColumn,
    AllowNull,
    Backfill,
    Column,
    Compare,
    DropColumn,
    EnforceNotNull,
    Fence,
    ForgetProgress,
    Lead,
    Phase,
    Purge,
    Restore,
    Retire,
    Side,
    StartSync,
    StopSync,
    TableName,
)

NAME = Column("name", "text")
PARTS = (Column("first_name", "text"), Column("last_name", "text"))
RETIRED = "lockstep_p1o0_retired"


def a_server(*names: str | None, name: Column = NAME, parts: tuple[Column, ...] = PARTS) -> MemoryServer:
    """Return a server with a users table, one row for each name, ids from 1."""
    server = MemoryServer()
    server.create_table(TABLE, (Column("id", "bigint", nullable=False), name, *parts), ("id",))
    for number, value in enumerate(names, start=1):
        server.insert(TABLE, {"id": number, "name": value})
    return server


def an_adapter(server: MemoryServer, *, plan: int = 1) -> MemoryAdapter:
    adapter = MemoryAdapter(server, tag=a_fence(plan=plan).tag)
    adapter.install(plan, "control-1")
    return adapter


def a_fence(*, plan: int = 1, phase: Phase = Phase.BACKFILL, action: int = 0, run: int = 1, epoch: int = 1) -> Fence:
    return Fence(plan, 0, phase, action, lane=0, attempt=0, run=run, epoch=epoch)


def a_person(server: MemoryServer, number: int = 1) -> tuple[object, ...]:
    row = server.table(TABLE).rows[(number,)]
    return (row["name"], row["first_name"], row["last_name"])


# The sync.


@pytest.mark.parametrize("case", SYNC_CASES, ids=str)
def test_the_sync_follows_the_table_of_cases(case: SyncCase) -> None:
    default = case.name_default
    name = NAME if default is None else Column("name", "text", nullable=False, default=f"'{default}'")
    server = a_server(name=name)
    if case.before is not None:
        server.insert(TABLE, {"id": 1} | dict(zip(("name", "first_name", "last_name"), case.before, strict=True)))
    adapter = an_adapter(server)
    adapter.apply(StartSync(case.sync, case.lead), a_fence())

    if case.before is None:
        server.insert(TABLE, {"id": 1} | case.writes)
    else:
        server.update(TABLE, (1,), case.writes)

    use = adapter.sync_use(case.sync)
    assert use is not None
    stored = a_person(server, int(case.writes.get("id") or 1))
    assert (stored, (use.old_writes, use.new_writes)) == (case.after, case.counted)


def test_a_sync_on_one_table_leaves_others_alone() -> None:
    server = a_server()
    other = TableName("public", "others")
    server.create_table(other, (Column("id", "bigint", nullable=False), NAME), ("id",))
    an_adapter(server).apply(StartSync(SYNC), a_fence())

    server.insert(other, {"id": 1, "name": "Ann Lee"})

    assert server.table(other).rows == {(1,): {"id": 1, "name": "Ann Lee"}}


def test_no_use_is_reported_where_no_sync_stands() -> None:
    assert an_adapter(a_server()).sync_use(SYNC) is None


# What applications meet.


def test_a_write_to_an_unknown_column_is_refused() -> None:
    with pytest.raises(WriteRefused):
        a_server().insert(TABLE, {"id": 1, "nickname": "Annie"})


def test_a_null_in_a_not_null_column_is_refused_and_changes_nothing() -> None:
    server = a_server("Ann Lee", name=Column("name", "text", nullable=False))

    with pytest.raises(WriteRefused):
        server.update(TABLE, (1,), {"name": None})

    assert a_person(server) == ("Ann Lee", None, None)


def test_a_duplicate_key_is_refused() -> None:
    with pytest.raises(WriteRefused):
        a_server("Ann Lee").insert(TABLE, {"id": 1})


def test_a_derived_value_that_is_too_long_is_refused() -> None:
    server = a_server(parts=(Column("first_name", "character varying(3)", length=3), PARTS[1]))
    an_adapter(server).apply(StartSync(SYNC), a_fence())

    with pytest.raises(WriteRefused):
        server.insert(TABLE, {"id": 1, "name": "Anna Lee"})


# Actions.


def test_a_column_that_matches_exactly_is_adopted_and_never_dropped() -> None:
    server = a_server()
    adapter = an_adapter(server)

    adapter.apply(AddColumn(TABLE, "first_name", "text"), a_fence())
    adapter.apply(DropColumn(TABLE, "first_name"), a_fence())

    assert "first_name" in server.table(TABLE).columns


@pytest.mark.parametrize(
    "existing",
    [
        Column("first_name", "character varying(10)", length=10),
        Column("first_name", "text", nullable=False),
        Column("first_name", "text", default="''"),
        Column("first_name", "text", generated=True),
    ],
    ids=["type", "nullability", "default", "generated"],
)
def test_a_column_that_differs_is_not_adopted(existing: Column) -> None:
    adapter = an_adapter(a_server(parts=(existing, PARTS[1])))

    with pytest.raises(ColumnMismatch):
        adapter.apply(AddColumn(TABLE, "first_name", "text"), a_fence())


def test_a_column_of_another_plan_is_not_dropped() -> None:
    server = a_server(parts=())
    an_adapter(server, plan=1).apply(AddColumn(TABLE, "first_name", "text"), a_fence(plan=1))

    an_adapter(server, plan=2).apply(DropColumn(TABLE, "first_name"), a_fence(plan=2))

    assert "first_name" in server.table(TABLE).columns


def test_a_retired_column_comes_back_in_its_place_with_its_data_and_not_null() -> None:
    server = a_server("Ann Lee", name=Column("name", "text", nullable=False, default="''"))
    adapter, before = an_adapter(server), dict(server.table(TABLE).columns)

    adapter.apply(Retire(TABLE, "name", RETIRED), a_fence())
    adapter.apply(Restore(TABLE, "name", RETIRED), a_fence())
    adapter.apply(EnforceNotNull(TABLE, "name"), a_fence())

    assert list(server.table(TABLE).columns.items()) == list(before.items())
    assert a_person(server)[0] == "Ann Lee"


def test_an_insert_need_not_name_a_retired_column() -> None:
    server = a_server(name=Column("name", "text", nullable=False))
    an_adapter(server).apply(Retire(TABLE, "name", RETIRED), a_fence())

    server.insert(TABLE, {"id": 1, "first_name": "Ann"})

    assert server.table(TABLE).rows[(1,)][RETIRED] is None


def test_a_column_that_allows_null_again_for_contract_takes_inserts_without_it() -> None:
    server = a_server(name=Column("name", "text", nullable=False))
    an_adapter(server).apply(AllowNull(TABLE, "name"), a_fence())

    server.insert(TABLE, {"id": 1, "first_name": "Ann"})

    assert a_person(server) == (None, "Ann", None)


def test_not_null_is_not_enforced_over_nulls() -> None:
    server = a_server(name=Column("name", "text", nullable=False))
    adapter = an_adapter(server)
    adapter.apply(AllowNull(TABLE, "name"), a_fence())
    server.insert(TABLE, {"id": 1})

    with pytest.raises(Refused, match="NULL in 1 rows"):
        adapter.apply(EnforceNotNull(TABLE, "name"), a_fence())


def test_not_null_is_not_enforced_where_none_was() -> None:
    server = a_server(None)

    an_adapter(server).apply(EnforceNotNull(TABLE, "name"), a_fence())

    assert server.table(TABLE).columns["name"].nullable


def test_restoring_a_purged_column_is_refused() -> None:
    adapter = an_adapter(a_server("Ann Lee"))
    adapter.apply(Retire(TABLE, "name", RETIRED), a_fence())
    adapter.apply(Purge(TABLE, RETIRED), a_fence())

    with pytest.raises(Irreversible):
        adapter.apply(Restore(TABLE, "name", RETIRED), a_fence())


def test_restoring_beside_a_new_column_of_that_name_is_refused() -> None:
    server = a_server("Ann Lee")
    adapter = an_adapter(server)
    adapter.apply(Retire(TABLE, "name", RETIRED), a_fence())
    server.table(TABLE).add_column(NAME)

    with pytest.raises(ColumnMismatch):
        adapter.apply(Restore(TABLE, "name", RETIRED), a_fence())


def test_purge_drops_only_what_was_retired() -> None:
    server = a_server("Ann Lee")

    an_adapter(server).apply(Purge(TABLE, "name"), a_fence())

    assert "name" in server.table(TABLE).columns


def test_a_lead_without_a_sync_is_drift() -> None:
    with pytest.raises(Drifted):
        an_adapter(a_server()).apply(Lead(SYNC, Side.NEW), a_fence())


def test_a_batch_action_cannot_be_applied_at_once() -> None:
    with pytest.raises(Unsupported):
        an_adapter(a_server()).apply(Backfill(SYNC), a_fence())


def test_forgetting_progress_lets_the_backfill_start_anew() -> None:
    adapter = an_adapter(a_server("Ann Lee"))
    adapter.claim_lane(a_fence())
    adapter.copy(Backfill(SYNC), None, "[1]", a_fence())
    adapter.conclude(a_fence())

    adapter.apply(ForgetProgress(Backfill(SYNC)), a_fence())

    checkpoint = adapter.claim_lane(a_fence())
    assert (checkpoint.cursor, checkpoint.seq, checkpoint.done) == (None, 0, False)


# Batches.


def test_a_backfill_writes_only_rows_where_neither_side_derives_from_the_other() -> None:
    server = a_server("Ann Lee", "Mary Ann Smith", None)
    server.update(TABLE, (2,), {"first_name": "Mary Ann", "last_name": "Smith"})
    adapter = an_adapter(server)
    adapter.claim_lane(a_fence())

    batch = adapter.copy(Backfill(SYNC), None, "[3]", a_fence())

    assert (batch.rows, batch.counters) == (3, {"written": 1})
    assert [a_person(server, number) for number in (1, 2)] == [
        ("Ann Lee", "Ann", "Lee"),
        ("Mary Ann Smith", "Mary Ann", "Smith"),
    ]


def test_a_backfill_is_no_write_of_an_application() -> None:
    server = a_server("Ann Lee")
    adapter = an_adapter(server)
    adapter.apply(StartSync(SYNC), a_fence(action=1))
    adapter.claim_lane(a_fence())

    adapter.copy(Backfill(SYNC), None, "[1]", a_fence())

    use = adapter.sync_use(SYNC)
    assert use is not None
    assert (use.old_writes, use.new_writes) == (0, 0)


def test_boundaries_walk_the_key_in_order_and_end_with_none() -> None:
    adapter = an_adapter(a_server("a", "b", "c"))

    boundaries = [adapter.next_boundary(Backfill(SYNC), after, 2) for after in (None, "[2]", "[3]")]

    assert boundaries == ["[2]", "[3]", None]


def test_a_boundary_whose_row_is_gone_keeps_its_place() -> None:
    server = a_server("a", "b", "c")
    adapter = an_adapter(server)
    server.delete(TABLE, (2,))

    assert adapter.next_boundary(Backfill(SYNC), "[2]", 5) == "[3]"


def test_compare_tells_out_of_step_from_lossy() -> None:
    server = a_server("Ann Lee", "Bo Kim", "Mary Ann Smith", None)
    server.update(TABLE, (1,), {"first_name": "Ann", "last_name": "Lee"})
    server.update(TABLE, (3,), {"first_name": "Mary Ann", "last_name": "Smith"})
    adapter = an_adapter(server)
    adapter.claim_lane(a_fence())

    batch = adapter.compare(Compare(SYNC), None, "[4]", a_fence())

    assert batch.counters == {"out_of_step": 1, "lossy_old": 0, "lossy_new": 1}


def test_counters_add_up_over_batches() -> None:
    adapter = an_adapter(a_server("Ann Lee", "Bo Kim"))
    adapter.claim_lane(a_fence())
    adapter.copy(Backfill(SYNC), None, "[1]", a_fence())

    checkpoint = adapter.copy(Backfill(SYNC), "[1]", "[2]", a_fence()).checkpoint

    assert (checkpoint.seq, checkpoint.rows, checkpoint.counters) == (2, 2, {"written": 2})


def test_a_batch_on_a_changed_table_is_drift() -> None:
    server = a_server("Ann Lee")
    adapter = an_adapter(server)
    adapter.claim_lane(a_fence())
    server.table(TABLE).drop_column("last_name")

    with pytest.raises(Drifted):
        adapter.copy(Backfill(SYNC), None, "[1]", a_fence())


# Fence and brake.


def test_an_older_epoch_writes_nothing() -> None:
    server = a_server("Ann Lee")
    adapter = an_adapter(server)
    adapter.claim_lane(a_fence(epoch=1))
    adapter.claim_lane(a_fence(epoch=2))

    with pytest.raises(Fenced):
        adapter.copy(Backfill(SYNC), None, "[1]", a_fence(epoch=1))

    assert a_person(server) == ("Ann Lee", None, None)


def test_an_older_epoch_cannot_claim_nor_apply() -> None:
    adapter = an_adapter(a_server())
    adapter.claim_lane(a_fence(epoch=2))

    with pytest.raises(Fenced):
        adapter.claim_lane(a_fence(epoch=1))
    with pytest.raises(Fenced):
        adapter.apply(StartSync(SYNC), a_fence(epoch=1))


def test_a_lane_that_was_not_claimed_cannot_be_written() -> None:
    with pytest.raises(Fenced):
        an_adapter(a_server("Ann Lee")).copy(Backfill(SYNC), None, "[1]", a_fence())


def test_a_stop_fences_the_run_and_is_lifted_only_with_a_newer_epoch() -> None:
    adapter = an_adapter(a_server("Ann Lee"))
    adapter.claim_lane(a_fence(epoch=1))
    adapter.set_stop(1, 1, wait_s=0)

    with pytest.raises(Fenced):
        adapter.copy(Backfill(SYNC), None, "[1]", a_fence(epoch=1))

    adapter.lift_stop(a_fence(epoch=2))
    with pytest.raises(Fenced):
        adapter.copy(Backfill(SYNC), None, "[1]", a_fence(epoch=1))
    adapter.claim_lane(a_fence(epoch=2))
    assert adapter.copy(Backfill(SYNC), None, "[1]", a_fence(epoch=2)).rows == 1


def test_a_stop_holds_no_other_plan() -> None:
    server = a_server("Ann Lee")
    an_adapter(server, plan=1).set_stop(1, 1, wait_s=0)

    assert an_adapter(server, plan=2).claim_lane(a_fence(plan=2)).seq == 0


def test_a_cancel_in_mid_batch_leaves_nothing_of_it() -> None:
    server = a_server("Ann Lee")
    adapter = an_adapter(server)
    adapter.claim_lane(a_fence())
    side = MemoryAdapter(server)
    server.in_flight = lambda call: None if side.cancel(1, 1) else None

    with pytest.raises(Interrupted):
        adapter.copy(Backfill(SYNC), None, "[1]", a_fence())

    assert (a_person(server), adapter.read_checkpoint(a_fence()).seq) == (("Ann Lee", None, None), 0)  # type: ignore[union-attr]


def test_the_time_of_the_last_write_is_told_by_run() -> None:
    adapter = an_adapter(a_server("Ann Lee"))
    adapter.claim_lane(a_fence())
    before = adapter.last_write_at(1, 1)

    adapter.copy(Backfill(SYNC), None, "[1]", a_fence())

    assert before is None
    assert adapter.last_write_at(1, 1) is not None
    assert adapter.last_write_at(1, 2) is None


# Faults.


def test_a_connection_lost_before_commit_leaves_nothing() -> None:
    server = a_server("Ann Lee")
    adapter = an_adapter(server)
    adapter.claim_lane(a_fence())
    server.fail_next(ConnectionLost("gone"), call="copy")

    with pytest.raises(ConnectionLost):
        adapter.copy(Backfill(SYNC), None, "[1]", a_fence())

    assert a_person(server) == ("Ann Lee", None, None)


def test_an_answer_lost_after_commit_leaves_the_batch() -> None:
    server = a_server("Ann Lee")
    adapter = an_adapter(server)
    adapter.claim_lane(a_fence())
    server.fail_next(OutcomeUnknown("no answer"), after_commit=True, call="copy")

    with pytest.raises(OutcomeUnknown):
        adapter.copy(Backfill(SYNC), None, "[1]", a_fence())

    assert a_person(server) == ("Ann Lee", "Ann", "Lee")


# What is there, and what is left.


def test_a_table_that_is_not_there_is_named() -> None:
    with pytest.raises(TableNotFound, match=r"public\.nobody"):
        an_adapter(a_server()).describe(TableName("public", "nobody"))


def test_a_table_without_a_key_is_refused() -> None:
    server = MemoryServer()
    server.create_table(TABLE, (NAME,), ())

    with pytest.raises(NoUsableKey):
        an_adapter(server).describe(TABLE)


def test_there_and_back_counts_lossy_and_unfit_rows() -> None:
    adapter = an_adapter(a_server("Ann Lee", "Mary Ann Smith", "Bartholomew Kim", None))

    counts = adapter.there_and_back(LOSSY, {"first_name": "character varying(8)", "last_name": "text"}, 1.0)

    assert (counts.rows, counts.lossy, counts.unfit) == (4, 1, 1)


def test_another_control_plane_is_refused() -> None:
    adapter = an_adapter(a_server())

    with pytest.raises(WrongServer):
        adapter.install(2, "control-2")


def test_nothing_is_applied_where_lockstep_is_not_installed() -> None:
    with pytest.raises(Drifted):
        MemoryAdapter(a_server()).apply(StopSync(SYNC), a_fence())


def test_removing_a_plan_leaves_nothing_of_it_and_all_of_the_others() -> None:
    server = a_server(parts=())
    first, second = an_adapter(server, plan=1), an_adapter(server, plan=2)
    first.apply(AddColumn(TABLE, "first_name", "text"), a_fence(plan=1))
    second.apply(AddColumn(TABLE, "last_name", "text"), a_fence(plan=2))
    kept = second.leftovers(2)

    first.remove(1)

    assert (first.leftovers(1), second.leftovers(2)) == ((), kept)
    assert kept
