"""manage.py create_person: the way to the first account where nobody can sign in yet."""

from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from migrations_app.models import Event, User

pytestmark = pytest.mark.django_db


def create(*arguments):
    printed = StringIO()
    call_command("create_person", *arguments, stdout=printed)
    return printed.getvalue()


def password_in(printed):
    return printed.split("password: ")[1].split()[0]


def test_a_new_account_can_sign_in_with_the_password_that_is_printed():
    printed = create("ann", "--roles", "author", "operator", "--full-name", "Ann Author")

    user = authenticate(username="ann", password=password_in(printed))
    assert user.display_name == "Ann Author"
    assert {grant.role for grant in user.role_grants.all()} == {"author", "operator"}


def test_running_it_again_adds_roles_and_keeps_the_password():
    password = password_in(create("ann", "--roles", "author"))

    printed = create("ann", "--roles", "author", "oncall")

    assert "roles author, oncall" in printed
    assert "password" not in printed
    assert authenticate(username="ann", password=password)


def test_a_new_password_replaces_the_old_one_where_it_is_asked_for():
    before = password_in(create("ann"))

    after = password_in(create("ann", "--new-password"))

    assert authenticate(username="ann", password=before) is None
    assert authenticate(username="ann", password=after)


def test_an_unknown_role_is_refused_and_nothing_is_made():
    with pytest.raises(CommandError, match="captain"):
        create("ann", "--roles", "captain")

    assert not User.objects.exists()


def test_what_it_did_is_in_the_event_log_without_the_password():
    password = password_in(create("ann", "--roles", "author"))

    kinds = [event.kind for event in Event.objects.order_by("id")]
    assert kinds == ["person_created", "roles_given"]
    assert not any(password in str(event.payload) for event in Event.objects.all())
