"""The only door for news: one event row with the next number of its stream, and a nudge once it is committed."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction

from migrations_app.dispatch import publish_nudge
from migrations_app.models import Event, EventStream, Plan, Target, User

logger = logging.getLogger("lockstep.events")


def record(
    about: Plan | Target | User | None,
    kind: str,
    payload: dict[str, Any] | None = None,
    *,
    actor: User | None = None,
    by: str = "",
) -> Event:
    """Append an event to the stream of a plan, a target or an account; must run inside the transaction of the act.

    `by` names who acted where no person did (`worker`, `supervisor`, `guard probe`). The stream's row is locked
    until commit, so numbers have no gaps and come in commit order. Payloads hold no row values and no secrets.
    About None: a sign-in under a name that no account has.
    """
    stream_kind, object_id = stream_of(about)
    EventStream.objects.get_or_create(kind=stream_kind, object_id=object_id)
    stream = EventStream.objects.select_for_update().get(kind=stream_kind, object_id=object_id)
    stream.last_seq += 1
    stream.save(update_fields=["last_seq"])
    event = Event.objects.create(
        stream=stream,
        seq=stream.last_seq,
        kind=kind,
        payload=payload or {},
        actor=actor,
        actor_name=actor.display_name if actor else (by or "lockstep"),
    )
    if isinstance(about, Plan):
        transaction.on_commit(lambda: publish_nudge(about.pk, event.seq))
    logger.info(kind, extra={"action": kind, stream_kind: object_id, "seq": event.seq})
    return event


def stream_of(about: Plan | Target | User | None) -> tuple[str, int]:
    """Return kind and object id of the stream that tells of this object."""
    match about:
        case Plan():
            return "plan", about.pk
        case Target():
            return "target", about.pk
        case None:
            return "user", 0
    return "user", about.pk
