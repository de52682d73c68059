"""Verbs on runs over HTTP: each answers at once, may be repeated, and abort wins."""

import pytest

from migrations_app.models import Command
from tests.builders import ONCALL, OPERATOR, VIEWER, a_run, a_user

pytestmark = pytest.mark.django_db


def test_a_run_is_read_with_its_lanes_and_progress(as_user):
    run = a_run("running", rows=120_000)

    answer = as_user(a_user(VIEWER)).get(f"runs/{run.pk}/")

    assert (answer.data["rows"], answer.data["rows_expected"]) == (120_000, 200_000)
    assert answer.data["lanes"][0]["owner"] == "worker"


def test_runs_are_listed_newest_first(as_user):
    first, second = a_run("succeeded"), a_run("running")

    answer = as_user(a_user(VIEWER)).get("runs/")

    assert [row["id"] for row in answer.data["runs"]] == [second.pk, first.pk]


def test_runs_are_listed_by_plan_and_by_pages(as_user):
    run = a_run("running")
    a_run("running")

    answer = as_user(a_user(VIEWER)).get("runs/", plan=run.plan_id, limit=1)

    assert ([row["id"] for row in answer.data["runs"]], answer.data["next"]) == ([run.pk], None)


def test_a_pause_is_accepted_and_the_run_is_pausing(as_user):
    run = a_run("running")

    answer = as_user(a_user(ONCALL)).post(f"runs/{run.pk}/pause/", {"reason": "backup window"})

    run.refresh_from_db()
    assert (answer.status_code, answer.data["verb"], run.status) == (202, "pause", "pausing")


def test_a_pause_of_a_run_that_no_worker_has_yet_is_in_force_at_once(as_user):
    run = a_run("enqueued")

    answer = as_user(a_user(ONCALL)).post(f"runs/{run.pk}/pause/")

    run.refresh_from_db()
    assert (answer.data["acknowledged_at"] is not None, run.status) == (True, "paused")


def test_a_paused_run_is_resumed(as_user):
    run = a_run("paused")

    answer = as_user(a_user(ONCALL)).post(f"runs/{run.pk}/resume/")

    run.refresh_from_db()
    assert (answer.status_code, run.status) == (202, "enqueued")


def test_a_run_that_met_an_error_is_resumed_without_the_error(as_user):
    run = a_run("errored", error_code="unreachable", error_fact="No answer.")

    as_user(a_user(OPERATOR)).post(f"runs/{run.pk}/resume/")

    run.refresh_from_db()
    assert (run.status, run.error_code) == ("enqueued", "")


def test_an_abort_shows_its_four_clocks(as_user):
    run = a_run("running")

    answer = as_user(a_user(ONCALL)).post(f"runs/{run.pk}/abort/", {"reason": "wrong table"})

    clocks = [answer.data[name] for name in ("requested_at", "acknowledged_at", "last_write_at", "verified_at")]
    assert (answer.status_code, clocks[1:]) == (202, [None, None, None])
    assert clocks[0] is not None


def test_an_abort_wins_over_a_pause(as_user):
    run = a_run("pausing")

    as_user(a_user(ONCALL)).post(f"runs/{run.pk}/abort/")

    run.refresh_from_db()
    assert run.status == "aborting"


def test_a_pause_of_a_run_that_is_being_aborted_is_refused(as_user):
    run = a_run("running")
    oncall = as_user(a_user(ONCALL))
    oncall.post(f"runs/{run.pk}/abort/")

    answer = oncall.post(f"runs/{run.pk}/pause/")

    assert (answer.status_code, answer.data["code"]) == (409, "run_aborting")


def test_the_same_key_gives_the_same_command(as_user):
    run = a_run("running")
    oncall = as_user(a_user(ONCALL))

    first = oncall.post(f"runs/{run.pk}/pause/", key="k-1")
    second = oncall.post(f"runs/{run.pk}/pause/", key="k-1")

    assert first.data["id"] == second.data["id"]


def test_a_key_of_another_command_is_refused(as_user):
    run = a_run("running")
    oncall = as_user(a_user(ONCALL))
    oncall.post(f"runs/{run.pk}/pause/", key="k-1")

    answer = oncall.post(f"runs/{run.pk}/abort/", key="k-1")

    assert (answer.status_code, answer.data["code"]) == (409, "key_reused")


def test_a_key_that_is_too_long_is_refused(as_user):
    run = a_run("running")

    answer = as_user(a_user(ONCALL)).post(f"runs/{run.pk}/pause/", key="k" * 65)

    assert (answer.status_code, answer.data["code"]) == (422, "key_refused")
    assert not Command.objects.exists()


def test_the_rate_is_tuned_within_what_was_approved(as_user):
    run = a_run("running")

    answer = as_user(a_user(ONCALL)).post(f"runs/{run.pk}/tune/", {"rate_rows_per_s": 50_000})

    assert (answer.status_code, answer.data["limits"]) == (202, {"rate_rows_per_s": 50_000.0})


def test_the_rate_is_not_tuned_beyond_what_was_approved(as_user):
    run = a_run("running")

    answer = as_user(a_user(ONCALL)).post(f"runs/{run.pk}/tune/", {"rate_rows_per_s": 50_001})

    assert (answer.status_code, answer.data["code"]) == (422, "outside_approved_bounds")
    assert answer.data["field"] == "rate_rows_per_s"


def test_a_run_that_has_ended_is_not_tuned(as_user):
    run = a_run("succeeded")

    answer = as_user(a_user(ONCALL)).post(f"runs/{run.pk}/tune/", {"rate_rows_per_s": 10})

    assert (answer.status_code, answer.data["code"]) == (409, "run_ended")


def test_a_tuning_of_nothing_is_refused(as_user):
    run = a_run("running")

    answer = as_user(a_user(ONCALL)).post(f"runs/{run.pk}/tune/", {})

    assert (answer.status_code, answer.data["code"]) == (422, "nothing_to_tune")


def test_a_run_outside_of_ones_scope_does_not_exist(as_user):
    run = a_run("running")

    answer = as_user(a_user(ONCALL, environment="staging")).post(f"runs/{run.pk}/abort/")

    assert (answer.status_code, answer.data["code"]) == (404, "not_found")
