"""The server must be the primary: a replica takes no writes, and its answers are late."""

from __future__ import annotations

from collections.abc import Iterator

from workers.engine.checks import Subject
from workers.engine.objection import Objection, Severity


def check(subject: Subject) -> Iterator[Objection]:
    if not subject.adapter.identity().is_primary:
        yield Objection(
            "wrong_server",
            "Not the primary",
            Severity.BLOCK,
            "The target is a replica.",
            "Give the address of its primary.",
        )
