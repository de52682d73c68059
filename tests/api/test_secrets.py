"""A password goes in and never comes out: not in an answer, a log line, an event, a table or a traceback."""

import pytest
from django.apps import apps

from migrations_app.services.sign_ins import TRIES
from tests.builders import ADMIN, AUTHOR, PASSWORD, a_plan, a_user

pytestmark = pytest.mark.django_db
CANARY = "kanarienvogel-4711"


@pytest.fixture
def weak_role(shop):
    """An account of the target whose password is the canary, with every right that a plan needs."""
    shop.root.execute("DROP ROLE IF EXISTS canary")
    shop.root.execute(f"CREATE ROLE canary LOGIN PASSWORD '{CANARY}' IN ROLE shop_owner, pg_monitor")
    shop.root.execute("GRANT CREATE ON DATABASE shop TO canary")
    yield
    shop.root.execute("REVOKE CREATE ON DATABASE shop FROM canary")
    shop.root.execute("DROP ROLE canary")


@pytest.fixture
def fields(shop_fields, weak_role):
    kept = {name: value for name, value in shop_fields.items() if name != "secret_reference"}
    return {**kept, "username": "canary", "secret_kind": "sealed", "password": CANARY}


def test_a_targets_password_comes_out_nowhere(as_user, fields, caplog, capfd):
    caplog.set_level("DEBUG")
    admin, author = as_user(a_user(ADMIN)), a_user(AUTHOR)
    answers = [admin.post("targets/", fields)]
    target = answers[0].data["id"]
    answers += [
        admin.get("targets/"),
        admin.get(f"targets/{target}/"),
        admin.post(f"targets/{target}/test/"),
        admin.post("targets/test/", {name: value for name, value in fields.items() if name != "name"}),
        admin.post("targets/", {**fields, "name": "twice"}),
        admin.post("targets/", {**fields, "name": "away", "port": 1}),
        admin.post("targets/", {**fields, "name": "lost", "host": "no-such-host.invalid"}),
        admin.post("targets/", {**fields, "name": "<bad>"}),
        admin.post("targets/", {**fields, "port": CANARY}),
        admin.post(f"targets/{target}/replace-secret/", {"secret_kind": "sealed", "password": CANARY}),
        admin.post(f"targets/{target}/replace-secret/", {"secret_kind": "sealed", "password": CANARY + "x"}),
        admin.put(f"targets/{target}/", {"host": "localhost", "target_password": CANARY}),
        admin.client.post("/api/targets/", '{"password": "' + CANARY, content_type="application/json"),
    ]
    plan = a_plan(target=apps.get_model("migrations_app", "Target").objects.get(pk=target), author=author)
    answers += [as_user(author).post(f"plans/{plan.pk}/preflight/"), as_user(author).get(f"plans/{plan.pk}/events/")]

    told = "".join(answer.content.decode() for answer in answers)
    printed = capfd.readouterr()

    assert answers[0].status_code == 201 and answers[14].status_code == 200
    assert CANARY not in told
    assert CANARY not in caplog.text + printed.out + printed.err
    assert CANARY not in all_rows()


def test_a_targets_password_is_not_in_the_name_of_a_session_on_the_target(as_user, fields, shop):
    as_user(a_user(ADMIN)).post("targets/", fields)

    seen = shop.root.execute("SELECT application_name, query FROM pg_stat_activity").fetchall()

    assert CANARY not in str(seen)


def test_what_holds_a_password_hides_it_when_it_is_printed(fields):
    from migrations_app.services.target_fields import TargetFields

    wanted = TargetFields.parse(fields)

    assert CANARY not in repr(wanted) + repr(wanted.place(CANARY)) + repr(wanted.place(CANARY).address)


def test_a_persons_password_comes_out_nowhere(as_user, caplog, capfd):
    caplog.set_level("DEBUG")
    person = as_user(a_user(ADMIN))
    answers = [
        person.post("session/", {"username": person.user.username, "password": PASSWORD}),
        person.post("tokens/", {"name": "ci", "password": PASSWORD}),
        person.post("tokens/", {"name": "", "password": PASSWORD}),
        *[person.post("session/", {"username": person.user.username, "password": CANARY}) for _ in range(TRIES + 1)],
    ]

    told = "".join(answer.content.decode() for answer in answers)
    printed = capfd.readouterr()

    assert answers[-1].status_code == 429
    assert PASSWORD not in told + caplog.text + printed.out + printed.err + all_rows()
    assert CANARY not in told + caplog.text + printed.out + printed.err + all_rows()


def test_a_name_typed_wrongly_is_not_kept_since_it_may_be_the_password(anonymous):
    anonymous.post("session/", {"username": CANARY, "password": "x"})

    assert CANARY not in all_rows()


def all_rows():
    """Return everything that the control database holds, as text."""
    models = apps.get_app_config("migrations_app").get_models()
    return str([list(model.objects.values()) for model in models])
