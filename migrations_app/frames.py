"""The frames of the feed, whole: the same over the socket and by HTTP. See docs/reference/feed.md for the protocol.

hello     who speaks: protocol, epoch of the event log, server time
snapshot  everything that the page shows, and how far it goes: seq of the events, cursor of the samples
delta     what came since: applies to a page that stands exactly at `from` and `samples_from`
beat      every two seconds, also when nothing happens
bye       before the server closes
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils import timezone

from migrations_app.charts import MARKED_KINDS, figures, markers, points_of, replicas_of
from migrations_app.models import Plan, User
from migrations_app.selectors.feed import (
    MOST_EVENTS,
    PROTOCOL,
    epoch,
    events_after,
    events_before,
    last_seq,
    marked_events,
    present_state,
)
from migrations_app.selectors.moments import iso
from migrations_app.selectors.runs import present_run
from migrations_app.selectors.series import Cursor, Series, producer_age_s, series_after, series_for

Frame = dict[str, Any]
ReadState = Callable[[Plan, User], tuple[Frame, Frame]]
TRIES = 3


@dataclass(frozen=True)
class Place:
    """How far a reader has come, and what it was told last of what no number stands for."""

    seq: int = 0
    samples: Cursor = Cursor()
    derived: str = ""
    """The last `derived` as JSON, so that one that says the same is not sent again."""
    expected_rows: int | None = None
    is_live: bool = True
    """False where the charts show a run that ended long ago: nothing is appended to them."""


def hello() -> Frame:
    return {"type": "hello", "proto": PROTOCOL, "epoch": epoch(), "server_ts": _now()}


def snapshot(plan: Plan, actor: User) -> tuple[Frame, Place]:
    """Return everything and the place that its reader has then. A constant number of queries and a bounded size."""
    seq, state, derived = _settled(plan, actor)
    log = [event for event in events_before(plan) if event["seq"] <= seq]
    series, drawn = charts_of(plan, _expected(derived))
    frame = {
        "type": "snapshot",
        "seq": seq,
        "epoch": epoch(),
        "server_ts": _now(),
        "producer_age_ms": _age_ms(plan),
        "state": state,
        "derived": derived,
        "log": log,
        "samples_at": str(series.cursor),
        "is_live": series.is_live,
        "figures": drawn,
    }
    return frame, Place(seq, series.cursor, _json(derived), _expected(derived), series.is_live)


def charts_of(plan: Plan, expected_rows: int | None) -> tuple[Series, dict[str, Any]]:
    """Return the measurements of the present run and the figures made of them; also for the page without scripts."""
    series = series_for(plan, present_run(plan), expected_rows)
    replicas = replicas_of(series, plan.target.replicas.values_list("name", flat=True))
    events = marked_events(plan, MARKED_KINDS, series.first_ms)
    return series, figures(series, plan.content, events, replicas)


def delta(
    plan: Plan, actor: User, place: Place, *, derive: bool = True, read: ReadState = present_state
) -> tuple[Frame | None, Place]:
    """Return what came since the place, and the next one; None for no news, a snapshot where that is shorter.

    `derive` False leaves `derived` out unless an event came: it costs ten times what samples cost, and only clocks
    change it otherwise. `read` may share what it reads between readers.
    """
    events = events_after(plan, place.seq, MOST_EVENTS + 1)
    series = series_after(plan, place.samples) if place.is_live else Series(place.samples)
    derived = read(plan, actor)[1] if derive or events else None
    is_other_run = derived is not None and _run_id(derived) != place.samples.run
    is_ahead = derived is not None and not events and last_seq(plan) < place.seq  # a restored copy of the database
    if len(events) > MOST_EVENTS or series is None or is_other_run or is_ahead:
        return snapshot(plan, actor)
    said = place.derived if derived is None else _json(derived)
    if not events and series.cursor == place.samples and said == place.derived:
        return None, place
    seq = events[-1]["seq"] if events else place.seq
    frame = {
        "type": "delta",
        "from": place.seq + 1,
        "to": seq,
        "server_ts": _now(),
        "producer_age_ms": _age_ms(plan),
        "events": events,
        "samples": _samples(plan, place, series, events),
    }
    if said != place.derived:
        frame["derived"] = derived
    expected = place.expected_rows if derived is None else _expected(derived)
    return frame, replace(place, seq=seq, samples=series.cursor, derived=said, expected_rows=expected)


def _samples(plan: Plan, place: Place, series: Series, events: list[Frame]) -> Frame:
    series = replace(series, expected_rows=place.expected_rows)
    lines = points_of(series, plan.content, replicas_of(series, ()))
    return {
        "from": str(place.samples),
        "to": str(series.cursor),
        "points": {key: line for key, line in lines.items() if line["x"]},
        "markers": markers(events),
    }


def beat(plan: Plan) -> Frame:
    return {
        "type": "beat",
        "server_ts": _now(),
        "last_seq": last_seq(plan),
        "producer_age_ms": _age_ms(plan),
    }


def bye(code: int, *, retry_after_s: float = 0) -> Frame:
    return {"type": "bye", "code": code, "retry_after_s": retry_after_s}


def _settled(plan: Plan, actor: User) -> tuple[int, Frame, Frame]:
    """Return a state and the number of the last event in it: read again where an event came in between.

    Where they come too fast, the last state may be newer than its number. The next delta tells those events again, and
    folding them in once more ends where they end.
    """
    for _ in range(TRIES):
        seq = last_seq(plan)
        plan.refresh_from_db()
        state, derived = present_state(plan, actor)
        if last_seq(plan) == seq:
            break
    return seq, state, derived


def _run_id(derived: Mapping[str, Any]) -> int:
    return derived["run"]["id"] if derived["run"] else 0


def _expected(derived: Mapping[str, Any]) -> int | None:
    return derived["run"]["rows_expected"] if derived["run"] else None


def _age_ms(plan: Plan) -> int | None:
    age_s = producer_age_s(plan)
    return None if age_s is None else round(age_s * 1000)


def _now() -> str:
    return iso(timezone.now())


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
