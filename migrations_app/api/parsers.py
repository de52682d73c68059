"""Reads JSON bodies strictly: bounded in size, depth and keys, no key twice, no NaN, no text that cannot be stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

DEEPEST = 32
MOST_KEYS = 1_000


class StrictJSONParser(BaseParser):
    """Two readers of the same bytes must see the same plan: what is ambiguous is refused."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestDataTooBig()
        try:
            parsed = json.loads(body, object_pairs_hook=_without_doubles, parse_constant=_refuse_constant)
        except RecursionError as error:
            raise ParseError(f"The JSON is nested deeper than {DEEPEST} levels.") from error
        except ValueError as error:  # also bytes that are no UTF-8, and numbers of thousands of digits
            raise ParseError(f"This is no valid JSON: {_fact(error)}.") from error
        _check(parsed)
        return parsed


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ParseError("A key stands twice in one object.")
    return found


def _refuse_constant(name: str) -> None:
    raise ParseError(f"{name} is no JSON number.")


def _check(parsed: Any) -> None:
    """Walk over everything once, without recursion."""
    keys, waiting = 0, [(parsed, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            raise ParseError(f"The JSON is nested deeper than {DEEPEST} levels.")
        if isinstance(value, dict):
            keys += len(value)
            waiting += [(inner, depth + 1) for pair in value.items() for inner in pair]
        elif isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]
        elif isinstance(value, str) and ("\0" in value or _has_lone_surrogate(value)):
            raise ParseError("A text holds a zero byte or half a character.")
        if keys > MOST_KEYS:
            raise ParseError(f"The JSON has more than {MOST_KEYS} keys.")


def _has_lone_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text) if not text.isascii() else False


def _fact(error: ValueError) -> str:
    """Say where, never what: the body may hold a password."""
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}"
    return "it cannot be read"
