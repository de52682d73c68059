"""The catalogue of operations, as forms and programs need it."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api import shapes
from migrations_app.api.base import ApiView
from workers.engine import operations  # noqa: F401  (registers the catalogue)
from workers.engine.operation import OPERATIONS


class OperationsView(ApiView):
    """What a plan can be made of."""

    @extend_schema(operation_id="operation_list", responses=shapes.Operation(many=True), tags=["plans"])
    def get(self, request: Request) -> Response:
        """List the operations with the JSON Schema of their parameters."""
        return Response(
            [
                {"kind": kind, "title": operation.title, "parameters_schema": operation.parameters_schema()}
                for kind, operation in sorted(OPERATIONS.items())
            ]
        )
