"""Who may write on PostgreSQL: epochs, stops, zombies, cancels, and commits whose answer was lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.contracts.beside import a_locked_row, running, session_of, wait_until, waits_for_a_lock
from tests.contracts.target import CONTROL_UID, Target, a_fence
from tests.contracts.users import BACKFILL, a_users_table, dual_writing, people
from tests.sync_cases import SYNC
from workers.engine.adapters.postgresql import PostgresAdapter
from workers.engine.adapters.postgresql.session import Transaction
from workers.engine.errors import (
    ConnectionLost,
    Drifted,
    Fenced,
    Interrupted,
    LockTimeout,
    OutcomeUnknown,
    Refused,
    StatementTimeout,
)
from workers.engine.vocabulary import AddColumn, Fence, Phase, StartSync, StopSync

ADD = AddColumn(SYNC.table, "age", "text")
EXPANDING = a_fence(phase=Phase.EXPAND)


def a_copier(target: Target, fence: Fence | None = None, **limits: float) -> PostgresAdapter:
    return target.adapter((fence or a_fence()).tag, **limits)


# Epochs.


def test_a_newer_epoch_fences_the_older_one(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence(epoch=1))

        adapter.claim_lane(a_fence(epoch=2))

        with pytest.raises(Fenced):
            adapter.copy(BACKFILL, None, '["1"]', a_fence(epoch=1))
        with pytest.raises(Fenced):
            adapter.claim_lane(a_fence(epoch=1))
        with pytest.raises(Fenced):
            adapter.conclude(a_fence(epoch=1))
        with pytest.raises(Fenced):
            adapter.apply(ADD, a_fence(epoch=1))
        adapter.copy(BACKFILL, None, '["1"]', a_fence(epoch=2))


def test_another_run_of_the_same_epoch_is_fenced(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence(run=2))

        with pytest.raises(Fenced):
            adapter.copy(BACKFILL, None, '["1"]', a_fence(run=1))


def test_an_epoch_counts_for_every_action_of_its_lane(target: Target) -> None:
    """A late run forward may not add a column that a newer run back has just dropped."""
    a_users_table(target)
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        adapter.apply(ADD, a_fence(phase=Phase.EXPAND, action=0, epoch=2))

        with pytest.raises(Fenced):
            adapter.apply(AddColumn(SYNC.table, "late", "text"), a_fence(phase=Phase.EXPAND, action=1, epoch=1))


def test_lanes_have_epochs_of_their_own(target: Target) -> None:
    a_users_table(target, "Ann Lee", "Bo Kim")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence(lane=0, epoch=2))
        adapter.claim_lane(a_fence(lane=1, epoch=1))

        batch = adapter.copy(BACKFILL, '["1"]', '["2"]', a_fence(lane=1, epoch=1))

    assert batch.rows == 1


def test_nothing_is_written_for_a_plan_that_is_not_installed(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        with pytest.raises(Drifted):
            adapter.claim_lane(a_fence())
        adapter.install(2, CONTROL_UID)
        with pytest.raises(Drifted):
            adapter.apply(ADD, EXPANDING)
        assert adapter.read_checkpoint(a_fence()) is None


# Stops.


def test_a_stop_fences_batches_claims_and_actions_until_it_is_cleared(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence())

        adapter.set_stop(1, 1, wait_s=1)
        adapter.set_stop(1, 1, wait_s=1)

        for forbidden in (
            lambda: adapter.copy(BACKFILL, None, '["1"]', a_fence()),
            lambda: adapter.claim_lane(a_fence(run=2, epoch=9)),
            lambda: adapter.apply(ADD, a_fence(run=2, epoch=9)),
        ):
            with pytest.raises(Fenced):
                forbidden()

        adapter.lift_stop(a_fence(run=2, epoch=2))
        with pytest.raises(Fenced):
            adapter.copy(BACKFILL, None, '["1"]', a_fence())
        adapter.claim_lane(a_fence(run=2, epoch=2))
        adapter.copy(BACKFILL, None, '["1"]', a_fence(run=2, epoch=2))


def test_a_worker_that_never_came_to_claim_is_too_late_once_the_stop_is_lifted(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.set_stop(1, 1, wait_s=1)

        adapter.lift_stop(a_fence(run=2, epoch=9))

        with pytest.raises(Fenced):
            adapter.apply(ADD, a_fence(run=1, epoch=8))


def test_a_stop_of_the_whole_target_fences_every_plan(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence())

        target.root.execute("UPDATE lockstep.control SET stop = true")

        with pytest.raises(Fenced, match="whole target|Everything"):
            adapter.copy(BACKFILL, None, '["1"]', a_fence())


def test_a_stop_waits_for_the_batch_in_flight_and_says_when_it_does_not_end(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter, a_copier(target, lock_timeout_s=3) as copier:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence())
        with a_locked_row(target), running(lambda: copier.copy(BACKFILL, None, '["1"]', a_fence())) as outcome:
            wait_until(lambda: waits_for_a_lock(target, a_fence()))

            with pytest.raises(LockTimeout):
                adapter.set_stop(1, 1, wait_s=0.1)
            adapter.cancel(1, 1)
            adapter.set_stop(1, 1, wait_s=2)

    assert isinstance(outcome[0], Interrupted)
    assert people(target)[1] == ("Ann Lee", None, None)


def test_a_stop_waits_for_a_first_action_in_flight_too(target: Target) -> None:
    """Its lane is not there yet for anybody else to see."""
    a_users_table(target, "Ann Lee")
    with (
        target.adapter("lockstep:stop") as adapter,
        target.adapter(EXPANDING.tag, lock_timeout_s=20, statement_timeout_s=30) as worker,
    ):
        adapter.install(1, CONTROL_UID)
        with a_locked_row(target), running(lambda: worker.apply(ADD, EXPANDING)) as outcome:
            wait_until(lambda: waits_for_a_lock(target, EXPANDING))

            with pytest.raises(LockTimeout):
                adapter.set_stop(1, 1, wait_s=0.1)
            adapter.cancel(1, 1)
            adapter.set_stop(1, 1, wait_s=2)

        assert isinstance(outcome[0], Interrupted)
        with pytest.raises(Fenced):
            worker.apply(ADD, EXPANDING)


def test_stopping_where_nothing_is_installed_does_nothing(target: Target) -> None:
    with target.adapter() as adapter:
        assert adapter.set_stop(1, 1, wait_s=0.1) == 0
        assert adapter.last_write_at(1, 1) is None


def test_a_stop_tells_the_epoch_that_stands_in_the_target(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence(epoch=4))

        stops = [adapter.set_stop(1, 1, wait_s=1) for _ in range(2)]

    assert stops == [5, 5]


# Sessions, zombies and cancels.


def test_a_cancel_ends_a_batch_that_waits_and_leaves_nothing_of_it(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter("lockstep:supervisor") as adapter, a_copier(target, lock_timeout_s=3) as copier:
        dual_writing(target, adapter)
        before = adapter.claim_lane(a_fence())
        with a_locked_row(target), running(lambda: copier.copy(BACKFILL, None, '["1"]', a_fence())) as outcome:
            wait_until(lambda: waits_for_a_lock(target, a_fence()))
            (session,) = adapter.live_sessions(1, 1)
            began = time.monotonic()

            cancelled = adapter.cancel(1, 1)

            wait_until(lambda: outcome)
            took_s = time.monotonic() - began
        assert (session.tag, session.state, cancelled) == (a_fence().tag, "active", 1)
        assert isinstance(outcome[0], Interrupted)
        assert took_s < 1
        assert adapter.read_checkpoint(a_fence()) == before
    assert people(target)[1] == ("Ann Lee", None, None)


def test_a_cancel_terminates_a_session_that_waits_for_its_client(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter, a_copier(target) as copier:
        dual_writing(target, adapter)
        with pytest.raises(Interrupted), copier._session.transaction() as transaction:
            transaction.run("SELECT 1")
            wait_until(lambda: session_of(target, a_fence(), "idle in transaction"))
            assert adapter.cancel(1, 1) == 1
            transaction.run("SELECT 1")


def test_a_cancel_touches_no_other_run_and_nobody_else(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter, target.adapter(a_fence(run=11).tag) as other:
        other.server_clock()

        assert adapter.live_sessions(1, 1) == ()
        assert adapter.cancel(1, 1) == 0
        assert [session.tag for session in adapter.live_sessions(1, 11)] == [a_fence(run=11).tag]


def test_a_claim_ends_the_zombie_that_holds_the_lane(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    zombie, heir = a_fence(run=1, epoch=1), a_fence(run=2, epoch=2)
    with (
        target.adapter() as adapter,
        a_copier(target, zombie, lock_timeout_s=30, statement_timeout_s=60) as sleeper,
        a_copier(target, heir) as successor,
    ):
        dual_writing(target, adapter)
        adapter.claim_lane(zombie)
        with a_locked_row(target), running(lambda: sleeper.copy(BACKFILL, None, '["1"]', zombie)) as outcome:
            wait_until(lambda: waits_for_a_lock(target, zombie))

            successor.claim_lane(heir)

            wait_until(lambda: outcome)
        successor.copy(BACKFILL, None, '["1"]', heir)

    assert isinstance(outcome[0], Interrupted)
    assert people(target)[1] == ("Ann Lee", "Ann", "Lee")


def test_an_action_ends_the_zombie_that_holds_the_lane(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    zombie, heir = a_fence(run=1, epoch=1), a_fence(phase=Phase.EXPAND, run=2, epoch=2)
    with target.adapter() as adapter, a_copier(target, zombie, lock_timeout_s=30, statement_timeout_s=60) as sleeper:
        dual_writing(target, adapter)
        adapter.claim_lane(zombie)
        with a_locked_row(target), running(lambda: sleeper.copy(BACKFILL, None, '["1"]', zombie)) as outcome:
            wait_until(lambda: waits_for_a_lock(target, zombie))

            with pytest.raises(LockTimeout):  # the zombie is gone, the application's own lock is not
                adapter.apply(ADD, heir)

            wait_until(lambda: outcome)
        adapter.apply(ADD, heir)

    assert isinstance(outcome[0], Interrupted)


def test_a_claim_ends_no_session_of_its_own_epoch_or_of_another_lane(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with (
        target.adapter() as adapter,
        a_copier(target, a_fence(lane=1)) as neighbour,
        a_copier(target, a_fence(epoch=2)) as own,
    ):
        dual_writing(target, adapter)
        neighbour.server_clock()
        own.server_clock()
        adapter.claim_lane(a_fence())
        with target.root.transaction():
            target.root.execute("SELECT FROM lockstep.lane FOR UPDATE")

            with pytest.raises(LockTimeout):
                adapter.claim_lane(a_fence(epoch=2))

        assert session_of(target, a_fence(lane=1), "idle")
        assert session_of(target, a_fence(epoch=2), "idle")


def test_the_last_write_is_dated_by_batches_and_actions_only(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        adapter.claim_lane(a_fence())
        assert adapter.last_write_at(1, 1) is None

        adapter.apply(StartSync(SYNC), a_fence(phase=Phase.DUAL_WRITE))
        first = adapter.last_write_at(1, 1)
        adapter.copy(BACKFILL, None, '["1"]', a_fence())
        second = adapter.last_write_at(1, 1)
        adapter.set_stop(1, 1, wait_s=1)

        assert first is not None and second is not None
        assert first < second <= adapter.server_clock()
        assert adapter.last_write_at(1, 1) == second
        assert adapter.last_write_at(1, 2) is None


# Limits, and answers that never came.


def test_a_row_that_stays_locked_is_a_lock_timeout_and_can_be_tried_again(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence())
        with a_locked_row(target), pytest.raises(LockTimeout):
            adapter.copy(BACKFILL, None, '["1"]', a_fence())

        batch = adapter.copy(BACKFILL, None, '["1"]', a_fence())

    assert batch.counters == {"written": 1}


def test_a_lock_timeout_names_who_holds_the_table(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter, target.application() as holder:
        adapter.install(1, CONTROL_UID)
        holder.execute("SET application_name = 'nightly report'")
        with holder.transaction():
            holder.execute("SELECT count(*) FROM users")

            with pytest.raises(LockTimeout) as caught:
                adapter.apply(ADD, EXPANDING)

    (blocker,) = caught.value.blockers
    assert blocker in str(caught.value)
    assert "nightly report (shop_app), idle in transaction, in a transaction since 20" in blocker
    assert "SELECT" not in blocker


def test_a_batch_that_takes_too_long_is_a_statement_timeout(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter(statement_timeout_s=0.3, lock_timeout_s=20) as adapter:
        dual_writing(target, adapter)
        adapter.claim_lane(a_fence())
        with a_locked_row(target), pytest.raises(StatementTimeout):
            adapter.copy(BACKFILL, None, '["1"]', a_fence())


def killed_at(target: Target, statement: str, *, after: bool) -> Callable[..., int]:
    """Return a Transaction.run that ends its own session just before, or just after, it sends that statement."""
    honest = Transaction.run

    def run(self: Transaction, sent: str, *parameters: Any) -> int:
        if sent != statement:
            return honest(self, sent, *parameters)
        pid = self._cursor.connection.info.backend_pid
        if after:
            honest(self, sent, *parameters)
        target.root.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        if after:
            raise psycopg.OperationalError("the connection went away before the answer came")
        return honest(self, sent, *parameters)

    return run


@pytest.mark.parametrize("after", [False, True], ids=["before the server saw it", "after the server did it"])
def test_a_commit_without_an_answer_is_an_unknown_outcome_that_the_checkpoint_settles(
    target: Target, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        before = adapter.claim_lane(a_fence())
        with monkeypatch.context() as patch:
            patch.setattr(Transaction, "run", killed_at(target, "COMMIT", after=after))
            with pytest.raises(OutcomeUnknown):
                adapter.copy(BACKFILL, None, '["1"]', a_fence())

        found = adapter.read_checkpoint(a_fence())

    assert found is not None
    assert found.seq == before.seq + after
    assert people(target)[1] == (("Ann Lee", "Ann", "Lee") if after else ("Ann Lee", None, None))


def test_a_commit_that_the_server_refuses_is_no_unknown_outcome(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    target.create(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no'; END$$",
        "CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON users DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        before = adapter.claim_lane(a_fence())

        with pytest.raises(Refused, match="P0001"):
            adapter.copy(BACKFILL, None, '["1"]', a_fence())

        assert adapter.read_checkpoint(a_fence()) == before


def test_a_connection_that_is_lost_before_commit_leaves_nothing(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        before = adapter.claim_lane(a_fence())
        with pytest.raises(ConnectionLost), adapter._session.transaction() as transaction:
            transaction.run("UPDATE public.users SET first_name = 'lost'")
            assert adapter._session._connection is not None
            adapter._session._connection.pgconn.finish()
            transaction.run("SELECT 1")

        assert adapter.read_checkpoint(a_fence()) == before
    assert people(target)[1] == ("Ann Lee", None, None)


def test_an_action_cut_at_its_commit_can_be_repeated(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        for action in (ADD, StartSync(SYNC), StopSync(SYNC)):
            with monkeypatch.context() as patch:
                patch.setattr(Transaction, "run", killed_at(target, "COMMIT", after=True))
                with pytest.raises(OutcomeUnknown):
                    adapter.apply(action, EXPANDING)
            adapter.apply(action, EXPANDING)


def test_a_worker_that_stops_in_mid_batch_is_ended_by_the_server(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        with adapter._session.transaction(read_only=True) as transaction:
            idle_s = transaction.value("SELECT current_setting('idle_in_transaction_session_timeout')")
            checked = transaction.value("SELECT current_setting('client_connection_check_interval')")

    assert (idle_s, checked) == ("3s", "1s")


@pytest.mark.parametrize(("given", "kept"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")])
def test_what_an_account_is_set_to_forget_is_kept_all_the_same(target: Target, given: str, kept: str) -> None:
    target.root.execute(f"ALTER ROLE lockstep_executor SET synchronous_commit = {given}".encode())
    try:
        with target.adapter() as adapter, adapter._session.transaction() as transaction:
            found = transaction.value("SELECT current_setting('synchronous_commit')")
    finally:
        target.root.execute("ALTER ROLE lockstep_executor RESET synchronous_commit")

    assert found == kept
