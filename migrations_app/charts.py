"""Selector rows to Plotly figures, and to the points that extend them. Pure.

Colours are the stylesheet's tokens by name (`var(--chart-1)`): the page's script puts in what they are in its theme.
Each trace has a `uid`, the key under which later points come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from migrations_app.policy import phase_title
from migrations_app.selectors.series import LagPoint, ProbePoint, RunPoint, Series
from migrations_app.words import span
from workers.engine.vocabulary import Phase

GAP_S = 5.0
"""Two points further apart than this, or than three steps, are not joined: what was not measured is not drawn."""
MOST_MARKERS = 40
"""More vertical lines than this hide what they mark."""
FEWEST_PROBES = 10
"""As in workers/engine/budget.py: fewer probes than this in a window's long part prove nothing."""
CHARTS = {
    "progress": "Rows done",
    "pace": "Rows per second and batch size",
    "lag": "Replica lag",
    "budget": "Error budget burn",
}
UNITS = {"progress": "rows", "pace": "rows/s", "lag": "s", "budget": "% of the limit"}
MARKED_KINDS = (
    "run_started",
    "run_waited",
    "pause_requested",
    "run_resumed",
    "abort_requested",
    "run_errored",
    "run_failed",
    "run_succeeded",
)
"""Events that explain a bend in the charts; `_marker` gives each its label."""
COLOURS = ("var(--chart-1)", "var(--chart-2)", "var(--chart-3)", "var(--chart-4)")

Event = Mapping[str, Any]
Points = dict[str, dict[str, list[Any]]]


def figures(series: Series, content: Mapping[str, Any], events: Iterable[Event], replicas: Sequence[str]) -> dict:
    """Return the four charts of a run: {name: {title, unit, data, layout}}."""
    points, lines = points_of(series, content, replicas), markers(events)
    return {
        name: {
            "title": title,
            "unit": UNITS[name],
            "data": [_trace(trace, points) for trace in _traces(name, content, replicas)],
            "layout": _layout(name, series, content, lines),
        }
        for name, title in CHARTS.items()
    }


def points_of(series: Series, content: Mapping[str, Any], replicas: Sequence[str]) -> Points:
    """Return x, y and, where a chart shows them on hover, customdata by trace; a gap is a point without a value."""
    step_s = series.step_s
    run = _with_gaps(series.run, series.run_before, step_s)
    lag = _with_gaps(series.lag, series.lag_before, step_s)
    found: Points = {
        "progress:rows": _line(run, lambda point: point.rows),
        # the first rate is that of one batch alone, without the pauses between batches
        "pace:rows_per_s": _line(run, lambda point: round(point.rows_per_s, 1) if point.n > 1 else None),
        "pace:batch_rows": _line(run, lambda point: point.batch_rows),
    }
    if series.expected_rows:
        found["progress:expected"] = _expected(series)
    for replica in replicas:
        found[f"lag:{replica}"] = _line(lag, lambda point, name=replica: _rounded(point.lag_s_by_replica.get(name)))
    for index, window in enumerate(content["guards"]["windows"]):
        found[f"budget:{index}"] = _burn(series, window, content["guards"]["slo"])
    return found


def markers(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Return a moment and a label for each event that explains a bend in the charts, oldest first."""
    found = [{"x": event["at_ms"], "label": label, "tone": tone} for event in events for label, tone in _marker(event)]
    return found[-MOST_MARKERS:]


def replicas_of(series: Series, registered: Iterable[str]) -> list[str]:
    """Return the replicas that have a line: those registered and those that were measured."""
    return sorted({*registered, *(name for point in series.lag for name in point.lag_s_by_replica)})


def rows_for_table(figure: Mapping[str, Any], most: int = 12) -> dict[str, Any]:
    """Return a chart's newest values as a table: the same as the lines say, for those who do not see them."""
    names = [trace["name"] for trace in figure["data"] if trace["uid"] != "progress:expected"]
    by_moment: dict[int, dict[str, Any]] = {}
    for trace in figure["data"]:
        for x, y in list(zip(trace["x"], trace["y"], strict=True))[-most:]:
            if y is not None:
                by_moment.setdefault(x, {})[trace["name"]] = y
    newest = sorted(by_moment, reverse=True)[:most]
    return {"names": names, "rows": [(at, [by_moment[at].get(name) for name in names]) for at in newest]}


def _traces(name: str, content: Mapping[str, Any], replicas: Sequence[str]) -> list[dict[str, Any]]:
    match name:
        case "progress":
            return [
                _style("progress:expected", "expected", "var(--muted)", dash="dot", width=1.5),
                _style("progress:rows", "rows done", COLOURS[0]) | {"fill": "tozeroy", "fillcolor": "var(--act-soft)"},
            ]
        case "pace":
            return [
                _style("pace:rows_per_s", "rows/s", COLOURS[0]),
                _style("pace:batch_rows", "batch, rows", COLOURS[2], dash="dash", shape="hv") | {"yaxis": "y2"},
            ]
        case "lag":
            return [
                _style(f"lag:{replica}", replica, COLOURS[index % len(COLOURS)])
                for index, replica in enumerate(replicas)
            ]
    return [
        _style(f"budget:{index}", _window_name(window), COLOURS[index % len(COLOURS)])
        | {"hovertemplate": "%{y:.0f} % of the limit: %{customdata:.1f}×<extra>%{fullData.name}</extra>"}
        for index, window in enumerate(content["guards"]["windows"])
    ]


def _style(
    uid: str, name: str, colour: str, *, dash: str = "solid", width: float = 2, shape: str = "linear"
) -> dict[str, Any]:
    return {
        "uid": uid,
        "name": name,
        "type": "scatter",
        "mode": "lines",
        "connectgaps": False,
        "line": {"color": colour, "width": width, "dash": dash, "shape": shape},
    }


def _trace(trace: dict[str, Any], points: Points) -> dict[str, Any]:
    return trace | points.get(trace["uid"], {"x": [], "y": []})


def _layout(name: str, series: Series, content: Mapping[str, Any], lines: list[dict[str, Any]]) -> dict[str, Any]:
    limits = content["limits"]
    layout: dict[str, Any] = {
        "xaxis": {"type": "date", "range": [series.first_ms, series.last_ms]},
        "yaxis": {"rangemode": "tozero"},
        "markers": lines,
        "thresholds": [],
    }
    if name == "progress" and series.expected_rows:
        layout["yaxis"]["autorangeoptions"] = {"include": [round(series.expected_rows * 1.04)]}
    if name == "pace":
        layout["yaxis2"] = {"rangemode": "tozero", "overlaying": "y", "side": "right", "showgrid": False}
    if name == "lag":
        layout["thresholds"] = [
            {"y": limits["lag_slow_s"], "label": f"slows at {limits['lag_slow_s']:g} s", "tone": "wait"},
            {"y": limits["lag_hold_s"], "label": f"holds at {limits['lag_hold_s']:g} s", "tone": "bad"},
        ]
        layout["yaxis"]["autorangeoptions"] = {"include": [limits["lag_hold_s"] * 1.2]}
    if name == "budget":
        layout["thresholds"] = [{"y": 100, "label": "the guard acts", "tone": "bad"}]
        layout["yaxis"]["autorangeoptions"] = {"include": [120]}
    return layout


def _window_name(window: Mapping[str, Any]) -> str:
    return f"{window['action']} at {window['burn']:g}× over {span(window['long_s'])} and {span(window['short_s'])}"


def _with_gaps(points: Sequence[Any], before: Any, step_s: float) -> list[Any]:
    """Return the points with a moment in between wherever two are too far apart."""
    longest_ms = 1000 * max(GAP_S, 3 * step_s)
    spaced: list[Any] = []
    for point in points:
        if before is not None and point.at_ms - before.at_ms > longest_ms:
            spaced.append(before.at_ms + 1)
        spaced.append(point)
        before = point
    return spaced


def _line(points: Sequence[RunPoint | LagPoint | int], value: Any) -> dict[str, list[Any]]:
    return {
        "x": [point if isinstance(point, int) else point.at_ms for point in points],
        "y": [None if isinstance(point, int) else value(point) for point in points],
    }


def _expected(series: Series) -> dict[str, list[Any]]:
    """A level line from edge to edge; it grows with the points."""
    x = [point.at_ms for point in (series.run[:1] if series.run_before is None else ())] + [
        point.at_ms for point in series.run[-1:]
    ]
    return {"x": x, "y": [series.expected_rows] * len(x)}


def _burn(series: Series, window: Mapping[str, Any], slo: float) -> dict[str, list[Any]]:
    """Return the burn of one window as a share of its limit: what the guard compares, the lesser of long and short."""
    known = [*series.probe_lead, *series.probe]
    totals, bads = [0], [0]
    for point in known:
        totals.append(totals[-1] + point.total)
        bads.append(bads[-1] + point.bad)
    first_drawn, long_from, short_from = len(series.probe_lead), 0, 0
    x: list[int] = []
    y: list[float | None] = []
    burns: list[float | None] = []
    before: ProbePoint | None = series.probe_lead[-1] if series.probe_lead else None
    for index in range(first_drawn, len(known)):
        point = known[index]
        while known[long_from].second <= point.second - window["long_s"]:
            long_from += 1
        while known[short_from].second <= point.second - window["short_s"]:
            short_from += 1
        if before is not None and point.second - before.second > GAP_S:
            x.append(before.at_ms + 1)
            y.append(None)
            burns.append(None)
        before = point
        if series.step_s > 1 and index % round(series.step_s) and index != len(known) - 1:
            continue
        long = _ratio(totals, bads, long_from, index + 1, FEWEST_PROBES)
        short = _ratio(totals, bads, short_from, index + 1, 1)
        burn = None if long is None or short is None else min(long, short) / (1 - slo)
        x.append(point.at_ms)
        y.append(None if burn is None else round(100 * burn / window["burn"], 1))
        burns.append(None if burn is None else round(burn, 2))
    return {"x": x, "y": y, "customdata": burns}


def _ratio(totals: list[int], bads: list[int], first: int, end: int, fewest: int) -> float | None:
    total = totals[end] - totals[first]
    return (bads[end] - bads[first]) / total if total >= fewest else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _marker(event: Event) -> list[tuple[str, str]]:
    """Return label and tone of an event that is marked; nothing for the others."""
    payload, guard = event["payload"], event["by"].startswith("guard ")
    match event["kind"]:
        case "run_started":
            phase = phase_title(Phase(payload["phase"]))
            return [(f"{phase} back" if payload.get("direction") == "back" else phase, "run")]
        case "run_waited":
            return [({"hold": "held", "retry": "retry"}.get(payload.get("verdict"), "slowed"), "wait")]
        case "pause_requested":
            return [("guard: pause" if guard else "pause", "wait")]
        case "run_resumed":
            return [("resume", "run")]
        case "abort_requested":
            return [("guard: abort" if guard else "abort", "bad")]
        case "run_errored" | "run_failed":
            return [("error", "bad")]
        case "run_succeeded":
            return [("done", "ok")]
    return []
