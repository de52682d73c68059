"""The buttons: plain forms, without scripts, without the socket, without a worker."""

import pytest
from django.test import Client

from migrations_app.models import Approval, Command, Plan
from migrations_app.services.sign_ins import REAUTHENTICATED_AT
from tests.builders import (
    APPROVER,
    AUTHOR,
    ONCALL,
    OPERATOR,
    PASSWORD,
    VIEWER,
    a_plan,
    a_run,
    a_user,
    a_watched_target,
    split,
    with_clean_preflight,
)
from tests.services.claims import ALL_GATES, NO_WAITS

pytestmark = pytest.mark.django_db


@pytest.fixture
def oncall(as_person):
    return as_person(a_user(ONCALL, OPERATOR))


def after_cutover():
    raw = split() | {"rules": NO_WAITS}
    groups = ("expand", "cutover", "contract")
    return a_plan(
        "approved",
        done="cutover",
        target=a_watched_target(name="shop"),
        raw=raw,
        approved_groups=groups,
        gates=ALL_GATES,
    )


def status_of(thing):
    thing.refresh_from_db()
    return thing.status


def test_pause_and_resume_take_one_click_each(oncall):
    run = a_run("running")

    paused = oncall.post(f"/runs/{run.pk}/pause/", key="one")
    status = status_of(run)
    run.status = "paused"
    run.save()
    oncall.post(f"/runs/{run.pk}/resume/", key="two")

    assert "It pauses after the present batch." in paused
    assert (status, status_of(run)) == ("pausing", "enqueued")


def test_an_abort_asks_once_and_needs_no_typing(oncall):
    run = a_run("running")

    question = oncall.get(f"/runs/{run.pk}/abort/")
    answer = oncall.post(f"/runs/{run.pk}/abort/", key="one", chip="Applications are slow")

    assert "Keep running" in question.text and question.has_button("Abort backfill")
    assert "being aborted" in answer
    assert (status_of(run), run.commands.get().reason) == ("aborting", "Applications are slow")


def test_asking_does_nothing(oncall):
    run = a_run("running")

    oncall.get(f"/runs/{run.pk}/abort/")
    oncall.get(f"/plans/{run.plan_id}/rollback/")

    assert status_of(run) == "running"


def test_pressing_abort_twice_is_one_abort(oncall):
    run = a_run("running")

    for _ in range(2):
        oncall.post(f"/runs/{run.pk}/abort/", key="one")
    oncall.post(f"/runs/{run.pk}/abort/", key="another")

    assert Command.objects.filter(verb="abort").count() == 1


def test_a_verb_that_came_too_late_is_told_so(oncall):
    run = a_run("succeeded")

    assert "there is nothing to abort" in oncall.post(f"/runs/{run.pk}/abort/", key="one")


def test_a_viewer_cannot_abort_whatever_they_send(as_person):
    run = a_run("running")

    page = as_person(a_user(VIEWER)).post(f"/runs/{run.pk}/abort/", key="one")

    assert "You may not do this here" in page
    assert status_of(run) == "running"


def test_a_verb_from_another_site_is_refused():
    run, user = a_run("running"), a_user(ONCALL)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)

    assert browser.post(f"/runs/{run.pk}/abort/", {"key": "one"}).status_code == 403
    assert status_of(run) == "running"


def test_scripts_are_told_the_same_as_pages(oncall):
    run = a_run("running")

    done = oncall.send(f"/runs/{run.pk}/pause/", key="one")
    refused = oncall.send(f"/runs/{run.pk}/resume/", key="one")

    assert (done.status_code, done.json()["ok"]) == (200, True)
    assert (refused.status_code, refused.json()["code"], refused.json()["ok"]) == (409, "key_reused", False)


def test_a_phase_is_started_by_one_click(oncall):
    plan = a_plan("approved", target=a_watched_target())

    page = oncall.post(f"/plans/{plan.pk}/start/expand/")

    assert "Expand started." in page
    assert plan.runs.get().status == "enqueued"


def test_a_start_that_is_blocked_answers_with_everything_that_stands_in_the_way(oncall):
    plan = a_plan("approved", done="verify", target=a_watched_target())

    answer = oncall.send(f"/plans/{plan.pk}/start/cutover/").json()

    assert "needs 1 more approval" in answer["text"] and "The new version is deployed" in answer["text"]


def test_an_unknown_phase_is_not_there(oncall):
    assert oncall.post(f"/plans/{a_plan('approved').pk}/start/lunch/").status == 404


def test_contract_asks_for_name_reason_and_password(oncall):
    plan = after_cutover()
    path = f"/plans/{plan.pk}/start/contract/"

    question = oncall.get(path)
    nothing = oncall.send(path).json()
    wrong = oncall.send(path, confirm_target="shop", reason="time", password="no").json()
    right = oncall.send(path, confirm_target="shop", reason="time", password=PASSWORD).json()

    assert "Type the target's name" in question.text.replace("&#x27;", "'") and "Password of" in question
    assert (nothing["field"], wrong["code"], right["ok"]) == ("confirm_target", "wrong_credentials", True)


def test_a_rollback_after_cutover_asks_for_name_reason_and_password(oncall):
    plan = after_cutover()
    path = f"/plans/{plan.pk}/rollback/"

    answers = [
        oncall.send(path, reason="slow").json(),
        oncall.send(path, confirm_target="shop", reason="slow").json(),
        oncall.send(path, confirm_target="shop", password=PASSWORD).json(),
        oncall.send(path, confirm_target="shop", reason="slow").json(),
    ]

    assert [answer.get("field") for answer in answers[:3]] == ["confirm_target", "password", "reason"]
    assert answers[3]["ok"]
    assert plan.runs.get().direction == "back"


def test_a_password_given_a_moment_ago_is_not_asked_again(oncall):
    plan = after_cutover()
    session = oncall.client.session
    session[REAUTHENTICATED_AT] = 4_000_000_000.0
    session.save()

    assert "You gave your password a moment ago." in oncall.get(f"/plans/{plan.pk}/rollback/")
    assert oncall.send(f"/plans/{plan.pk}/rollback/", confirm_target="shop", reason="slow").json()["ok"]


def test_a_rollback_before_cutover_asks_once(oncall):
    plan = a_plan(done="backfill", target=a_watched_target())

    page = oncall.post(f"/plans/{plan.pk}/rollback/", to="backfill")

    assert "The rollback has begun." in page
    assert plan.runs.get().phase.name == "backfill"


def test_rolling_back_while_a_run_is_active_aborts_it_first(oncall):
    run = a_run("running")

    oncall.post(f"/plans/{run.plan_id}/rollback/", to="")

    assert (status_of(run), run.then_back_to) == ("aborting", "backfill")


def test_the_pace_is_changed_within_what_was_approved(oncall):
    run = a_run("running")

    changed = oncall.post(f"/runs/{run.pk}/tune/", rate_rows_per_s="30000")
    refused = oncall.post(f"/runs/{run.pk}/tune/", rate_rows_per_s="900000")
    nonsense = oncall.post(f"/runs/{run.pk}/tune/", rate_rows_per_s="fast")

    run.refresh_from_db()
    assert "Changed; the next batch follows it." in changed
    assert "the bound that was approved" in refused and "is not a number" in nonsense
    assert run.limits["rate_rows_per_s"] == 30_000


def test_a_draft_is_submitted_by_one_click(as_person):
    author = as_person(a_user(AUTHOR))
    plan = with_clean_preflight(a_plan(author=author.user))

    assert "Submitted for approval." in author.post(f"/plans/{plan.pk}/submit/")
    assert status_of(plan) == "submitted"


def test_a_draft_that_nobody_looked_at_is_not_submitted(as_person):
    author = as_person(a_user(AUTHOR))
    plan = a_plan(author=author.user)

    assert "Run the preflight, then submit." in author.post(f"/plans/{plan.pk}/submit/")


def test_a_preflight_of_a_target_that_does_not_answer_says_so(as_person, monkeypatch):
    monkeypatch.setenv("LOCKSTEP_TARGET_SHOP_PASSWORD", "x")
    author = as_person(a_user(AUTHOR))
    plan = a_plan(author=author.user, target=a_watched_target(host="127.0.0.1", port=1))

    page = author.post(f"/plans/{plan.pk}/preflight/")

    assert page.html.count('class="notice tone-bad" role="alert"') >= 1
    assert Plan.objects.get().preflight is None


def test_a_signature_stands_for_what_was_seen(as_person):
    plan, approver = a_plan("submitted"), as_person(a_user(APPROVER))

    moved = approver.post(f"/plans/{plan.pk}/approve/expand/sign/", digest="0" * 64)
    signed = approver.post(f"/plans/{plan.pk}/approve/expand/sign/", digest=plan.digest, comment="looks right")

    assert "The plan changed since you looked at it" in moved
    assert "You approved expand of revision 1" in signed
    assert Approval.objects.get().comment == "looks right"


def test_an_author_does_not_sign_their_own_plan(as_person):
    author = as_person(a_user(AUTHOR, APPROVER))
    plan = a_plan("submitted", author=author.user)

    assert not author.get(f"/plans/{plan.pk}/approve/expand/").has_button("Approve r1")
    assert "You wrote or edited this plan" in author.post(f"/plans/{plan.pk}/approve/expand/sign/", digest=plan.digest)
    assert not Approval.objects.exists()


def test_the_approval_page_shows_what_one_signs(as_person):
    plan = a_plan("submitted")

    page = as_person(a_user(APPROVER)).get(f"/plans/{plan.pk}/approve/expand/")

    assert page.has_button(f"Approve r1 ({plan.short_digest})")
    assert plan.digest in page and "split_part(name, &#x27; &#x27;, 1)" in page
    assert "First approval" in page


def test_the_approval_page_shows_what_changed_since_the_last_signature(as_person):
    from migrations_app.services.plans import plan_edit, plan_submit

    author = a_user(AUTHOR)
    plan = a_plan("approved", author=author)
    plan = plan_edit(plan, "", split() | {"limits": {"lag_hold_s": 5}}, actor=author, seen_digest=plan.digest)
    plan_submit(with_clean_preflight(plan), actor=author)

    page = as_person(a_user(APPROVER)).get(f"/plans/{plan.pk}/approve/expand/")

    assert "Changed since revision 1 was approved" in page
    assert "limits.lag_hold_s was 2 is 5" in page


def test_asking_for_changes_needs_words(as_person):
    plan, approver = a_plan("submitted"), as_person(a_user(APPROVER))

    silent = approver.post(f"/plans/{plan.pk}/changes/", digest=plan.digest, comment=" ")
    said = approver.post(f"/plans/{plan.pk}/changes/", digest=plan.digest, comment="Why so fast?")

    assert "A comment is missing." in silent
    assert "You asked for changes." in said and "Why so fast?" in said


def test_a_gate_is_confirmed_by_one_click_and_overridden_with_a_reason(oncall):
    plan = a_plan("approved", done="expand", target=a_watched_target())
    path = f"/plans/{plan.pk}/gates/backup_before_dual_write/"

    bare = oncall.post(path, override="1", reason="")
    done = oncall.post(path, override="1", reason="a copy of production, thrown away tonight")

    assert "An override needs a reason." in bare
    assert "Overridden, with your reason." in done
    assert plan.confirmations.get().is_override


def test_a_plan_that_never_started_is_abandoned(as_person):
    author = as_person(a_user(AUTHOR))
    plan = a_plan("submitted", author=author.user)

    author.post(f"/plans/{plan.pk}/abandon/", reason="not needed")

    assert status_of(plan) == "abandoned"
