"""Targets over HTTP, against a real server."""

import pytest

from migrations_app.models import SupervisorLease
from migrations_app.services.targets import target_register
from tests.builders import ADMIN, AUTHOR, OPERATOR, VIEWER, a_target, a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def target(shop_fields):
    return target_register(shop_fields, actor=a_user(ADMIN))


def test_an_operator_registers_a_target(as_user, shop_fields):
    answer = as_user(a_user(OPERATOR)).post("targets/", shop_fields)

    assert (answer.status_code, answer.data["name"]) == (201, "shop")
    assert answer.data["secret"]["reference"] == "LOCKSTEP_TARGET_SHOP_PASSWORD"


def test_a_target_is_registered_only_within_ones_scope(as_user, shop_fields):
    answer = as_user(a_user(OPERATOR, environment="production")).post("targets/", shop_fields)

    assert (answer.status_code, answer.data["code"]) == (403, "denied")


def test_targets_are_listed_by_name_with_who_watches_them(as_user):
    zebra, ant = a_target(name="zebra"), a_target(name="ant")
    SupervisorLease.objects.create(target=zebra, owner="s1")

    answer = as_user(a_user(VIEWER)).get("targets/")

    assert [row["name"] for row in answer.data] == ["ant", "zebra"]
    assert answer.data[1]["supervisor"] == {"alive": False, "beat_at": None}
    assert ant.pk == answer.data[0]["id"]


def test_one_target_is_read(as_user, target):
    answer = as_user(a_user(VIEWER)).get(f"targets/{target.pk}/")

    assert (answer.data["host"], answer.data["secret"]["kind"]) == (target.host, "environment")


def test_a_target_outside_of_ones_scope_does_not_exist(as_user):
    target = a_target(environment="production")

    answer = as_user(a_user(VIEWER, environment="staging")).get(f"targets/{target.pk}/")

    assert answer.status_code == 404


def test_a_described_target_is_tested_before_it_is_registered(as_user, shop_fields):
    described = {name: value for name, value in shop_fields.items() if name != "name"}

    answer = as_user(a_user(OPERATOR)).post("targets/test/", described)

    assert (answer.status_code, answer.data["ok"]) == (200, True)


def test_a_registered_target_is_tested(as_user, target):
    answer = as_user(a_user(AUTHOR)).post(f"targets/{target.pk}/test/")

    assert (answer.status_code, answer.data["ok"]) == (200, True)
    assert answer.data["checks"][0]["name"] == "dns"


def test_a_secret_is_replaced_and_not_shown(as_user, shop, target):
    answer = as_user(a_user(ADMIN)).post(
        f"targets/{target.pk}/replace-secret/", {"secret_kind": "sealed", "password": shop.address().password}
    )

    assert answer.data["secret"]["kind"] == "sealed"
    assert shop.address().password not in answer.content.decode()


def test_replicas_are_found_and_set(as_user, shop, target, replica_fields):
    admin = as_user(a_user(ADMIN))

    found = admin.post(f"targets/{target.pk}/find-replicas/")
    answer = admin.put(
        f"targets/{target.pk}/replicas/", {"replicas": [replica_fields], "target_password": shop.address().password}
    )

    assert len(found.data) == 1
    assert [row["name"] for row in answer.data["replicas"]] == ["replica1"]


def test_an_address_is_changed_with_the_targets_password(as_user, shop, target):
    admin = as_user(a_user(ADMIN))

    without = admin.put(f"targets/{target.pk}/", {"host": "localhost"})
    answer = admin.put(f"targets/{target.pk}/", {"host": "localhost", "target_password": shop.address().password})

    assert (without.status_code, without.data["code"]) == (422, "password_needed")
    assert answer.data["host"] == "localhost"


def test_looking_around_in_the_network_is_slowed_down(as_user, monkeypatch):
    monkeypatch.setattr("migrations_app.api.targets.LookThrottle.rate", "2/min")
    operator = as_user(a_user(OPERATOR))

    answers = [operator.post("targets/", {"name": "x"}).status_code for _ in range(3)]

    assert answers == [422, 422, 429]


def test_the_catalogue_tells_each_operation_with_its_schema(as_user):
    answer = as_user(a_user(VIEWER)).get("operations/")

    assert [row["kind"] for row in answer.data] == ["split_column"]
    assert answer.data[0]["parameters_schema"]["additionalProperties"] is False
