"""What a plan says of itself to different readers."""

import json

import pytest

from migrations_app.models import Plan
from migrations_app.selectors.access import access_plans, access_runs, access_targets
from migrations_app.selectors.plans import content_diff, plan_detail
from tests.builders import (
    APPROVER,
    AUTHOR,
    ONCALL,
    OPERATOR,
    VIEWER,
    a_plan,
    a_run,
    a_target,
    a_user,
    a_watched_target,
    with_clean_preflight,
)

pytestmark = pytest.mark.django_db


def detail(plan, actor):
    return plan_detail(Plan.objects.select_related("target", "author").get(pk=plan.pk), actor)


def verbs(plan, *roles):
    return {verb for verb, allowed in detail(plan, a_user(*roles))["may"].items() if allowed}


def test_it_is_made_of_plain_values():
    run = a_run("running")

    assert json.loads(json.dumps(detail(run.plan, a_user(VIEWER))))["run"]["id"] == run.pk


def test_a_viewer_may_look_and_nothing_else():
    assert verbs(a_run("running").plan, VIEWER) == set()


def test_an_author_works_on_a_draft():
    assert verbs(a_plan(), AUTHOR) == {"edit", "preflight", "submit", "abandon"}


def test_an_approver_decides_on_what_was_submitted():
    assert verbs(a_plan("submitted"), APPROVER) == {"approve", "request_changes"}


def test_on_call_stops_a_run_and_rolls_back_without_anybody_else():
    plan = a_run("running").plan

    assert verbs(plan, ONCALL) == {"pause", "abort", "tune", "rollback", "confirm_gate"}


def test_an_operator_starts_what_was_approved():
    plan = a_plan("approved", target=a_watched_target())

    assert verbs(plan, OPERATOR) == {"start", "confirm_gate", "override_gate"}


def test_a_paused_run_is_resumed_or_aborted():
    assert verbs(a_run("paused").plan, ONCALL) == {"resume", "abort", "tune", "rollback", "confirm_gate"}


@pytest.mark.parametrize("status", ["completed", "reverted", "abandoned"])
def test_nothing_is_done_to_a_plan_that_has_ended(status):
    assert verbs(a_plan(status), AUTHOR, APPROVER, OPERATOR, ONCALL) == set()


def test_every_verb_that_is_shut_says_why():
    told = detail(a_plan("submitted"), a_user(VIEWER))

    assert set(told["may_not"]) == {verb for verb, allowed in told["may"].items() if not allowed}


def test_a_signature_that_does_not_stand_says_why():
    approver = a_user(APPROVER)
    plan = a_plan("approved", approver=approver)
    approver.role_grants.all().delete()

    given = detail(plan, a_user(VIEWER))["approvals"]["expand"]["given"][0]

    assert (given["stands"], given["why_not"]) == (False, "Its giver may not approve here any more.")


def test_the_preview_lies_with_its_phase_and_direction():
    plan = with_clean_preflight(a_plan())
    row = {"phase": "expand", "direction": "back", "title": "Drop column a", "statements": ["ALTER TABLE ..."]}
    Plan.objects.filter(pk=plan.pk).update(preflight=plan.preflight | {"preview": [row]})

    preview = detail(plan, a_user(VIEWER))["phases"][0]["preview"]

    assert preview == {"forward": [], "back": [{"title": "Drop column a", "statements": ["ALTER TABLE ..."]}]}


def test_the_next_phase_and_the_way_back_are_named():
    told = detail(a_plan(done="backfill", target=a_watched_target()), a_user(VIEWER))

    assert (told["next_phase"], told["back_phase"]) == ("verify", "backfill")


def test_a_target_without_a_supervisor_gives_the_line_that_stops_by_hand():
    run = a_run("running", plan=a_plan(done="dual_write", target=a_target()))

    told = detail(run.plan, a_user(VIEWER))

    assert told["supervisor"] == {"alive": False, "beat_at": None}
    assert f"p{run.plan_id}:r{run.pk}" in told["stop_line"]


def test_what_changed_between_two_contents_is_told_by_path():
    before = {"a": {"b": 1, "c": [1, 2]}, "same": True}
    after = {"a": {"b": 2, "c": [1, 3, 4]}, "same": True, "new": "x"}

    assert content_diff(before, after) == [
        {"path": "a.b", "before": 1, "after": 2},
        {"path": "a.c.1", "before": 2, "after": 3},
        {"path": "a.c.2", "before": None, "after": 4},
        {"path": "new", "before": None, "after": "x"},
    ]


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        ({}, 2),
        ({"environment": "staging"}, 1),
        ({"project": "shop"}, 1),
        ({"project": "shop", "environment": "staging"}, 0),
        ({"project": "bank"}, 0),
    ],
)
def test_one_sees_what_lies_within_ones_scope(scope, seen):
    a_plan(target=a_target(project="shop", environment="production"))
    a_plan(target=a_target(project="default", environment="staging"))

    assert access_plans(a_user(VIEWER, **scope)).count() == seen


def test_without_a_role_one_sees_nothing():
    a_run("running")
    stranger = a_user()

    seen = (access_plans(stranger).count(), access_targets(stranger).count(), access_runs(stranger).count())

    assert seen == (0, 0, 0)


def test_a_disabled_account_sees_nothing():
    a_plan()
    gone = a_user(VIEWER)
    gone.is_active = False

    assert access_plans(gone).count() == 0
