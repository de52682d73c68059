"""How a status looks: shape, tone and words, so that colour is never the only sign. One table for pages and scripts."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Look:
    glyph: str
    """Id of a symbol in templates/parts/sprite.html."""
    tone: str
    """Suffix of a `.tone-` class: run, ok, wait, bad, back or rest."""
    words: str


UNKNOWN = Look("pending", "rest", "unknown")

PLAN_LOOKS: dict[str, Look] = {
    "draft": Look("draft", "rest", "Draft"),
    "submitted": Look("wait", "wait", "Waits for approval"),
    "approved": Look("sealed", "ok", "Approved"),
    "active": Look("running", "run", "Under way"),
    "completed": Look("done", "ok", "Completed"),
    "reverting": Look("back", "back", "Rolling back"),
    "reverted": Look("back", "back", "Rolled back"),
    "abandoned": Look("stopped", "rest", "Abandoned"),
}
PHASE_LOOKS: dict[str, Look] = {
    "pending": Look("pending", "rest", "Not started"),
    "running": Look("running", "run", "Running"),
    "done": Look("done", "ok", "Done"),
    "failed": Look("failed", "bad", "Stopped"),
    "reverting": Look("back", "back", "Rolling back"),
    "reverted": Look("reverted", "back", "Rolled back"),
}
RUN_LOOKS: dict[str, Look] = {
    "enqueued": Look("wait", "wait", "Waits for a worker"),
    "running": Look("running", "run", "Running"),
    "pausing": Look("paused", "wait", "Pausing"),
    "paused": Look("paused", "wait", "Paused"),
    "aborting": Look("stopped", "bad", "Aborting"),
    "aborted": Look("stopped", "bad", "Aborted"),
    "errored": Look("failed", "bad", "Stopped with an error"),
    "failed": Look("failed", "bad", "Failed"),
    "succeeded": Look("done", "ok", "Succeeded"),
}
LOOKS = {"plan": PLAN_LOOKS, "phase": PHASE_LOOKS, "run": RUN_LOOKS}

HELD = Look("wait", "wait", "Held")
SLOWED = Look("running", "wait", "Slowed")
"""A run that works but is held back or slowed now: derived, never a status."""


def look_of(kind: str, status: str) -> Look:
    return LOOKS[kind].get(status, UNKNOWN)


def looks_as_dict() -> dict[str, dict[str, dict[str, str]]]:
    """Return the table for the page's scripts."""
    return {kind: {status: asdict(look) for status, look in table.items()} for kind, table in LOOKS.items()}


def now_look(detail: dict) -> Look:
    """Return the look of a plan as a whole: of its run while one is active, else of the plan."""
    run = detail["run"]
    if run and run["is_active"]:
        if run["wait"] and run["status"] in ("running", "enqueued"):
            return SLOWED if run["wait"]["verdict"] == "slow" else HELD
        if run["direction"] == "back" and run["status"] in ("running", "enqueued"):
            return PHASE_LOOKS["reverting"]
        return look_of("run", run["status"])
    if any(phase["status"] == "failed" for phase in detail["phases"]):
        return PHASE_LOOKS["failed"]
    if detail["status"] == "active":
        return Look("wait", "wait", "Between phases")
    return look_of("plan", detail["status"])
