"""The socket of a plan's page: who is let in and for how long, what is told, and that nothing is taken."""

import asyncio

import pytest
from django.contrib.sessions.models import Session
from django.db import transaction

from migrations_app import consumers, events
from migrations_app.consumers import FORBIDDEN, NOTHING_TO_SAY, SESSION_ENDED, TOO_SLOW, PlanFeed
from migrations_app.dispatch import publish_session_end
from migrations_app.models import Event, EventStream, RoleGrant
from migrations_app.services.runs import run_abort
from tests.builders import ONCALL, VIEWER, a_plan, a_run, a_user
from tests.feed.pages import a_page, in_db, session_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick_beats(monkeypatch):
    """Two seconds are long for a test."""
    monkeypatch.setattr(consumers, "BEAT_S", 0.3)
    monkeypatch.setattr(consumers, "SAMPLES_EVERY_S", 0.1)


@pytest.fixture
def viewer(db):
    return a_user(VIEWER)


@pytest.fixture
def plan(db):
    return a_plan("submitted")


async def test_a_page_is_told_who_speaks_and_how_things_stand(plan, viewer):
    async with a_page(plan, viewer) as page:
        hello, snapshot = await page.frame(), await page.frame()

    assert (hello["type"], hello["proto"]) == ("hello", 1)
    assert (snapshot["type"], snapshot["seq"], snapshot["state"]["plan"]["status"]) == ("snapshot", 2, "submitted")


async def test_an_event_is_told_with_its_number(plan, viewer):
    async with a_page(plan, viewer) as page:
        await page.frame("snapshot")
        await in_db(tell)(plan)
        delta = await page.news()

    assert (delta["from"], delta["to"], [event["kind"] for event in delta["events"]]) == (3, 3, ["plan_looked_at"])


async def test_beats_come_also_while_nothing_happens(plan, viewer):
    async with a_page(plan, viewer) as page:
        await page.frame("snapshot")
        first, second = await page.frame("beat"), await page.frame("beat")

    assert (first["last_seq"], second["last_seq"]) == (2, 2)


async def test_an_event_whose_nudge_was_lost_is_told_with_the_next_beat(plan, viewer):
    async with a_page(plan, viewer) as page:
        await page.frame("snapshot")
        await in_db(tell_without_nudge)(plan)
        delta = await page.news()

    assert delta["to"] == 3


async def test_a_change_of_words_without_an_event_is_told(viewer):
    run = await in_db(a_run)()
    async with a_page(run.plan_id, viewer) as page:
        snapshot = await page.frame("snapshot")
        await in_db(lose_the_supervisor)(run)
        while (delta := await page.frame("delta"))["derived"]["supervisor"]["alive"]:
            pass

    assert snapshot["derived"]["supervisor"]["alive"]
    assert (delta["from"], delta["to"], delta["events"]) == (snapshot["seq"] + 1, snapshot["seq"], [])


async def test_a_page_that_comes_back_gets_what_it_missed(plan, viewer):
    async with a_page(plan, viewer) as page:
        seen = await page.frame("snapshot")
    await in_db(tell)(plan)

    place = f"?after={seen['seq']}&samples_after={seen['samples_at']}&epoch={seen['epoch']}"
    async with a_page(plan, viewer, query=place) as page:
        kinds = await page.kinds_until("delta")

    assert kinds == ["hello", "delta"]


@pytest.mark.parametrize(
    "place",
    [
        "?after=2&samples_after=0.0.0.0&epoch=another",
        "?after=x&samples_after=0.0.0.0",
        "?after=2",
        "?after=" + "9" * 40,
    ],
)
async def test_a_page_of_another_log_or_of_no_place_starts_anew(plan, viewer, place):
    async with a_page(plan, viewer, query=place) as page:
        kinds = await page.kinds_until("snapshot")

    assert kinds == ["hello", "snapshot"]


async def test_somebody_who_is_not_signed_in_is_sent_away(plan):
    async with a_page(plan) as page:
        assert await page.close_code() == SESSION_ENDED


async def test_somebody_without_a_role_there_is_sent_away(plan):
    stranger = await in_db(a_user)(VIEWER, environment="development")

    async with a_page(plan, stranger) as page:
        assert await page.close_code() == FORBIDDEN


async def test_a_plan_that_does_not_exist_is_none_that_one_may_see(viewer):
    async with a_page(4711, viewer) as page:
        assert await page.close_code() == FORBIDDEN


async def test_signing_out_ends_the_socket_at_once(plan, viewer):
    session = await in_db(session_of)(viewer)
    async with a_page(plan, session=session) as page:
        await page.frame("snapshot")
        await in_db(end_session)(session)

        assert await page.close_code() == SESSION_ENDED


async def test_a_role_that_was_taken_away_ends_the_socket_with_the_next_look(plan, viewer, settings):
    settings.LOCKSTEP_SOCKET_CHECK_S = 0.2
    async with a_page(plan, viewer) as page:
        await page.frame("snapshot")
        await in_db(RoleGrant.objects.filter(user=viewer).delete)()

        assert await page.close_code() == FORBIDDEN


async def test_a_new_password_ends_the_socket_with_the_next_look(plan, viewer, settings):
    settings.LOCKSTEP_SOCKET_CHECK_S = 0.2
    async with a_page(plan, viewer) as page:
        await page.frame("snapshot")
        await in_db(change_password)(viewer)

        assert await page.close_code() == SESSION_ENDED


async def test_a_page_that_says_something_is_closed(plan, viewer):
    async with a_page(plan, viewer) as page:
        await page.frame("snapshot")
        await page.say('{"verb": "abort"}')

        assert await page.close_code() == NOTHING_TO_SAY


async def test_a_page_of_another_site_is_refused(plan, viewer):
    with pytest.raises(ConnectionRefusedError):
        async with a_page(plan, viewer, origin="http://evil.example"):
            pass


async def test_a_page_that_does_not_read_is_closed(plan, viewer, monkeypatch):
    monkeypatch.setattr(consumers, "SEND_S", 0.1)
    monkeypatch.setattr(PlanFeed, "send", lambda self, **frame: asyncio.sleep(60))

    async with a_page(plan, viewer) as page:
        assert await page.close_code() == TOO_SLOW


async def test_many_nudges_are_one_delta(plan, viewer):
    async with a_page(plan, viewer) as page:
        await page.frame("snapshot")
        await in_db(tell)(plan, times=20)
        deltas = [await page.news()]
        while deltas[-1]["to"] < 22:
            deltas.append(await page.news())

    assert [event["seq"] for delta in deltas for event in delta["events"]] == list(range(3, 23))
    assert len(deltas) < 20


async def test_an_abort_is_told_at_once_and_not_as_done(viewer):
    run = await in_db(a_run)()
    oncall = await in_db(a_user)(ONCALL)
    async with a_page(run.plan_id, viewer) as page:
        await page.frame("snapshot")
        await in_db(run_abort)(run, actor=oncall)
        delta = await page.news()

    assert [event["kind"] for event in delta["events"]] == ["abort_requested"]
    assert "being aborted" in delta["derived"]["words"]["state"]
    assert delta["derived"]["run"]["commands"][-1]["verified_at"] is None


def tell(plan, times=1):
    for _ in range(times):
        with transaction.atomic():
            events.record(plan, "plan_looked_at", {}, by="a test")


def tell_without_nudge(plan):
    stream = EventStream.objects.get(kind="plan", object_id=plan.pk)
    stream.last_seq += 1
    stream.save()
    Event.objects.create(stream=stream, seq=stream.last_seq, kind="plan_looked_at", actor_name="a test")


def lose_the_supervisor(run):
    lease = run.plan.target.supervisor_lease
    lease.beat_at = None
    lease.save()


def end_session(key):
    Session.objects.filter(session_key=key).delete()
    publish_session_end(key)


def change_password(user):
    user.set_password("another one altogether")
    user.save()
