"""An answer costs as many queries for a long history as for a short one."""

import pytest
from django.utils import timezone

from migrations_app.models import Event
from tests.builders import APPROVER, OPERATOR, VIEWER, a_plan, a_run, a_target, a_user, a_watched_target

pytestmark = pytest.mark.django_db


@pytest.fixture
def cost(django_assert_max_num_queries, as_user):
    """Return a function that counts the queries of an answer."""
    program = as_user(a_user(VIEWER, OPERATOR))

    def count(path, **query):
        with django_assert_max_num_queries(40) as captured:
            assert program.get(path, **query).status_code == 200
        return len(captured)

    return count


def test_a_plan_costs_the_same_however_long_its_history(cost):
    run = a_run("running", plan=a_plan(done="dual_write", target=a_watched_target()))
    before = cost(f"plans/{run.plan_id}/")

    live_long(run)

    assert cost(f"plans/{run.plan_id}/") == before


def test_a_plan_costs_the_same_for_each_of_its_decisions(cost):
    plan = a_plan("approved", target=a_watched_target())
    before = cost(f"plans/{plan.pk}/")

    for _ in range(5):
        approver = a_user(APPROVER)
        plan.approvals.create(
            group="cutover", digest=plan.digest, decision="approved", user=approver, person=approver.person
        )
        plan.revisions.create(number=plan.revisions.count() + 1, content={}, digest="", editor=a_user(OPERATOR))

    assert cost(f"plans/{plan.pk}/") == before


@pytest.mark.parametrize("path", ["plans/", "targets/", "runs/"])
def test_a_list_costs_the_same_however_long_it_is(cost, path):
    a_run("running")
    before = cost(path)

    for _ in range(3):
        a_run("running", plan=a_plan(done="dual_write", target=a_target()))

    assert cost(path) == before


def test_a_run_costs_the_same_however_many_commands_it_had(cost):
    run = a_run("running")
    before = cost(f"runs/{run.pk}/")

    live_long(run)

    assert cost(f"runs/{run.pk}/") == before


def test_events_cost_the_same_however_many_there_are(cost):
    run = a_run("running")
    before = cost(f"plans/{run.plan_id}/events/")

    live_long(run)

    assert cost(f"plans/{run.plan_id}/events/") == before


def live_long(run):
    """Give the run a past: commands, lanes, samples, events, confirmations and earlier runs."""
    person = a_user(OPERATOR)
    stream = Event.objects.filter(stream__object_id=run.plan_id, stream__kind="plan").first().stream
    for n in range(8):
        run.commands.create(verb="pause", idempotency_key=f"{run.pk}-{n}", user=a_user(OPERATOR))
        run.samples.create(n=n, at=timezone.now(), rows=n, rows_per_s=1, batch_rows=1, batch_s=1)
        run.lanes.create(number=n + 1)
        Event.objects.create(stream=stream, seq=1000 + n, kind="run_waited", actor=person, actor_name="x")
        run.plan.confirmations.create(gate=f"gate{n}", user=a_user(OPERATOR))
        run.plan.runs.create(phase=run.phase, direction="forward", status="aborted", digest=run.digest)
