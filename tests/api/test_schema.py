"""The description of the API: complete, valid, true of what is answered, and shown under our own policy."""

from io import StringIO

import pytest
import yaml
from django.core.management import call_command
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.generators import SchemaGenerator

from tests.builders import (
    ADMIN,
    APPROVER,
    AUTHOR,
    ONCALL,
    OPERATOR,
    PASSWORD,
    a_plan,
    a_run,
    a_target,
    a_user,
    a_watched_target,
    content,
    with_clean_preflight,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema():
    return SchemaGenerator().get_schema(request=None, public=True)


def test_the_description_is_written_without_a_warning():
    printed = StringIO()

    call_command("spectacular", "--validate", "--fail-on-warn", stdout=printed)

    assert yaml.safe_load(printed.getvalue())["info"]["title"] == "Lockstep"


def test_every_answer_may_be_a_problem(schema):
    without = [
        f"{verb} {path}"
        for path, verbs in schema["paths"].items()
        for verb, operation in verbs.items()
        if "default" not in operation["responses"] and path != "/api/schema/"
    ]

    assert without == []


def test_every_verb_is_described_in_words(schema):
    silent = [
        f"{verb} {path}"
        for path, verbs in schema["paths"].items()
        for verb, operation in verbs.items()
        if not operation.get("description", "").strip()
    ]

    assert silent == []


def test_what_is_answered_is_what_is_described(schema, as_user):
    everybody = as_user(a_user(ADMIN, AUTHOR, APPROVER, OPERATOR, ONCALL))
    run = a_run("running", wait_reason="lag 3 s > 2 s", wait_verdict="hold", wait_since=timezone.now())
    run.commands.create(verb="pause", idempotency_key="k", user=everybody.user)
    run.samples.create(n=1, at=timezone.now(), rows=1, rows_per_s=1, batch_rows=1, batch_s=1)
    plan, pk = a_plan("approved", target=a_watched_target()), run.plan_id
    answers = {
        ("/api/session/", "get"): everybody.get("session/"),
        ("/api/session/", "post"): everybody.post(
            "session/", {"username": everybody.user.username, "password": PASSWORD}
        ),
        ("/api/tokens/", "get"): everybody.get("tokens/"),
        ("/api/tokens/", "post"): everybody.post("tokens/", {"name": "ci", "password": PASSWORD}),
        ("/api/operations/", "get"): everybody.get("operations/"),
        ("/api/targets/", "get"): everybody.get("targets/"),
        ("/api/targets/{target_id}/", "get"): everybody.get(f"targets/{plan.target_id}/"),
        ("/api/plans/", "get"): everybody.get("plans/"),
        ("/api/plans/", "post"): everybody.post("plans/", {"target": a_target().pk, "content": content()}),
        ("/api/plans/{plan_id}/", "get"): everybody.get(f"plans/{pk}/"),
        ("/api/plans/{plan_id}/revisions/", "get"): everybody.get(f"plans/{pk}/revisions/"),
        ("/api/plans/{plan_id}/revisions/{before}/diff/{after}/", "get"): everybody.get(
            f"plans/{pk}/revisions/1/diff/1/"
        ),
        ("/api/plans/{plan_id}/events/", "get"): everybody.get(f"plans/{pk}/events/"),
        ("/api/plans/{plan_id}/samples/", "get"): everybody.get(f"plans/{pk}/samples/"),
        ("/api/plans/{plan_id}/phases/{phase}/start/", "post"): everybody.post(f"plans/{plan.pk}/phases/expand/start/"),
        ("/api/plans/{plan_id}/rollback/", "post"): everybody.post(f"plans/{plan.pk}/rollback/"),
        ("/api/runs/", "get"): everybody.get("runs/"),
        ("/api/runs/{run_id}/", "get"): everybody.get(f"runs/{run.pk}/"),
        ("/api/runs/{run_id}/tune/", "post"): everybody.post(f"runs/{run.pk}/tune/", {"batch_rows": 500}),
        ("/api/runs/{run_id}/abort/", "post"): everybody.post(f"runs/{run.pk}/abort/"),
    }  # fmt: skip

    complaints = [complaint for at, answer in answers.items() for complaint in compare(schema, *at, answer)]

    assert complaints == []


def test_a_plan_with_everything_in_it_is_what_is_described(schema, as_user):
    objection = {"code": "c", "title": "t", "severity": "warn", "text": "t", "remedy": "", "field": "", "count": None}
    plan = a_plan(done="verify", target=a_watched_target(), gates=("new_version_deployed",))
    with_clean_preflight(plan, objections=(objection,))

    answer = as_user(a_user(APPROVER)).get(f"plans/{plan.pk}/")

    assert list(compare(schema, "/api/plans/{plan_id}/", "get", answer)) == []


def test_a_refusal_is_what_is_described(schema, as_user):
    plan = a_plan("submitted", target=a_watched_target())

    answer = as_user(a_user(OPERATOR)).post(f"plans/{plan.pk}/phases/cutover/start/")

    described = schema["components"]["schemas"]["Problem"]
    assert list(differences(schema, described, answer.json(), "problem")) == []


def test_the_page_is_shown_under_our_policy_without_anything_inline(client):
    answer = client.get("/api/docs/")

    page = answer.content.decode()
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "<style" not in page and "<script>" not in page and "https://" not in page


def test_the_pages_script_is_a_file_of_ours(client):
    answer = client.get("/api/docs/?script=")

    assert answer.headers["Content-Type"].startswith("application/javascript")
    assert "SwaggerUIBundle" in answer.content.decode()


def compare(schema, path, verb, answer):
    """Yield what is answered and not described, or described and not answered."""
    described = schema["paths"][path][verb]["responses"].get(str(answer.status_code))
    if described is None:
        yield f"{verb} {path}: {answer.status_code} is not described: {answer.content[:300]!r}"
        return
    shape = described["content"]["application/json"]["schema"]
    yield from differences(schema, shape, answer.json(), f"{verb} {path}")


def differences(schema, shape, value, at):
    if "$ref" in shape:
        shape = schema["components"]["schemas"][shape["$ref"].rsplit("/", 1)[1]]
    if value is None:
        if not is_nullable(schema, shape):
            yield f"{at} is null"
        return
    if "oneOf" in shape or "allOf" in shape:
        inner = [part for part in shape.get("oneOf", shape.get("allOf")) if "NullEnum" not in part.get("$ref", "")]
        yield from differences(schema, inner[0], value, at)
        return
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    if "type" in shape and not isinstance(value, kinds[shape["type"]]):
        yield f"{at} is {type(value).__name__}, not {shape['type']}"
    elif shape.get("type") == "array":
        for item in value:
            yield from differences(schema, shape["items"], item, f"{at}[]")
    elif "properties" in shape:
        known = shape["properties"]
        yield from (f"{at}.{name} is not described" for name in value if name not in known)
        yield from (f"{at}.{name} is missing" for name in shape.get("required", ()) if name not in value)
        for name in value:
            if name in known:
                yield from differences(schema, known[name], value[name], f"{at}.{name}")
    elif shape.get("format") == "date-time" and parse_datetime(value) is None:
        yield f"{at} is no moment"
    elif "enum" in shape and value not in shape["enum"]:
        yield f"{at} is {value}"


def is_nullable(schema, shape):
    inner = shape.get("oneOf", shape.get("allOf", []))
    return (
        bool(shape.get("nullable")) or "type" not in shape and not inner or any("Null" in str(part) for part in inner)
    )
