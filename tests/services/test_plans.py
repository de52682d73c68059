"""Plans as services see them: every change is an event, and what was signed is what is there."""

import pytest

from migrations_app.lifecycle import IllegalTransition
from migrations_app.models import Event, Plan
from migrations_app.selectors.votes import approvals_standing
from migrations_app.services.approvals import approval_give, changes_request
from migrations_app.services.errors import DigestMoved, ServiceRefused
from migrations_app.services.plans import plan_abandon, plan_create, plan_edit, plan_submit
from tests.builders import APPROVER, AUTHOR, a_plan, a_target, a_user, content, with_clean_preflight

pytestmark = pytest.mark.django_db
SMALLER = content(limits={"batch_rows": 500})


def test_the_same_content_has_the_same_digest_whatever_the_order_of_its_keys():
    target, author = a_target(), a_user(AUTHOR)

    one = plan_create(target, "one", content(limits={"batch_rows": 500, "lag_hold_s": 3}), actor=author)
    two = plan_create(target, "two", content(limits={"lag_hold_s": 3.0, "batch_rows": 500}), actor=author)

    assert one.digest == two.digest


def test_the_same_content_for_another_target_has_another_digest():
    author = a_user(AUTHOR)

    assert a_plan(target=a_target(), author=author).digest != a_plan(target=a_target(), author=author).digest


def test_an_edit_that_changes_the_digest_voids_the_approvals_and_the_preflight():
    author = a_user(AUTHOR)
    plan = a_plan("approved", author=author)

    edited = plan_edit(plan, "", SMALLER, actor=author, seen_digest=plan.digest)

    assert (edited.status, edited.preflight) == ("draft", None)
    assert Event.objects.get(kind="plan_edited").payload["approvals_voided"] == 1


def test_an_edit_of_the_title_alone_leaves_the_approvals():
    author = a_user(AUTHOR)
    plan = a_plan("approved", author=author)

    edited = plan_edit(plan, "Split the names", content(), actor=author, seen_digest=plan.digest)

    assert (edited.title, edited.status) == ("Split the names", "approved")


def test_going_back_to_what_was_approved_does_not_bring_the_approval_back():
    author = a_user(AUTHOR)
    plan = a_plan("approved", author=author)
    first = plan.digest
    changed = plan_edit(plan, "", SMALLER, actor=author, seen_digest=first)

    again = plan_edit(changed, "", content(), actor=author, seen_digest=changed.digest)

    assert (again.digest, again.status) == (first, "draft")
    assert approvals_standing(again, "expand") == []


def test_an_edit_writes_the_phases_anew():
    author = a_user(AUTHOR)
    plan = a_plan("approved", author=author)

    plan_edit(plan, "", SMALLER, actor=author, seen_digest=plan.digest)

    assert [phase.status for phase in plan.phases.all()] == ["pending"] * 7


def test_two_who_edit_at_the_same_time_are_told():
    author = a_user(AUTHOR)
    plan = a_plan(author=author)
    seen = plan.digest
    plan_edit(plan, "", SMALLER, actor=author, seen_digest=seen)

    with pytest.raises(DigestMoved):
        plan_edit(plan, "", content(chain=True), actor=author, seen_digest=seen)


def test_changes_that_were_asked_for_void_the_approvals():
    plan, approver = a_plan("approved"), a_user(APPROVER)

    changes_request(plan, digest=plan.digest, actor=approver, comment="Smaller batches.")

    assert [row.voided_at is not None for row in plan.approvals.filter(decision="approved")] == [True]


def test_an_approval_that_was_voided_may_be_given_anew():
    approver, author = a_user(APPROVER), a_user(AUTHOR)
    plan = a_plan("approved", approver=approver, author=author)
    changes_request(plan, digest=plan.digest, actor=approver, comment="Hm.")
    plan_submit(Plan.objects.get(pk=plan.pk), actor=author)

    approval_give(plan, "expand", digest=plan.digest, actor=approver)

    assert Plan.objects.get(pk=plan.pk).status == "approved"


def test_a_draft_is_not_approved():
    plan = with_clean_preflight(a_plan())

    with pytest.raises(ServiceRefused) as caught:
        approval_give(plan, "expand", digest=plan.digest, actor=a_user(APPROVER))

    assert caught.value.code == "plan_not_submitted"


def test_an_approval_of_cutover_alone_does_not_approve_the_plan():
    plan = a_plan("submitted")

    approval_give(plan, "cutover", digest=plan.digest, actor=a_user(APPROVER))

    assert Plan.objects.get(pk=plan.pk).status == "submitted"


def test_an_abandoned_plan_stays_abandoned():
    author = a_user(AUTHOR)
    plan = a_plan("abandoned", author=author)

    with pytest.raises(IllegalTransition):
        plan_abandon(plan, actor=author, reason="again")


def test_the_events_of_a_plan_have_no_gap():
    author, approver = a_user(AUTHOR), a_user(APPROVER)
    plan = a_plan("approved", author=author, approver=approver)
    plan_edit(plan, "", SMALLER, actor=author, seen_digest=plan.digest)

    events = Event.objects.filter(stream__kind="plan", stream__object_id=plan.pk)

    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert [event.kind for event in events] == [
        "plan_created",
        "plan_submitted",
        "approval_given",
        "plan_approved",
        "plan_edited",
    ]
