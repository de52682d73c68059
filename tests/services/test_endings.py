"""What goes on by itself when a run comes to rest: chains, rollbacks, the plan's own end, and what is void then."""

from __future__ import annotations

import pytest

from migrations_app.lifecycle import PhaseStatus, PlanStatus, RunStatus
from migrations_app.models import Plan, Run
from migrations_app.services.lanes import lane_release
from migrations_app.services.progress import run_fail, run_finish
from migrations_app.services.runs import run_abort, run_pause
from migrations_app.services.stops import abort_acknowledge, abort_unproven, run_abort_done
from tests.services.claims import a_claim, a_run, kinds_of, payload_of
from workers.engine.errors import Mismatch

pytestmark = pytest.mark.django_db


def fresh(plan: Plan) -> Plan:
    return Plan.objects.get(pk=plan.pk)


def active_run(plan: Plan) -> Run | None:
    return plan.runs.filter(status=RunStatus.ENQUEUED).first()


def test_a_chain_starts_the_next_phase():
    claim = a_claim(a_run(chain_until="verify"))

    run_finish(claim, {})

    following = active_run(claim.plan)
    assert (following.phase.name, following.chain_until) == ("dual_write", "verify")


def test_a_chain_ends_with_its_last_phase():
    claim = a_claim(a_run("verify", done="backfill", chain_until="verify"))

    run_finish(claim, {})

    assert active_run(claim.plan) is None


def test_a_chain_that_may_not_go_on_says_what_stands_in_the_way():
    claim = a_claim(a_run(chain_until="verify"))
    claim.plan.confirmations.all().delete()

    run_finish(claim, {})

    told = payload_of(claim.plan, "chain_stopped")
    assert (told["phase"], told["blockers"][0]["code"]) == ("dual_write", "gate_open")


def test_a_chain_does_not_go_on_after_a_pause_that_came_too_late():
    claim = a_claim(a_run(chain_until="verify"))
    run_pause(claim.run, actor=None)

    run_finish(claim, {})

    assert Run.objects.get(pk=claim.run.pk).status == RunStatus.SUCCEEDED
    assert payload_of(claim.plan, "chain_stopped")["blockers"][0]["code"] == "pause_requested"
    assert "succeeded" in claim.run.commands.get().evidence["outcome"]


def test_an_abort_with_a_rollback_that_came_too_late_still_rolls_back():
    claim = a_claim(a_run("backfill", done="dual_write"))
    run_abort(claim.run, actor=None, then_back_to="backfill")

    run_finish(claim, {})

    following = active_run(claim.plan)
    assert (following.phase.name, following.direction) == ("backfill", "back")


def test_a_rollback_goes_on_down_to_its_last_phase():
    claim = a_claim(a_run("backfill", done="backfill", back=True, chain_until="dual_write"))

    run_finish(claim, {})

    following = active_run(claim.plan)
    assert (following.phase.name, following.direction) == ("dual_write", "back")
    assert fresh(claim.plan).status == PlanStatus.REVERTING


def test_a_rollback_that_ends_before_the_start_leaves_the_plan_active():
    claim = a_claim(a_run("cutover", done="cutover", back=True))

    run_finish(claim, {})

    assert fresh(claim.plan).status == PlanStatus.ACTIVE
    assert payload_of(claim.plan, "rollback_ended") == {"standing": "verify"}


def test_undoing_the_first_phase_ends_the_plan_and_frees_the_table():
    claim = a_claim(a_run("expand", done="expand", back=True))

    run_finish(claim, {})

    assert fresh(claim.plan).status == PlanStatus.REVERTED
    assert not claim.plan.claims.exists()
    assert kinds_of(claim.plan)[-1] == "plan_reverted"


def test_the_last_phase_completes_the_plan():
    claim = a_claim(a_run("purge", done="contract"))

    run_finish(claim, {})

    assert fresh(claim.plan).status == PlanStatus.COMPLETED


def test_a_step_back_voids_what_was_said_for_the_phases_from_there_on():
    claim = a_claim(a_run("cutover", done="cutover", back=True))

    run_finish(claim, {})

    standing = set(claim.plan.confirmations.filter(voided_at=None).values_list("gate", flat=True))
    assert standing == {"backup_before_dual_write", "new_version_stopped"}


def test_a_step_forward_voids_what_was_said_of_the_way_back():
    claim = a_claim(a_run("dual_write", done="expand"))

    run_finish(claim, {})

    standing = set(claim.plan.confirmations.filter(voided_at=None).values_list("gate", flat=True))
    assert "new_version_stopped" not in standing
    assert "new_version_deployed" in standing


def test_a_rollback_that_fails_leaves_the_plan_active_and_the_phase_failed():
    claim = a_claim(a_run("dual_write", done="dual_write", back=True))

    run_fail(claim, Mismatch("1 row"))

    assert fresh(claim.plan).status == PlanStatus.ACTIVE
    assert claim.plan.phases.get(name="dual_write").status == PhaseStatus.FAILED


def test_a_proven_abort_has_four_clocks_and_its_evidence():
    run = a_claim().run
    run_abort(run, actor=None)
    abort_acknowledge(run.pk)

    assert run_abort_done(run.pk, evidence={"sessions": 0}, last_write_at=1_800_000_000.0, fence_epoch=9)

    command = run.commands.get()
    assert all((command.requested_at, command.acknowledged_at, command.last_write_at, command.verified_at))
    assert payload_of(run.plan, "run_aborted")["evidence"] == {"sessions": 0}
    assert Run.objects.get(pk=run.pk).status == RunStatus.ABORTED


def test_the_epoch_of_a_stop_is_never_given_to_a_worker():
    run = a_claim().run
    run_abort(run, actor=None)

    run_abort_done(run.pk, evidence={}, last_write_at=None, fence_epoch=9)

    assert fresh(run.plan).epoch == 9


def test_a_stop_that_cannot_be_proven_is_told_once_and_counted():
    run = a_claim().run
    run_abort(run, actor=None)

    for _ in range(3):
        abort_unproven(run.pk, code="unreachable", fact="No connection.")

    assert kinds_of(run.plan).count("abort_unproven") == 1
    assert run.commands.get().evidence["tries"] == 3
    assert Run.objects.get(pk=run.pk).status == RunStatus.ABORTING


def test_a_proof_frees_the_lane_of_a_worker_that_is_dead():
    claim = a_claim()
    run_abort(claim.run, actor=None)

    run_abort_done(claim.run.pk, evidence={}, last_write_at=None, fence_epoch=2)

    assert not lane_release(claim)
