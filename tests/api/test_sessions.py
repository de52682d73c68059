"""Who speaks: sessions of people, tokens of programs, and what guessing comes to."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from migrations_app.api import sessions
from migrations_app.models import ApiToken, Event
from migrations_app.services.sign_ins import TRIES
from tests.builders import OPERATOR, PASSWORD, VIEWER, a_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser():
    """A client that keeps cookies and whose writes are checked for forgery, as a browser's are."""
    return APIClient(enforce_csrf_checks=True)


def sign_in(client, user, password=PASSWORD, **headers):
    return client.post(
        "/api/session/", {"username": user.username, "password": password}, format="json", headers=headers
    )


def test_a_person_signs_in_and_is_told_roles_and_the_token_against_forgery(browser):
    user = a_user(OPERATOR, environment="staging")

    answer = sign_in(browser, user)

    assert answer.status_code == 201
    assert answer.data["roles"] == [{"role": "operator", "project": "", "environment": "staging"}]
    assert answer.data["csrf_token"]


def test_the_cookie_of_the_session_opens_the_api(browser):
    sign_in(browser, a_user(VIEWER))

    assert browser.get("/api/plans/").status_code == 200


def test_a_write_with_the_cookie_alone_is_refused(browser):
    sign_in(browser, a_user(VIEWER))

    answer = browser.post("/api/tokens/", {"name": "ci"}, format="json")

    assert (answer.status_code, answer.data["code"]) == (403, "permission_denied")


def test_a_write_with_the_cookie_and_the_token_against_forgery_is_taken(browser):
    csrf = sign_in(browser, a_user(VIEWER)).data["csrf_token"]

    answer = browser.post("/api/tokens/", {"name": "ci"}, format="json", headers={"X-CSRFToken": csrf})

    assert answer.status_code == 201


def test_signing_in_takes_json_so_that_no_form_of_another_site_can_do_it(browser):
    user = a_user(VIEWER)

    answer = browser.post(
        "/api/session/", f"username={user.username}", content_type="application/x-www-form-urlencoded"
    )

    assert answer.status_code == 415


@pytest.mark.parametrize("case", ["wrong password", "unknown name", "disabled account"])
def test_nobody_learns_from_the_answer_which_names_exist(browser, case):
    user = a_user(VIEWER)
    if case == "disabled account":
        user.is_active = False
        user.save()
    name = "nobody" if case == "unknown name" else user.username

    answer = browser.post(
        "/api/session/",
        {"username": name, "password": "guess" if case == "wrong password" else PASSWORD},
        format="json",
    )

    assert (answer.status_code, answer.data["code"]) == (401, "wrong_credentials")
    assert answer.data["detail"] == "Name or password is wrong."


def test_after_ten_wrong_passwords_the_right_one_must_wait_too(browser):
    user = a_user(VIEWER)
    for _ in range(TRIES):
        sign_in(browser, user, password="guess")

    answer = sign_in(browser, user)

    assert (answer.status_code, answer.data["code"]) == (429, "too_many_tries")
    assert answer.headers["Retry-After"] == "300"


def test_guessing_from_elsewhere_does_not_lock_a_colleague_out(browser):
    user = a_user(VIEWER)
    for _ in range(TRIES):
        browser.post(
            "/api/session/", {"username": user.username, "password": "guess"}, format="json", REMOTE_ADDR="192.0.2.66"
        )

    assert sign_in(browser, user).status_code == 201


def test_a_forged_address_does_not_buy_more_tries(browser):
    user = a_user(VIEWER)
    for number in range(TRIES):
        sign_in(browser, user, password="guess", **{"X-Forwarded-For": f"192.0.2.{number}"})

    assert sign_in(browser, user).status_code == 429


def test_every_try_is_in_the_log_without_the_password(browser):
    user = a_user(VIEWER)
    sign_in(browser, user, password="guess")
    sign_in(browser, user)

    events = Event.objects.filter(stream__kind="user", stream__object_id=user.pk)

    assert [event.kind for event in events] == ["sign_in_failed", "signed_in"]
    assert all(event.payload == {"address": "127.0.0.1"} for event in events)


def test_signing_out_tells_the_sockets_of_the_session(browser, monkeypatch):
    ended = []
    monkeypatch.setattr(sessions, "publish_session_end", ended.append)
    csrf = sign_in(browser, a_user(VIEWER)).data["csrf_token"]
    key = browser.session.session_key

    browser.delete("/api/session/", headers={"X-CSRFToken": csrf})

    assert ended == [key]


def test_signing_out_ends_the_session(browser):
    csrf = sign_in(browser, a_user(VIEWER)).data["csrf_token"]

    browser.delete("/api/session/", headers={"X-CSRFToken": csrf})

    assert browser.get("/api/plans/").status_code == 401


def test_a_session_that_was_just_opened_counts_as_freshly_proven(browser):
    sign_in(browser, a_user(VIEWER))

    assert browser.get("/api/session/").data["reauthenticated_until"] is not None


def test_the_proof_wears_off(browser, settings, time_machine):
    sign_in(browser, a_user(VIEWER))

    time_machine.move_to(timezone.now() + timedelta(seconds=settings.LOCKSTEP_REAUTHENTICATE_S + 1))

    assert browser.get("/api/session/").data["reauthenticated_until"] is None


def test_a_token_is_shown_once_and_only_its_digest_is_kept(as_user):
    user = a_user(VIEWER)
    program = as_user(user)

    issued = program.post("tokens/", {"name": "ci", "password": PASSWORD})
    listed = program.get("tokens/")

    assert issued.data["token"].startswith("lockstep_")
    assert issued.data["token"] not in str(listed.data)
    assert issued.data["token"] not in str(list(ApiToken.objects.values()))


def test_a_token_opens_the_api(anonymous, as_user):
    token = as_user(a_user(VIEWER)).post("tokens/", {"name": "ci", "password": PASSWORD}).data["token"]

    anonymous.client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    assert anonymous.get("plans/").status_code == 200


def test_a_token_cannot_make_another_without_the_password(as_user):
    answer = as_user(a_user(VIEWER)).post("tokens/", {"name": "second"})

    assert (answer.status_code, answer.data["code"]) == (422, "password_needed")


def test_a_token_does_not_borrow_the_freshness_of_a_session_beside_it(browser, as_user):
    user = a_user(VIEWER)
    token = as_user(user).post("tokens/", {"name": "ci", "password": PASSWORD}).data["token"]
    sign_in(browser, user)

    answer = browser.post(
        "/api/tokens/", {"name": "second"}, format="json", headers={"Authorization": f"Bearer {token}"}
    )

    assert (answer.status_code, answer.data["code"]) == (422, "password_needed")


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer lockstep_wrong", "Bearer two words", "Token lockstep_wrong", "Bearer é"]
)
def test_a_header_that_is_no_valid_token_is_refused(anonymous, header):
    anonymous.client.credentials(HTTP_AUTHORIZATION=header)

    answer = anonymous.get("plans/")

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="lockstep"')


@pytest.mark.parametrize("change", ["expired", "revoked", "disabled"])
def test_a_token_that_has_lost_its_worth_is_refused(as_user, change):
    user = a_user(VIEWER)
    program = as_user(user)
    if change == "expired":
        ApiToken.objects.update(expires_at=timezone.now())
    if change == "revoked":
        program.delete(f"tokens/{ApiToken.objects.get().pk}/")
    if change == "disabled":
        user.is_active = False
        user.save()

    assert program.get("plans/").status_code == 401


def test_nobody_revokes_the_token_of_somebody_else(as_user):
    as_user(a_user(VIEWER))
    theirs = ApiToken.objects.get()

    answer = as_user(a_user(VIEWER)).delete(f"tokens/{theirs.pk}/")

    assert answer.status_code == 404
    assert ApiToken.objects.get(pk=theirs.pk).revoked_at is None


def test_without_any_of_it_there_is_nothing_to_see(anonymous):
    answer = anonymous.get("plans/")

    assert (answer.status_code, answer.data["code"]) == (401, "not_authenticated")


def test_answers_are_not_kept_by_caches(as_user):
    assert as_user(a_user(VIEWER)).get("plans/").headers["Cache-Control"] == "no-store"
