"""Builds the objects that tests start from; what a test does not name does not matter to it.

Everything goes through the services where a person would, so that no test stands on a state that cannot come about.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from migrations_app.models import Lane, Plan, PlanPhase, RoleGrant, Run, SupervisorLease, Target, User
from migrations_app.services.approvals import approval_give
from migrations_app.services.plans import plan_abandon, plan_create, plan_submit
from workers.engine.vocabulary import PHASES, Phase

SPLIT_NAME: dict[str, Any] = {
    "schema": "public",
    "table": "users",
    "column": "name",
    "parts": [
        {"name": "first_name", "type": "text", "expression": "split_part(name, ' ', 1)"},
        {"name": "last_name", "type": "text", "expression": "split_part(name, ' ', 2)"},
    ],
    "join": "first_name || ' ' || last_name",
}
AUTHOR, APPROVER, OPERATOR, ONCALL, ADMIN, VIEWER = "author", "approver", "operator", "oncall", "admin", "viewer"
PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


def a_user(*roles: str, username: str = "", project: str = "", environment: str = "") -> User:
    """Return a person with these roles, everywhere unless scoped."""
    user = User.objects.create_user(username or f"person{next(_numbers)}", password=PASSWORD)
    for role in roles:
        RoleGrant.objects.create(user=user, role=role, project=project, environment=environment)
    return user


def a_target(**fields: Any) -> Target:
    """Return a target that no test connects to, unless it names a host."""
    number = next(_numbers)
    wanted = {
        "name": f"shop{number}",
        "host": f"db{number}.example",
        "database": "shop",
        "username": "lockstep_executor",
        "secret_kind": Target.SecretKind.ENVIRONMENT,
        "secret_reference": "LOCKSTEP_TARGET_SHOP_PASSWORD",
    } | fields
    if "registered_by" not in wanted:
        wanted["registered_by"] = a_user(ADMIN)
    return Target.objects.create(**wanted)


def a_watched_target(**fields: Any) -> Target:
    """Return a target that a supervisor has just looked at."""
    target = a_target(**fields)
    SupervisorLease.objects.create(target=target, owner="supervisor", beat_at=timezone.now())
    return target


def content(**changes: Any) -> dict[str, Any]:
    """Return a plan's raw content: split users.name; `changes` replace top-level fields."""
    return {"operations": [{"kind": "split_column", "parameters": SPLIT_NAME}]} | changes


def split(**changes: Any) -> dict[str, Any]:
    """Return a plan's raw content with changed parameters of its one operation."""
    return content(operations=[{"kind": "split_column", "parameters": SPLIT_NAME | changes}])


def a_plan(
    status: str = "draft",
    *,
    target: Target | None = None,
    author: User | None = None,
    approver: User | None = None,
    raw: Mapping[str, Any] | None = None,
    approved_groups: tuple[str, ...] = ("expand",),
    done: str = "",
    gates: tuple[str, ...] = (),
) -> Plan:
    """Return a plan in this status: draft, submitted, approved, active, reverting, completed, reverted or abandoned.

    `done` names the last phase that is done (it makes the plan active); `gates` are confirmed.
    """
    author = author or a_user(AUTHOR)
    plan = plan_create(target or a_target(), "", raw or content(), actor=author)
    if status == "abandoned":
        return plan_abandon(plan, actor=author, reason="not needed")
    if status == "draft" and not done:
        return plan
    plan = plan_submit(with_clean_preflight(plan), actor=author)
    if status == "submitted":
        return plan
    approver = approver or a_user(APPROVER)
    for group in approved_groups:
        approval_give(plan, group, digest=plan.digest, actor=approver)
    for gate in gates:
        plan.confirmations.create(gate=gate, user=author)
    if done:
        phases = PHASES[: PHASES.index(Phase(done)) + 1]
        PlanPhase.objects.filter(plan=plan, name__in=phases).update(status="done", since=timezone.now())
        status = "active" if status in ("draft", "approved") else status
    if status != "approved":
        Plan.objects.filter(pk=plan.pk).update(status=status)
    plan.refresh_from_db()
    return plan


def a_run(
    status: str = "running",
    *,
    phase: str = "backfill",
    direction: str = "forward",
    plan: Plan | None = None,
    rows: int = 0,
    rows_expected: int | None = 200_000,
    **fields: Any,
) -> Run:
    """Return a run of this phase, with one lane that a worker has just renewed."""
    before = PHASES[PHASES.index(Phase(phase)) - 1] if phase != "expand" else ""
    plan = plan or a_plan(done=before, status="approved" if before else "active", target=a_watched_target())
    row = plan.phases.get(name=phase)
    ended = {"aborted": "failed", "failed": "failed", "succeeded": "done"}
    row.status = ended.get(status, "running" if direction == "forward" else "reverting")
    row.since = timezone.now()
    row.save()
    run = Run.objects.create(
        plan=plan,
        phase=row,
        direction=direction,
        status=status,
        digest=plan.digest,
        started_at=timezone.now(),
        **fields,
    )
    Lane.objects.create(run=run, rows=rows, rows_expected=rows_expected, beat_at=timezone.now(), owner="worker")
    return run


def with_clean_preflight(plan: Plan, *, rows: int = 200_000, objections: tuple[dict[str, Any], ...] = ()) -> Plan:
    """Return the plan as if a preflight had looked at it."""
    plan.preflight = {
        "digest": plan.digest,
        "at": "2026-01-01T00:00:00Z",
        "rows": rows,
        "objections": list(objections),
        "preview": [],
    }
    plan.save(update_fields=["preflight"])
    return plan
