"""The verb that looks at a plan's table before anything is approved: objections, counts, and the exact statements.

The target is asked outside of any transaction of ours, under limits of its own and without a table lock; what it said
is stored only where the plan is still the one that was looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from migrations_app import events
from migrations_app.addresses import adapter_of, check_identity
from migrations_app.authorize import authorize
from migrations_app.content import operations_of
from migrations_app.lifecycle import PlanStatus
from migrations_app.models import Plan, Replica, User
from migrations_app.services.errors import DigestMoved, ServiceRefused
from migrations_app.services.plans import locked
from workers.engine import checks
from workers.engine.adapters.base import Adapter
from workers.engine.errors import EngineError
from workers.engine.objection import Objection, Severity
from workers.engine.operation import Operation
from workers.engine.vocabulary import Direction, title_of

OPEN_TO_PREFLIGHT = (PlanStatus.DRAFT, PlanStatus.SUBMITTED, PlanStatus.APPROVED)


def preflight_run(plan: Plan, *, actor: User) -> Plan:
    """Look at the target and store what was found with the plan. May be repeated; takes up to the preflight's limit.

    Raises EngineError where the target cannot be asked at all, DigestMoved where the plan was edited meanwhile.
    """
    authorize(actor, "plan_edit", plan)
    _refuse_started(plan)
    digest, found = plan.digest, _look(plan)
    with transaction.atomic():
        plan = locked(plan)
        _refuse_started(plan)
        if plan.digest != digest:
            raise DigestMoved(
                "The plan was edited while the preflight looked at it.", remedy="Run the preflight again."
            )
        plan.preflight = {"digest": digest, "at": timezone.now().isoformat(), **found}
        Plan.objects.filter(pk=plan.pk).update(preflight=plan.preflight)
        counts = {severity.value: _count(found["objections"], severity) for severity in Severity}
        events.record(plan, "preflight_finished", {"digest": digest, "rows": found["rows"], **counts}, actor=actor)
    return plan


def _refuse_started(plan: Plan) -> None:
    if plan.status not in OPEN_TO_PREFLIGHT:
        raise ServiceRefused(
            f"The plan is {plan.status}; the preflight looks at a plan before it starts.", code="plan_started"
        )


def _look(plan: Plan) -> dict[str, Any]:
    objections: list[Objection] = []
    preview: list[dict[str, Any]] = []
    rows = 0
    with adapter_of(plan.target, tag=_tag(plan)) as adapter:
        check_identity(adapter, plan.target)
        for index, operation in enumerate(operations_of(plan.content)):
            tag = f"p{plan.pk}o{index}"
            found = checks.preflight(
                operation,
                tag,
                adapter,
                accepted_lossy_rows=int(plan.content["rules"]["accepted_lossy_rows"]),
                limit_s=settings.LOCKSTEP_PREFLIGHT_S,
            )
            objections += found
            if not any(objection.severity is Severity.BLOCK for objection in found):
                preview += _preview(operation, tag, adapter)
                rows += adapter.describe(operation.table).rows
        objections += _probe(plan.content["guards"]["probe"], adapter)
    objections += [objection for replica in plan.target.replicas.all() for objection in _replica(plan, replica)]
    return {"rows": rows, "objections": [asdict(objection) for objection in objections], "preview": preview}


def _preview(operation: Operation, tag: str, adapter: Adapter) -> list[dict[str, Any]]:
    """Render every action of every phase, there and back: exactly what a run would send."""
    return [
        {
            "phase": step.phase,
            "direction": direction,
            "title": title_of(action),
            "statements": list(adapter.render(action)),
        }
        for step in operation.steps(tag)
        for direction in Direction
        for action in step.actions(direction)
    ]


def _probe(query: str, adapter: Adapter) -> list[Objection]:
    """Object to a probe that the target refuses or that outlasts our patience: no budget could be counted from it."""
    if not query:
        return []
    try:
        adapter.scalar(query, settings.LOCKSTEP_STATEMENT_TIMEOUT_S)
    except EngineError as error:
        return [
            Objection(
                code="probe_refused",
                title="The probe does not work",
                severity=Severity.BLOCK,
                text=f"The probe of the plan was tried once: {error.fact}",
                remedy=error.remedy or "Mend the query.",
                field="guards.probe",
            )
        ]
    return []


def _replica(plan: Plan, replica: Replica) -> list[Objection]:
    """Object to a replica that does not answer: a backfill would be held from its first batch on."""
    with adapter_of(plan.target, replica, tag=_tag(plan)) as adapter:
        try:
            identity = adapter.identity()
        except EngineError as error:
            fact, remedy = error.fact, error.remedy
        else:
            if not identity.is_primary and identity.system in ("", plan.target.system):
                return []
            fact = f"{replica.host}:{replica.port} is no replica of this target."
            remedy = "Correct its address."
    return [
        Objection(
            code="replica_gone",
            title=f"Replica {replica.name} cannot be watched",
            severity=Severity.BLOCK,
            text=f"Replica {replica.name}: {fact} Its lag would hold the backfill from the first batch on.",
            remedy=f"{remedy} Or take it off the target's list of replicas.".strip(),
        )
    ]


def _tag(plan: Plan) -> str:
    return f"lockstep:p{plan.pk}:preflight"


def _count(objections: Sequence[dict[str, Any]], severity: Severity) -> int:
    return sum(objection["severity"] == severity for objection in objections)
