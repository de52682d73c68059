"""How the web process hears of news: one Redis subscription per process, fanned out to the sockets in it.

Nudges are hints. One that is lost costs two seconds, since every socket also looks by itself; so nothing here retries
hard, buffers or raises.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import redis.asyncio
from django.conf import settings
from redis.exceptions import RedisError

from migrations_app.dispatch import NUDGE_PREFIX

logger = logging.getLogger("lockstep.nudges")

RECONNECT_S = 1.0


class Ear:
    """What one socket has heard since it last looked. Many nudges are one."""

    def __init__(self) -> None:
        self._heard = asyncio.Event()
        self.has_events = False
        """Whether an event came, and not only samples."""
        self.ended = False
        """Whether the reader's session may have ended."""

    def notice(self, message: dict[str, object]) -> None:
        self.has_events = self.has_events or message.get("last_seq") is not None
        self.ended = self.ended or bool(message.get("ended"))
        self._heard.set()

    async def hear(self, within_s: float) -> bool:
        """Wait for a nudge; False where none came in time."""
        try:
            async with asyncio.timeout(max(0.0, within_s)):
                await self._heard.wait()
        except TimeoutError:
            return False
        self._heard.clear()
        return True

    def settle(self) -> None:
        """Forget what was heard, before looking."""
        self._heard.clear()
        self.has_events = self.ended = False


class Nudges:
    """The subscription of one event loop; it stands while anybody listens."""

    def __init__(self) -> None:
        self._ears: dict[str, set[Ear]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def listening(self, *topics: str) -> Iterator[Ear]:
        """Return an ear for the nudges of these topics."""
        ear = Ear()
        for topic in topics:
            self._ears.setdefault(topic, set()).add(ear)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen())
        try:
            yield ear
        finally:
            for topic in topics:
                self._ears[topic].discard(ear)
                if not self._ears[topic]:
                    del self._ears[topic]
            if not self._ears:
                self._task.cancel()

    async def _listen(self) -> None:
        while True:
            try:
                await self._follow()
            except (RedisError, OSError) as error:
                logger.warning("nudges lost", extra={"action": "nudges_lost", "error": type(error).__name__})
                await asyncio.sleep(RECONNECT_S)

    async def _follow(self) -> None:
        async with redis.asyncio.Redis.from_url(settings.REDIS_URL, health_check_interval=10) as client:
            async with client.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.psubscribe(f"{NUDGE_PREFIX}*")
                async for message in subscription.listen():
                    self._pass_on(message["channel"].decode().removeprefix(NUDGE_PREFIX), message["data"])

    def _pass_on(self, topic: str, data: bytes) -> None:
        try:
            message = json.loads(data)
        except ValueError:
            return
        for ear in self._ears.get(topic, ()):
            ear.notice(message)


_nudges_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Nudges] = WeakKeyDictionary()


def nudges() -> Nudges:
    """Return this event loop's subscription."""
    return _nudges_by_loop.setdefault(asyncio.get_running_loop(), Nudges())
