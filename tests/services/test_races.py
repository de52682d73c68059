"""Two people at the same moment, on the real control database: exactly one of them gets what they asked for."""

from threading import Barrier, Thread

import pytest
from django.db import connection, transaction

from migrations_app.events import record
from migrations_app.models import Approval, Command, Event, Plan, Run, TableClaim
from migrations_app.services.approvals import approval_give
from migrations_app.services.errors import ServiceRefused
from migrations_app.services.plans import plan_edit
from migrations_app.services.runs import run_abort, run_start
from tests.builders import (
    APPROVER,
    AUTHOR,
    ONCALL,
    OPERATOR,
    a_plan,
    a_run,
    a_user,
    a_watched_target,
    content,
)
from workers.engine.vocabulary import Phase

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = range(3)


def at_once(*acts):
    """Run the acts at the same moment, each with a connection of its own; return how each ended."""
    barrier, ends = Barrier(len(acts)), [""] * len(acts)

    def run(index, act):
        try:
            barrier.wait()
            act()
            ends[index] = "done"
        except ServiceRefused as refused:
            ends[index] = refused.code
        finally:
            connection.close()

    threads = [Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    return ends


@pytest.mark.parametrize("round_", ROUNDS)
def test_a_plan_is_never_edited_under_a_start(round_):
    author, operator = a_user(AUTHOR), a_user(OPERATOR)
    plan = a_plan("approved", author=author, target=a_watched_target())
    signed = plan.digest

    edit, start = at_once(
        lambda: plan_edit(plan, "", content(limits={"batch_rows": 500}), actor=author, seen_digest=signed),
        lambda: run_start(plan, Phase.EXPAND, actor=operator),
    )

    assert (edit, start) in {("done", "plan_not_approved"), ("plan_not_editable", "done")}
    assert not Run.objects.exclude(digest=signed).exists()


@pytest.mark.parametrize("round_", ROUNDS)
def test_two_starts_make_one_run(round_):
    operator = a_user(OPERATOR)
    plan = a_plan("approved", target=a_watched_target())

    ends = at_once(*[lambda: run_start(plan, Phase.EXPAND, actor=operator)] * 2)

    assert sorted(ends) == ["done", "run_active"]
    assert Run.objects.count() == 1


@pytest.mark.parametrize("round_", ROUNDS)
def test_two_plans_never_claim_one_table(round_):
    operator, target = a_user(OPERATOR), a_watched_target()
    plans = [a_plan("approved", target=target), a_plan("approved", target=target)]

    ends = at_once(*[lambda plan=plan: run_start(plan, Phase.EXPAND, actor=operator) for plan in plans])

    assert sorted(ends) == ["done", "table_claimed"]
    assert (TableClaim.objects.count(), Run.objects.count()) == (1, 1)
    assert Plan.objects.filter(status="active").count() == 1


@pytest.mark.parametrize("round_", ROUNDS)
def test_page_program_and_guard_abort_at_once_and_make_one_command(round_):
    oncall, run = a_user(ONCALL), a_run("running")

    ends = at_once(
        lambda: run_abort(run, actor=oncall, key="page"),
        lambda: run_abort(run, actor=oncall, key="program"),
        lambda: run_abort(run, actor=None, guard="probe"),
    )

    assert ends == ["done", "done", "done"]
    assert Command.objects.count() == 1


@pytest.mark.parametrize("round_", ROUNDS)
def test_the_same_signature_twice_is_one(round_):
    approver, plan = a_user(APPROVER), a_plan("submitted")

    ends = at_once(*[lambda: approval_give(plan, "expand", digest=plan.digest, actor=approver)] * 2)

    assert ends == ["done", "done"]
    assert Approval.objects.count() == 1


@pytest.mark.parametrize("round_", ROUNDS)
def test_the_log_has_no_gap_however_many_write_at_once(round_):
    plan = a_plan()

    ends = at_once(*[lambda: record_alone(plan)] * 6)

    numbers = [event.seq for event in Event.objects.filter(stream__kind="plan", stream__object_id=plan.pk)]
    assert ends == ["done"] * 6
    assert numbers == list(range(1, 8))


def record_alone(plan):
    with transaction.atomic():
        record(plan, "something_happened", by="test")
