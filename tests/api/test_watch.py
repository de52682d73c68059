"""What machines watch us by."""

from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_app.models import SupervisorLease
from tests.builders import VIEWER, a_plan, a_run, a_target, a_user, a_watched_target

pytestmark = pytest.mark.django_db


@pytest.fixture
def health(client):
    return lambda: client.get("/health")


@pytest.fixture
def metrics(as_user):
    return lambda: as_user(a_user(VIEWER)).client.get("/metrics").content.decode()


def test_health_is_open_to_everybody_and_names_no_target(health):
    a_watched_target(name="secret-shop")

    answer = health()

    assert answer.status_code == 200
    assert "secret-shop" not in answer.content.decode()


def test_health_says_which_part_is_missing(health):
    parts = health().json()["parts"]

    assert parts["database"]["ok"] and parts["redis"]["ok"]
    assert parts["workers"] == {"ok": False, "text": "No Celery worker answers: runs stand still."}


def test_health_counts_the_targets_that_nobody_watches(health):
    a_watched_target()
    a_target()

    assert health().json()["parts"]["supervisor"]["text"] == "1 of 2 targets are watched by no supervisor."


def test_without_redis_people_can_still_stop_a_run_so_that_it_is_no_failure(health, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    answer = health()

    assert (answer.status_code, answer.json()["parts"]["redis"]["ok"]) == (200, False)


def test_metrics_need_a_token(client):
    assert client.get("/metrics").status_code == 401


def test_metrics_refuse_a_token_that_is_none(client):
    assert client.get("/metrics", headers={"Authorization": "Bearer lockstep_wrong"}).status_code == 401


def test_metrics_count_plans_and_runs_by_status(metrics):
    a_plan("submitted")
    a_run("paused")

    text = metrics()

    assert 'lockstep_plans{status="submitted"} 1.0' in text
    assert 'lockstep_runs{status="paused"} 1.0' in text
    assert 'lockstep_runs{status="running"} 0.0' in text


def test_metrics_tell_how_long_no_supervisor_has_watched(metrics):
    target = a_target(name="shop")
    SupervisorLease.objects.create(target=target, owner="s1", beat_at=timezone.now() - timedelta(seconds=100))

    text = metrics()

    age_s = float(text.split('lockstep_supervisor_age_seconds{target="shop"} ')[1].split("\n")[0])
    assert 99 < age_s < 110


def test_metrics_tell_how_long_a_run_is_held(metrics):
    run = a_run("running", wait_reason="lag", wait_verdict="hold", wait_since=timezone.now() - timedelta(seconds=30))

    text = metrics()

    waited_s = float(text.split(f'lockstep_run_wait_seconds{{run="{run.pk}"}} ')[1].split("\n")[0])
    assert 29 < waited_s < 40


def test_metrics_count_the_aborts_that_nothing_proves_yet(metrics, as_user):
    run = a_run("aborting")
    run.commands.create(verb="abort", idempotency_key="k")

    assert "lockstep_aborts_unproven 1.0" in metrics()
