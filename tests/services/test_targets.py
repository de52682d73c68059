"""Targets, against real servers: what is registered works, what does not is told by its own name and saved nowhere."""

import pytest

from migrations_app.addresses import address_of
from migrations_app.models import Event, Target
from migrations_app.secret_box import SecretUnavailable
from migrations_app.services.errors import InputRefused, ServiceRefused
from migrations_app.services.target_checks import STEPS
from migrations_app.services.targets import (
    TargetUnusable,
    target_change,
    target_find_replicas,
    target_register,
    target_replace_secret,
    target_replicas_set,
    target_test,
)
from tests.builders import ADMIN, a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    return a_user(ADMIN)


@pytest.fixture
def target(shop_fields, admin):
    return target_register(shop_fields, actor=admin)


def refusal(fields, actor):
    with pytest.raises(ServiceRefused) as caught:
        target_register(fields, actor=actor)
    assert not Target.objects.exists()
    return caught.value


def test_a_target_that_works_is_saved_with_the_servers_identity(shop_fields, admin):
    target = target_register(shop_fields, actor=admin)

    assert target.system.isdigit()
    assert target.version.startswith("18")


def test_a_replica_is_registered_with_its_target(shop_fields, replica_fields, admin):
    target = target_register({**shop_fields, "replicas": [replica_fields]}, actor=admin)

    assert [(row.name, row.port) for row in target.replicas.all()] == [("replica1", replica_fields["port"])]


def test_a_host_that_resolves_to_nothing(shop_fields, admin):
    refused = refusal({**shop_fields, "host": "no-such-host.invalid"}, admin)

    assert (refused.code, refused.field) == ("host_not_found", "host")


def test_a_port_where_nothing_answers(shop_fields, admin):
    refused = refusal({**shop_fields, "port": 1}, admin)

    assert (refused.code, refused.field) == ("unreachable", "port")


def test_a_wrong_password(shop_fields, admin, monkeypatch):
    monkeypatch.setenv("LOCKSTEP_TARGET_SHOP_PASSWORD", "not it")

    refused = refusal(shop_fields, admin)

    assert (refused.code, refused.field) == ("wrong_password", "password")


def test_a_database_that_does_not_exist(shop_fields, admin):
    refused = refusal({**shop_fields, "database": "nowhere"}, admin)

    assert (refused.code, refused.field) == ("refused", "database")


def test_each_missing_privilege_is_named_with_its_grant(shop, shop_fields, admin):
    shop.root.execute("DROP ROLE IF EXISTS weak")
    shop.root.execute("CREATE ROLE weak LOGIN PASSWORD 'weak-password'")
    fields = {**shop_fields, "username": "weak", "secret_kind": "sealed", "password": "weak-password"}
    del fields["secret_reference"]

    refused = refusal(fields, admin)

    remedies = [check.remedy for check in refused.checks if check.name == "privileges"]
    shop.root.execute("DROP ROLE weak")
    assert refused.code == "privilege_missing"
    assert remedies == ["GRANT CREATE ON DATABASE shop TO weak;", "GRANT pg_monitor TO weak;"]


def test_a_replica_in_the_place_of_the_primary(shop_fields, replica_fields, admin):
    refused = refusal({**shop_fields, "port": replica_fields["port"]}, admin)

    assert (refused.code, refused.field) == ("wrong_server", "host")


def test_a_replica_that_is_gone(shop_fields, admin):
    gone = {"name": "replica1", "host": shop_fields["host"], "port": 1}

    refused = refusal({**shop_fields, "replicas": [gone]}, admin)

    assert (refused.code, refused.field) == ("unreachable", "replicas.0.host")
    assert str(refused).startswith("Replica replica1:")


def test_a_primary_in_the_place_of_a_replica(shop_fields, admin):
    same = {"name": "replica1", "host": shop_fields["host"], "port": shop_fields["port"]}

    refused = refusal({**shop_fields, "replicas": [same]}, admin)

    assert refused.code == "wrong_server"


def test_an_address_where_no_database_can_be(shop_fields, admin):
    refused = refusal({**shop_fields, "host": "169.254.169.254"}, admin)

    assert (refused.code, refused.field) == ("host_refused", "host")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", "/var/run/postgresql"),
        ("host", "@abstract"),
        ("host", "one.example,two.example"),
        ("host", "postgresql://evil.example"),
        ("host", "db.example host=evil.example"),
        ("host", "db.example:5433"),
        ("host", "-"),
        ("database", "shop host=evil.example"),
        ("database", "postgresql://evil.example/shop"),
        ("database", "d" * 64),
        ("database", "sh\x07op"),
        ("username", "lockstep sslmode='disable'"),
        ("port", 0),
        ("port", 65_536),
        ("port", True),
        ("port", "5432,5433"),
        ("tls", "allow"),
        ("tls_ca_file", "ca.pem"),
        ("engine", "oracle"),
        ("environment", "moon"),
        ("name", "<script>"),
        ("name", ""),
        ("secret_kind", "plain"),
        ("options", "-c role=postgres"),
    ],
)
def test_a_field_that_is_none_is_refused_before_anything_is_connected_to(shop_fields, admin, field, value):
    refused = refusal({**shop_fields, field: value}, admin)

    assert refused.field == field


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        ("environment", "LOCKSTEP_SECRET_KEY"),
        ("environment", "LOCKSTEP_TARGET_UNSET_PASSWORD"),
        ("file", "../../etc/shadow"),
        ("file", "/etc/shadow"),
        ("file", "not-there"),
    ],
)
def test_a_reference_reads_only_what_was_put_there_for_it(shop_fields, admin, kind, reference):
    with pytest.raises(SecretUnavailable) as caught:
        target_register({**shop_fields, "secret_kind": kind, "secret_reference": reference}, actor=admin)

    assert caught.value.field == "secret_reference"


def test_a_password_behind_a_file_is_read(shop, shop_fields, admin, settings, tmp_path):
    settings.LOCKSTEP_SECRET_DIR = str(tmp_path)
    (tmp_path / "shop.password").write_text(shop.address().password + "\n")

    target = target_register({**shop_fields, "secret_kind": "file", "secret_reference": "shop.password"}, actor=admin)

    assert target.secret_kind == "file"


def test_a_sealed_password_is_stored_sealed_and_opens(shop, shop_fields, admin):
    target = target_register(sealed(shop, shop_fields), actor=admin)

    assert shop.address().password not in str(Target.objects.values().get())
    assert address_of(target).password == shop.address().password


def test_a_sealed_password_moved_to_another_row_does_not_open(shop, shop_fields, admin):
    target = target_register(sealed(shop, shop_fields), actor=admin)
    target.uid = "00000000-0000-0000-0000-000000000000"

    with pytest.raises(SecretUnavailable):
        address_of(target)


def sealed(shop, fields):
    kept = {name: value for name, value in fields.items() if name != "secret_reference"}
    return {**kept, "secret_kind": "sealed", "password": shop.address().password}


def test_one_database_is_one_target(target, shop_fields, admin):
    with pytest.raises(ServiceRefused) as caught:
        target_register({**shop_fields, "name": "shop again"}, actor=admin)

    assert caught.value.code == "target_known"


def test_a_name_is_given_once(target, shop_fields, admin):
    with pytest.raises(ServiceRefused) as caught:
        target_register(shop_fields, actor=admin)

    assert caught.value.code == "name_taken"


def test_a_test_tells_every_step_in_order(target, admin):
    checks = target_test(target, actor=admin)

    assert list(dict.fromkeys(check.name for check in checks)) == list(STEPS)
    assert all(check.ok for check in checks if check.needed)


def test_a_test_says_which_steps_were_not_looked_at(shop_fields, admin):
    checks = target_test({**shop_fields, "port": 1}, actor=admin)

    assert {check.name: check.ok for check in checks} == {
        "dns": True,
        "tcp": False,
        **dict.fromkeys(STEPS[2:], None),
    }


def test_a_test_of_what_is_only_described_saves_nothing(shop_fields, admin):
    target_test(shop_fields, actor=admin)

    assert not Target.objects.exists()


def test_replicas_are_found_and_proposed(target, replica_fields, admin):
    found = target_find_replicas(target, actor=admin)

    assert [proposal["state"] for proposal in found] == ["streaming"]


def test_a_new_name_takes_no_password(target, admin):
    changed = target_change(target, {"name": "shop two"}, actor=admin)

    assert changed.name == "shop two"


@pytest.mark.parametrize("change", [{"host": "localhost"}, {"port": 1}, {"tls": "disable"}, {"username": "postgres"}])
def test_where_the_password_is_shown_changes_only_for_who_knows_it(target, admin, change):
    with pytest.raises(InputRefused) as caught:
        target_change(target, change, actor=admin)

    assert caught.value.code == "password_needed"


def test_a_guess_at_the_password_does_not_move_a_target(target, admin):
    with pytest.raises(InputRefused) as caught:
        target_change(target, {"host": "localhost"}, password="guess", actor=admin)

    assert caught.value.code == "wrong_password"
    assert Target.objects.get().host == target.host


def test_who_knows_the_password_moves_a_target(shop, target, admin):
    changed = target_change(target, {"host": "localhost"}, password=shop.address().password, actor=admin)

    assert changed.host == "localhost"


def test_a_target_is_not_moved_to_where_it_does_not_work(shop, target, admin):
    with pytest.raises(TargetUnusable):
        target_change(target, {"port": 1}, password=shop.address().password, actor=admin)

    assert Target.objects.get().port == target.port


def test_a_target_is_not_moved_to_another_server(shop, target, admin):
    Target.objects.update(system="1")
    target.refresh_from_db()

    with pytest.raises(InputRefused) as caught:
        target_change(target, {"host": "localhost"}, password=shop.address().password, actor=admin)

    assert caught.value.code == "wrong_server"


def test_a_target_is_not_moved_to_another_database_of_its_server(shop, target, admin):
    with pytest.raises(InputRefused) as caught:
        target_change(target, {"database": "postgres"}, password=shop.address().password, actor=admin)

    assert (caught.value.code, caught.value.field) == ("wrong_server", "database")


def test_a_new_replica_is_asked_only_by_who_knows_the_password(target, replica_fields, admin):
    with pytest.raises(InputRefused) as caught:
        target_replicas_set(target, [replica_fields], actor=admin)

    assert caught.value.code == "password_needed"


def test_replicas_are_set_and_taken_off_again(shop, target, replica_fields, admin):
    target_replicas_set(target, [replica_fields], password=shop.address().password, actor=admin)
    assert target.replicas.count() == 1

    target_replicas_set(target, [], actor=admin)

    assert target.replicas.count() == 0


def test_a_secret_is_replaced_once_the_new_one_lets_us_in(shop, target, admin):
    replaced = target_replace_secret(target, secret_kind="sealed", password=shop.address().password, actor=admin)

    assert (replaced.secret_kind, address_of(replaced).password) == ("sealed", shop.address().password)


def test_a_secret_that_does_not_let_us_in_changes_nothing(target, admin):
    with pytest.raises(TargetUnusable) as caught:
        target_replace_secret(target, secret_kind="sealed", password="not it", actor=admin)

    assert caught.value.code == "wrong_password"
    assert Target.objects.get().secret_kind == "environment"


def test_every_act_on_a_target_leaves_an_event_without_the_secret(shop, shop_fields, admin):
    target = target_register(sealed(shop, shop_fields), actor=admin)
    target_replace_secret(target, secret_kind="sealed", password=shop.address().password, actor=admin)

    events = Event.objects.filter(stream__kind="target", stream__object_id=target.pk)

    assert [event.kind for event in events] == ["target_registered", "secret_replaced"]
    assert shop.address().password not in str([event.payload for event in events])
