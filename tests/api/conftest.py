"""How tests speak to the API: as a program of somebody, with a token of theirs."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.response import Response
from rest_framework.test import APIClient

from migrations_app.models import User
from migrations_app.services.tokens import token_issue


class Caller:
    """A program with a token. Paths are those behind /api/."""

    def __init__(self, user: User | None = None) -> None:
        self.user = user
        self.client = APIClient()
        if user is not None:
            self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_issue(user, 'test')[1]}")

    def get(self, path: str, **query: Any) -> Response:
        return self.client.get(f"/api/{path}", query)

    def post(self, path: str, body: Any = None, *, key: str = "") -> Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.client.post(f"/api/{path}", {} if body is None else body, format="json", headers=headers)

    def put(self, path: str, body: Any) -> Response:
        return self.client.put(f"/api/{path}", body, format="json")

    def delete(self, path: str) -> Response:
        return self.client.delete(f"/api/{path}")


@pytest.fixture
def as_user():
    """Return a function that gives a person's program."""
    return Caller


@pytest.fixture
def anonymous():
    return Caller()


@pytest.fixture(autouse=True)
def no_throttle_from_before():
    cache.clear()
