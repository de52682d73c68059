"""What a worker tells of its run: batches, actions, waits, and how it ended. One transaction each.

Every verb takes the worker's claim and changes nothing where the lane is somebody else's by now. Counters here are a
mirror for people; the truth is the checkpoint in the target. Payloads hold no key values and no row data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from migrations_app import events
from migrations_app.dispatch import publish_nudge
from migrations_app.lifecycle import RunStatus
from migrations_app.models import Lane, Run, RunSample
from migrations_app.selectors.clock import control_now
from migrations_app.services.endings import AT_REST, error_run, fail_run, finish_run, pause_run
from migrations_app.services.lanes import Claim, current_run
from workers.engine.errors import Drifted, EngineError, Mismatch, Refused
from workers.engine.events import BatchCopied

SAMPLE_EVERY_S = 1.0
"""The charts' resolution."""
FINAL_ERRORS = (Refused, Mismatch, Drifted)
"""The target answered and the answer is no: asking again cannot help."""


def batch_mirror(claim: Claim, batch: BatchCopied) -> None:
    """Mirror a committed batch into the lane's counters, and once a second into the run's samples."""
    counted = {"action": batch.action, "seq": batch.seq, "rows": batch.total_rows, "counters": dict(batch.counters)}
    if not Lane.objects.filter(pk=claim.lane.pk, epoch=claim.epoch).update(**counted):
        return
    last = RunSample.objects.filter(run=claim.run).order_by("-n").first()
    if last is None or (control_now() - last.at).total_seconds() >= SAMPLE_EVERY_S:
        _sample(claim, batch.batch_rows, batch.seconds, batch.rows / batch.seconds if batch.seconds > 0 else 0.0)


@transaction.atomic
def _sample(claim: Claim, batch_rows: int, batch_s: float, first_rate: float) -> None:
    """Append one sample; the run's row is locked so that two lanes never take the same number."""
    Run.objects.select_for_update(no_key=True).get(pk=claim.run.pk)
    last = RunSample.objects.filter(run=claim.run).order_by("-n").first()
    now = control_now()
    rows = Lane.objects.filter(run=claim.run).aggregate(rows=Sum("rows"))["rows"]
    if last is None:
        rate = first_rate
    else:
        rate = max(0, rows - last.rows) / max((now - last.at).total_seconds(), 0.001)
    RunSample.objects.create(
        run=claim.run,
        n=last.n + 1 if last else 1,
        at=now,
        rows=rows,
        rows_per_s=rate,
        batch_rows=batch_rows,
        batch_s=batch_s,
    )
    plan_id = claim.plan.pk
    transaction.on_commit(lambda: publish_nudge(plan_id))


@transaction.atomic
def action_start(claim: Claim, index: int, title: str) -> None:
    """Say that an action has begun; once in a run, though a worker that takes over may repeat it."""
    run = current_run(claim)
    if run is None or claim.lane.carry.get("begun", -1) >= index:
        return
    claim.lane.carry = {**claim.lane.carry, "begun": index}
    Lane.objects.filter(pk=claim.lane.pk).update(carry=claim.lane.carry)
    payload = {"run": run.pk, "phase": run.phase.name, "direction": run.direction, "action": index, "title": title}
    events.record(run.plan, "action_started", payload, by="worker")


@transaction.atomic
def action_finish(claim: Claim, index: int, title: str) -> None:
    """Say that an action is done; once in a run, though a worker that takes over may repeat it."""
    run = current_run(claim)
    if run is None or run.first_action > index:
        return
    Run.objects.filter(pk=run.pk).update(first_action=index + 1)
    payload = {"run": run.pk, "phase": run.phase.name, "direction": run.direction, "action": index, "title": title}
    events.record(run.plan, "action_finished", payload, by="worker")


@transaction.atomic
def run_wait(claim: Claim, reason: str, *, verdict: str) -> None:
    """Say why the run waits or goes slowly. An event only where it is for another reason than before."""
    run = current_run(claim)
    if run is None or run.status != RunStatus.RUNNING:
        return
    is_new = _without_figures(reason) != _without_figures(run.wait_reason) or verdict != run.wait_verdict
    changes: dict[str, object] = {"wait_reason": reason, "wait_verdict": verdict}
    if is_new:
        changes["wait_since"] = timezone.now()
        payload = {"run": run.pk, "phase": run.phase.name, "reason": reason, "verdict": verdict}
        events.record(run.plan, "run_waited", payload, by="worker")
    Run.objects.filter(pk=run.pk).update(**changes)


@transaction.atomic
def run_wait_end(claim: Claim) -> None:
    """Say that the run goes on at full speed; nothing where it did not wait."""
    run = current_run(claim)
    if run is None or not run.wait_reason:
        return
    seconds = (timezone.now() - run.wait_since).total_seconds() if run.wait_since else 0.0
    Run.objects.filter(pk=run.pk).update(**AT_REST)
    payload = {"run": run.pk, "phase": run.phase.name, "reason": run.wait_reason, "seconds": seconds}
    events.record(run.plan, "run_wait_ended", payload, by="worker")


@transaction.atomic
def outcome_resolve(claim: Claim, *, committed: bool) -> None:
    """Say that a commit without an answer was looked up in the target."""
    run = current_run(claim)
    if run is not None:
        payload = {"run": run.pk, "phase": run.phase.name, "committed": committed}
        events.record(run.plan, "outcome_resolved", payload, by="worker")


@transaction.atomic
def run_pause_done(claim: Claim) -> None:
    """The worker has stopped behind its last batch, as asked."""
    run = current_run(claim)
    if run is not None and run.status == RunStatus.PAUSING:
        pause_run(run)


@transaction.atomic
def run_finish(claim: Claim, counters: Mapping[int, Mapping[str, int]]) -> None:
    """All actions are done; `counters` by action as the loop returned them, only of those that its slice ended."""
    run = current_run(claim)
    if run is None or run.status not in (RunStatus.RUNNING, RunStatus.PAUSING, RunStatus.ABORTING):
        return
    result = _result(run, counters)
    last = run.samples.order_by("-n").first()
    if last is not None and last.rows < result.get("rows", 0):
        Lane.objects.filter(pk=claim.lane.pk).update(rows=result["rows"])
        _sample(claim, last.batch_rows, last.batch_s, last.rows_per_s)
    finish_run(run, result)


@transaction.atomic
def run_fail(claim: Claim, error: EngineError, *, before_work: bool = False) -> None:
    """The loop gave up. A run that is being aborted is left to the supervisor, which proves the stop.

    `before_work` says that the target was not even entered (wrong password, another server at the address): whatever
    the class, the run may be resumed then, since the plan itself was not refused.
    """
    run = current_run(claim)
    if run is None or run.status not in (RunStatus.RUNNING, RunStatus.PAUSING):
        return
    words = {"code": error.code, "fact": error.fact, "remedy": error.remedy}
    if isinstance(error, FINAL_ERRORS) and not before_work:
        fail_run(run, result=_result(run, {}), **words)
    else:
        error_run(run, **words)


def _result(run: Run, counters: Mapping[int, Mapping[str, int]]) -> dict[str, int]:
    """Return the phase's figures: those of the loop where it has any, else the mirror of an earlier slice."""
    if counters:
        return dict(counters[max(counters)])
    lanes = list(run.lanes.all())
    result = {"rows": sum(lane.rows for lane in lanes), "batches": sum(lane.seq for lane in lanes)}
    for lane in lanes:
        for name, count in lane.counters.items():
            result[name] = result.get(name, 0) + count
    return result if result["batches"] else {}


def _without_figures(reason: str) -> str:
    return re.sub(r"\d+(\.\d+)?", "#", reason)
