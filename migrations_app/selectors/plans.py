"""Reads of plans: everything about one, for API, page and socket alike, and the list. JSON-able, moments as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db.models import Prefetch
from django.utils import timezone

from migrations_app.content import operations_of
from migrations_app.lifecycle import ACTIVE_RUNS, RunStatus
from migrations_app.models import Approval, Command, Lane, Plan, Run, SupervisorLease, User
from migrations_app.policy import APPROVALS_BY_GROUP, rollback_is_grave, start_is_grave
from migrations_app.selectors.access import access_plans
from migrations_app.selectors.moments import iso
from migrations_app.selectors.plan_phases import blockers_by_way, last_revertible, next_startable, phase_detail
from migrations_app.selectors.plan_rights import rights_of
from migrations_app.selectors.runs import giver_of, present_run, run_as_dict
from migrations_app.selectors.target_detail import supervisor_as_dict
from migrations_app.selectors.votes import approvals_of, editors_of, standing_by_group, why_void
from migrations_app.stop_by_hand import stop_line
from migrations_app.words import PhaseNow, PreflightNow, RunNow, Situation, words_for
from workers.engine.vocabulary import Direction, Phase


def plan_detail(plan: Plan, actor: User) -> dict[str, Any]:
    """Return everything about a plan as this actor sees it. A constant number of queries, however long its history."""
    now = timezone.now()
    rows = list(plan.phases.all())
    run = present_run(plan)
    lanes = list(run.lanes.all()) if run else []
    commands = list(run.commands.select_related("user")) if run else []
    approvals, editors = approvals_of(plan), editors_of(plan)
    confirmations = {
        confirmation.gate: confirmation
        for confirmation in plan.confirmations.filter(voided_at=None).select_related("user")
    }
    startable, revertible = next_startable(rows), last_revertible(rows)
    found = blockers_by_way(plan, rows, startable, revertible)
    lease = SupervisorLease.objects.filter(target=plan.target_id).first()
    supervisor = supervisor_as_dict(lease)
    standing = standing_by_group(plan, approvals, editors)
    missing = {group: max(0, needed - len(standing[group])) for group, needed in APPROVALS_BY_GROUP.items()}
    may, may_not = rights_of(plan, actor, rows, run, editors)
    words = words_for(
        Situation(
            plan_status=plan.status,
            changed_at=plan.changed_at,
            phases=[PhaseNow(Phase(row.name), row.status, row.since) for row in rows],
            now=now,
            run=_run_now(run, lanes, commands) if run else None,
            preflight=_preflight_now(plan),
            startable=startable,
            blockers=found.get((startable, Direction.FORWARD), ()) if startable else (),
            supervisor_alive=supervisor["alive"],
            lease_s=settings.LOCKSTEP_LEASE_S,
        )
    )
    return {
        **plan_row(plan),
        "content": plan.content,
        "operations": [
            {
                "kind": operation.kind,
                "title": operation.title,
                "table": str(operation.table),
                "parameters": operation.parameters(),
                "describe": operation.describe(),
            }
            for operation in operations_of(plan.content)
        ],
        "preflight": _preflight(plan),
        "phases": [phase_detail(plan, row, confirmations, missing, found) for row in rows],
        "next_phase": startable,
        "back_phase": revertible,
        "approvals": {
            group: {
                "needed": needed,
                "missing": missing[group],
                "given": [
                    _approval(approval, plan, editors)
                    for approval in approvals
                    if approval.group == group and approval.decision == Approval.Decision.APPROVED
                ],
            }
            for group, needed in APPROVALS_BY_GROUP.items()
        },
        "changes_asked": [
            {"by": approval.user.display_name, "at": iso(approval.at), "comment": approval.comment}
            for approval in approvals
            if approval.decision == Approval.Decision.CHANGES
        ],
        "run": run_as_dict(run, lanes, commands) if run else None,
        "supervisor": supervisor,
        "stop_line": stop_line(plan.target.engine, plan.pk, run.pk if run and run.is_active else None),
        "may": may,
        "confirm": {
            # whether the verb asks for the target's name and a fresh password
            "start": startable is not None and start_is_grave(startable),
            "rollback": rollback_is_grave({Phase(row.name): row.status for row in rows}),
        },
        "may_not": may_not,
        "words": {"state": words.state, "since": iso(words.since), "why": words.why, "next": words.next},
    }


def plan_row(plan: Plan) -> dict[str, Any]:
    """Render what every list shows of a plan whose target and author are loaded. No query."""
    return {
        "id": plan.pk,
        "title": plan.title,
        "status": plan.status,
        "digest": plan.digest,
        "short_digest": plan.short_digest,
        "revision": plan.revision,
        "author": {"id": plan.author_id, "name": plan.author.display_name},
        "target": {
            "id": plan.target_id,
            "name": plan.target.name,
            "project": plan.target.project,
            "environment": plan.target.environment,
            "engine": plan.target.engine,
        },
        "created_at": iso(plan.created_at),
        "changed_at": iso(plan.changed_at),
    }


def plan_list(
    actor: User,
    *,
    status: Sequence[str] = (),
    target_id: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Return plans that the actor may see, newest first, below the id `before`. Keyset; three queries."""
    plans = access_plans(actor)
    if status:
        plans = plans.filter(status__in=status)
    if target_id is not None:
        plans = plans.filter(target=target_id)
    if before is not None:
        plans = plans.filter(pk__lt=before)
    active = Run.objects.filter(status__in=ACTIVE_RUNS).select_related("phase")
    plans = plans.order_by("-id").prefetch_related(Prefetch("runs", queryset=active, to_attr="active_runs"))
    return [plan_row(plan) | {"active_run": _active(plan.active_runs)} for plan in plans[:limit]]


def plan_revisions(plan: Plan) -> list[dict[str, Any]]:
    """Return every revision with its content, newest first."""
    return [
        {
            "number": revision.number,
            "digest": revision.digest,
            "editor": revision.editor.display_name,
            "at": iso(revision.at),
            "content": revision.content,
        }
        for revision in plan.revisions.select_related("editor")
    ]


def content_diff(before: Any, after: Any, path: str = "") -> list[dict[str, Any]]:
    """Return what changed between two contents as rows of path, before and after; None where a side has nothing."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted({*before, *after})
        return [row for key in keys for row in content_diff(before.get(key), after.get(key), _join(path, key))]
    if isinstance(before, list) and isinstance(after, list):
        longest = range(max(len(before), len(after)))
        return [
            row for index in longest for row in content_diff(_at(before, index), _at(after, index), _join(path, index))
        ]
    return [] if before == after else [{"path": path, "before": before, "after": after}]


def _preflight(plan: Plan) -> dict[str, Any] | None:
    if plan.preflight is None:
        return None
    kept = {name: value for name, value in plan.preflight.items() if name != "preview"}
    return kept | {"is_fresh": plan.preflight["digest"] == plan.digest}


def _preflight_now(plan: Plan) -> PreflightNow | None:
    if plan.preflight is None or plan.preflight["digest"] != plan.digest:
        return None
    blocking = [item for item in plan.preflight["objections"] if item["severity"] == "block"]
    return PreflightNow(
        blocking=len(blocking),
        warnings=len(plan.preflight["objections"]) - len(blocking),
        first_text=blocking[0]["text"] if blocking else "",
        first_remedy=blocking[0]["remedy"] if blocking else "",
    )


def _run_now(run: Run, lanes: list[Lane], commands: list[Command]) -> RunNow:
    expected = sum(lane.rows_expected or 0 for lane in lanes)
    command = _telling_command(run, commands)
    return RunNow(
        id=run.pk,
        phase=Phase(run.phase.name),
        direction=Direction(run.direction),
        status=run.status,
        since=run.finished_at or run.started_at or run.requested_at,
        rows=sum(lane.rows for lane in lanes),
        rows_expected=expected or None,
        wait_reason=run.wait_reason,
        wait_verdict=run.wait_verdict,
        wait_since=run.wait_since,
        wake_at=run.wake_at,
        beat_at=max((lane.beat_at for lane in lanes if lane.beat_at), default=None),
        error_fact=run.error_fact,
        error_remedy=run.error_remedy,
        by=giver_of(command) if command else "",
        command_reason=command.reason if command else "",
        command_at=command.requested_at if command else None,
        stop_verified_at=command.verified_at if command else None,
    )


def _telling_command(run: Run, commands: list[Command]) -> Command | None:
    """Return the command that explains the run's status: the last pause of a paused run, the abort of an aborted."""
    verb = {
        RunStatus.PAUSING: Command.Verb.PAUSE,
        RunStatus.PAUSED: Command.Verb.PAUSE,
        RunStatus.ABORTING: Command.Verb.ABORT,
        RunStatus.ABORTED: Command.Verb.ABORT,
    }.get(RunStatus(run.status))
    return next((command for command in reversed(commands) if command.verb == verb), None)


def _approval(approval: Approval, plan: Plan, editors: set[object]) -> dict[str, Any]:
    void = why_void(approval, plan, editors)
    return {
        "by": approval.user.display_name,
        "at": iso(approval.at),
        "digest": approval.digest,
        "comment": approval.comment,
        "stands": not void,
        "why_not": void,
    }


def _active(runs: list[Run]) -> dict[str, Any] | None:
    return next(({"id": r.pk, "phase": r.phase.name, "direction": r.direction, "status": r.status} for r in runs), None)


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None
