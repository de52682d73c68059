"""The schema lockstep in the target: how it comes, who owns it, and that nothing of it stays."""

from __future__ import annotations

import threading

import pytest

from tests.contracts.target import CONTROL_UID, Target, a_fence
from tests.contracts.users import a_users_table, backfill, dual_writing
from tests.sync_cases import SYNC, TABLE
from workers.engine.adapters.postgresql import PostgresAdapter
from workers.engine.errors import Refused, WrongServer
from workers.engine.vocabulary import AddColumn, AllowNull, Purge, Restore, Retire

RETIRED = "lockstep_p1o0_retired"


def is_there(target: Target) -> bool:
    row = target.root.execute("SELECT to_regnamespace('lockstep') IS NOT NULL").fetchone()
    return row == (True,)


def everything(target: Target) -> set[tuple[str, ...]]:
    """Every object of the database, by the server's own listing."""
    return set(
        target.root.execute(
            """
            SELECT DISTINCT type, identity FROM pg_depend
            CROSS JOIN LATERAL pg_identify_object(classid, objid, objsubid) WHERE objid >= 16384
            UNION
            SELECT 'column', attrelid::regclass || '.' || attname FROM pg_attribute
            WHERE attrelid >= 16384 AND attnum > 0 AND NOT attisdropped
            """
        )
    )


def test_installing_is_repeatable_and_removing_leaves_no_trace(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    before = everything(target)
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        dual_writing(target, adapter)
        backfill(adapter)
        adapter.set_stop(1, 1, wait_s=1)

        adapter.remove(1)
        adapter.remove(1)

        assert adapter.leftovers(1) == ()
    assert everything(target) == before


def test_the_schema_stays_while_another_plan_needs_it(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        adapter.install(12, CONTROL_UID)
        dual_writing(target, adapter)

        adapter.remove(12)
        assert is_there(target)
        assert adapter.sync_use(SYNC) is not None

        adapter.remove(1)
        assert not is_there(target)


def test_what_is_left_is_named(target: Target) -> None:
    a_users_table(target, "Ann Lee")
    with target.adapter() as adapter:
        dual_writing(target, adapter)
        adapter.apply(Retire(TABLE, "name", RETIRED), a_fence())

        leftovers = adapter.leftovers(1)
        others = adapter.leftovers(2)

    assert others == ()
    assert set(leftovers) == {
        "trigger zz_lockstep_p1o0_insert on public.users",
        "trigger zz_lockstep_p1o0_update on public.users",
        f"column public.users.{RETIRED}",
        "function lockstep.lockstep_p1o0_insert()",
        "function lockstep.lockstep_p1o0_update()",
        "sequence lockstep.lockstep_p1o0_new_writes",
        "sequence lockstep.lockstep_p1o0_old_writes",
        "rows in lockstep.plan: 1",
        "rows in lockstep.lane: 1",
        "rows in lockstep.progress: 2",
        "rows in lockstep.made: 2",
    }


def test_a_plan_with_a_retired_column_is_not_removed(target: Target) -> None:
    a_users_table(target)
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        adapter.apply(Retire(TABLE, "name", RETIRED), a_fence())

        with pytest.raises(Refused, match=RETIRED):
            adapter.remove(1)

        adapter.apply(Purge(TABLE, RETIRED), a_fence())
        adapter.remove(1)
        assert adapter.leftovers(1) == ()


def test_columns_that_a_plan_added_stay_when_it_is_removed(target: Target) -> None:
    a_users_table(target, parts="")
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        adapter.apply(AddColumn(TABLE, "first_name", "text"), a_fence())

        adapter.remove(1)

        assert adapter.describe(TABLE).column("first_name") is not None


def test_a_check_that_was_left_standing_goes_with_its_plan(target: Target) -> None:
    a_users_table(target, name="text NOT NULL")
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        adapter.apply(AllowNull(TABLE, "name"), a_fence())
        target.create("ALTER TABLE users ADD CONSTRAINT lockstep_not_null CHECK (name IS NOT NULL) NOT VALID")

        adapter.remove(1)

    target.app.execute("INSERT INTO users (id) VALUES (1)")


def test_another_control_plane_is_refused(target: Target) -> None:
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)

        with pytest.raises(WrongServer, match="Another control plane"):
            adapter.install(2, "control-2")

        adapter.remove(1)
        adapter.install(2, "control-2")


def test_a_schema_of_that_name_that_others_made_is_left_alone(target: Target) -> None:
    target.root.execute("CREATE SCHEMA lockstep")
    target.root.execute("CREATE TABLE lockstep.theirs ()")
    with target.adapter() as adapter, pytest.raises(Refused):
        adapter.install(1, CONTROL_UID)


def test_what_others_put_into_our_schema_keeps_it(target: Target) -> None:
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        target.root.execute("CREATE TABLE lockstep.theirs ()")

        adapter.remove(1)

        assert adapter.leftovers(1) == ()
    assert target.root.execute("SELECT to_regclass('lockstep.theirs') IS NOT NULL").fetchone() == (True,)


def test_installs_and_removals_at_the_same_time_do_not_meet(target: Target) -> None:
    errors: list[BaseException] = []

    def churn(plan: int) -> None:
        try:
            with target.adapter(lock_timeout_s=10) as adapter:
                for _ in range(5):
                    adapter.install(plan, CONTROL_UID)
                    adapter.claim_lane(a_fence(plan=plan))
                    adapter.remove(plan)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=churn, args=(plan,)) for plan in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert errors == []
    assert not is_there(target)


def test_a_restored_column_is_no_leftover(target: Target) -> None:
    a_users_table(target, name="text NOT NULL")
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        adapter.apply(Retire(TABLE, "name", RETIRED), a_fence())
        adapter.apply(Restore(TABLE, "name", RETIRED), a_fence())

        adapter.remove(1)

        assert adapter.leftovers(1) == ()


def test_the_executor_is_no_superuser(target: Target) -> None:
    """What these contracts show, they show with the rights that the documentation asks for."""
    row = target.root.execute("SELECT rolsuper FROM pg_roles WHERE rolname = 'lockstep_executor'").fetchone()
    assert row == (False,)
    assert isinstance(target.adapter(), PostgresAdapter)
