"""The page of a plan: its state in words, the verbs that a person has, and what stands in the way."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_app.models import Event, EventStream, RunSample
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
    split,
    with_clean_preflight,
)

pytestmark = pytest.mark.django_db

HOSTILE = "<img src=x onerror=alert(1)>\"'</script><script>alert(1)</script>"


@pytest.fixture
def viewer(as_person):
    return as_person(a_user(VIEWER))


@pytest.fixture
def oncall(as_person):
    return as_person(a_user(ONCALL, OPERATOR))


def page_of(reader, plan):
    page = reader.get(f"/plans/{plan.pk}/")
    assert page.status == 200
    return page


def test_a_running_backfill_says_so_in_words(viewer):
    run = a_run("running", rows=50_000)

    assert "Backfill runs: 50,000 of 200,000 rows." in page_of(viewer, run.plan)


def test_a_held_run_says_why_and_what_happens_next(viewer):
    run = a_run("running", wait_reason="replication lag of replica-1 2.5 s > 2.0 s", wait_verdict="hold")

    page = page_of(viewer, run.plan)

    assert "Replication lag of replica-1 2.5 s &gt; 2.0 s." in page
    assert "It goes on by itself once that is over." in page


def test_each_phase_says_its_state_and_whether_it_can_be_undone(viewer):
    page = page_of(viewer, a_plan(done="backfill", target=a_watched_target()))

    board = page.html.split('class="board"')[1].split("</ol>")[0]
    assert re.findall(r"<h3>(.*?)</h3>", board)[:3] == ["Expand", "Dual-write", "Backfill"]
    assert board.count("<span>Done</span>") == 3
    assert board.count("Can be undone") == 6 and board.count("No way back") == 1


def test_nothing_of_a_completed_plan_can_be_undone(viewer):
    page = page_of(viewer, a_plan(done="purge", status="completed"))

    board = page.html.split('class="board"')[1].split("</ol>")[0]
    assert "Can be undone" not in board and board.count("No way back") == 7


def test_a_finished_phase_says_what_it_counted(viewer):
    plan = a_plan(done="verify", target=a_watched_target())
    plan.phases.filter(name="verify").update(result={"rows": 200_000, "out_of_step": 0, "lossy_old": 3, "batches": 9})

    page = page_of(viewer, plan)

    assert "200,000 rows 0 out of step 3 lose their old value" in page


def test_every_run_of_a_plan_is_listed(viewer):
    run = a_run("aborted")
    again = a_run("running", plan=run.plan)

    page = page_of(viewer, run.plan)

    assert f"Run {run.pk}" in page and f"Run {again.pk}" in page


def test_a_blocked_phase_says_everything_that_stands_in_the_way(viewer):
    plan = a_plan("approved", done="verify", target=a_watched_target())

    page = page_of(viewer, plan)

    assert "What cutover waits for" in page
    assert "Cutover needs 1 more approval" in page and "The new version is deployed" in page


def test_the_start_button_is_there_though_something_stands_in_the_way(oncall):
    assert page_of(oncall, a_plan("approved", done="verify", target=a_watched_target())).has_button("Start cutover")


@pytest.mark.parametrize(
    ("status", "shown", "hidden"),
    [
        ("running", ["Pause backfill", "Abort backfill"], ["Resume backfill"]),
        ("paused", ["Resume backfill", "Abort backfill"], ["Pause backfill"]),
        ("aborting", [], ["Pause backfill", "Resume backfill", "Abort backfill"]),
    ],
)
def test_the_verbs_are_those_that_make_sense_now(oncall, status, shown, hidden):
    page = page_of(oncall, a_run(status).plan)

    assert [words for words in (*shown, *hidden) if page.has_button(words)] == shown


def test_a_viewer_has_no_verbs(viewer):
    page = page_of(viewer, a_run("running").plan)

    assert not any(page.has_button(words) for words in ("Pause", "Abort", "Roll back", "Start"))


def test_without_a_supervisor_the_page_gives_the_line_that_stops_by_hand(viewer):
    run = a_run("running", plan=a_plan(done="dual_write", target=a_target()))

    page = page_of(viewer, run.plan)

    assert "No supervisor is alive for this target." in page
    assert f"INSERT INTO lockstep.stop (plan, run) VALUES ({run.plan_id}, {run.pk})" in page.html


def test_with_a_supervisor_that_warning_is_hidden(viewer):
    page = page_of(viewer, a_run("running").plan)

    assert re.search(r'data-hide="supervisor.alive" hidden', page.html)


def test_an_abort_that_is_not_proven_gives_that_line_though_a_supervisor_is_alive(viewer):
    run = a_run("aborting")
    run.commands.create(verb="abort", idempotency_key="k", user=a_user(ONCALL))

    page = page_of(viewer, run.plan)

    assert "Where this does not end, stop the writing" in page


def test_an_abort_shows_its_four_clocks(viewer):
    run = a_run("aborted")
    asked = timezone.now() - timedelta(seconds=10)
    run.commands.create(
        verb="abort",
        idempotency_key="k",
        user=a_user(ONCALL),
        acknowledged_at=asked + timedelta(seconds=0.2),
        last_write_at=asked + timedelta(seconds=0.31),
        verified_at=asked + timedelta(seconds=0.5),
    )
    run.commands.update(requested_at=asked)

    page = page_of(viewer, run.plan)

    assert "0.20 s after the request" in page and "0.31 s after the request" in page
    assert "0.50 s after the request" in page and "Stop proven" in page


def test_an_abort_without_evidence_is_not_called_aborted(viewer):
    run = a_run("aborting")
    run.commands.create(verb="abort", idempotency_key="k", user=a_user(ONCALL))

    page = page_of(viewer, run.plan)

    assert "Not proven yet" in page and "not known yet" in page
    assert "Aborted" not in page and "was aborted" not in page


def test_production_is_told_by_words_and_not_by_colour_alone(viewer):
    assert "production Target shop" in page_of(viewer, a_plan(target=a_target(name="shop")))


def test_charts_have_tables_for_those_who_do_not_see_them(viewer):
    run = a_run("running")
    RunSample.objects.create(run=run, n=2, at=timezone.now(), rows=4321, rows_per_s=1234.5, batch_rows=500, batch_s=0.4)

    page = page_of(viewer, run.plan)

    assert "4,321" in page and "1,234" in page


def test_a_draft_leads_its_author_from_preflight_to_submission(as_person):
    author = as_person(a_user(AUTHOR))
    plan = a_plan(author=author.user)

    before = page_of(author, plan)
    with_clean_preflight(plan)
    after = page_of(author, plan)

    assert before.has_button("Run the preflight")
    assert "Draft, ready to be submitted." in after and after.has_button("Submit for approval")


def test_names_from_outside_are_text_and_never_markup(as_person):
    author = as_person(a_user(AUTHOR, VIEWER))
    raw = split(table="<img src=x onerror=alert(1)>")
    plan = a_plan("submitted", author=author.user, raw=raw, target=a_target(name="<b>shop</b>"))
    plan.title = HOSTILE[:120]
    plan.save()

    for path in (f"/plans/{plan.pk}/", "/", "/plans/", f"/plans/{plan.pk}/approve/expand/", f"/plans/{plan.pk}/edit/"):
        html = author.get(path).html
        assert "<img" not in html and "<script>alert" not in html and "<b>shop" not in html, path


@pytest.mark.parametrize("path", ["", "edit/", "history/", "approve/expand/", "rollback/"])
def test_pages_hold_no_inline_style_handler_or_script(as_person, path):
    plan = a_run("paused", plan=a_plan(done="dual_write", target=a_watched_target())).plan
    html = as_person(a_user(AUTHOR, OPERATOR, ONCALL, APPROVER)).get(f"/plans/{plan.pk}/{path}").html

    assert not re.search(r"<[^>]+\s(style|on[a-z]+)\s*=", html)
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)(?![^>]*application/json)", html)


def test_a_page_is_served_with_the_policy_that_forbids_them(viewer):
    policy = page_of(viewer, a_plan()).response.headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy


def test_a_page_costs_the_same_however_long_the_history(oncall, django_assert_max_num_queries):
    run = a_run("running")
    with django_assert_max_num_queries(50) as before:
        page_of(oncall, run.plan)
    stream = EventStream.objects.get(kind="plan", object_id=run.plan_id)
    Event.objects.bulk_create(
        Event(stream=stream, seq=1000 + n, kind="run_waited", payload={}, actor_name="x") for n in range(100)
    )
    for n in range(10):
        run.commands.create(verb="pause", idempotency_key=str(n), user=a_user(ONCALL))
        RunSample.objects.create(run=run, n=n, at=timezone.now(), rows=n, rows_per_s=1, batch_rows=1, batch_s=1)

    with django_assert_max_num_queries(50) as after:
        page_of(oncall, run.plan)

    assert len(after) == len(before)


def test_the_history_is_read_page_by_page(viewer, monkeypatch):
    monkeypatch.setattr("migrations_app.views.plans.HISTORY_PAGE", 2)
    plan = a_plan("approved")

    first = viewer.get(f"/plans/{plan.pk}/history/")
    second = viewer.get(f"/plans/{plan.pk}/history/", before=3)

    assert "before=3" in first.html and "Plan approved" in first
    assert "Plan created" in second and "Plan approved" not in second


def test_the_feed_by_http_says_what_the_socket_would(viewer):
    plan = a_plan("submitted")

    snapshot = viewer.get(f"/plans/{plan.pk}/feed/").response.json()
    place = {"after": snapshot["seq"], "samples_after": snapshot["samples_at"], "epoch": snapshot["epoch"]}
    nothing = viewer.get(f"/plans/{plan.pk}/feed/", **place).response.json()
    delta = viewer.get(f"/plans/{plan.pk}/feed/", **(place | {"after": 1})).response.json()

    assert (snapshot["type"], nothing["events"]) == ("snapshot", [])
    assert [event["kind"] for event in delta["events"]] == ["plan_submitted"]


def test_the_feed_of_a_plan_that_one_may_not_see_does_not_exist(as_person):
    plan = a_plan("submitted")

    assert as_person(a_user(VIEWER, environment="staging")).get(f"/plans/{plan.pk}/feed/").status == 404
