"""The API's routes."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from migrations_app.api import operations, plans, runs, sessions, targets
from migrations_app.api.base import NothingView
from migrations_app.api.docs import DocsView

urlpatterns = [
    path("session/", sessions.SessionView.as_view()),
    path("tokens/", sessions.TokensView.as_view()),
    path("tokens/<int:token_id>/", sessions.TokenView.as_view()),
    path("operations/", operations.OperationsView.as_view()),
    path("targets/", targets.TargetsView.as_view()),
    path("targets/test/", targets.UnsavedTestView.as_view()),
    path("targets/<int:target_id>/", targets.TargetView.as_view()),
    path("targets/<int:target_id>/test/", targets.TestView.as_view()),
    path("targets/<int:target_id>/replace-secret/", targets.SecretView.as_view()),
    path("targets/<int:target_id>/find-replicas/", targets.FindReplicasView.as_view()),
    path("targets/<int:target_id>/replicas/", targets.ReplicasView.as_view()),
    path("plans/", plans.PlansView.as_view()),
    path("plans/<int:plan_id>/", plans.PlanView.as_view()),
    path("plans/<int:plan_id>/preflight/", plans.PreflightView.as_view()),
    path("plans/<int:plan_id>/submit/", plans.SubmitView.as_view()),
    path("plans/<int:plan_id>/abandon/", plans.AbandonView.as_view()),
    path("plans/<int:plan_id>/approvals/", plans.ApprovalsView.as_view()),
    path("plans/<int:plan_id>/changes/", plans.ChangesView.as_view()),
    path("plans/<int:plan_id>/gates/<slug:key>/", plans.GateView.as_view()),
    path("plans/<int:plan_id>/phases/<slug:phase>/start/", plans.StartView.as_view()),
    path("plans/<int:plan_id>/rollback/", plans.RollbackView.as_view()),
    path("plans/<int:plan_id>/revisions/", plans.RevisionsView.as_view()),
    path("plans/<int:plan_id>/revisions/<int:before>/diff/<int:after>/", plans.RevisionDiffView.as_view()),
    path("plans/<int:plan_id>/events/", plans.EventsView.as_view()),
    path("plans/<int:plan_id>/samples/", plans.SamplesView.as_view()),
    path("runs/", runs.RunsView.as_view()),
    path("runs/<int:run_id>/", runs.RunView.as_view()),
    path("runs/<int:run_id>/pause/", runs.PauseView.as_view()),
    path("runs/<int:run_id>/resume/", runs.ResumeView.as_view()),
    path("runs/<int:run_id>/abort/", runs.AbortView.as_view()),
    path("runs/<int:run_id>/tune/", runs.TuneView.as_view()),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="api_docs"),
    path("<path:rest>", NothingView.as_view()),
]
