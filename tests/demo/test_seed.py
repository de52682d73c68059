"""manage.py demo_seed: makes the demo's people, target and plan once, however often it runs."""

import json
import os
import time
from io import StringIO
from urllib.parse import urlsplit

import psycopg
import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from demo.load import load
from migrations_app.models import Plan, Target, User
from migrations_app.services.tokens import is_valid, token_digest
from stack.target_roles import EXECUTOR
from tests.demo.shop import DATABASE, TARGET_URL

PASSWORD_VARIABLE = "LOCKSTEP_TARGET_SEED_TEST"

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not TARGET_URL, reason="no target server: run below python -m stack.servers"),
    pytest.mark.skipif(
        not os.environ.get("LOCKSTEP_TEST_REPLICA_URL"),
        reason="no replica: run below python -m stack.servers --replica",
    ),
]


def wait_for_replica(shop_url):
    """The database has only just been made; the replica may not have it yet."""
    with psycopg.connect(shop_url) as primary:
        position = primary.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
    with psycopg.connect(os.environ["LOCKSTEP_TEST_REPLICA_URL"], autocommit=True) as replica:
        deadline = time.monotonic() + 30
        while replica.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", position).fetchone() != (True,):
            assert time.monotonic() < deadline, "the replica does not follow"
            time.sleep(0.05)


@pytest.fixture
def seed(shop_url, tmp_path, monkeypatch):
    """Run the command on a loaded table, with the variables that the demo's stack sets; returns what it printed."""
    load(shop_url, 100)
    wait_for_replica(shop_url)
    address = urlsplit(TARGET_URL)
    for name, value in {
        "DEMO_STATE_DIR": str(tmp_path),
        "DEMO_ROWS": "100",
        "DEMO_TARGET_HOST": address.hostname,
        "DEMO_TARGET_PORT": str(address.port),
        "DEMO_TARGET_DATABASE": DATABASE,
        "DEMO_TARGET_USER": EXECUTOR,
        "DEMO_TARGET_PASSWORD_VARIABLE": PASSWORD_VARIABLE,
        "DEMO_REPLICA_PORT": str(urlsplit(os.environ["LOCKSTEP_TEST_REPLICA_URL"]).port),
        PASSWORD_VARIABLE: os.environ["LOCKSTEP_TEST_EXECUTOR_PASSWORD"],
    }.items():
        monkeypatch.setenv(name, value)

    def run():
        printed = StringIO()
        call_command("demo_seed", stdout=printed)
        return json.loads(printed.getvalue())

    return run


def test_everybody_can_sign_in_with_what_is_printed(seed):
    people = seed()["people"]

    assert [person["username"] for person in people] == ["ann", "paul", "olga"]
    assert all(authenticate(username=person["username"], password=person["password"]) for person in people)


def test_the_plan_waits_for_its_approval_and_nothing_warns(seed):
    plan = Plan.objects.get(pk=seed()["plan"])

    assert plan.status == "submitted"
    assert plan.preflight["objections"] == []


def test_the_target_is_registered_with_its_replica_and_without_its_password(seed):
    target = Target.objects.get(name=seed()["target"])

    assert target.replicas.count() == 1
    assert (target.secret_kind, target.secret_reference) == ("environment", PASSWORD_VARIABLE)


def test_a_second_run_changes_nothing(seed):
    first = seed()

    assert seed() == first
    assert Plan.objects.count() == 1


def test_a_password_changed_meanwhile_is_set_back_to_the_printed_one(seed):
    (ann, *_) = seed()["people"]
    user = User.objects.get(username="ann")
    user.set_password("something else altogether")
    user.save()

    seed()

    assert authenticate(username="ann", password=ann["password"])


def test_the_new_application_is_given_a_token_that_only_its_owner_can_read(seed, tmp_path):
    seed()

    path = tmp_path / "new-app.token"
    (token,) = User.objects.get(username="new-app").api_tokens.all()
    assert path.stat().st_mode & 0o777 == 0o600
    assert token.digest == token_digest(path.read_text())
    assert is_valid(token, token.created_at)


def test_a_target_that_moved_to_another_port_is_refused_where_nobody_answers(seed, monkeypatch):
    seed()
    monkeypatch.setenv("DEMO_TARGET_PORT", "1")

    with pytest.raises(CommandError):
        seed()
