"""The fleet, the plans and the targets: what is on them, for whom, and at what cost."""

import pytest
from django.utils import timezone

from migrations_app.models import Replica, TargetSample
from tests.builders import APPROVER, AUTHOR, ONCALL, OPERATOR, VIEWER, a_plan, a_run, a_target, a_user, a_watched_target

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(as_person):
    return as_person(a_user(VIEWER))


def test_an_empty_fleet_says_what_to_do(viewer):
    page = viewer.get("/")

    assert "Nothing moves now" in page
    assert "No plans" in page and "No targets" in page


def test_what_moves_is_told_with_rows_and_where(viewer):
    run = a_run("running", rows=50_000)

    page = viewer.get("/")

    assert "1 run moving now" in page
    assert "50,000 of about 200,000 rows" in page
    assert f"on {run.plan.target.name}, production" in page


def test_a_run_that_is_held_says_why(viewer):
    a_run("running", wait_reason="replication lag 2.5 s > 2.0 s", wait_verdict="hold")

    page = viewer.get("/")

    assert "Held" in page and "Replication lag 2.5 s &gt; 2.0 s." in page


def test_an_approver_is_shown_what_waits_for_a_signature(as_person):
    a_plan("submitted")

    assert "Look at expand and approve it" in as_person(a_user(APPROVER)).get("/")


def test_an_author_is_not_asked_to_approve_what_they_wrote(as_person):
    author = a_user(AUTHOR, APPROVER)
    a_plan("submitted", author=author)

    assert "Nothing. You are not holding anything up." in as_person(author).get("/")


def test_an_operator_is_shown_what_can_be_started(as_person):
    a_plan("approved")

    assert "Start expand" in as_person(a_user(OPERATOR)).get("/")


def test_oncall_is_shown_a_run_that_stopped_with_an_error(as_person):
    a_run("errored", error_code="unreachable", error_fact="x")

    assert "Backfill stopped with an error: resume or abort it" in as_person(a_user(ONCALL)).get("/")


def test_a_viewer_is_asked_for_nothing(viewer):
    a_plan("submitted")
    a_plan("approved")

    assert "Nothing. You are not holding anything up." in viewer.get("/")


def test_plans_of_another_scope_do_not_exist(as_person):
    plan = a_plan(target=a_target(environment="production"))
    reader = as_person(a_user(VIEWER, environment="staging"))

    assert plan.title not in reader.get("/plans/") and plan.title not in reader.get("/")
    assert reader.get(f"/plans/{plan.pk}/").status == 404


def test_targets_in_trouble_come_first(viewer):
    a_watched_target(name="alpha")
    a_target(name="zulu")

    page = viewer.get("/targets/")

    assert page.text.index("zulu") < page.text.index("alpha")
    assert "No supervisor watches it" in page


def test_a_target_shows_the_lag_of_the_replica_furthest_behind(viewer):
    target = a_watched_target()
    lags = [{"signal": "replication_lag", "source": name, "observed": lag} for name, lag in (("a", 0.2), ("b", 1.25))]
    TargetSample.objects.create(target=target, n=1, at=timezone.now(), readings=lags)

    assert "1.25 s" in viewer.get("/targets/")


def test_a_replica_that_cannot_be_asked_is_trouble(viewer):
    target = a_watched_target()
    Replica.objects.create(target=target, name="b", host="b.example")
    reading = {"signal": "replication_lag", "source": "b", "observed": None}
    TargetSample.objects.create(target=target, n=1, at=timezone.now(), readings=[reading])

    assert "Cannot be asked: b" in viewer.get("/targets/")


def test_plans_are_found_by_state_and_words(viewer):
    plan, other = a_plan("submitted"), a_plan()
    plan.title = "Split the names"
    plan.save()

    assert "Split the names" in viewer.get("/plans/", status="submitted", q="NAMES")
    assert other.title not in viewer.get("/plans/", status="submitted")


@pytest.mark.parametrize("query", [{"before": "x"}, {"target": "1;drop"}, {"status": "<b>"}, {"before": "9" * 40}])
def test_a_list_that_is_asked_nonsense_answers_all_the_same(viewer, query):
    assert viewer.get("/plans/", **query).status == 200


def test_older_plans_are_a_page_away(viewer, monkeypatch):
    monkeypatch.setattr("migrations_app.views.plans.LIST_PAGE", 2)
    plans = [a_plan() for _ in range(3)]

    first = viewer.get("/plans/")
    second = viewer.get("/plans/", before=plans[1].pk)

    assert f"before={plans[1].pk}" in first.html
    assert f"/plans/{plans[0].pk}/" in second.html and f"/plans/{plans[2].pk}/" not in second.html


@pytest.mark.parametrize("path", ["/", "/plans/", "/targets/"])
def test_a_list_costs_the_same_however_long_it_is(as_person, django_assert_max_num_queries, path):
    reader = as_person(a_user(VIEWER, APPROVER, OPERATOR))
    one_of_each()
    with django_assert_max_num_queries(40) as before:
        reader.get(path)
    for _ in range(3):
        one_of_each()

    with django_assert_max_num_queries(40) as after:
        reader.get(path)

    assert len(after) == len(before)


def one_of_each():
    a_run("running")
    a_plan("submitted")
    a_plan("approved", target=a_watched_target())
