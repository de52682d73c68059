"""What a person may get wrong, each with its own answer; and nothing is changed by it."""

import pytest

from migrations_app.models import Command, Plan, Run, Target
from migrations_app.services.targets import target_register
from tests.builders import (
    ADMIN,
    APPROVER,
    AUTHOR,
    ONCALL,
    OPERATOR,
    SPLIT_NAME,
    a_plan,
    a_run,
    a_target,
    a_user,
    a_watched_target,
    content,
    split,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def author(as_user):
    return as_user(a_user(AUTHOR))


def part(expression, name="first_name"):
    return {"name": name, "type": "text", "expression": expression}


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("(SELECT max(name) FROM users)", 1),
        ("name; DROP TABLE users", 4),
        ("name || (select 'x')", 9),
    ],
    ids=["a sub-select", "a second statement", "a sub-select inside"],
)
def test_an_expression_that_is_more_than_one_is_refused_at_its_offending_part(author, expression, position):
    raw = split(parts=[part(expression), SPLIT_NAME["parts"][1]])

    answer = author.post("plans/", {"target": a_target().pk, "content": raw})

    assert (answer.status_code, answer.data["code"]) == (422, "expression_refused")
    assert answer.data["field"] == "content.operations.0.parameters.parts.0.expression"
    assert answer.data["position"] == position
    assert not Plan.objects.exists()


def test_a_function_that_is_not_allowed_is_named(author):
    raw = split(parts=[part("pg_sleep(name)"), SPLIT_NAME["parts"][1]])

    answer = author.post("plans/", {"target": a_target().pk, "content": raw})

    assert answer.data["code"] == "expression_refused"
    assert "pg_sleep" in answer.data["detail"]


def test_a_name_longer_than_63_bytes_is_refused(author):
    raw = split(parts=[part("split_part(name, ' ', 1)", name="é" * 32), SPLIT_NAME["parts"][1]])

    answer = author.post("plans/", {"target": a_target().pk, "content": raw})

    assert (answer.status_code, answer.data["code"]) == (422, "identifier_refused")
    assert answer.data["field"] == "content.operations.0.parameters.parts.0.name"
    assert "64 bytes" in answer.data["detail"]


def test_a_name_of_63_bytes_is_taken(author):
    name = "n" * 63
    raw = split(
        parts=[part("split_part(name, ' ', 1)", name=name), SPLIT_NAME["parts"][1]], join=f"{name} || last_name"
    )

    answer = author.post("plans/", {"target": a_target().pk, "content": raw})

    assert answer.status_code == 201


def test_an_operation_that_does_not_exist_is_refused_with_those_that_do(author):
    raw = content(operations=[{"kind": "explode_table", "parameters": {}}])

    answer = author.post("plans/", {"target": a_target().pk, "content": raw})

    assert (answer.status_code, answer.data["field"]) == (422, "content.operations.0.kind")
    assert "split_column" in answer.data["remedy"]


def test_a_parameter_that_is_missing_is_named_by_its_path(author):
    raw = split(parts=[{"name": "first_name", "type": "text"}, SPLIT_NAME["parts"][1]])

    answer = author.post("plans/", {"target": a_target().pk, "content": raw})

    assert answer.data["field"] == "content.operations.0.parameters.parts.0.expression"


def test_a_limit_out_of_its_bounds_is_named(author):
    answer = author.post("plans/", {"target": a_target().pk, "content": content(limits={"batch_rows": 1})})

    assert (answer.status_code, answer.data["field"]) == (422, "content.limits.batch_rows")


def test_a_probe_that_writes_is_refused(author):
    raw = content(guards={"probe": "DELETE FROM users"})

    answer = author.post("plans/", {"target": a_target().pk, "content": raw})

    assert (answer.status_code, answer.data["field"]) == (422, "content.guards.probe")


def test_a_plan_that_was_approved_and_then_edited_does_not_start(as_user):
    author = a_user(AUTHOR)
    plan = a_plan("approved", author=author, target=a_watched_target())
    as_user(author).put(f"plans/{plan.pk}/", {"digest": plan.digest, "content": content(limits={"batch_rows": 500})})

    answer = as_user(a_user(OPERATOR)).post(f"plans/{plan.pk}/phases/expand/start/")

    codes = {blocker["code"] for blocker in answer.data["blockers"]}
    assert (answer.status_code, codes) == (409, {"plan_not_approved", "approval_missing"})
    assert not Run.objects.exists()


def test_a_plan_that_runs_is_not_edited(as_user):
    author = a_user(AUTHOR)
    plan = a_plan(done="expand", author=author)

    answer = as_user(author).put(f"plans/{plan.pk}/", {"digest": plan.digest, "content": content(chain=True)})

    assert (answer.status_code, answer.data["code"]) == (409, "plan_not_editable")


@pytest.mark.parametrize("role", ["author", "editor"])
def test_nobody_approves_what_they_wrote_or_edited(as_user, role):
    author, editor = a_user(AUTHOR, APPROVER), a_user(AUTHOR, APPROVER)
    plan = a_plan(author=author)
    as_user(editor).put(f"plans/{plan.pk}/", {"digest": plan.digest, "content": content(limits={"batch_rows": 500})})
    plan.refresh_from_db()
    Plan.objects.filter(pk=plan.pk).update(status="submitted")

    answer = as_user(author if role == "author" else editor).post(
        f"plans/{plan.pk}/approvals/", {"group": "expand", "digest": plan.digest}
    )

    assert (answer.status_code, answer.data["code"]) == (409, "own_plan")


def test_a_second_account_of_the_author_does_not_approve_either(as_user):
    author, second = a_user(AUTHOR), a_user(APPROVER)
    second.person = author.person
    second.save()
    plan = a_plan("submitted", author=author)

    answer = as_user(second).post(f"plans/{plan.pk}/approvals/", {"group": "expand", "digest": plan.digest})

    assert (answer.status_code, answer.data["code"]) == (409, "own_plan")


def test_a_phase_out_of_order_does_not_start(as_user):
    plan = a_plan("approved", target=a_watched_target())

    answer = as_user(a_user(OPERATOR)).post(f"plans/{plan.pk}/phases/backfill/start/")

    assert (answer.status_code, answer.data["code"]) == (409, "phase_out_of_order")
    assert answer.data["remedy"] == "Start Expand first."


def test_a_phase_that_does_not_exist_is_not_found(as_user):
    plan = a_plan("approved", target=a_watched_target())

    answer = as_user(a_user(OPERATOR)).post(f"plans/{plan.pk}/phases/lunch/start/")

    assert answer.status_code == 404


def test_a_phase_that_runs_is_not_started_again(as_user):
    plan = a_plan("approved", target=a_watched_target())
    operator = as_user(a_user(OPERATOR))
    operator.post(f"plans/{plan.pk}/phases/expand/start/")

    answer = operator.post(f"plans/{plan.pk}/phases/expand/start/")

    assert (answer.status_code, answer.data["code"]) == (409, "run_active")
    assert Run.objects.count() == 1


def test_a_second_plan_on_the_same_table_waits_for_the_first(as_user):
    target = a_watched_target()
    first, second = a_plan("approved", target=target), a_plan("approved", target=target)
    operator = as_user(a_user(OPERATOR))
    operator.post(f"plans/{first.pk}/phases/expand/start/")

    answer = operator.post(f"plans/{second.pk}/phases/expand/start/")

    assert (answer.status_code, answer.data["code"]) == (409, "table_claimed")
    assert f"Plan {first.pk} works on the same table." in answer.data["detail"]


def test_an_abort_given_twice_is_one_abort(as_user):
    run = a_run("running")

    first = as_user(a_user(ONCALL)).post(f"runs/{run.pk}/abort/", key="by-page")
    second = as_user(a_user(OPERATOR)).post(f"runs/{run.pk}/abort/", key="by-cli")

    assert (second.status_code, second.data["id"]) == (202, first.data["id"])
    assert Command.objects.count() == 1


def test_a_run_that_was_aborted_is_not_aborted_again(as_user):
    run = a_run("aborted")

    answer = as_user(a_user(ONCALL)).post(f"runs/{run.pk}/abort/")

    assert (answer.status_code, answer.data["code"]) == (409, "run_ended")
    assert not Command.objects.exists()


def test_a_rollback_of_nothing_is_refused(as_user):
    plan = a_plan("approved", target=a_watched_target())

    answer = as_user(a_user(ONCALL)).post(f"plans/{plan.pk}/rollback/")

    assert (answer.status_code, answer.data["code"]) == (409, "nothing_to_roll_back")


def test_a_target_that_cannot_be_used_is_answered_with_all_checks_and_not_saved(as_user, shop_fields):
    answer = as_user(a_user(ADMIN)).post("targets/", {**shop_fields, "port": 1})

    assert (answer.status_code, answer.data["code"], answer.data["field"]) == (422, "unreachable", "port")
    assert [check["name"] for check in answer.data["checks"] if check["ok"] is False] == ["tcp"]
    assert not Target.objects.exists()


def test_a_preflight_of_a_target_that_does_not_answer_says_when_to_come_back(as_user, shop_fields):
    author = a_user(AUTHOR)
    target = target_register(shop_fields, actor=a_user(ADMIN))
    plan = a_plan(target=target, author=author)
    Target.objects.update(port=1)

    answer = as_user(author).post(f"plans/{plan.pk}/preflight/")

    assert (answer.status_code, answer.data["code"]) == (503, "unreachable")
    assert answer.headers["Retry-After"] == "5"
