"""Answers in `application/problem+json` (RFC 9457) for everything that is refused, with a stable `code` and a remedy.

Fields: type, title, status, code, detail (the fact), remedy, and where they say something field, position, blockers,
checks, errors. A text in here is ours: nothing that a driver or a target said is passed on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from migrations_app.authorize import Denied
from migrations_app.lifecycle import IllegalTransition
from migrations_app.selectors.plan_phases import blocker_as_dict
from migrations_app.services.errors import PhaseBlocked, ServiceRefused, TooManyTries
from migrations_app.services.target_checks import Check
from migrations_app.services.targets import TargetUnusable
from workers.engine.errors import (
    Drifted,
    EngineError,
    Fenced,
    Interrupted,
    Mismatch,
    OutcomeUnknown,
    Refused,
    Transient,
)

PROBLEM = "application/problem+json"
RETRY_AFTER_S = 5
"""What a target that does not answer is given to recover."""


def problem(error: Exception, context: dict[str, Any] | None = None) -> Response | None:
    """Return the answer to an exception; None for what is a fault of ours, which Django logs and answers with 500."""
    match error:
        case ServiceRefused():
            return _service_refused(error)
        case Denied():
            return _answer(403, error.code, error.fact, remedy=error.remedy)
        case IllegalTransition():
            return _answer(409, error.code, str(error), remedy="Look at it as it is now.")
        case EngineError():
            return _engine_error(error)
        case RequestDataTooBig():
            return _answer(413, "body_too_large", "The body is larger than 1 MB.", remedy="Send less.")
        case Http404():
            return _answer(404, "not_found", "There is nothing here, or nothing that you may see.")
        case PermissionDenied():
            return _answer(403, "permission_denied", "You may not do this.")
        case OperationalError():
            return _answer(
                503,
                "control_database_unreachable",
                "Lockstep's own database does not answer.",
                remedy="Try again in a moment; to stop writing in a target meanwhile, use the line of SQL of its plan.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        case exceptions.ValidationError():
            return _validation(error)
        case exceptions.APIException():
            return _api_exception(error)
    return None


@contextmanager
def within(field: str) -> Iterator[None]:
    """Prefix the field of what is refused in here, where a service sees only a part of the body."""
    try:
        yield
    except EngineError as error:
        error.field = f"{field}.{error.field}" if error.field else field
        raise


def check_as_dict(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "ok": check.ok,
        "needed": check.needed,
        "text": check.text,
        "remedy": check.remedy,
        "code": check.code,
        "field": check.field,
    }


def _service_refused(error: ServiceRefused) -> Response:
    more: dict[str, Any] = {"field": error.field}
    if isinstance(error, PhaseBlocked):
        more["blockers"] = [blocker_as_dict(blocker) for blocker in error.blockers]
    if isinstance(error, TargetUnusable):
        more["checks"] = [check_as_dict(check) for check in error.checks]
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooManyTries) else None
    return _answer(error.status, error.code, error.fact, remedy=error.remedy, headers=headers, **more)


def _engine_error(error: EngineError) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, Transient) else None
    return _answer(
        _status_of(error),
        error.code,
        error.fact,
        remedy=error.remedy,
        headers=headers,
        field=error.field,
        position=error.position,
    )


def _status_of(error: EngineError) -> int:
    match error:
        case Refused():
            return 422
        case Transient():
            return 503
        case Fenced() | Interrupted() | Drifted() | Mismatch() | OutcomeUnknown():
            return 409
    return 500


def _validation(error: exceptions.ValidationError) -> Response:
    found = list(_flattened(error.get_full_details()))
    first = found[0]
    return _answer(422, first["code"], first["detail"], field=first["field"], errors=found)


def _flattened(details: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Walk DRF's nested errors in the order of the fields."""
    if isinstance(details, list):
        is_indexed = any(isinstance(item, dict) and "code" not in item for item in details)
        for index, item in enumerate(details):
            yield from _flattened(item, f"{path}.{index}".lstrip(".") if is_indexed else path)
    elif "code" in details and "message" in details and not isinstance(details["message"], dict):
        yield {"field": path, "code": str(details["code"]), "detail": str(details["message"])}
    else:
        for name, inner in details.items():
            at = path if name == "non_field_errors" else f"{path}.{name}".lstrip(".")
            yield from _flattened(inner, at)


def _api_exception(error: exceptions.APIException) -> Response:
    headers = {}
    if getattr(error, "auth_header", ""):
        headers["WWW-Authenticate"] = error.auth_header
    if getattr(error, "wait", None) is not None:
        headers["Retry-After"] = str(max(1, round(error.wait)))
    return _answer(error.status_code, str(error.get_codes()), str(error.detail), headers=headers)


def _answer(
    status: int, code: str, fact: str, *, remedy: str = "", headers: dict[str, str] | None = None, **more: Any
) -> Response:
    body = {
        "type": f"urn:lockstep:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": fact,
        "remedy": remedy,
    }
    body |= {name: value for name, value in more.items() if value not in (None, "")}
    return Response(body, status=status, headers=headers, content_type=PROBLEM)
