"""Reads of runs: one with its lanes and commands, and the list. JSON-able; no key values, no secrets."""

from __future__ import annotations

from typing import Any

from migrations_app.lifecycle import ACTIVE_RUNS
from migrations_app.models import Command, Lane, Plan, Run, User
from migrations_app.selectors.access import access_runs
from migrations_app.selectors.moments import iso


def present_run(plan: Plan) -> Run | None:
    """Return the active run, or the last one where none is active; None before the first."""
    runs = plan.runs.select_related("phase", "requested_by")
    return runs.filter(status__in=ACTIVE_RUNS).first() or runs.first()


def run_detail(run: Run) -> dict[str, Any]:
    """Return a run with its lanes, its wait or error, and its commands with their clocks; two queries."""
    lanes, commands = list(run.lanes.all()), list(run.commands.select_related("user"))
    return run_as_dict(run, lanes, commands)


def run_as_dict(run: Run, lanes: list[Lane], commands: list[Command]) -> dict[str, Any]:
    """Render a run whose phase and requester are loaded. No query."""
    expected = [lane.rows_expected for lane in lanes if lane.rows_expected is not None]
    return {
        "id": run.pk,
        "plan": run.plan_id,
        "phase": run.phase.name,
        "direction": run.direction,
        "status": run.status,
        "is_active": run.is_active,
        "digest": run.digest,
        "limits": run.limits,
        "chain_until": run.chain_until,
        "then_back_to": run.then_back_to,
        "requested_by": run.requested_by.display_name if run.requested_by else "lockstep",
        "requested_at": iso(run.requested_at),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "rows": sum(lane.rows for lane in lanes),
        "rows_expected": sum(expected) if expected else None,
        "wait": {
            "reason": run.wait_reason,
            "verdict": run.wait_verdict,
            "since": iso(run.wait_since),
            "wake_at": iso(run.wake_at),
        }
        if run.wait_reason
        else None,
        "error": {"code": run.error_code, "fact": run.error_fact, "remedy": run.error_remedy}
        if run.error_code
        else None,
        "lanes": [lane_as_dict(lane) for lane in lanes],
        "commands": [command_as_dict(command) for command in commands],
    }


def lane_as_dict(lane: Lane) -> dict[str, Any]:
    return {
        "number": lane.number,
        "owner": lane.owner,
        "epoch": lane.epoch,
        "lease_until": iso(lane.lease_until),
        "beat_at": iso(lane.beat_at),
        "action": lane.action,
        "batches": lane.seq,
        "rows": lane.rows,
        "rows_expected": lane.rows_expected,
        "counters": lane.counters,
    }


def command_as_dict(command: Command) -> dict[str, Any]:
    """Render a command with its four clocks; evidence says what the supervisor saw on the target."""
    return {
        "id": command.pk,
        "run": command.run_id,
        "verb": command.verb,
        "by": giver_of(command),
        "reason": command.reason,
        "requested_at": iso(command.requested_at),
        "acknowledged_at": iso(command.acknowledged_at),
        "last_write_at": iso(command.last_write_at),
        "verified_at": iso(command.verified_at),
        "evidence": command.evidence,
    }


def giver_of(command: Command) -> str:
    """Return who gave a command, for people."""
    if command.user is not None:
        return command.user.display_name
    return f"guard {command.guard}" if command.guard else "lockstep"


def run_list(actor: User, *, plan_id: int | None = None, before: int | None = None, limit: int = 50) -> list[Run]:
    """Return runs that the actor may see, newest first, below the id `before`. Keyset, one query."""
    runs = access_runs(actor)
    if plan_id is not None:
        runs = runs.filter(plan=plan_id)
    if before is not None:
        runs = runs.filter(pk__lt=before)
    return list(runs.order_by("-id")[:limit])
