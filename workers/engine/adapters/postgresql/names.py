"""Writes names and types into statements: checked first, then quoted by the driver's composer.

The check comes before the quoting, since a composer cuts a name at a NUL and the server cuts it at 63 bytes: both
would name something else without a word.
"""

from __future__ import annotations

import re
import unicodedata

from psycopg.sql import Identifier, Literal

from workers.engine.errors import IdentifierRefused, Unsupported
from workers.engine.vocabulary import TableName

IDENTIFIER_BYTES = 63  # NAMEDATALEN - 1

_TEXT_TYPES = re.compile(r"(text)|(?:varchar|character varying)(?:\s*\(\s*(\d{1,8})\s*\))?", re.IGNORECASE)
_LONGEST_VARCHAR = 10_485_760  # MaxAttrSize: what the server allows in varchar(n)


def shown(text: str) -> str:
    """What somebody typed, as a message may show it: on one line, and short."""
    return text.encode("unicode_escape").decode()[:80]


def checked(name: str) -> str:
    """Return the name; raise IdentifierRefused where the server would not take it as it is."""
    if not name:
        raise IdentifierRefused("A name is empty.", remedy="Give it.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise IdentifierRefused(
            f'The name "{shown(name)}" holds a control character.', remedy="Use letters, digits and underscores."
        )
    if len(name.encode()) > IDENTIFIER_BYTES:
        raise IdentifierRefused(
            f'The name "{shown(name)}" takes {len(name.encode())} bytes; PostgreSQL keeps {IDENTIFIER_BYTES}.',
            remedy="Choose a shorter one.",
        )
    return name


def quoted(name: str) -> str:
    return Identifier(checked(name)).as_string(None)


def qualified(table: TableName) -> str:
    return f"{quoted(table.schema)}.{quoted(table.name)}"


def literal(text: str) -> str:
    return Literal(text).as_string(None)


def column_type(spelling: str) -> str:
    """Return the server's own spelling of a type that a mapped column may have; raise Unsupported for another."""
    found = _TEXT_TYPES.fullmatch(spelling.strip())
    if found is None or (found[2] and not 0 < int(found[2]) <= _LONGEST_VARCHAR):
        raise Unsupported(
            f'The type "{shown(spelling)}" cannot be mapped.',
            remedy="Use text or varchar(n).",
            field="type",
        )
    if found[1]:
        return "text"
    return f"character varying({int(found[2])})" if found[2] else "character varying"
