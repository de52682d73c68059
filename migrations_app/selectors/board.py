"""What the page of a plan shows beside its detail: the next step, the last abort, the revision that was last signed."""

from __future__ import annotations

from typing import Any

from migrations_app.models import Plan
from migrations_app.selectors.plans import content_diff

ABORT_REASONS = ("Applications are slow", "Replicas fall behind", "Errors in the application", "Wrong plan")
"""One click says why, when seconds count."""


def next_step(detail: dict[str, Any]) -> dict[str, Any] | None:
    """Return the phase that comes next with what it waits for; None where nothing is left."""
    return _step(detail, detail["next_phase"], "blockers_forward")


def back_step(detail: dict[str, Any]) -> dict[str, Any] | None:
    """Return the phase that would be undone next with what that waits for; None where nothing can be."""
    return _step(detail, detail["back_phase"], "blockers_back")


def _step(detail: dict[str, Any], name: str | None, blockers: str) -> dict[str, Any] | None:
    phase = next((phase for phase in detail["phases"] if phase["name"] == name), None)
    if phase is None:
        return None
    found = phase[blockers] or []
    return phase | {
        "blockers": found,
        "waits": [blocker for blocker in found if blocker["code"] != "gate_open"],  # gates are listed themselves
        "gates_ahead": [gate for gate in phase["gates"] if gate["direction"] == "forward"],
        "gates_behind": [gate for gate in phase["gates"] if gate["direction"] == "back"],
    }


def last_abort(run: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the last abort of a run with the time from the request to the last write in the target."""
    aborts = [command for command in (run["commands"] if run else ()) if command["verb"] == "abort"]
    return aborts[-1] if aborts else None


def last_signed(plan: Plan, detail: dict[str, Any]) -> dict[str, Any] | None:
    """Return the newest other revision that was approved and what changed since; None where none was. Two queries."""
    digests = set(
        plan.approvals.filter(decision="approved").exclude(digest=plan.digest).values_list("digest", flat=True)
    )
    revision = plan.revisions.filter(digest__in=digests).first() if digests else None
    if revision is None:
        return None
    return {
        "number": revision.number,
        "digest": revision.digest,
        "changes": content_diff(revision.content, detail["content"]),
    }
