"""How tests look at pages: as somebody who is signed in, by HTTP, without scripts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from migrations_app.models import User

AS_SCRIPT = {"HTTP_ACCEPT": "application/json"}


class Reader:
    """Somebody in front of a browser that runs no scripts."""

    def __init__(self, user: User | None = None) -> None:
        self.user = user
        self.client = Client()
        if user is not None:
            self.client.force_login(user)

    def get(self, path: str, **query: Any) -> Page:
        return Page(self.client.get(path, query))

    def post(self, path: str, **values: Any) -> Page:
        """Press a button and follow to the page that it leads to."""
        return Page(self.client.post(path, values, follow=True))

    def send(self, path: str, **values: Any) -> Any:
        """Press a button as the page's script does; return what it is told."""
        return self.client.post(path, values, **AS_SCRIPT)


class Page:
    """An answer, as people read it."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.status = response.status_code
        self.html = response.content.decode()

    @property
    def text(self) -> str:
        """What stands there, with blanks made one, without what only scripts read."""
        seen = re.sub(r"<(script|style|svg|dialog)\b.*?</\1>", " ", self.html, flags=re.S)
        return " ".join(re.sub(r"<[^>]+>", " ", seen).split())

    def __contains__(self, words: str) -> bool:
        return words in self.text

    def has_button(self, words: str) -> bool:
        """Return whether a button or a link that looks like one says this and is shown."""
        return any(words in " ".join(re.sub(r"<[^>]+>", " ", each).split()) for each in self._buttons())

    def _buttons(self) -> list[str]:
        shown = re.sub(r"<(form|span|a)\b[^>]*\bhidden>.*?</\1>", " ", self.html, flags=re.S)
        shown = re.sub(r"<dialog\b.*?</dialog>", " ", shown, flags=re.S)
        return [
            *re.findall(r"<button\b.*?</button>", shown, re.S),
            *re.findall(r"<a class=\"button.*?</a>", shown, re.S),
        ]


@pytest.fixture
def as_person():
    """Return a function that puts somebody in front of a browser."""
    return Reader


@pytest.fixture
def stranger() -> Reader:
    return Reader()
