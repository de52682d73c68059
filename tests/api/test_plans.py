"""Plans over HTTP: written, submitted, decided, started and rolled back."""

import pytest
from django.utils import timezone

from migrations_app.models import Approval, Confirmation, Plan, RoleGrant, Run, TargetSample
from tests.builders import (
    APPROVER,
    AUTHOR,
    ONCALL,
    OPERATOR,
    PASSWORD,
    VIEWER,
    a_plan,
    a_run,
    a_target,
    a_user,
    a_watched_target,
    content,
    split,
    with_clean_preflight,
)

pytestmark = pytest.mark.django_db


def test_an_author_writes_a_draft(as_user):
    target = a_target()

    answer = as_user(a_user(AUTHOR)).post("plans/", {"target": target.pk, "content": content()})

    assert answer.status_code == 201
    assert answer.data["status"] == "draft"
    assert answer.data["title"] == "Split public.users.name into first_name, last_name"
    assert [phase["name"] for phase in answer.data["phases"]] == [
        "expand", "dual_write", "backfill", "verify", "cutover", "contract", "purge",
    ]  # fmt: skip


def test_a_plan_is_listed_for_whoever_may_see_it(as_user):
    plan = a_plan()

    answer = as_user(a_user(VIEWER)).get("plans/")

    assert [row["id"] for row in answer.data["plans"]] == [plan.pk]


def test_plans_come_by_pages_newest_first(as_user):
    first, second, third = a_plan(), a_plan(), a_plan()
    viewer = as_user(a_user(VIEWER))

    page = viewer.get("plans/", limit=2).data
    rest = viewer.get("plans/", limit=2, before=page["next"]).data

    assert [row["id"] for row in page["plans"]] == [third.pk, second.pk]
    assert [row["id"] for row in rest["plans"]] == [first.pk]
    assert rest["next"] is None


def test_plans_are_found_by_status_and_target(as_user):
    wanted = a_plan("submitted")
    a_plan("submitted")
    a_plan(target=wanted.target)

    answer = as_user(a_user(VIEWER)).get("plans/", status="submitted", target=wanted.target_id)

    assert [row["id"] for row in answer.data["plans"]] == [wanted.pk]


def test_an_edit_names_the_digest_that_was_seen_and_makes_a_new_revision(as_user):
    author = a_user(AUTHOR)
    plan = a_plan(author=author)

    answer = as_user(author).put(
        f"plans/{plan.pk}/", {"digest": plan.digest, "title": "Names", "content": split(column="full_name")} | OTHER
    )

    assert answer.status_code == 200
    assert (answer.data["revision"], answer.data["title"]) == (2, "Names")


OTHER = {
    "content": split(
        parts=[
            {"name": "given", "type": "text", "expression": "split_part(name, ' ', 1)"},
            {"name": "family", "type": "text", "expression": "split_part(name, ' ', 2)"},
        ],
        join="given || ' ' || family",
    )
}


def test_an_edit_of_a_plan_that_was_edited_meanwhile_is_refused(as_user):
    author = a_user(AUTHOR)
    plan = a_plan(author=author)

    answer = as_user(author).put(f"plans/{plan.pk}/", {"digest": "0" * 64, **OTHER})

    assert (answer.status_code, answer.data["code"]) == (409, "digest_moved")


def test_a_plan_with_a_clean_preflight_is_submitted(as_user):
    author = a_user(AUTHOR)
    plan = with_clean_preflight(a_plan(author=author))

    answer = as_user(author).post(f"plans/{plan.pk}/submit/")

    assert (answer.status_code, answer.data["status"]) == (200, "submitted")


def test_a_plan_without_a_preflight_is_not_submitted(as_user):
    author = a_user(AUTHOR)
    plan = a_plan(author=author)

    answer = as_user(author).post(f"plans/{plan.pk}/submit/")

    assert (answer.status_code, answer.data["code"]) == (409, "preflight_missing")


def test_a_plan_that_the_preflight_objects_to_is_not_submitted_and_the_remedy_is_told(as_user):
    author = a_user(AUTHOR)
    objection = {
        "code": "no_usable_key",
        "title": "No key",
        "severity": "block",
        "text": "users has no primary key.",
        "remedy": "Add one.",
        "field": "table",
        "count": None,
    }
    plan = with_clean_preflight(a_plan(author=author), objections=(objection,))

    answer = as_user(author).post(f"plans/{plan.pk}/submit/")

    assert answer.status_code == 409
    assert (answer.data["code"], answer.data["remedy"]) == ("no_usable_key", "Add one.")


def test_a_draft_is_abandoned(as_user):
    author = a_user(AUTHOR)
    plan = a_plan(author=author)

    answer = as_user(author).post(f"plans/{plan.pk}/abandon/", {"reason": "not needed"})

    assert answer.data["status"] == "abandoned"


def test_an_active_plan_is_not_abandoned(as_user):
    author = a_user(AUTHOR)
    plan = a_plan(done="expand", author=author)

    answer = as_user(author).post(f"plans/{plan.pk}/abandon/")

    assert (answer.status_code, answer.data["code"]) == (409, "illegal_transition")


def test_an_approver_signs_the_digest(as_user):
    plan = a_plan("submitted")

    answer = as_user(a_user(APPROVER)).post(
        f"plans/{plan.pk}/approvals/", {"group": "expand", "digest": plan.digest, "comment": "fine"}
    )

    assert answer.data["status"] == "approved"
    assert answer.data["approvals"]["expand"]["missing"] == 0


def test_signing_twice_is_signing_once(as_user):
    plan = a_plan("submitted")
    approver = as_user(a_user(APPROVER))

    for _ in range(2):
        approver.post(f"plans/{plan.pk}/approvals/", {"group": "expand", "digest": plan.digest})

    assert Approval.objects.count() == 1


def test_an_approver_sends_a_plan_back_with_a_comment(as_user):
    plan = a_plan("approved")

    answer = as_user(a_user(APPROVER)).post(
        f"plans/{plan.pk}/changes/", {"digest": plan.digest, "comment": "Smaller batches, please."}
    )

    assert answer.data["status"] == "draft"
    assert answer.data["changes_asked"][0]["comment"] == "Smaller batches, please."


def test_asking_for_changes_needs_a_comment(as_user):
    plan = a_plan("submitted")

    answer = as_user(a_user(APPROVER)).post(f"plans/{plan.pk}/changes/", {"digest": plan.digest, "comment": " "})

    assert (answer.status_code, answer.data["field"]) == (422, "comment")


def test_changes_are_not_asked_of_a_revision_that_was_not_seen(as_user):
    plan = a_plan("submitted")

    answer = as_user(a_user(APPROVER)).post(f"plans/{plan.pk}/changes/", {"digest": "0" * 64, "comment": "No."})

    assert (answer.status_code, answer.data["code"]) == (409, "digest_moved")


def test_a_gate_is_confirmed_by_api(as_user):
    plan = a_plan(done="expand")

    answer = as_user(a_user(OPERATOR)).post(f"plans/{plan.pk}/gates/backup_before_dual_write/", {"reason": "snap-17"})

    gate = answer.data["phases"][1]["gates"][0]
    assert (gate["is_open"], gate["is_override"], gate["reason"]) == (False, False, "snap-17")


def test_an_override_needs_a_reason(as_user):
    plan = a_plan(done="expand")

    answer = as_user(a_user(OPERATOR)).post(
        f"plans/{plan.pk}/gates/backup_before_dual_write/", {"override": True, "reason": ""}
    )

    assert (answer.status_code, answer.data["code"]) == (422, "reason_missing")


def test_a_gate_that_only_its_truth_opens_cannot_be_overridden(as_user):
    plan = a_plan(done="verify")

    answer = as_user(a_user(OPERATOR)).post(
        f"plans/{plan.pk}/gates/new_version_deployed/", {"override": True, "reason": "trust me"}
    )

    assert (answer.status_code, answer.data["code"]) == (409, "gate_firm")


def test_an_unknown_gate_is_named_with_those_there_are(as_user):
    plan = a_plan(done="verify")

    answer = as_user(a_user(OPERATOR)).post(f"plans/{plan.pk}/gates/moon_is_full/")

    assert (answer.status_code, answer.data["code"]) == (422, "gate_unknown")
    assert "new_version_deployed" in answer.data["remedy"]


def test_an_operator_starts_the_first_phase(as_user):
    plan = a_plan("approved", target=a_watched_target())

    answer = as_user(a_user(OPERATOR)).post(f"plans/{plan.pk}/phases/expand/start/")

    assert answer.status_code == 202
    assert (answer.data["phase"], answer.data["direction"], answer.data["status"]) == ("expand", "forward", "enqueued")


def test_a_start_chains_only_where_the_plan_says_so(as_user):
    plan = a_plan("approved", target=a_watched_target())

    answer = as_user(a_user(OPERATOR)).post(f"plans/{plan.pk}/phases/expand/start/", {"chain_until": "verify"})

    assert (answer.status_code, answer.data["code"]) == (422, "chain_not_planned")


def test_a_start_may_chain_until_verify_and_no_further(as_user):
    plan = a_plan("approved", target=a_watched_target(), raw=content(chain=True))
    operator = as_user(a_user(OPERATOR))

    too_far = operator.post(f"plans/{plan.pk}/phases/expand/start/", {"chain_until": "cutover"})
    far = operator.post(f"plans/{plan.pk}/phases/expand/start/", {"chain_until": "verify"})

    assert (too_far.status_code, too_far.data["code"]) == (422, "chain_too_far")
    assert far.data["chain_until"] == "verify"


def test_contract_takes_the_targets_name_and_the_password(as_user):
    plan = ready_for_contract()
    operator = as_user(a_user(OPERATOR))

    nothing = operator.post(f"plans/{plan.pk}/phases/contract/start/")
    only_name = operator.post(f"plans/{plan.pk}/phases/contract/start/", {"confirm_target": plan.target.name})
    both = operator.post(
        f"plans/{plan.pk}/phases/contract/start/", {"confirm_target": plan.target.name, "password": PASSWORD}
    )

    assert (nothing.status_code, nothing.data["code"]) == (422, "confirmation_missing")
    assert (only_name.status_code, only_name.data["code"]) == (422, "password_needed")
    assert both.status_code == 202


def test_contract_does_not_start_with_a_wrong_password(as_user):
    plan = ready_for_contract()

    answer = as_user(a_user(OPERATOR)).post(
        f"plans/{plan.pk}/phases/contract/start/", {"confirm_target": plan.target.name, "password": "guess"}
    )

    assert (answer.status_code, answer.data["code"]) == (401, "wrong_credentials")
    assert not Run.objects.exists()


def ready_for_contract():
    plan = a_plan(
        done="cutover",
        target=a_watched_target(),
        approved_groups=("expand", "cutover", "contract"),
        gates=("old_version_stopped", "backup_before_contract", "soak", "side_unused"),
    )
    return plan


def test_a_rollback_before_cutover_takes_no_typing(as_user):
    plan = a_plan(done="verify", target=a_watched_target())

    answer = as_user(a_user(ONCALL)).post(f"plans/{plan.pk}/rollback/", {"to": "verify", "reason": "too slow"})

    assert answer.status_code == 202
    assert (answer.data["run"]["phase"], answer.data["run"]["direction"]) == ("verify", "back")
    assert answer.data["command"] is None


def test_a_rollback_after_cutover_takes_the_targets_name_and_the_password(as_user):
    plan = a_plan(done="cutover", target=a_watched_target())
    oncall = as_user(a_user(ONCALL))

    bare = oncall.post(f"plans/{plan.pk}/rollback/", {"reason": "errors"})
    confirmed = oncall.post(
        f"plans/{plan.pk}/rollback/",
        {"reason": "errors", "confirm_target": plan.target.name, "password": PASSWORD},
    )

    assert (bare.status_code, bare.data["code"]) == (422, "confirmation_missing")
    assert confirmed.status_code == 202


def test_a_rollback_while_a_run_is_active_aborts_it_first(as_user):
    run = a_run("running", phase="backfill", plan=a_plan(done="dual_write", target=a_watched_target()))

    answer = as_user(a_user(ONCALL)).post(f"plans/{run.plan_id}/rollback/", {"to": "expand", "reason": "stop"})

    assert answer.data["run"]["status"] == "aborting"
    assert (answer.data["command"]["verb"], answer.data["run"]["then_back_to"]) == ("abort", "expand")


def test_revisions_are_kept_with_their_editors(as_user):
    author = a_user(AUTHOR)
    plan = a_plan(author=author)
    as_user(author).put(f"plans/{plan.pk}/", {"digest": plan.digest, **OTHER})

    answer = as_user(a_user(VIEWER)).get(f"plans/{plan.pk}/revisions/")

    assert [(row["number"], row["editor"]) for row in answer.data["revisions"]] == [
        (2, author.username),
        (1, author.username),
    ]


def test_two_revisions_are_compared_field_by_field(as_user):
    author = a_user(AUTHOR)
    plan = a_plan(author=author)
    limits = content(limits={"batch_rows": 500})
    as_user(author).put(f"plans/{plan.pk}/", {"digest": plan.digest, "content": limits})

    answer = as_user(author).get(f"plans/{plan.pk}/revisions/1/diff/2/")

    assert answer.data["changes"] == [{"path": "limits.batch_rows", "before": 1000, "after": 500}]


def test_events_after_a_number_come_in_order_without_a_gap(as_user):
    plan = a_plan("approved")

    answer = as_user(a_user(VIEWER)).get(f"plans/{plan.pk}/events/", after=1)

    assert [event["seq"] for event in answer.data["events"]] == list(range(2, answer.data["last_seq"] + 1))
    assert answer.data["events"][0]["kind"] == "plan_submitted"


def test_samples_of_the_present_run_come_after_a_number(as_user):
    run = a_run("running", phase="backfill")
    for n in (1, 2, 3):
        run.samples.create(n=n, at=timezone.now(), rows=n * 100, rows_per_s=100, batch_rows=100, batch_s=0.1)

    answer = as_user(a_user(VIEWER)).get(f"plans/{run.plan_id}/samples/", after=1)

    assert (answer.data["run"], [sample["n"] for sample in answer.data["samples"]]) == (run.pk, [2, 3])


def test_samples_of_another_plans_run_are_not_shown(as_user):
    run = a_run("running", phase="backfill")

    answer = as_user(a_user(VIEWER)).get(f"plans/{a_plan().pk}/samples/", run=run.pk)

    assert answer.status_code == 404


def test_a_plan_outside_of_ones_scope_does_not_exist(as_user):
    plan = a_plan(target=a_target(environment="production"))

    answer = as_user(a_user(VIEWER, environment="staging")).get(f"plans/{plan.pk}/")

    assert (answer.status_code, answer.data["code"]) == (404, "not_found")


def test_a_plan_within_ones_scope_is_seen(as_user):
    plan = a_plan(target=a_target(project="shop", environment="staging"))

    answer = as_user(a_user(VIEWER, project="shop", environment="staging")).get(f"plans/{plan.pk}/")

    assert answer.status_code == 200


def test_a_plan_says_what_the_reader_may_do_and_why_not(as_user):
    author = a_user(AUTHOR, APPROVER)
    plan = a_plan("submitted", author=author)

    answer = as_user(author).get(f"plans/{plan.pk}/")

    assert (answer.data["may"]["edit"], answer.data["may"]["approve"]) == (True, False)
    assert answer.data["may_not"]["approve"] == "You wrote or edited this plan, so you cannot approve it."


def test_a_plan_says_all_that_stands_in_the_way_of_the_next_phase(as_user):
    plan = a_plan(done="verify", target=a_watched_target())

    answer = as_user(a_user(VIEWER)).get(f"plans/{plan.pk}/")

    cutover = answer.data["phases"][4]
    assert {blocker["code"] for blocker in cutover["blockers_forward"]} == {"approval_missing", "gate_open"}
    assert answer.data["words"]["state"] == "Verify is done. Waits for an approval of cutover."


def test_a_plan_with_an_unused_sample_still_reads(as_user):
    plan = a_plan(done="cutover", target=a_watched_target())
    reading = {"signal": "old_side_use", "source": f"plan {plan.pk}", "observed": 7200.0}
    TargetSample.objects.create(target=plan.target, n=1, at=timezone.now(), readings=[reading])

    answer = as_user(a_user(VIEWER)).get(f"plans/{plan.pk}/")

    assert "side_in_use" not in {blocker["code"] for blocker in answer.data["phases"][5]["blockers_forward"]}


def test_gone_rights_take_the_signature_with_them(as_user):
    approver = a_user(APPROVER)
    plan = a_plan("approved", approver=approver, target=a_watched_target())
    RoleGrant.objects.filter(user=approver).delete()

    answer = as_user(a_user(OPERATOR)).post(f"plans/{plan.pk}/phases/expand/start/")

    assert (answer.status_code, answer.data["code"]) == (409, "approval_missing")
    assert Plan.objects.get(pk=plan.pk).status == "approved"


def test_a_confirmation_is_made_once(as_user):
    plan = a_plan(done="expand")
    operator = as_user(a_user(OPERATOR))

    for _ in range(2):
        operator.post(f"plans/{plan.pk}/gates/backup_before_dual_write/")

    assert Confirmation.objects.count() == 1
