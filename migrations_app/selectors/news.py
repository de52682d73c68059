"""The event log as its readers get it: what happened to a plan after a number, in order, without a gap."""

from __future__ import annotations

from typing import Any

from migrations_app.models import Event, EventStream, Plan, Run
from migrations_app.selectors.moments import iso

MOST_EVENTS = 500
"""One answer's worth: some 200 KB. A reader that is further behind asks again."""


def events_after(plan: Plan, seq: int, *, limit: int = MOST_EVENTS) -> list[dict[str, Any]]:
    """Return the plan's events with a higher number, oldest first; one query."""
    events = Event.objects.filter(stream__kind="plan", stream__object_id=plan.pk, seq__gt=seq).order_by("seq")
    return [event_as_dict(event) for event in events[: min(limit, MOST_EVENTS)]]


def event_as_dict(event: Event) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "kind": event.kind,
        "at": iso(event.at),
        "by": event.actor_name,
        "payload": event.payload,
    }


def samples_after(run: Run, n: int, *, limit: int = MOST_EVENTS) -> list[dict[str, Any]]:
    """Return the run's measurements with a higher number, oldest first; one query."""
    samples = run.samples.filter(n__gt=n).order_by("n")[: min(limit, MOST_EVENTS)]
    return [
        {
            "n": sample.n,
            "at": iso(sample.at),
            "rows": sample.rows,
            "rows_per_s": sample.rows_per_s,
            "batch_rows": sample.batch_rows,
            "batch_s": sample.batch_s,
        }
        for sample in samples
    ]


def last_seq(plan: Plan) -> int:
    """Return the number of the plan's newest event; 0 where there is none."""
    stream = EventStream.objects.filter(kind="plan", object_id=plan.pk).first()
    return stream.last_seq if stream else 0
