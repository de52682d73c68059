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


class LockstepApi:
    """One account's view of the API."""

    def __init__(self, url: str, token: str = ""):
        self.url = url.rstrip("/")
        self.token = token

    def get(self, path: str, *, timeout_s: float = TIMEOUT_S) -> Any:
        return self._ask("GET", path, None, timeout_s)

    def post(self, path: str, body: dict[str, Any] | None = None, *, timeout_s: float = TIMEOUT_S) -> Any:
        return self._ask("POST", path, body or {}, timeout_s)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask("PUT", path, body, TIMEOUT_S)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, timeout_s: float) -> Any:
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Token {self.token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(
            f"{self.url}/api/{path}", None if body is None else json.dumps(body).encode(), headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
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
