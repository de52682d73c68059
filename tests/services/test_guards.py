"""How hard a guard brakes: as hard as the budget asks for, once, and never against a way back."""

from __future__ import annotations

import pytest

from migrations_app.lifecycle import RunStatus
from migrations_app.models import Run
from migrations_app.services.guards import guard_trip
from tests.services.claims import a_claim, a_run, kinds_of, payload_of
from workers.engine.budget import GuardAction

pytestmark = pytest.mark.django_db


def trip(run: Run, action: GuardAction) -> str:
    return guard_trip(run.plan, "probe", action, reason="burn 20.0 x > 14.4 x", numbers={"spent": 0.01})


def status(run: Run) -> str:
    return Run.objects.get(pk=run.pk).status


def test_a_guard_pauses_a_run():
    run = a_claim().run

    assert trip(run, GuardAction.PAUSE) == "pause"

    assert status(run) == RunStatus.PAUSING
    assert (run.commands.get().guard, run.commands.get().user) == ("probe", None)


def test_a_guard_aborts_a_run_and_tells_the_figures():
    run = a_claim().run

    assert trip(run, GuardAction.ABORT) == "abort"

    assert status(run) == RunStatus.ABORTING
    told = payload_of(run.plan, "guard_tripped")
    assert (told["action"], told["spent"], told["run"]) == ("abort", 0.01, run.pk)


def test_a_guard_aborts_a_run_that_it_had_paused():
    run = a_run()
    trip(run, GuardAction.PAUSE)

    assert trip(run, GuardAction.ABORT) == "abort"


def test_a_guard_that_asks_again_changes_nothing():
    run = a_run()
    trip(run, GuardAction.ABORT)

    assert trip(run, GuardAction.ABORT) == ""
    assert kinds_of(run.plan).count("guard_tripped") == 1


def test_slowing_is_no_command():
    run = a_run()

    assert trip(run, GuardAction.SLOW) == ""
    assert not run.commands.exists()


def test_a_rollback_is_paused_at_most():
    run = a_run("backfill", done="backfill", back=True)

    assert trip(run, GuardAction.ABORT) == "pause"


def test_undoing_cutover_is_left_alone():
    run = a_run("cutover", done="cutover", back=True)

    assert trip(run, GuardAction.ABORT) == ""
    assert status(run) == RunStatus.ENQUEUED


def test_a_guard_undoes_cutover_only_where_the_plan_says_so():
    run = a_claim(a_run("cutover", done="verify")).run

    assert trip(run, GuardAction.ABORT) == "abort"
    assert Run.objects.get(pk=run.pk).then_back_to == ""


def test_a_guard_may_stop_a_cutover_and_undo_it():
    run = a_claim(a_run("cutover", done="verify", guards={"undo_cutover": True})).run

    assert trip(run, GuardAction.ABORT) == "undo_cutover"
    assert Run.objects.get(pk=run.pk).then_back_to == "cutover"
