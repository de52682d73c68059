"""A page's socket, as a browser opens it: with its session's cookie and its origin."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from django.conf import settings
from django.test import Client

from controlplane.asgi import application
from migrations_app.models import Plan, User

PATIENCE_S = 5.0


def in_db(act: Any) -> Any:
    """Make a function that reads or writes the database usable in an async test."""
    return database_sync_to_async(act, thread_sensitive=False)


class Socket:
    """What comes over one socket, frame by frame."""

    def __init__(self, line: ApplicationCommunicator) -> None:
        self.line = line

    async def frame(self, kind: str = "") -> dict[str, Any]:
        """Return the next frame, or the next of a kind."""
        while True:
            output = await self.line.receive_output(timeout=PATIENCE_S)
            assert output["type"] == "websocket.send", output
            frame = json.loads(output["text"])
            if not kind or frame["type"] == kind:
                return frame

    async def news(self) -> dict[str, Any]:
        """Return the next delta with an event; others tell of clocks."""
        while not (delta := await self.frame("delta"))["events"]:
            pass
        return delta

    async def kinds_until(self, kind: str) -> list[str]:
        kinds: list[str] = []
        while len(kinds) < 10 and (not kinds or kinds[-1] != kind):
            kinds.append((await self.frame())["type"])
        return kinds

    async def close_code(self) -> int:
        """Return with which code the server closes."""
        while True:
            output = await self.line.receive_output(timeout=PATIENCE_S)
            if output["type"] == "websocket.close":
                return output.get("code", 1000)

    async def say(self, text: str) -> None:
        await self.line.send_input({"type": "websocket.receive", "text": text})


def session_of(user: User) -> str:
    """Sign in and return the session's key."""
    client = Client()
    client.force_login(user)
    return client.session.session_key or ""


@asynccontextmanager
async def a_page(
    plan: Plan | int, user: User | None = None, *, session: str = "", query: str = "", origin: str = "http://127.0.0.1"
) -> AsyncIterator[Socket]:
    """Open the socket of a plan's page as this person."""
    key = session or (await in_db(session_of)(user) if user else "")
    headers = [
        (b"origin", origin.encode()),
        (b"host", b"127.0.0.1"),
        (b"cookie", f"{settings.SESSION_COOKIE_NAME}={key}".encode()),
    ]
    plan_id = plan if isinstance(plan, int) else plan.pk
    scope = {"type": "websocket", "path": f"/feed/plans/{plan_id}/", "query_string": query.removeprefix("?").encode()}
    line = ApplicationCommunicator(application, scope | {"headers": headers, "subprotocols": []})
    await line.send_input({"type": "websocket.connect"})
    answer = await line.receive_output(timeout=PATIENCE_S)
    if answer["type"] != "websocket.accept":
        raise ConnectionRefusedError(answer)
    try:
        yield Socket(line)
    finally:
        await line.send_input({"type": "websocket.disconnect", "code": 1001})
        await line.wait(timeout=PATIENCE_S)
