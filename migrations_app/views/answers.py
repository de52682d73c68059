"""Carries out a verb and answers with what came of it: a message and the next page, or JSON for the page's script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect

from migrations_app.authorize import Denied
from migrations_app.lifecycle import IllegalTransition
from migrations_app.services.errors import PhaseBlocked, ServiceRefused
from workers.engine.errors import EngineError

REFUSALS = (ServiceRefused, EngineError, IllegalTransition, Denied)
"""What a verb may answer with instead of doing it; everything else is a fault of ours."""


@dataclass(frozen=True)
class Refusal:
    """Why a verb was not carried out; nothing was changed."""

    fact: str
    remedy: str = ""
    code: str = "refused"
    field: str = ""
    status: int = 409
    more: tuple = ()
    """Everything else that stands in the way."""

    @classmethod
    def of(cls, error: Exception) -> Refusal:
        match error:
            case PhaseBlocked():
                more = [f"{blocker.text} {blocker.remedy}".strip() for blocker in error.blockers[1:]]
                return cls(error.fact, error.remedy, error.code, error.field, error.status, more)
            case ServiceRefused():
                return cls(error.fact, error.remedy, error.code, error.field, error.status)
            case Denied():
                return cls(error.fact, error.remedy, error.code, status=403)
            case EngineError():
                return cls(error.fact, error.remedy, error.code, error.field, 422)
        return cls(str(error), "Look at how things stand now.", getattr(error, "code", "refused"))

    @property
    def text(self) -> str:
        return "\n".join([f"{self.fact} {self.remedy}".strip(), *self.more])


def answer(request: HttpRequest, act: Callable[[], str], to: str) -> HttpResponseBase:
    """Carry out `act`, which returns what to say, and go `to` a page; refusals go there as well."""
    try:
        said = act()
    except REFUSALS as error:
        return refuse(request, Refusal.of(error), to)
    if wants_json(request):
        return JsonResponse({"ok": True, "text": said, "to": to})
    messages.success(request, said, extra_tags="ok")
    return redirect(to)


def refuse(request: HttpRequest, refusal: Refusal, to: str) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"ok": False, **asdict(refusal), "text": refusal.text}, status=refusal.status)
    messages.error(request, refusal.text, extra_tags="bad")
    return redirect(to)


def wants_json(request: HttpRequest) -> bool:
    """Return whether the page's own script asks."""
    return request.headers.get("Accept", "").startswith("application/json")


def text_of(values: Any, name: str, longest: int = 2000) -> str:
    """Return a posted value, cut to what a column holds."""
    return str(values.get(name, "")).strip()[:longest]
