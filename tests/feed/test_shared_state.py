"""One read of a plan's state serves all readers who may do the same, for a second and not beyond an event."""

import pytest
from django.db import transaction

from migrations_app import events
from migrations_app.selectors.feed import present_state
from migrations_app.shared_state import KEEP_S, SharedState
from tests.builders import ONCALL, OPERATOR, VIEWER, a_run, a_user

pytestmark = pytest.mark.django_db


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def shared(clock):
    return SharedState(clock=clock)


def test_readers_who_may_do_the_same_share_one_read(shared, django_assert_num_queries):
    plan = a_run("running").plan
    first = shared(plan, a_user(VIEWER))
    other = a_user(VIEWER)

    with django_assert_num_queries(3):
        assert shared(plan, other) is first


def test_readers_who_may_do_more_have_their_own(shared):
    plan = a_run("running").plan

    viewer, oncall = (shared(plan, a_user(*roles))[1]["may"] for roles in ((VIEWER,), (ONCALL, OPERATOR)))

    assert (viewer["abort"], oncall["abort"]) == (False, True)


def test_an_author_does_not_share_with_others_of_the_same_roles(shared):
    plan = a_run("running").plan
    roles = [grant.role for grant in plan.author.role_grants.all()]

    assert shared(plan, a_user(*roles)) is not shared(plan, plan.author)


def test_an_event_ends_it(shared):
    plan, reader = a_run("running").plan, a_user(VIEWER)
    before = shared(plan, reader)
    with transaction.atomic():
        events.record(plan, "plan_looked_at", {})

    assert shared(plan, reader) is not before


def test_a_second_ends_it(shared, clock):
    run, reader = a_run("running"), a_user(VIEWER)
    shared(run.plan, reader)
    run.wait_reason, run.wait_verdict = "replication lag 2.5 s > 2.0 s", "hold"
    run.save()

    clock.now = KEEP_S

    assert shared(run.plan, reader)[1]["look"]["words"] == "Held"


def test_what_is_shared_is_what_would_be_read(shared):
    plan, reader = a_run("paused").plan, a_user(VIEWER)

    state, derived = shared(plan, reader)

    assert state == present_state(plan, reader)[0]
    assert derived["words"] == present_state(plan, reader)[1]["words"]
