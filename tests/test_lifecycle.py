"""The transition tables, and the one way through them."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from migrations_app.lifecycle import (
    ACTIVE_RUNS,
    PHASE_MOVES,
    PLAN_MOVES,
    RUN_MOVES,
    IllegalTransition,
    PhaseStatus,
    PlanStatus,
    RunStatus,
    move,
)
from migrations_app.models import Plan, Run
from tests.builders import a_plan, a_run

TABLES = [(PlanStatus, PLAN_MOVES), (PhaseStatus, PHASE_MOVES), (RunStatus, RUN_MOVES)]


@pytest.mark.parametrize(("statuses", "moves"), TABLES)
def test_every_status_has_a_row(statuses, moves):
    assert set(moves) == set(statuses)


@pytest.mark.parametrize(("statuses", "moves"), TABLES)
def test_every_status_is_reached_from_the_first(statuses, moves):
    reached, waiting = set(), [next(iter(statuses))]
    while waiting:
        status = waiting.pop()
        if status not in reached:
            reached.add(status)
            waiting += moves[status]

    assert reached == set(statuses)


@pytest.mark.parametrize(("statuses", "moves"), TABLES)
def test_nothing_moves_to_where_it_is(statuses, moves):
    assert [status for status in statuses if status in moves[status]] == []


def test_abort_wins_over_everything_that_is_active():
    others = ACTIVE_RUNS - {RunStatus.ABORTING}

    assert [status for status in others if RunStatus.ABORTING not in RUN_MOVES[status]] == []


def test_an_aborting_run_neither_pauses_nor_goes_on():
    assert not RUN_MOVES[RunStatus.ABORTING] & {
        RunStatus.PAUSED,
        RunStatus.PAUSING,
        RunStatus.ENQUEUED,
        RunStatus.RUNNING,
    }


def test_a_run_that_has_ended_stays_ended():
    assert [status for status in RunStatus if status not in ACTIVE_RUNS and RUN_MOVES[status]] == []


def test_only_plans_that_never_started_are_edited_or_abandoned():
    may = {status for status, to in PLAN_MOVES.items() if {PlanStatus.DRAFT, PlanStatus.ABANDONED} & to}

    assert may == {PlanStatus.DRAFT, PlanStatus.SUBMITTED, PlanStatus.APPROVED}


@pytest.mark.django_db
def test_a_move_changes_the_row_and_the_object():
    plan = a_plan()

    move(plan, PlanStatus.SUBMITTED, title="Names")

    assert (plan.status, plan.title) == ("submitted", "Names")
    assert Plan.objects.get().title == "Names"


@pytest.mark.django_db
def test_a_move_says_since_when_a_plan_is_so():
    plan = a_plan()
    Plan.objects.update(changed_at=plan.created_at - timedelta(days=1))

    move(plan, PlanStatus.SUBMITTED)

    assert Plan.objects.get().changed_at > plan.created_at


@pytest.mark.django_db
def test_a_move_that_the_table_forbids_changes_nothing():
    plan = a_plan()

    with pytest.raises(IllegalTransition) as caught:
        move(plan, PlanStatus.ACTIVE)

    assert str(caught.value) == "The plan is draft; it cannot become active from there."
    assert Plan.objects.get().status == "draft"


@pytest.mark.django_db
def test_a_move_from_a_status_that_somebody_else_has_changed_is_refused():
    run = a_run("running")
    Run.objects.update(status="aborting")

    with pytest.raises(IllegalTransition):
        move(run, RunStatus.PAUSING)

    assert Run.objects.get().status == run.status == "aborting"


@pytest.mark.django_db
def test_the_database_knows_no_other_status():
    plan = a_plan()

    with pytest.raises(IntegrityError), transaction.atomic():
        Plan.objects.filter(pk=plan.pk).update(status="lunch")


@pytest.mark.django_db
def test_the_database_allows_one_active_run_of_a_plan():
    run = a_run("running")

    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.create(plan=run.plan, phase=run.phase, direction="forward", status="paused", digest=run.digest)
