"""Runs and the verbs on them; each verb answers at once, and what became of it is read from the run."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api import serializers, shapes
from migrations_app.api.base import ApiView
from migrations_app.api.plans import KEY
from migrations_app.models import Run
from migrations_app.selectors.moments import iso
from migrations_app.selectors.runs import command_as_dict, run_detail, run_list
from migrations_app.services.runs import run_abort, run_pause, run_resume, run_tune

VERB: dict[str, Any] = {
    "parameters": [KEY],
    "request": serializers.CommandWish,
    "responses": {202: shapes.CommandGiven},
    "tags": ["runs"],
}


class RunsView(ApiView):
    """Runs that you may see."""

    @extend_schema(operation_id="run_list", parameters=[serializers.RunQuery], responses=shapes.RunPage, tags=["runs"])
    def get(self, request: Request) -> Response:
        """List runs, newest first, by pages."""
        query = self.query(serializers.RunQuery)
        limit = query["limit"]
        runs = run_list(request.user, plan_id=query.get("plan"), before=query.get("before"), limit=limit + 1)
        return Response(
            {"runs": [_row(run) for run in runs[:limit]], "next": runs[limit - 1].pk if len(runs) > limit else None}
        )


class RunView(ApiView):
    """One run."""

    @extend_schema(operation_id="run_get", responses=shapes.Run, tags=["runs"])
    def get(self, request: Request, run_id: int) -> Response:
        """Return it with its lanes, its wait or error, and its commands with their clocks."""
        return Response(run_detail(self.run(run_id)))


class PauseView(ApiView):
    """Pause."""

    @extend_schema(operation_id="run_pause", **VERB)
    def post(self, request: Request, run_id: int) -> Response:
        """Stop after the present batch and stay there. Repeatable."""
        body, run = self.body(serializers.CommandWish), self.run(run_id)
        command = run_pause(run, actor=request.user, key=self.idempotency_key(), reason=body["reason"])
        return Response(command_as_dict(command), status=202)


class ResumeView(ApiView):
    """Resume."""

    @extend_schema(operation_id="run_resume", **VERB)
    def post(self, request: Request, run_id: int) -> Response:
        """Go on from the last committed batch, after a pause or an error. Repeatable."""
        body, run = self.body(serializers.CommandWish), self.run(run_id)
        command = run_resume(run, actor=request.user, key=self.idempotency_key(), reason=body["reason"])
        return Response(command_as_dict(command), status=202)


class AbortView(ApiView):
    """Abort."""

    @extend_schema(operation_id="run_abort", **VERB)
    def post(self, request: Request, run_id: int) -> Response:
        """Stop all work at once; both shapes and the sync stay. A second abort gives the first one again."""
        body, run = self.body(serializers.CommandWish), self.run(run_id)
        command = run_abort(run, actor=request.user, key=self.idempotency_key(), reason=body["reason"])
        return Response(command_as_dict(command), status=202)


class TuneView(ApiView):
    """Tune."""

    @extend_schema(operation_id="run_tune", request=serializers.TuneWish, responses={202: shapes.Run}, tags=["runs"])
    def post(self, request: Request, run_id: int) -> Response:
        """Change rate or batch size within the bounds that were approved; it counts from the next slice."""
        body = self.body(serializers.TuneWish)
        return Response(run_detail(run_tune(self.run(run_id), body, actor=request.user)), status=202)


def _row(run: Run) -> dict[str, Any]:
    return {
        "id": run.pk,
        "plan": run.plan_id,
        "phase": run.phase.name,
        "direction": run.direction,
        "status": run.status,
        "requested_by": run.requested_by.display_name if run.requested_by else "lockstep",
        "requested_at": iso(run.requested_at),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
    }
