"""Who may do what over HTTP: every route, every role. A route that is in no row here fails the build."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver

from migrations_app.authorize import ROLES_BY_ACTION
from migrations_app.models import RoleGrant
from tests.builders import a_plan, a_run, a_target, a_user, a_watched_target, content, with_clean_preflight

ANYBODY, SIGNED_IN = "anybody", "signed in"
TARGET = {
    "name": "new",
    "environment": "production",
    "host": "127.0.0.1",
    "port": 1,
    "database": "shop",
    "username": "u",
    "secret_kind": "sealed",
    "password": "p",
}
PLACE = {name: value for name, value in TARGET.items() if name != "name"}
DIGEST = "0" * 64

# (method, route, who, body); who is a key of ROLES_BY_ACTION or one of the two above.
ROUTES = [
    ("get", "session/", SIGNED_IN, None),
    ("post", "session/", ANYBODY, {"username": "nobody", "password": "guess"}),
    ("delete", "session/", SIGNED_IN, None),
    ("get", "tokens/", SIGNED_IN, None),
    ("post", "tokens/", SIGNED_IN, {"name": "ci"}),
    ("delete", "tokens/<int:token_id>/", SIGNED_IN, None),
    ("get", "operations/", SIGNED_IN, None),
    ("get", "targets/", SIGNED_IN, None),
    ("post", "targets/", "target_register", TARGET),
    ("post", "targets/test/", "target_register", PLACE),
    ("get", "targets/<int:target_id>/", "see", None),
    ("put", "targets/<int:target_id>/", "target_register", {"name": "renamed"}),
    ("post", "targets/<int:target_id>/test/", "target_test", {}),
    ("post", "targets/<int:target_id>/replace-secret/", "target_register", {"secret_kind": "sealed", "password": "p"}),
    ("post", "targets/<int:target_id>/find-replicas/", "target_test", {}),
    ("put", "targets/<int:target_id>/replicas/", "target_register", {"replicas": []}),
    ("get", "plans/", SIGNED_IN, None),
    ("post", "plans/", "plan_edit", {"target": "target", "content": content()}),
    ("get", "plans/<int:plan_id>/", "see", None),
    ("put", "plans/<int:plan_id>/", "plan_edit", {"digest": DIGEST, "content": content()}),
    ("post", "plans/<int:plan_id>/preflight/", "plan_edit", {}),
    ("post", "plans/<int:plan_id>/submit/", "plan_edit", {}),
    ("post", "plans/<int:plan_id>/abandon/", "plan_edit", {}),
    ("post", "plans/<int:plan_id>/approvals/", "plan_approve", {"group": "expand", "digest": DIGEST}),
    ("post", "plans/<int:plan_id>/changes/", "plan_approve", {"digest": DIGEST, "comment": "No."}),
    ("post", "plans/<int:plan_id>/gates/<slug:key>/", "gate_confirm", {}),
    ("post", "plans/<int:plan_id>/gates/<slug:key>/", "gate_override", {"override": True, "reason": "Because."}),
    ("post", "plans/<int:plan_id>/phases/<slug:phase>/start/", "run_start", {}),
    ("post", "plans/<int:plan_id>/rollback/", "plan_rollback", {}),
    ("get", "plans/<int:plan_id>/revisions/", "see", None),
    ("get", "plans/<int:plan_id>/revisions/<int:before>/diff/<int:after>/", "see", None),
    ("get", "plans/<int:plan_id>/events/", "see", None),
    ("get", "plans/<int:plan_id>/samples/", "see", None),
    ("get", "runs/", SIGNED_IN, None),
    ("get", "runs/<int:run_id>/", "see", None),
    ("post", "runs/<int:run_id>/pause/", "run_pause", {}),
    ("post", "runs/<int:run_id>/resume/", "run_resume", {}),
    ("post", "runs/<int:run_id>/abort/", "run_abort", {}),
    ("post", "runs/<int:run_id>/tune/", "run_tune", {"batch_rows": 500}),
    ("get", "schema/", ANYBODY, None),
    ("get", "docs/", ANYBODY, None),
]
NEW_THINGS = ("targets/", "targets/test/")
"""Routes that are about nothing that is there yet, so that there is nothing to hide."""
CONTRACT = ("post", "plans/<int:plan_id>/phases/contract/start/", "run_start", {})
AFTER_CUTOVER = ("post", "plans/<int:plan_id>/rollback/", "plan_rollback", {"to": "cutover"})


def described(route):
    return f"{route[0]} {route[1]} {route[2]}"


@pytest.mark.django_db
@pytest.mark.parametrize("route", ROUTES, ids=described)
def test_a_route_is_open_to_exactly_those_whom_its_action_names(as_user, anonymous, route):
    world = the_world()

    found = {name: answer_to(actor, route, world) for name, actor in actors(as_user, anonymous, route[2]).items()}

    assert found == expected(route[2], hides=route[1] not in NEW_THINGS)


@pytest.mark.django_db
@pytest.mark.parametrize("route", [CONTRACT, AFTER_CUTOVER], ids=described)
def test_who_may_not_do_a_grave_thing_is_not_asked_for_a_password(as_user, anonymous, route):
    world = the_world(done="cutover")

    found = {name: answer_to(actor, route, world) for name, actor in actors(as_user, anonymous).items()}

    assert found == expected(route[2])


def test_every_route_of_the_api_is_in_the_table():
    listed = {(method, route) for method, route, _, _ in ROUTES}

    assert set(routes_of("api/")) == listed


def test_every_action_guards_a_route():
    assert {who for _, _, who, _ in ROUTES} >= set(ROLES_BY_ACTION)


@pytest.mark.django_db
def test_no_page_shows_anything_to_somebody_who_is_not_signed_in(client):
    open_pages = {"sign_in", "sign_in_as", "sign_out"}
    paths = [path for name, path in pages() if name not in open_pages]

    shown = {path: client.get(path).status_code for path in paths}

    assert {path: status for path, status in shown.items() if status not in (302, 405)} == {}


@pytest.mark.django_db
def test_every_route_that_is_no_page_and_not_in_the_api_is_known():
    others = {str(pattern.pattern) for pattern in get_resolver().url_patterns}

    assert others == {"health", "metrics", "api/", "admin/", ""}


def the_world(done=""):
    """A target, a plan with a run that is at work, and one that waits to be decided on."""
    run = a_run("running", phase="backfill")
    plan = a_plan(done=done, target=a_watched_target()) if done else a_plan("submitted", target=a_target(**NOWHERE))
    return {"plan": with_clean_preflight(plan), "run": run, "target": plan.target}


NOWHERE = {"host": "127.0.0.1", "port": 1, "environment": "production"}


def actors(as_user, anonymous, who=""):
    if who == ANYBODY:
        return {"nobody": anonymous}
    roles = {role: as_user(a_user(role)) for role in RoleGrant.Role.values}
    elsewhere = as_user(a_user(*RoleGrant.Role.values, environment="staging"))
    return {**roles, "no role": as_user(a_user()), "elsewhere": elsewhere, "nobody": anonymous}


def answer_to(actor, route, world):
    """Ask, take everything back, and say how the door was: open, shut, hidden or locked."""
    method, pattern, _, body = route
    arguments = {
        "<int:target_id>": world["target"].pk,
        "<int:plan_id>": world["plan"].pk,
        "<int:run_id>": world["run"].pk,
        "<int:token_id>": own_token(actor),
        "<int:before>/diff/<int:after>": "1/diff/1",
        "<slug:key>": "backup_before_dual_write",
        "<slug:phase>": "expand",
    }
    path = pattern
    for name, value in arguments.items():
        path = path.replace(name, str(value))
    body = {**body, "target": world["target"].pk} if body and body.get("target") == "target" else body
    with transaction.atomic():
        caller = actor.client.get if method == "get" else getattr(actor.client, method)
        answer = caller(f"/api/{path}", body, **({} if method == "get" else {"format": "json"}))
        transaction.set_rollback(True)
    wrong_password = answer.status_code == 401 and answer.data["code"] == "wrong_credentials"
    return "open" if wrong_password else {401: "locked", 403: "shut", 404: "hidden"}.get(answer.status_code, "open")


def own_token(actor):
    user = actor.user or AnonymousUser()
    return user.api_tokens.get().pk if user.is_authenticated else 0


def expected(who, *, hides=True):
    if who == ANYBODY:
        return {"nobody": "open"}
    if who == SIGNED_IN:
        return dict.fromkeys([*RoleGrant.Role.values, "no role", "elsewhere"], "open") | {"nobody": "locked"}
    roles = {role: "open" if role in ROLES_BY_ACTION[who] else "shut" for role in RoleGrant.Role.values}
    unseen = "hidden" if hides else "shut"
    return roles | {"no role": unseen, "elsewhere": unseen, "nobody": "locked"}


def routes_of(prefix):
    """Yield method and route of everything behind this prefix."""
    for pattern in get_resolver().url_patterns:
        if isinstance(pattern, URLResolver) and str(pattern.pattern) == prefix:
            for leaf in pattern.url_patterns:
                assert isinstance(leaf, URLPattern)
                view = leaf.callback.view_class
                for method in ("get", "post", "put", "patch", "delete"):
                    if hasattr(view, method) and method in view.http_method_names:
                        yield method, str(leaf.pattern)


def pages():
    """Yield name and path of every page, with made-up arguments."""
    for pattern in get_resolver().url_patterns:
        if isinstance(pattern, URLResolver) and str(pattern.pattern) == "":
            for leaf in pattern.url_patterns:
                names = {"<int:": "1", "<slug:": "expand"}
                yield leaf.name, "/" + "/".join(argued(part, names) for part in str(leaf.pattern).split("/"))


def argued(part, names):
    return next((value for start, value in names.items() if part.startswith(start)), part)
