"""What the API does not even look at: bodies that two readers could read differently, or that ask for too much."""

import json

import pytest
from django.db import OperationalError

from migrations_app.models import Plan
from tests.builders import AUTHOR, a_plan, a_target, a_user, content

pytestmark = pytest.mark.django_db


@pytest.fixture
def send(as_user):
    """Return a function that sends raw bytes as a new plan."""
    program = as_user(a_user(AUTHOR))

    def post(body, content_type="application/json"):
        return program.client.post("/api/plans/", body, content_type=content_type)

    return post


@pytest.mark.parametrize(
    ("body", "fact"),
    [
        (b"{", "line 1, column 2"),
        (b'{"target": 1, "target": 2}', "twice"),
        (b'{"target": NaN}', "NaN is no JSON number"),
        (b'{"target": -Infinity}', "-Infinity is no JSON number"),
        (b"[" * 40 + b"]" * 40, "nested deeper than 32"),
        (b"[" * 100_000, "nested deeper than 32"),
        (b'{"target": 1, "title": "\\u0000"}', "zero byte"),
        (b'{"target": 1, "title": "\\ud800"}', "half a character"),
        (b'{"title": "\xff"}', "cannot be read"),
        (b'{"target": ' + b"9" * 5_000 + b"}", "cannot be read"),
        (json.dumps({f"k{n}": 1 for n in range(1_001)}).encode(), "more than 1000 keys"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_body_that_is_not_plain_json_is_refused(send, body, fact):
    answer = send(body)

    assert (answer.status_code, answer.data["code"]) == (400, "parse_error")
    assert fact in answer.data["detail"]


def test_a_body_of_more_than_a_megabyte_is_refused(send):
    answer = send(b'{"title": "' + b"x" * 1_000_001 + b'"}')

    assert (answer.status_code, answer.data["code"]) == (413, "body_too_large")


def test_a_body_that_is_no_json_at_all_is_refused(send):
    answer = send(b"target=1", content_type="application/x-www-form-urlencoded")

    assert (answer.status_code, answer.data["code"]) == (415, "unsupported_media_type")


def test_a_list_in_the_place_of_an_object_is_refused(send):
    answer = send(b"[]")

    assert (answer.status_code, answer.data["code"]) == (422, "invalid")


def test_an_unknown_field_is_refused_by_its_name(send):
    answer = send(json.dumps({"target": a_target().pk, "content": content(), "tilte": "Names"}).encode())

    assert (answer.status_code, answer.data["code"], answer.data["field"]) == (422, "unknown_field", "tilte")


def test_an_unknown_field_of_the_content_is_refused_by_its_path(send):
    answer = send(json.dumps({"target": a_target().pk, "content": content(limit={})}).encode())

    assert (answer.status_code, answer.data["field"]) == (422, "content.limit")


def test_an_unknown_parameter_behind_the_question_mark_is_refused(as_user):
    answer = as_user(a_user(AUTHOR)).get("plans/", stauts="draft")

    assert (answer.status_code, answer.data["field"]) == (422, "stauts")


def test_a_number_that_no_table_could_hold_is_refused(as_user):
    answer = as_user(a_user(AUTHOR)).get("plans/", before=2**63)

    assert (answer.status_code, answer.data["field"]) == (422, "before")


def test_an_id_that_no_table_could_hold_is_not_found(as_user):
    answer = as_user(a_user(AUTHOR)).get(f"plans/{10**30}/")

    assert answer.status_code == 404


def test_a_verb_with_the_wrong_method_is_refused(as_user):
    answer = as_user(a_user(AUTHOR)).get(f"plans/{a_plan().pk}/submit/")

    assert (answer.status_code, answer.data["code"]) == (405, "method_not_allowed")


def test_nothing_of_all_this_made_a_plan(send):
    send(b'{"target": 1, "target": 2}')

    assert not Plan.objects.exists()


def test_a_refusal_is_a_problem_document(send):
    answer = send(b"{")

    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "code", "detail", "remedy"} <= set(answer.json())


@pytest.mark.parametrize("path", ["nowhere/", "plans", "plans/1", "plans/x/"])
def test_what_is_no_route_is_a_problem_too(anonymous, path):
    answer = anonymous.get(path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


def test_a_control_database_that_is_gone_is_told_with_what_to_do(as_user, monkeypatch):
    def gone(*args, **kwargs):
        raise OperationalError("connection refused: password=canary")

    program = as_user(a_user(AUTHOR))
    monkeypatch.setattr("migrations_app.api.plans.plan_list", gone)

    answer = program.get("plans/")

    assert (answer.status_code, answer.data["code"]) == (503, "control_database_unreachable")
    assert "canary" not in answer.content.decode()
