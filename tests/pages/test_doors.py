"""In and out."""

import pytest
from django.urls import reverse

from migrations_app.services.sign_ins import REAUTHENTICATED_AT
from tests.builders import AUTHOR, PASSWORD, VIEWER, a_user

pytestmark = pytest.mark.django_db


def test_every_page_asks_who_one_is(stranger):
    page = stranger.get("/plans/")

    assert page.response.url == "/sign-in/?next=/plans/"


def test_name_and_password_lead_to_where_one_wanted_to_go(stranger):
    user = a_user(VIEWER)

    page = stranger.post("/sign-in/", username=user.username, password=PASSWORD, next="/targets/")

    assert page.response.redirect_chain == [("/targets/", 302)]


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil"])
def test_nobody_is_led_to_another_site(stranger, elsewhere):
    user = a_user(VIEWER)

    page = stranger.post("/sign-in/", username=user.username, password=PASSWORD, next=elsewhere)

    assert page.response.redirect_chain == [("/", 302)]


def test_a_wrong_password_is_told_without_saying_which_was_wrong(stranger):
    user = a_user(VIEWER)

    wrong, unknown = (stranger.post("/sign-in/", username=n, password="no") for n in (user.username, "nobody"))

    assert (wrong.status, unknown.status) == (401, 401)
    assert "Name or password is wrong." in wrong and "Name or password is wrong." in unknown


def test_guessing_is_slowed_down(stranger):
    user = a_user(VIEWER)
    for _ in range(10):
        stranger.post("/sign-in/", username=user.username, password="no")

    assert stranger.post("/sign-in/", username=user.username, password=PASSWORD).status == 429


def test_the_demo_offers_its_people_by_one_click(stranger, settings):
    settings.LOCKSTEP_DEMO = True
    user = a_user(AUTHOR, username="ada")

    assert "writes plans" in stranger.get("/sign-in/")
    assert "Fleet" in stranger.post(f"/sign-in/{user.pk}/")


def test_outside_the_demo_nobody_comes_in_without_a_password(stranger, settings):
    settings.LOCKSTEP_DEMO = False
    user = a_user(AUTHOR)

    assert stranger.post(f"/sign-in/{user.pk}/").status == 404
    assert stranger.get("/").response.url == "/sign-in/?next=/"


def test_signing_out_ends_the_session(as_person):
    reader = as_person(a_user(VIEWER))

    reader.post("/sign-out/")

    assert reader.get("/").response.url == "/sign-in/?next=/"


def test_signing_out_is_no_link(as_person):
    assert as_person(a_user(VIEWER)).get("/sign-out/").status == 405


def test_giving_the_password_again_makes_it_fresh(as_person):
    reader = as_person(a_user(VIEWER))

    page = reader.post("/reauthenticate/", password=PASSWORD, next="/plans/")

    assert page.response.redirect_chain == [("/plans/", 302)]
    assert reader.client.session[REAUTHENTICATED_AT] > 0


def test_a_wrong_password_is_not_fresh(as_person):
    reader = as_person(a_user(VIEWER))

    assert reader.post("/reauthenticate/", password="no").status == 401
    assert REAUTHENTICATED_AT not in reader.client.session


def test_what_is_not_there_says_so(as_person):
    page = as_person(a_user(VIEWER)).get(reverse("plan", args=[4711]))

    assert page.status == 404
    assert "There is nothing here" in page
