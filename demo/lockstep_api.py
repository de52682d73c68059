"""Speaks to Lockstep's public HTTP API with a token, as any program may. Standard library only."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_S = 30


class Problem(Exception):
    """The API refused; `code` is stable, see docs/reference/errors.md."""

    def __init__(self, status: int, body: dict[str, Any]):
        self.status = status
        self.body = body
        self.code = str(body.get("code", ""))
        super().__init__(f"{status} {self.code}: {body.get('detail', '')}")


def sign_in(url: str, username: str, password: str, *, program: str) -> LockstepApi:
    """Sign in as a person would, and return the API as a program of theirs sees it, with a token of its own."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    browser = LockstepApi(url, opener=opener)
    session = browser.post("session/", {"username": username, "password": password})
    browser.headers = {"X-CSRFToken": session["csrf_token"]}
    issued = browser.post("tokens/", {"name": program, "password": password})
    return LockstepApi(url, issued["token"])


class LockstepApi:
    """One account's view of the API."""

    def __init__(self, url: str, token: str = "", *, opener: urllib.request.OpenerDirector | None = None):
        self.url = url.rstrip("/")
        self.opener = opener or urllib.request.build_opener()
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, *, timeout_s: float = TIMEOUT_S) -> Any:
        return self._ask("GET", path, None, timeout_s)

    def post(self, path: str, body: dict[str, Any] | None = None, *, timeout_s: float = TIMEOUT_S) -> Any:
        return self._ask("POST", path, body or {}, timeout_s)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask("PUT", path, body, TIMEOUT_S)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, timeout_s: float) -> Any:
        headers = {"Accept": "application/json"} | self.headers
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(
            f"{self.url}/api/{path}", None if body is None else json.dumps(body).encode(), headers, method=method
        )
        try:
            with self.opener.open(request, timeout=timeout_s) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise Problem(error.code, _body(error.read())) from error
        return json.loads(text) if text else None


def _body(text: bytes) -> dict[str, Any]:
    """Return a problem's fields, also where a server in between answered with something else."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"detail": text[:500].decode(errors="replace")}
