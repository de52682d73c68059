"""Every name that the plan gives must be one that the engine keeps as it is: it cuts long ones without a word."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from workers.engine.checks import Subject
from workers.engine.objection import Objection, Severity
from workers.engine.vocabulary import Retire


def check(subject: Subject) -> Iterator[Objection]:
    most = subject.adapter.capabilities.identifier_bytes
    retired = (action.retired_name for action in subject.actions if isinstance(action, Retire))
    for name in (*subject.sync.new, *retired):
        taken = len(name.encode(errors="surrogatepass"))
        if taken > most:
            problem = f"It takes {taken} bytes; the engine keeps {most}."
        elif any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
            problem = "It holds a control character."
        else:
            continue
        shown = name.encode("unicode_escape").decode()[:80]
        yield Objection(
            "identifier_refused",
            "Name refused",
            Severity.BLOCK,
            f'The name "{shown}" cannot be used. {problem}',
            "Choose another.",
            field=subject.field_of(name),
        )
