"""A trigger that rewrites rows after the sync's could bring the two sides out of step again."""

from __future__ import annotations

from collections.abc import Iterator

from workers.engine.checks import Subject
from workers.engine.objection import Objection, Severity


def check(subject: Subject) -> Iterator[Objection]:
    for trigger in subject.shape.triggers:
        if trigger.after_ours and trigger.enabled:
            yield Objection(
                "trigger_fires_later",
                "Trigger fires after the sync",
                Severity.BLOCK,
                f"The trigger {trigger.name} ({trigger.timing} {' or '.join(trigger.events)}) fires after the sync's"
                " and may change what the sync has written.",
                "Rename it, so that it sorts and fires earlier: ALTER TRIGGER ... RENAME TO a name that begins with a.",
            )
