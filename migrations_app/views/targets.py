"""The pages of targets: list, register, one target with "Test now". Secrets go in and never come out."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from migrations_app.authorize import is_allowed
from migrations_app.models import Target
from migrations_app.selectors.fleet import pulses
from migrations_app.selectors.targets import target_page
from migrations_app.services.targets import TargetUnusable, target_register, target_replace_secret, target_test
from migrations_app.views.answers import REFUSALS, Refusal, answer, text_of
from migrations_app.views.pages import show, target_or_404

FIELDS = ("name", "project", "environment", "engine", "host", "database", "username", "tls", "tls_ca_file")
SECRET_FIELDS = ("secret_kind", "secret_reference", "password")
REPLICAS_MOST = 3
BLANK = {
    "project": "default",
    "environment": "production",
    "engine": "postgresql",
    "port": "5432",
    "tls": "prefer",
    "secret_kind": "environment",
}


@login_required
def target_list(request: HttpRequest) -> HttpResponse:
    may_register = is_allowed(request.user, "target_register")
    context = {"pulses": pulses(request.user), "may_register": may_register}
    return show(request, "targets/list.html", context, section="targets")


@login_required
@sensitive_post_parameters("password")
def target_new(request: HttpRequest) -> HttpResponse:
    """Ask for a target, look at it step by step, and save it where all that is needed works."""
    if request.method != "POST":
        return _form(request, BLANK)
    try:
        raw = _raw(request)
        if "test" in request.POST:
            return _form(request, request.POST, checks=target_test(raw, actor=request.user))
        target = target_register(raw, actor=request.user)
    except REFUSALS as error:
        checks = error.checks if isinstance(error, TargetUnusable) else ()
        return _form(request, request.POST, refusal=Refusal.of(error), checks=checks, status=422)
    messages.success(request, f"{target.name} is registered.", extra_tags="ok")
    return redirect("target", target.pk)


@login_required
def target_detail(request: HttpRequest, target_id: int) -> HttpResponse:
    """Show a target; POST looks at it now, step by step."""
    target, checks, refusal = target_or_404(request, target_id), None, None
    if request.method == "POST":
        try:
            checks = target_test(target, actor=request.user)
        except REFUSALS as error:
            refusal = Refusal.of(error)
    context = target_page(target, request.user) | {
        "target": target,
        "checks": checks,
        "refusal": refusal,
        "may_test": is_allowed(request.user, "target_test", target),
        "may_change": is_allowed(request.user, "target_register", target),
        "secret_kinds": Target.SecretKind.choices,
    }
    return show(request, "targets/target.html", context, section="targets")


@login_required
@require_POST
@sensitive_post_parameters("password")
def target_secret(request: HttpRequest, target_id: int) -> HttpResponseBase:
    """Put another password or reference in the place of the present one."""
    target = target_or_404(request, target_id)
    secret = {name: request.POST.get(name, "") for name in SECRET_FIELDS}

    def act() -> str:
        target_replace_secret(target, **secret, actor=request.user)
        return "The new secret lets us in; the old one is forgotten."

    return answer(request, act, reverse("target", args=[target.pk]))


def _form(
    request: HttpRequest, values: Any, *, refusal: Refusal | None = None, checks: Any = None, status: int = 200
) -> HttpResponse:
    context = {
        "values": {name: values.get(name, "") for name in (*FIELDS, "port", "secret_kind", "secret_reference")},
        "replicas": [
            {name: values.get(f"replicas.{index}.{name}", "") for name in ("name", "host", "port")} | {"index": index}
            for index in range(REPLICAS_MOST)
        ],
        "replica_fields": (("name", "Name"), ("host", "Host"), ("port", "Port")),
        "refusal": refusal,
        "checks": checks,
        "environments": Target.Environment.choices,
        "secret_kinds": Target.SecretKind.choices,
        "tls_modes": ("disable", "prefer", "require", "verify-ca", "verify-full"),
    }
    return show(request, "targets/form.html", context, section="targets", status=status)


def _raw(request: HttpRequest) -> dict[str, Any]:
    """Return what was typed as the service takes it; numbers that are none stay text, and are refused there."""
    raw: dict[str, Any] = {name: text_of(request.POST, name, 255) for name in (*FIELDS, *SECRET_FIELDS[:2])}
    raw |= {"password": request.POST.get("password", ""), "port": _port(request, "port")}
    raw["replicas"] = [
        {name: text_of(request.POST, f"replicas.{index}.{name}", 255) for name in ("name", "host")}
        | {"port": _port(request, f"replicas.{index}.port")}
        for index in range(REPLICAS_MOST)
        if text_of(request.POST, f"replicas.{index}.host", 255)
    ]
    return raw


def _port(request: HttpRequest, name: str) -> int | str:
    text = text_of(request.POST, name, 6)
    return int(text) if text.isdecimal() else text
