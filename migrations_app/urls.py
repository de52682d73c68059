"""The pages."""

from django.urls import path

from migrations_app.views import doors, fleet, plans, targets, verbs

urlpatterns = [
    path("", fleet.home, name="home"),
    path("sign-in/", doors.sign_in, name="sign_in"),
    path("sign-in/<int:user_id>/", doors.sign_in_as, name="sign_in_as"),
    path("sign-out/", doors.sign_out, name="sign_out"),
    path("reauthenticate/", doors.reauthenticate, name="reauthenticate"),
    path("plans/", plans.plan_list, name="plan_list"),
    path("plans/new/", plans.plan_new, name="plan_new"),
    path("plans/check/", plans.plan_check, name="plan_check"),
    path("plans/<int:plan_id>/", plans.plan_page, name="plan"),
    path("plans/<int:plan_id>/feed/", plans.plan_feed, name="plan_feed"),
    path("plans/<int:plan_id>/edit/", plans.plan_change, name="plan_change"),
    path("plans/<int:plan_id>/history/", plans.plan_history, name="plan_history"),
    path("plans/<int:plan_id>/approve/<slug:group>/", plans.plan_approval, name="approve"),
    path("plans/<int:plan_id>/approve/<slug:group>/sign/", verbs.approve, name="sign"),
    path("plans/<int:plan_id>/changes/", verbs.ask_for_changes, name="ask_for_changes"),
    path("plans/<int:plan_id>/preflight/", verbs.preflight, name="preflight"),
    path("plans/<int:plan_id>/submit/", verbs.submit, name="submit"),
    path("plans/<int:plan_id>/abandon/", verbs.abandon, name="abandon"),
    path("plans/<int:plan_id>/gates/<slug:gate>/", verbs.confirm_gate, name="confirm_gate"),
    path("plans/<int:plan_id>/start/<slug:phase>/", verbs.start, name="start"),
    path("plans/<int:plan_id>/rollback/", verbs.roll_back, name="roll_back"),
    path("runs/<int:run_id>/pause/", verbs.pause, name="pause"),
    path("runs/<int:run_id>/resume/", verbs.resume, name="resume"),
    path("runs/<int:run_id>/abort/", verbs.abort, name="abort"),
    path("runs/<int:run_id>/tune/", verbs.tune, name="tune"),
    path("targets/", targets.target_list, name="target_list"),
    path("targets/new/", targets.target_new, name="target_new"),
    path("targets/<int:target_id>/", targets.target_detail, name="target"),
    path("targets/<int:target_id>/secret/", targets.target_secret, name="target_secret"),
]
