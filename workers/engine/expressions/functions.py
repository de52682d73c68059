"""The functions of the mapping language: what each takes, its Python twin, and how long its text can get.

A new function is one entry here, and a spelling of its own in `rendering.py` for each engine that lacks it under
this name; the contracts hold twin and engines together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal


class Nulls(Enum):
    """When a function gives NULL."""

    ANY = "any argument is NULL"
    ALL = "all arguments are NULL"
    NEVER = "never"
    ALWAYS = "may, whatever the arguments"


@dataclass(frozen=True)
class Argument:
    kind: Literal["text", "int", "any"]
    """`any`: text or number, and the same for all arguments of the call."""
    literal: str = ""
    """Where only a literal will do: what it has to be, in words. Empty where any expression does."""
    fits: Callable[[Any], bool] = lambda value: True
    """Whether a literal's value is accepted."""


Lengths = Sequence[int | None]
Constants = Sequence[str | int | None]


@dataclass(frozen=True)
class Function:
    name: str
    takes: tuple[Argument, ...]
    gives: Literal["text", "int"] | None
    """None: the kind of its first argument."""
    twin: Callable[..., Any]
    longest: Callable[[Lengths, Constants], int | None] = lambda lengths, constants: None
    """Most characters of the result, from those of the arguments (None: unbounded) and from literal arguments."""
    optional: int = 0
    """How many of the last arguments may be left out."""
    repeats: bool = False
    """Whether the last argument may be given more than once."""
    nulls: Nulls = Nulls.ANY


def _split_part(text: str, delimiter: str, number: int) -> str:
    parts = text.split(delimiter)
    index = number - 1 if number > 0 else len(parts) + number
    return parts[index] if 0 <= index < len(parts) else ""


def _substr(text: str, start: int, length: int | None = None) -> str:
    """Positions count from 1; a start before the text uses up length, as SQL has it."""
    end = None if length is None else max(start - 1 + length, 0)
    return text[max(start - 1, 0) : end]


def _left(text: str, count: int) -> str:
    return text[:count]  # a negative count leaves out the last ones, in SQL as in Python


def _right(text: str, count: int) -> str:
    return text[max(len(text) - count, 0) :] if count >= 0 else text[-count:]


def _replace(text: str, old: str, new: str) -> str:
    return text.replace(old, new) if old else text


def _concat(*texts: str | None) -> str:
    return "".join(text for text in texts if text is not None)


def _concat_ws(separator: str, *texts: str | None) -> str:
    return separator.join(text for text in texts if text is not None)


def _coalesce(*values: str | int | None) -> str | int | None:
    return next((value for value in values if value is not None), None)


def _nullif(value: str | int | None, other: str | int | None) -> str | int | None:
    return None if value == other else value


def _first(lengths: Lengths, constants: Constants) -> int | None:
    return lengths[0]


def _all(lengths: Lengths, constants: Constants) -> int | None:
    return None if None in lengths else sum(length for length in lengths if length is not None)


def _most(lengths: Lengths, constants: Constants) -> int | None:
    return None if None in lengths else max(length for length in lengths if length is not None)


def _joined(lengths: Lengths, constants: Constants) -> int | None:
    texts, separators = _all(lengths[1:], ()), len(lengths) - 2
    return None if texts is None else texts + separators * (lengths[0] or 0)


def _at_most(lengths: Lengths, constants: Constants) -> int | None:
    """The last argument, where it is a literal that is not negative, is the number of characters to take."""
    count = constants[-1]
    if not isinstance(count, int) or count < 0:
        return lengths[0]
    return count if lengths[0] is None else min(lengths[0], count)


def _substr_longest(lengths: Lengths, constants: Constants) -> int | None:
    return lengths[0] if len(lengths) == 2 else _at_most(lengths, constants)


def _replaced(lengths: Lengths, constants: Constants) -> int | None:
    """At worst each character is replaced; a literal that is no longer than what it replaces adds nothing."""
    text, _, new = lengths
    old = constants[1]
    if new is None or text is None:
        return None
    shortest_old = len(old) if isinstance(old, str) and old else 1
    return text if new <= shortest_old else text // shortest_old * new + text % shortest_old


TEXT = Argument("text")
NUMBER = Argument("int")
ANY = Argument("any")
CHARACTERS = Argument("text", "a literal text")

FUNCTIONS: dict[str, Function] = {
    function.name: function
    for function in (
        Function(
            "split_part",
            (
                TEXT,
                Argument("text", "a literal text that is not empty", bool),
                Argument("int", "a literal number that is not 0", bool),
            ),
            "text",
            _split_part,
            _first,
        ),
        Function(
            "substr",
            (TEXT, NUMBER, Argument("int", "a literal number that is not negative", lambda value: value >= 0)),
            "text",
            _substr,
            _substr_longest,
            optional=1,
        ),
        Function("left", (TEXT, NUMBER), "text", _left, _at_most),
        Function("right", (TEXT, NUMBER), "text", _right, _at_most),
        Function("strpos", (TEXT, TEXT), "int", lambda text, part: text.find(part) + 1),
        Function("length", (TEXT,), "int", len),
        Function("trim", (TEXT, CHARACTERS), "text", lambda text, drop=" ": text.strip(drop), _first, optional=1),
        Function("ltrim", (TEXT, CHARACTERS), "text", lambda text, drop=" ": text.lstrip(drop), _first, optional=1),
        Function("rtrim", (TEXT, CHARACTERS), "text", lambda text, drop=" ": text.rstrip(drop), _first, optional=1),
        Function("replace", (TEXT, TEXT, TEXT), "text", _replace, _replaced),
        Function("concat", (TEXT,), "text", _concat, _all, repeats=True, nulls=Nulls.NEVER),
        Function("concat_ws", (CHARACTERS, TEXT), "text", _concat_ws, _joined, repeats=True, nulls=Nulls.NEVER),
        Function("coalesce", (ANY,), None, _coalesce, _most, repeats=True, nulls=Nulls.ALL),
        Function("nullif", (ANY, ANY), None, _nullif, _first, nulls=Nulls.ALWAYS),
        # `a || b`: an operator to read, a function like the others to treat.
        Function("||", (TEXT, TEXT), "text", lambda left, right: left + right, _all),
    )
}

ALIASES = {
    "substring": "substr",
    "position": "strpos",
    "btrim": "trim",
    "char_length": "length",
    "character_length": "length",
}

REASONS = {
    **dict.fromkeys(
        ("lower", "upper", "initcap"),
        "What is upper and lower case depends on the server's locale, so that two servers may disagree.",
    ),
    **dict.fromkeys(
        ("count", "sum", "min", "max", "avg", "string_agg", "array_agg", "bool_and", "bool_or"),
        "It is an aggregate over many rows; a mapping sees one row.",
    ),
    **dict.fromkeys(
        ("now", "random", "gen_random_uuid", "nextval", "clock_timestamp"),
        "It gives another value each time, so that the two sides could never be compared.",
    ),
}
"""Why a function that people ask for is not in the language."""
