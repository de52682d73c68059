"""Starting, stopping and going back, as services see them: every start looks at everything anew."""

from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_app.models import PlanPhase, RoleGrant, TableClaim, TargetSample
from migrations_app.services.errors import InputRefused, PhaseBlocked, ServiceRefused
from migrations_app.services.runs import plan_rollback, run_abort, run_start
from tests.builders import (
    APPROVER,
    AUTHOR,
    ONCALL,
    OPERATOR,
    a_plan,
    a_run,
    a_user,
    a_watched_target,
    content,
)
from workers.engine.vocabulary import Direction, Phase

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator():
    return a_user(OPERATOR)


@pytest.fixture
def oncall():
    return a_user(ONCALL)


def codes(plan, phase, operator, direction=Direction.FORWARD):
    with pytest.raises(PhaseBlocked) as caught:
        run_start(plan, Phase(phase), actor=operator, direction=direction)
    return {blocker.code for blocker in caught.value.blockers}


def approved(**changes):
    return a_plan("approved", target=a_watched_target(), **changes)


def test_a_start_makes_the_plan_active_and_claims_its_table(operator):
    plan = approved()

    run_start(plan, Phase.EXPAND, actor=operator)

    plan.refresh_from_db()
    assert plan.status == "active"
    assert str(TableClaim.objects.get(plan=plan)) == f"public.users for plan {plan.pk}"


def test_a_start_expects_the_rows_that_the_preflight_counted(operator):
    plan = a_plan(done="dual_write", target=a_watched_target())

    run = run_start(plan, Phase.BACKFILL, actor=operator)

    assert run.lanes.get().rows_expected == 200_000


def test_a_plan_that_chains_goes_on_until_verify(operator):
    run = run_start(approved(raw=content(chain=True)), Phase.EXPAND, actor=operator)

    assert run.chain_until == "verify"


@pytest.mark.parametrize("loss", ["role", "account", "editor"])
def test_an_approval_does_not_stand_once_its_giver_may_not_give_it(operator, loss):
    approver = a_user(APPROVER)
    plan = approved(approver=approver)
    if loss == "role":
        RoleGrant.objects.filter(user=approver).delete()
    if loss == "account":
        approver.is_active = False
        approver.save()
    if loss == "editor":
        plan.revisions.create(number=2, content=plan.content, digest=plan.digest, editor=approver)

    assert codes(plan, "expand", operator) == {"approval_missing"}


def test_an_approver_of_another_environment_does_not_count(operator):
    approver = a_user(APPROVER)
    plan = approved(approver=approver)
    RoleGrant.objects.filter(user=approver).update(environment="staging")

    assert codes(plan, "expand", operator) == {"approval_missing"}


def test_each_group_of_phases_wants_an_approval_of_its_own(operator):
    plan = a_plan(done="verify", target=a_watched_target(), gates=("new_version_deployed",))

    assert codes(plan, "cutover", operator) == {"approval_missing"}


def test_cutover_waits_until_somebody_says_that_the_new_version_is_deployed(operator):
    plan = a_plan(done="verify", target=a_watched_target(), approved_groups=("expand", "cutover"))

    assert codes(plan, "cutover", operator) == {"gate_open"}


def test_cutover_wants_a_recent_verification(operator):
    plan = a_plan(
        done="verify",
        target=a_watched_target(),
        approved_groups=("expand", "cutover"),
        gates=("new_version_deployed",),
    )
    PlanPhase.objects.filter(plan=plan, name="verify").update(since=timezone.now() - timedelta(days=2))

    assert codes(plan, "cutover", operator) == {"verification_old"}


def test_contract_says_everything_that_is_missing_at_once(operator):
    plan = a_plan(done="cutover", target=a_watched_target())

    assert codes(plan, "contract", operator) == {"approval_missing", "gate_open", "soak_running", "side_in_use"}


def test_contract_starts_when_all_of_it_is_there(operator):
    plan = a_plan(
        done="cutover",
        target=a_watched_target(),
        approved_groups=("expand", "cutover", "contract"),
        gates=("old_version_stopped", "backup_before_contract"),
    )
    PlanPhase.objects.filter(plan=plan, name="cutover").update(since=timezone.now() - timedelta(days=2))
    reading = {"signal": "old_side_use", "source": f"plan {plan.pk}", "observed": 7200.0}
    TargetSample.objects.create(target=plan.target, n=1, at=timezone.now(), readings=[reading])

    assert run_start(plan, Phase.CONTRACT, actor=operator).status == "enqueued"


def test_purge_waits_for_the_hold_of_the_retired_column(operator):
    plan = a_plan(done="contract", target=a_watched_target(), approved_groups=("expand", "cutover", "contract"))

    assert codes(plan, "purge", operator) == {"hold_running"}


def test_verify_may_be_repeated_until_cutover(operator):
    plan = a_plan(done="verify", target=a_watched_target())

    assert run_start(plan, Phase.VERIFY, actor=operator).phase.name == "verify"


def test_purge_has_no_way_back(oncall):
    plan = a_plan(done="purge", target=a_watched_target())

    assert codes(plan, "purge", oncall, Direction.BACK) == {"irreversible"}


def test_the_way_back_needs_no_approval_of_its_own(oncall):
    plan = a_plan(done="cutover", target=a_watched_target())
    plan.approvals.all().delete()

    run = plan_rollback(plan, actor=oncall)

    assert (run.phase.name, run.direction) == ("cutover", "back")


def test_a_rollback_of_several_phases_starts_with_the_last(oncall):
    plan = a_plan(done="verify", target=a_watched_target())

    run = plan_rollback(plan, actor=oncall, to="expand")

    assert (run.phase.name, run.chain_until) == ("verify", "expand")
    plan.refresh_from_db()
    assert plan.status == "reverting"


def test_the_sync_goes_only_when_the_new_version_is_gone(oncall):
    plan = a_plan(done="dual_write", target=a_watched_target())

    with pytest.raises(PhaseBlocked) as caught:
        plan_rollback(plan, actor=oncall)

    assert {blocker.code for blocker in caught.value.blockers} == {"gate_open"}


def test_new_columns_go_only_when_no_application_uses_them(oncall):
    plan = a_plan(done="expand", target=a_watched_target())

    with pytest.raises(PhaseBlocked) as caught:
        plan_rollback(plan, actor=oncall)

    assert {blocker.code for blocker in caught.value.blockers} == {"side_in_use"}


def test_a_rollback_further_than_what_was_done_is_refused(oncall):
    plan = a_plan(done="backfill", target=a_watched_target())

    with pytest.raises(ServiceRefused) as caught:
        plan_rollback(plan, actor=oncall, to="cutover")

    assert caught.value.field == "to"


def test_a_rollback_to_a_phase_that_does_not_exist_is_refused(oncall):
    with pytest.raises(InputRefused):
        plan_rollback(a_plan(done="backfill", target=a_watched_target()), actor=oncall, to="lunch")


def test_a_rollback_of_a_rollback_is_refused(oncall):
    run = a_run("running", phase="verify", direction="back")

    with pytest.raises(ServiceRefused) as caught:
        plan_rollback(run.plan, actor=oncall)

    assert caught.value.code == "already_reverting"


def test_an_abort_tells_the_supervisor_at_once(oncall, django_capture_on_commit_callbacks):
    run = a_run("running")

    command = run_abort(run, actor=oncall, reason="wrong table")

    run.refresh_from_db()
    assert (run.status, command.user, command.reason) == ("aborting", oncall, "wrong table")


def test_a_guard_aborts_without_a_person():
    run = a_run("running")

    command = run_abort(run, actor=None, guard="probe", reason="budget spent")

    assert (command.user, command.guard) == (None, "probe")


def test_an_author_pauses_and_aborts_but_does_not_start(operator):
    author = a_user(AUTHOR)
    run = a_run("running")

    assert run_abort(run, actor=author).user == author
