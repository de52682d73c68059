"""Describes the API: every view may refuse, and then answers with a problem."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema

from migrations_app.api.shapes import Problem


class ApiSchema(AutoSchema):
    """Adds the refusal to what each view says of itself."""

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        bodies["default"] = self._get_response_for_code(Problem, "default", ["application/problem+json"])
        return bodies
