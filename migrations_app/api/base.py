"""What all views of the API share: strict bodies, no caching, and finding objects only where the actor may see them."""

from __future__ import annotations

from typing import Any, TypeVar

from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from migrations_app.api.authentication import address_of_peer, reauthenticated_at
from migrations_app.api.parsers import StrictJSONParser
from migrations_app.api.schema import ApiSchema
from migrations_app.authorize import authorize
from migrations_app.models import Plan, Run, Target
from migrations_app.selectors.access import access_plans, access_runs, access_targets
from migrations_app.services.errors import InputRefused
from migrations_app.services.sign_ins import grave_check

Body = dict[str, Any]
Shape = TypeVar("Shape", bound=type[Serializer])
LONGEST_KEY = 64


class ApiView(APIView):
    """A view of the API. An object out of the actor's sight is answered like one that does not exist."""

    parser_classes = [StrictJSONParser]
    schema = ApiSchema()

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def body(self, shape: Shape) -> Body:
        """Return the request's checked body; raises ValidationError."""
        return _checked(shape, self.request.data)

    def query(self, shape: Shape) -> Body:
        """Return the checked parameters behind the question mark."""
        return _checked(shape, self.request.query_params.dict())

    def plan(self, plan_id: int) -> Plan:
        return get_object_or_404(access_plans(self.request.user), pk=plan_id)

    def run(self, run_id: int) -> Run:
        return get_object_or_404(access_runs(self.request.user), pk=run_id)

    def target(self, target_id: int) -> Target:
        return get_object_or_404(access_targets(self.request.user), pk=target_id)

    def idempotency_key(self) -> str:
        """Return the header `Idempotency-Key`, or empty."""
        key = str(self.request.headers.get("Idempotency-Key", ""))
        if len(key) > LONGEST_KEY or not key.isascii() or not (key.isprintable() or key == ""):
            raise InputRefused(
                f"An Idempotency-Key has at most {LONGEST_KEY} printable characters.", code="key_refused"
            )
        return key

    def confirm_grave(self, action: str, plan: Plan, body: Body) -> None:
        """Raise unless the target's name was typed and the password was given now or a moment ago."""
        authorize(self.request.user, action, plan)  # first, so that nobody is asked for a password in vain
        grave_check(
            plan.target,
            typed_name=body.get("confirm_target", ""),
            password=body.get("password", ""),
            actor=self.request.user,
            reauthenticated_at=reauthenticated_at(self.request),
            address=address_of_peer(self.request),
        )


class NothingView(ApiView):
    """What is behind /api/ and is no route: a problem document like any other refusal."""

    permission_classes: list[Any] = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Http404


def _checked(shape: Shape, given: Any) -> Body:
    serializer = shape(data=given)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
