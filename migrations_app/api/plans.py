"""Plans: write, check, submit, decide, start phases, roll back, and what happened."""

from __future__ import annotations

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api import serializers, shapes
from migrations_app.api.base import ApiView
from migrations_app.api.errors import within
from migrations_app.lifecycle import PhaseStatus
from migrations_app.models import Command, Plan
from migrations_app.policy import rollback_is_grave, start_is_grave
from migrations_app.selectors.news import events_after, last_seq, samples_after
from migrations_app.selectors.plans import content_diff, plan_detail, plan_list, plan_revisions
from migrations_app.selectors.runs import command_as_dict, present_run, run_detail
from migrations_app.services.approvals import approval_give, changes_request, gate_confirm
from migrations_app.services.plans import plan_abandon, plan_create, plan_edit, plan_submit
from migrations_app.services.preflight import preflight_run
from migrations_app.services.runs import plan_rollback, run_start
from workers.engine.vocabulary import PHASES, Phase

KEY = OpenApiParameter(
    "Idempotency-Key",
    location=OpenApiParameter.HEADER,
    description="The same key gives the same command, however often it is sent.",
)


class PlansView(ApiView):
    """Plans that you may see."""

    @extend_schema(
        operation_id="plan_list", parameters=[serializers.PlanQuery], responses=shapes.PlanPage, tags=["plans"]
    )
    def get(self, request: Request) -> Response:
        """List plans, newest first, by pages."""
        query = self.query(serializers.PlanQuery)
        limit = query["limit"]
        plans = plan_list(
            request.user,
            status=[query["status"]] if "status" in query else (),
            target_id=query.get("target"),
            before=query.get("before"),
            limit=limit + 1,
        )
        return Response({"plans": plans[:limit], "next": plans[limit - 1]["id"] if len(plans) > limit else None})

    @extend_schema(
        operation_id="plan_create", request=serializers.PlanWish, responses={201: shapes.PlanDetail}, tags=["plans"]
    )
    def post(self, request: Request) -> Response:
        """Write a draft. Nothing is asked of the target yet; that is what the preflight does."""
        body = self.body(serializers.PlanWish)
        target = self.target(body["target"])
        with within("content"):
            plan = plan_create(target, body["title"], body["content"], actor=request.user)
        return Response(plan_detail(plan, request.user), status=201)


class PlanView(ApiView):
    """One plan."""

    @extend_schema(operation_id="plan_get", responses=shapes.PlanDetail, tags=["plans"])
    def get(self, request: Request, plan_id: int) -> Response:
        """Return everything about it: content, phases, gates, approvals, the run, what you may do, and the words."""
        return self.detail(self.plan(plan_id))

    @extend_schema(
        operation_id="plan_edit", request=serializers.PlanChange, responses=shapes.PlanDetail, tags=["plans"]
    )
    def put(self, request: Request, plan_id: int) -> Response:
        """Replace its content; `digest` is what you have looked at. Whatever changes the digest voids approvals."""
        body = self.body(serializers.PlanChange)
        with within("content"):
            plan = plan_edit(
                self.plan(plan_id), body["title"], body["content"], actor=request.user, seen_digest=body["digest"]
            )
        return self.detail(plan)

    def detail(self, plan: Plan) -> Response:
        fresh = Plan.objects.select_related("target", "author").get(pk=plan.pk)
        return Response(plan_detail(fresh, self.request.user))


class PreflightView(PlanView):
    """The preflight."""

    http_method_names = ["post", "options"]

    @extend_schema(
        operation_id="preflight_run", request=serializers.Nothing, responses=shapes.PlanDetail, tags=["plans"]
    )
    def post(self, request: Request, plan_id: int) -> Response:
        """Look at the target: objections, counts, the statements to come. Takes up to a minute on a large table."""
        self.body(serializers.Nothing)
        return self.detail(preflight_run(self.plan(plan_id), actor=request.user))


class SubmitView(PlanView):
    """Asking for approval."""

    http_method_names = ["post", "options"]

    @extend_schema(operation_id="plan_submit", request=serializers.Nothing, responses=shapes.PlanDetail, tags=["plans"])
    def post(self, request: Request, plan_id: int) -> Response:
        """Submit it. The preflight must have looked at this revision and found nothing that blocks."""
        self.body(serializers.Nothing)
        return self.detail(plan_submit(self.plan(plan_id), actor=request.user))


class AbandonView(PlanView):
    """Giving up before the start."""

    http_method_names = ["post", "options"]

    @extend_schema(
        operation_id="plan_abandon", request=serializers.Abandonment, responses=shapes.PlanDetail, tags=["plans"]
    )
    def post(self, request: Request, plan_id: int) -> Response:
        """Abandon a plan that never started."""
        body = self.body(serializers.Abandonment)
        return self.detail(plan_abandon(self.plan(plan_id), actor=request.user, reason=body["reason"]))


class ApprovalsView(PlanView):
    """Signatures."""

    http_method_names = ["post", "options"]

    @extend_schema(
        operation_id="approval_give", request=serializers.ApprovalWish, responses=shapes.PlanDetail, tags=["decisions"]
    )
    def post(self, request: Request, plan_id: int) -> Response:
        """Sign the digest that you have looked at, for one group of phases; it covers their way back. Repeatable."""
        body = self.body(serializers.ApprovalWish)
        plan = self.plan(plan_id)
        approval_give(plan, body["group"], digest=body["digest"], comment=body["comment"], actor=request.user)
        return self.detail(plan)


class ChangesView(PlanView):
    """Asking for changes."""

    http_method_names = ["post", "options"]

    @extend_schema(
        operation_id="changes_request", request=serializers.ChangesWish, responses=shapes.PlanDetail, tags=["decisions"]
    )
    def post(self, request: Request, plan_id: int) -> Response:
        """Send it back to its author, with a comment."""
        body = self.body(serializers.ChangesWish)
        plan = self.plan(plan_id)
        changes_request(plan, digest=body["digest"], comment=body["comment"], actor=request.user)
        return self.detail(plan)


class GateView(PlanView):
    """A gate between phases."""

    http_method_names = ["post", "options"]

    @extend_schema(
        operation_id="gate_confirm", request=serializers.GateWish, responses=shapes.PlanDetail, tags=["decisions"]
    )
    def post(self, request: Request, plan_id: int, key: str) -> Response:
        """Say that its condition holds, or override it with a reason. Repeatable: the first one stands."""
        body = self.body(serializers.GateWish)
        plan = self.plan(plan_id)
        gate_confirm(plan, key, reason=body["reason"], override=body["override"], actor=request.user)
        return self.detail(plan)


class StartView(ApiView):
    """Starting a phase."""

    @extend_schema(operation_id="run_start", request=serializers.StartWish, responses={202: shapes.Run}, tags=["runs"])
    def post(self, request: Request, plan_id: int, phase: str) -> Response:
        """Start a phase. 409 with everything that stands in the way. Contract and purge need a confirmation."""
        body = self.body(serializers.StartWish)
        plan = self.plan(plan_id)
        if phase not in PHASES:
            raise Http404
        if start_is_grave(Phase(phase)):
            self.confirm_grave("run_start", plan, body)
        run = run_start(plan, Phase(phase), actor=request.user, chain_until=body["chain_until"])
        return Response(run_detail(run), status=202)


class RollbackView(ApiView):
    """The way back."""

    @extend_schema(
        operation_id="plan_rollback",
        parameters=[KEY],
        request=serializers.RollbackWish,
        responses={202: shapes.Rollback},
        tags=["runs"],
    )
    def post(self, request: Request, plan_id: int) -> Response:
        """Undo phases down to and including `to`, by default the last one. An active run is aborted first."""
        body = self.body(serializers.RollbackWish)
        plan = self.plan(plan_id)
        if rollback_is_grave({Phase(row.name): PhaseStatus(row.status) for row in plan.phases.all()}):
            self.confirm_grave("plan_rollback", plan, body)
        done = plan_rollback(plan, actor=request.user, to=body["to"], reason=body["reason"], key=self.idempotency_key())
        command = done if isinstance(done, Command) else None
        run = done.run if isinstance(done, Command) else done
        return Response({"run": run_detail(run), "command": command_as_dict(command) if command else None}, status=202)


class RevisionsView(ApiView):
    """What the plan said before."""

    @extend_schema(operation_id="plan_revisions", responses=shapes.Revisions, tags=["plans"])
    def get(self, request: Request, plan_id: int) -> Response:
        """List every revision with its editor and content, newest first."""
        return Response({"revisions": plan_revisions(self.plan(plan_id))})


class RevisionDiffView(ApiView):
    """What an edit changed."""

    @extend_schema(operation_id="plan_diff", responses=shapes.RevisionDiff, tags=["plans"])
    def get(self, request: Request, plan_id: int, before: int, after: int) -> Response:
        """Compare two revisions field by field."""
        content = {row.number: row.content for row in self.plan(plan_id).revisions.filter(number__in=(before, after))}
        if before not in content or after not in content:
            raise Http404
        return Response({"before": before, "after": after, "changes": content_diff(content[before], content[after])})


class EventsView(ApiView):
    """What happened to a plan."""

    @extend_schema(
        operation_id="event_list", parameters=[serializers.EventQuery], responses=shapes.Events, tags=["news"]
    )
    def get(self, request: Request, plan_id: int) -> Response:
        """Return events after a number, in order; their numbers have no gap."""
        plan, query = self.plan(plan_id), self.query(serializers.EventQuery)
        newest = last_seq(plan)
        return Response({"events": events_after(plan, query["after"], limit=query["limit"]), "last_seq": newest})


class SamplesView(ApiView):
    """Measurements of a plan's runs."""

    @extend_schema(
        operation_id="sample_list", parameters=[serializers.SampleQuery], responses=shapes.Samples, tags=["news"]
    )
    def get(self, request: Request, plan_id: int) -> Response:
        """Return a run's pace second by second, after a number; of the present run unless another is named."""
        plan, query = self.plan(plan_id), self.query(serializers.SampleQuery)
        run = plan.runs.filter(pk=query["run"]).first() if "run" in query else present_run(plan)
        if run is None and "run" in query:
            raise Http404
        samples = samples_after(run, query["after"], limit=query["limit"]) if run else []
        return Response({"run": run.pk if run else None, "samples": samples})
