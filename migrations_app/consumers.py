"""The live feed of a plan's page: authorises, tells how things stand, then what changes. It accepts no commands.

A socket is told everything by number, so lost, doubled or late nudges do no harm. One that does not read is closed
after SEND_S instead of being buffered for; it gets a snapshot when it comes back.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user

from migrations_app import frames
from migrations_app.dispatch import plan_topic, session_topic
from migrations_app.frames import Frame, Place
from migrations_app.models import Plan, User
from migrations_app.nudges import Ear, nudges
from migrations_app.selectors.access import access_plans
from migrations_app.selectors.feed import epoch
from migrations_app.selectors.series import Cursor
from migrations_app.shared_state import SharedState

logger = logging.getLogger("lockstep.feed")

BEAT_S = 2.0
"""Two beats missed and a page knows that its socket is dead, well before its data are called stale."""
SAMPLES_EVERY_S = 1.0
"""The charts' resolution; events do not wait for it."""
SEND_S = 5.0
"""A reader that takes nothing for this long is closed."""

shared_state = SharedState()

SESSION_ENDED, FORBIDDEN, TOO_SLOW, NOTHING_TO_SAY, BROKEN = 4401, 4403, 4408, 4400, 1011


class Closed(Exception):
    """The socket must end, with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class PlanFeed(AsyncWebsocketConsumer):
    """One page of one plan."""

    async def connect(self) -> None:
        await self.accept()  # a refusal before that would reach the page without its code
        self.work = asyncio.create_task(self._work())

    async def disconnect(self, code: int) -> None:
        if hasattr(self, "work"):
            self.work.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Commands go by HTTP alone."""
        await self.close(NOTHING_TO_SAY)

    async def _work(self) -> None:
        try:
            await self._feed()
        except Closed as closed:
            await self._end(closed.code)
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("feed broke", extra={"action": "feed_broke", "plan": self._plan_id})
            await self._end(BROKEN)

    async def _feed(self) -> None:
        self.actor = await _read(admitted, self._session_key, self._plan_id)
        checked_at = told_at = time.monotonic()
        with nudges().listening(plan_topic(self._plan_id), session_topic(self._session_key)) as ear:
            await self._send(await _read(frames.hello))
            await self._greet()
            while True:
                beat_at = told_at + BEAT_S
                await self._wait_for_news(ear, beat_at)
                if ear.ended or time.monotonic() - checked_at >= settings.LOCKSTEP_SOCKET_CHECK_S:
                    self.actor = await _read(admitted, self._session_key, self._plan_id)
                    checked_at = time.monotonic()
                ear.settle()
                is_due = time.monotonic() >= beat_at
                await self._tell_news(derive=is_due)
                if is_due:
                    await self._send(await _read(_beat, self._plan_id))
                    told_at = time.monotonic()

    async def _greet(self) -> None:
        """Go on from where the page says it is, if that is in this log; else tell everything."""
        query = self.scope["query_string"].decode(errors="replace")
        asked = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        samples = Cursor.parse(asked.get("samples_after", ""))
        after = asked.get("after", "")
        if samples and after.isdecimal() and len(after) < 19 and asked.get("epoch") == await _read(epoch):
            self.place = Place(int(after), samples)
            await self._tell_news(derive=True)
        else:
            self.looked_at = time.monotonic()
            frame, self.place = await _read(_snapshot, self._plan_id, self.actor)
            await self._send(frame)

    async def _wait_for_news(self, ear: Ear, until: float) -> None:
        """Return at once for an event, and at most once a second for samples."""
        while await ear.hear(until - time.monotonic()):
            if ear.has_events or ear.ended:
                return
            until = min(until, self.looked_at + SAMPLES_EVERY_S)

    async def _tell_news(self, *, derive: bool) -> None:
        self.looked_at = time.monotonic()
        frame, self.place = await _read(_delta, self._plan_id, self.actor, self.place, derive)
        if frame is not None:
            await self._send(frame)

    async def _send(self, frame: Frame) -> None:
        try:
            async with asyncio.timeout(SEND_S):
                await self.send(text_data=json.dumps(frame, separators=(",", ":")))
        except TimeoutError:
            raise Closed(TOO_SLOW) from None

    async def _end(self, code: int) -> None:
        try:
            if code != TOO_SLOW:
                await self._send(frames.bye(code, retry_after_s=5 if code == BROKEN else 0))
            async with asyncio.timeout(SEND_S):
                await self.close(code)
        except (Closed, TimeoutError):
            logger.warning("feed not closed", extra={"action": "feed_not_closed", "plan": self._plan_id})

    @property
    def _plan_id(self) -> int:
        return self.scope["url_route"]["kwargs"]["plan_id"]

    @property
    def _session_key(self) -> str:
        return self.scope["session"].session_key or ""


def admitted(session_key: str, plan_id: int) -> User:
    """Return who reads, by a session that stands now and a right that holds now; raises Closed."""
    store = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(SimpleNamespace(session=store)) if session_key else None
    if not isinstance(user, User):
        raise Closed(SESSION_ENDED)
    if not access_plans(user).filter(pk=plan_id).exists():
        raise Closed(FORBIDDEN)
    return user


def _snapshot(plan_id: int, actor: User) -> tuple[Frame, Place]:
    return frames.snapshot(_plan(plan_id), actor)


def _delta(plan_id: int, actor: User, place: Place, derive: bool) -> tuple[Frame | None, Place]:
    return frames.delta(_plan(plan_id), actor, place, derive=derive, read=shared_state)


def _beat(plan_id: int) -> Frame:
    return frames.beat(_plan(plan_id))


def _plan(plan_id: int) -> Plan:
    return Plan.objects.select_related("target", "author").get(pk=plan_id)


async def _read(read: Any, *arguments: Any) -> Any:
    """Run a read in a thread of its own: sockets must not queue behind each other for the one that Django shares."""
    return await database_sync_to_async(read, thread_sensitive=False)(*arguments)
