"""What the supervisor tells of a stop: taken up, not yet proven, proven. "Aborted" is never said without evidence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from migrations_app import events
from migrations_app.lifecycle import RunStatus
from migrations_app.models import Command, Lane, Plan
from migrations_app.services.endings import abort_run
from migrations_app.services.lanes import locked_run


def abort_acknowledge(run_id: int) -> None:
    """Note when a worker or the supervisor took the abort up; the first counts."""
    waiting = Command.objects.filter(run=run_id, verb=Command.Verb.ABORT, acknowledged_at=None)
    waiting.filter(run__status=RunStatus.ABORTING).update(acknowledged_at=timezone.now())


@transaction.atomic
def abort_unproven(run_id: int, *, code: str, fact: str) -> None:
    """Say that the target could not be asked: the run stays aborting. An event only where the reason is a new one."""
    run = locked_run(run_id)
    if run is None or run.status != RunStatus.ABORTING:
        return
    command = run.commands.filter(verb=Command.Verb.ABORT).latest("id")
    before = command.evidence
    is_new = before.get("unproven") != code
    now = timezone.now().isoformat()
    command.evidence = {
        "unproven": code,
        "fact": fact,
        "since": now if is_new else before["since"],
        "tried_at": now,
        "tries": 1 if is_new else before["tries"] + 1,
    }
    command.save(update_fields=["evidence"])
    if is_new:
        payload = {"run": run.pk, "phase": run.phase.name, "command": command.pk, "code": code, "fact": fact}
        events.record(run.plan, "abort_unproven", payload, by="supervisor")


@transaction.atomic
def run_abort_done(run_id: int, *, evidence: Mapping[str, Any], last_write_at: float | None, fence_epoch: int) -> bool:
    """The target was seen with the fence in place and no session at work for this run; False where the run had ended.

    `last_write_at` is in epoch seconds of the target's clock, None where the run never wrote. The plan's next epoch is
    above `fence_epoch`, so that the next run passes the fence and the present workers never do.
    """
    run = locked_run(run_id)
    if run is None or run.status != RunStatus.ABORTING:
        return False
    if fence_epoch > run.plan.epoch:
        Plan.objects.filter(pk=run.plan.pk).update(epoch=fence_epoch)
        run.plan.epoch = fence_epoch
    Lane.objects.filter(run=run).update(lease_until=None)
    command = run.commands.filter(verb=Command.Verb.ABORT).latest("id")
    command.acknowledged_at = command.acknowledged_at or timezone.now()
    command.last_write_at = None if last_write_at is None else datetime.fromtimestamp(last_write_at, UTC)
    command.verified_at = timezone.now()
    command.evidence = dict(evidence)
    command.save(update_fields=["acknowledged_at", "last_write_at", "verified_at", "evidence"])
    clocks = {
        "requested_at": command.requested_at.isoformat(),
        "acknowledged_at": command.acknowledged_at.isoformat(),
        "last_write_at": command.last_write_at.isoformat() if command.last_write_at else None,
        "verified_at": command.verified_at.isoformat(),
    }
    abort_run(run, {"command": command.pk, **clocks, "evidence": dict(evidence)})
    return True
