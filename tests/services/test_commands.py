"""A command that is sent twice, by a double click or a client that tries again, is carried out once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_app.models import Run
from migrations_app.services.errors import ServiceRefused
from migrations_app.services.lanes import lane_claim
from migrations_app.services.runs import plan_rollback, run_abort, run_pause, run_resume
from tests.builders import ONCALL, a_plan, a_run, a_user, a_watched_target

pytestmark = pytest.mark.django_db


@pytest.fixture
def oncall():
    return a_user(ONCALL)


def set_status(run, status):
    Run.objects.filter(pk=run.pk).update(status=status)


def status_of(run):
    return Run.objects.get(pk=run.pk).status


def test_a_pause_that_comes_again_does_not_pause_what_was_resumed(oncall):
    run = a_run("running")
    first = run_pause(run, actor=oncall, key="one")
    set_status(run, "running")

    again = run_pause(run, actor=oncall, key="one")

    assert (again, status_of(run)) == (first, "running")


def test_a_resume_that_comes_again_does_not_resume_what_was_paused_since(oncall):
    run = a_run("paused")
    first = run_resume(run, actor=oncall, key="one")
    set_status(run, "paused")

    again = run_resume(run, actor=oncall, key="one")

    assert (again, status_of(run)) == (first, "paused")


def test_an_abort_that_comes_again_after_the_run_has_stopped_gives_the_first(oncall):
    run = a_run("running")
    first = run_abort(run, actor=oncall, key="one")
    set_status(run, "aborted")

    assert run_abort(run, actor=oncall, key="one") == first


def test_a_rollback_that_comes_again_does_not_undo_another_phase(oncall):
    plan = a_plan(done="verify", target=a_watched_target())
    first = plan_rollback(plan, actor=oncall, key="one")
    set_status(first, "succeeded")
    plan.phases.filter(name="verify").update(status="reverted")

    again = plan_rollback(plan, actor=oncall, key="one")

    assert again == first
    assert plan.runs.count() == 1


def test_a_rollback_of_a_run_that_comes_again_gives_its_abort_again(oncall):
    run = a_run("running")
    first = plan_rollback(run.plan, actor=oncall, key="one")
    set_status(run, "aborted")

    assert plan_rollback(run.plan, actor=oncall, key="one") == first


def test_a_pause_of_a_run_that_sleeps_needs_no_supervisor(oncall):
    run = a_run("running", wake_at=timezone.now() + timedelta(minutes=1))

    run_pause(run, actor=oncall)
    lane_claim(run.pk, 0, owner="worker")

    assert status_of(run) == "paused"


def test_the_key_of_another_command_is_refused(oncall):
    run = a_run("running")
    run_pause(run, actor=oncall, key="one")

    with pytest.raises(ServiceRefused) as caught:
        plan_rollback(run.plan, actor=oncall, key="one")

    assert caught.value.code == "key_reused"
