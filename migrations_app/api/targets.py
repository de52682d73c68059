"""Targets: register, look at, change, test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle

from migrations_app.api import serializers, shapes
from migrations_app.api.base import ApiView
from migrations_app.api.errors import check_as_dict
from migrations_app.selectors.target_detail import target_detail, target_list
from migrations_app.services.target_checks import Check
from migrations_app.services.targets import (
    target_change,
    target_find_replicas,
    target_register,
    target_replace_secret,
    target_replicas_set,
    target_test,
)


class LookThrottle(UserRateThrottle):
    """Slows down whoever would use the checks to look around in the network."""

    scope = "target_looks"
    rate = "30/min"

    def allow_request(self, request: Request, view: object) -> bool:
        return request.method == "GET" or super().allow_request(request, view)


class TargetsView(ApiView):
    """The databases that Lockstep may change."""

    throttle_classes = [LookThrottle]

    @extend_schema(operation_id="target_list", responses=shapes.Target(many=True), tags=["targets"])
    def get(self, request: Request) -> Response:
        """List the targets that you may see, by name."""
        return Response(target_list(request.user))

    @extend_schema(
        operation_id="target_register", request=serializers.TargetWish, responses={201: shapes.Target}, tags=["targets"]
    )
    def post(self, request: Request) -> Response:
        """Register a target. Every check must pass; otherwise 422 with all of them, and nothing is saved."""
        target = target_register(self.body(serializers.TargetWish), actor=request.user)
        return Response(target_detail(target), status=201)


class UnsavedTestView(ApiView):
    """A test before registering."""

    throttle_classes = [LookThrottle]

    @extend_schema(
        operation_id="target_test_unsaved",
        request=serializers.TargetPlace,
        responses=shapes.TargetTest,
        tags=["targets"],
    )
    def post(self, request: Request) -> Response:
        """Test a target that is only described so far; saves nothing."""
        return Response(_test(target_test(self.body(serializers.TargetPlace), actor=request.user)))


class TargetView(ApiView):
    """One target."""

    throttle_classes = [LookThrottle]

    @extend_schema(operation_id="target_get", responses=shapes.Target, tags=["targets"])
    def get(self, request: Request, target_id: int) -> Response:
        """Return it, without its password."""
        return Response(target_detail(self.target(target_id)))

    @extend_schema(
        operation_id="target_change", request=serializers.TargetChange, responses=shapes.Target, tags=["targets"]
    )
    def put(self, request: Request, target_id: int) -> Response:
        """Change its name or where it is, never which database; address, account and TLS take the present password."""
        body = self.body(serializers.TargetChange)
        password = body.pop("target_password", "")
        target = target_change(self.target(target_id), body, password=password, actor=request.user)
        return Response(target_detail(target))


class TestView(ApiView):
    """A test of a registered target."""

    throttle_classes = [LookThrottle]

    @extend_schema(
        operation_id="target_test", request=serializers.Nothing, responses=shapes.TargetTest, tags=["targets"]
    )
    def post(self, request: Request, target_id: int) -> Response:
        """Test it step by step: name, port, TLS, login, version, role, rights, replicas, statistics."""
        self.body(serializers.Nothing)
        return Response(_test(target_test(self.target(target_id), actor=request.user)))


class SecretView(ApiView):
    """The password of a target; it is written, never read."""

    throttle_classes = [LookThrottle]

    @extend_schema(
        operation_id="target_replace_secret", request=serializers.SecretWish, responses=shapes.Target, tags=["targets"]
    )
    def post(self, request: Request, target_id: int) -> Response:
        """Put another password, or reference to one, in its place, once it has been seen to let us in."""
        body = self.body(serializers.SecretWish)
        return Response(target_detail(target_replace_secret(self.target(target_id), **body, actor=request.user)))


class FindReplicasView(ApiView):
    """Replicas that the primary knows."""

    throttle_classes = [LookThrottle]

    @extend_schema(
        operation_id="target_find_replicas",
        request=serializers.Nothing,
        responses=shapes.ReplicaProposal(many=True),
        tags=["targets"],
    )
    def post(self, request: Request, target_id: int) -> Response:
        """Propose the replicas that the primary reports and that are not registered yet."""
        self.body(serializers.Nothing)
        return Response(target_find_replicas(self.target(target_id), actor=request.user))


class ReplicasView(ApiView):
    """Replicas whose lag holds a run back."""

    throttle_classes = [LookThrottle]

    @extend_schema(
        operation_id="target_replicas_set", request=serializers.ReplicasWish, responses=shapes.Target, tags=["targets"]
    )
    def put(self, request: Request, target_id: int) -> Response:
        """Replace the list of replicas. A new address takes the target's present password as well."""
        body = self.body(serializers.ReplicasWish)
        target = target_replicas_set(
            self.target(target_id), body["replicas"], password=body.get("target_password", ""), actor=request.user
        )
        return Response(target_detail(target))


def _test(checks: Sequence[Check]) -> dict[str, Any]:
    return {
        "ok": not any(check.ok is not True and check.needed for check in checks),
        "checks": [check_as_dict(check) for check in checks],
    }
