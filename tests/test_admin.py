"""The admin site: a window, and no door of its own."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from migrations_app.secret_box import seal
from tests.builders import ADMIN, OPERATOR, a_plan, a_run, a_target, a_user

pytestmark = pytest.mark.django_db
MODELS = list(apps.get_app_config("migrations_app").get_models())


@pytest.fixture
def window(client):
    client.force_login(a_user(ADMIN))
    return client


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_table_is_shown(window, model):
    a_run("running")

    answer = window.get(reverse(f"admin:migrations_app_{model._meta.model_name}_changelist"))

    assert answer.status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_table_is_written(window, model):
    answer = window.get(reverse(f"admin:migrations_app_{model._meta.model_name}_add"))

    assert answer.status_code == 403


def test_a_row_is_shown_and_neither_changed_nor_deleted(window):
    plan = a_plan()

    shown = window.get(f"/admin/migrations_app/plan/{plan.pk}/change/")
    written = window.post(f"/admin/migrations_app/plan/{plan.pk}/change/", {"title": "mine"})
    deleted = window.post(f"/admin/migrations_app/plan/{plan.pk}/delete/", {"post": "yes"})

    assert (shown.status_code, written.status_code, deleted.status_code) == (200, 403, 403)


def test_no_secret_is_shown(window):
    sealed = seal("uid", "kanarienvogel")
    target = a_target(secret_kind="sealed", secret_sealed=sealed)

    page = window.get(f"/admin/migrations_app/target/{target.pk}/change/").content.decode()
    person = window.get(f"/admin/migrations_app/user/{target.registered_by_id}/change/").content.decode()

    assert sealed not in page
    assert target.registered_by.password not in person


def test_there_is_no_other_way_in(client):
    answer = client.get("/admin/")

    assert answer.status_code == 302
    assert client.get(answer.url).url.startswith("/sign-in/")


@pytest.mark.parametrize("path", ["/admin/", "/admin/migrations_app/target/", "/admin/password_change/"])
def test_whoever_is_no_admin_finds_nothing(client, path):
    client.force_login(a_user(OPERATOR))

    answer = client.get(path, follow=True)

    assert answer.status_code == 404


def test_an_admin_of_one_environment_is_none_of_the_whole_site(client):
    client.force_login(a_user(ADMIN, environment="staging"))

    assert client.get("/admin/", follow=True).status_code == 404


def test_only_the_models_of_lockstep_can_be_written_nowhere(window):
    others = [model for model in admin.site._registry if model not in MODELS]

    assert {model._meta.label for model in others} <= {"auth.Group"}
