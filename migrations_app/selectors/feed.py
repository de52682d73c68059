"""Reads of the feed: where a plan stands, and what happened since. The socket and the page's JSON say the same.

`state` is what a page can fold events into: statuses alone. `derived` is what cannot be folded, since it depends on
clocks, rights and other plans: words, blockers, which verbs are open. It is read anew with each answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.utils import timezone

from migrations_app.history import sentence
from migrations_app.looks import now_look
from migrations_app.models import ControlPlane, Event, EventStream, Plan, User
from migrations_app.selectors.moments import iso
from migrations_app.selectors.plans import plan_detail

PROTOCOL = 1
LOG_EVENTS = 15
"""Events that a snapshot brings along: what fits on a screen."""
MOST_EVENTS = 200
"""A page that missed more than this gets a new snapshot."""


def state_of(detail: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a plan's detail that events change, as static/js/fold.js keeps it."""
    run = detail["run"]
    return {
        "plan": {name: detail[name] for name in ("status", "revision", "digest")},
        "phases": {phase["name"]: phase["status"] for phase in detail["phases"]},
        "run": run
        and {name: run[name] for name in ("id", "phase", "direction", "status")}
        | {"verdict": run["wait"]["verdict"] if run["wait"] else ""},
    }


def derived_of(detail: dict[str, Any]) -> dict[str, Any]:
    """Return the part that is said in words or depends on the reader."""
    run = detail["run"]
    return {
        "look": asdict(now_look(detail)),
        "words": words_of(detail),
        "may": detail["may"],
        "next_phase": detail["next_phase"],
        "back_phase": detail["back_phase"],
        "confirm": detail["confirm"],
        "supervisor": detail["supervisor"],
        "blockers": next_blockers(detail),
        "run": run
        and {name: run[name] for name in ("id", "rows", "rows_expected", "is_active", "commands")}
        | {"seen_at": seen_at(run)},
    }


def words_of(detail: dict[str, Any]) -> dict[str, Any]:
    """Return the state in words; where several things stand in the way, their number, since the page lists them."""
    count = len(next_blockers(detail))
    run = detail["run"]
    if count < 2 or (run and run["is_active"]):
        return detail["words"]
    return detail["words"] | {
        "why": f"{count} things stand in the way.",
        "next": "See below what each waits for, and what you can do about it.",
    }


def seen_at(run: dict[str, Any]) -> str | None:
    """Return when a worker of this run was last alive."""
    return max((lane["beat_at"] for lane in run["lanes"] if lane["beat_at"]), default=None)


def next_blockers(detail: dict[str, Any]) -> list[dict[str, str]]:
    """Return what stands in the way of the next phase."""
    found = (phase["blockers_forward"] for phase in detail["phases"] if phase["name"] == detail["next_phase"])
    return next(found, None) or []


def last_seq(plan: Plan) -> int:
    """Return the number of the plan's newest event. One query."""
    found = EventStream.objects.filter(kind="plan", object_id=plan.pk).values_list("last_seq", flat=True).first()
    return found or 0


def events_after(plan: Plan, seq: int, limit: int = MOST_EVENTS) -> list[dict[str, Any]]:
    """Return the events above `seq`, oldest first. One query."""
    return [event_row(event) for event in _events(plan).filter(seq__gt=seq).order_by("seq")[:limit]]


def events_before(plan: Plan, seq: int | None = None, limit: int = LOG_EVENTS) -> list[dict[str, Any]]:
    """Return the newest events, or the newest below `seq`, newest first. Keyset; one query."""
    events = _events(plan) if seq is None else _events(plan).filter(seq__lt=seq)
    return [event_row(event) for event in events.order_by("-seq")[:limit]]


def marked_events(plan: Plan, kinds: Iterable[str], first_ms: int) -> list[dict[str, Any]]:
    """Return the events of these kinds since a moment, oldest first. One query."""
    since = timezone.datetime.fromtimestamp(first_ms / 1000, tz=timezone.get_current_timezone())
    newest = _events(plan).filter(kind__in=list(kinds), at__gte=since).order_by("-seq")[:MOST_EVENTS]
    return [event_row(event) for event in reversed(newest)]


def event_row(event: Event) -> dict[str, Any]:
    """Render an event, with what it says in words."""
    return {
        "seq": event.seq,
        "at": iso(event.at),
        "at_ms": int(event.at.timestamp() * 1000),
        "kind": event.kind,
        "by": event.actor_name,
        "payload": event.payload,
        "text": sentence(event.kind, event.payload),
    }


def epoch() -> str:
    """Name the event log: a page that followed another one (a restored copy) must start anew. One query."""
    return str(ControlPlane.objects.values_list("uid", flat=True).first() or "")


def present_state(plan: Plan, actor: User) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return state and derived of a plan as it stands now."""
    detail = plan_detail(plan, actor)
    return state_of(detail), derived_of(detail)


def _events(plan: Plan) -> Any:
    return Event.objects.filter(stream__kind="plan", stream__object_id=plan.pk)
