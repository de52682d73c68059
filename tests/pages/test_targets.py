"""The pages of targets: registered where all of it works, tested step by step, secrets never shown."""

import pytest

from migrations_app.models import Replica, Target
from tests.builders import ADMIN, OPERATOR, VIEWER, a_target, a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(as_person):
    return as_person(a_user(ADMIN, OPERATOR))


def typed(**changes):
    fields = {"name": "shop", "project": "default", "environment": "staging", "engine": "postgresql", "tls": "prefer"}
    where = {"host": "127.0.0.1", "port": "1", "database": "shop", "username": "lockstep", "tls_ca_file": ""}
    secret = {"secret_kind": "sealed", "secret_reference": "", "password": "hunter22hunter22"}
    return fields | where | secret | changes


def test_a_target_that_does_not_answer_is_not_saved_and_each_step_is_told(admin):
    page = admin.post("/targets/new/", **typed())

    assert page.status == 422
    assert "does not answer on port 1" in page and "Not looked at" in page
    assert not Target.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("host", "a host"), ("host", "postgres://x@y"), ("port", "many"), ("name", ""), ("database", "")],
)
def test_what_is_wrong_is_told_at_its_field(admin, field, value):
    page = admin.post("/targets/new/", **typed(**{field: value}))

    assert page.status == 422
    assert f'id="{field}-error"' in page.html


def test_a_password_never_comes_back(admin):
    page = admin.post("/targets/new/", **typed())

    assert "hunter22" not in page.html


def test_a_target_can_be_looked_at_before_it_is_saved(admin):
    page = admin.post("/targets/new/", **typed(test="1"))

    assert "What was looked at" in page and "does not answer" in page
    assert not Target.objects.exists()


def test_a_real_target_is_registered_with_its_replica(admin, shop_fields, replica_fields):
    fields = typed(**{name: str(value) for name, value in shop_fields.items()}, password="")
    replica = {f"replicas.0.{name}": str(value) for name, value in replica_fields.items()}

    page = admin.post("/targets/new/", **(fields | replica))

    assert "shop is registered." in page
    assert Target.objects.get().replicas.get().name == replica_fields["name"]


def test_test_now_looks_at_each_step(admin, shop_fields):
    target = a_target(**shop_fields)

    page = admin.post(f"/targets/{target.pk}/")

    assert "Looked at just now" in page
    assert page.text.count("Works") >= 4


def test_a_target_shows_where_its_password_lies_and_not_the_password(admin):
    target = a_target(secret_kind="sealed", secret_sealed="c2VhbGVk", secret_reference="")
    Replica.objects.create(target=target, name="replica-1", host="10.0.0.7")

    page = admin.get(f"/targets/{target.pk}/")

    assert "Sealed here" in page and "c2VhbGVk" not in page.html
    assert "replica-1" in page and "not observable" in page


def test_a_viewer_sees_a_target_and_can_do_nothing_to_it(as_person):
    target, viewer = a_target(), as_person(a_user(VIEWER))

    page = viewer.get(f"/targets/{target.pk}/")

    assert not page.has_button("Test now") and not page.has_button("Replace")
    assert "You may not do this here" in viewer.post(f"/targets/{target.pk}/")
