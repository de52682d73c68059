"""The pages of plans: list, new and changed, one plan with its board and live run, approval, history."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from migrations_app import frames
from migrations_app.authorize import is_allowed
from migrations_app.forms import PlanForm, Problem
from migrations_app.lifecycle import PlanStatus
from migrations_app.looks import now_look
from migrations_app.models import Plan
from migrations_app.policy import APPROVALS_BY_GROUP
from migrations_app.selectors.access import access_targets
from migrations_app.selectors.board import ABORT_REASONS, back_step, last_abort, last_signed, next_step
from migrations_app.selectors.feed import epoch, events_before, seen_at, words_of
from migrations_app.selectors.fleet import plans_with_phases
from migrations_app.selectors.plans import plan_detail, plan_revisions, plan_row
from migrations_app.selectors.runs import run_list
from migrations_app.selectors.series import Cursor
from migrations_app.services.plans import plan_create, plan_edit
from migrations_app.services.runs import is_reauthenticated
from migrations_app.services.sign_ins import REAUTHENTICATED_AT
from migrations_app.stop_by_hand import stop_line
from migrations_app.views.answers import REFUSALS, Refusal, text_of
from migrations_app.views.pages import plan_or_404, show
from workers.engine.expressions.functions import FUNCTIONS

LIST_PAGE = 50
HISTORY_PAGE = 100


@login_required
def plan_list(request: HttpRequest) -> HttpResponse:
    """List the plans that the person may see, by status, target and words of the title."""
    asked = request.GET
    status, before = text_of(asked, "status", 16), text_of(asked, "before", 18)
    target, text = text_of(asked, "target", 18), text_of(asked, "q", 80)
    plans = plans_with_phases(
        request.user,
        status=[status] if status in set(PlanStatus) else [],
        target_id=int(target) if target.isdecimal() else None,
        text=text,
        before=int(before) if before.isdecimal() else None,
        limit=LIST_PAGE + 1,
    )
    context = {
        "plans": plans[:LIST_PAGE],
        "more": plans[LIST_PAGE - 1].pk if len(plans) > LIST_PAGE else None,
        "asked": {"status": status, "target": target, "q": text},
        "statuses": PlanStatus,
        "targets": access_targets(request.user),
    }
    return show(request, "plans/list.html", context, section="plans")


@login_required
def plan_new(request: HttpRequest) -> HttpResponse:
    """Ask for a plan and create it as a draft."""
    if request.method != "POST":
        return _form(request, PlanForm.blank(text_of(request.GET, "target", 18)))
    form = PlanForm.posted(request.POST)
    if "add_part" in request.POST or not form.check():
        return _form(request, form)
    target = access_targets(request.user).filter(pk=_number(form.values["target"])).first()
    if target is None:
        form.refuse("target", Problem("There is no such target.", "Choose one of the list."))
        return _form(request, form)
    try:
        plan = plan_create(target, form.values.get("title", ""), form.raw(), actor=request.user)
    except REFUSALS as error:
        return _refused(request, form, error)
    messages.success(request, "The draft is saved. Run the preflight next.", extra_tags="ok")
    return redirect("plan", plan.pk)


@login_required
def plan_change(request: HttpRequest, plan_id: int) -> HttpResponse:
    """Ask for a change of a plan that has not started; it voids approvals."""
    plan = plan_or_404(request, plan_id)
    if request.method != "POST":
        return _form(request, PlanForm.of_plan(plan.title, plan.target_id, plan.content), plan)
    form = PlanForm.posted(request.POST)
    form.values["target"] = str(plan.target_id)
    if "add_part" in request.POST or not form.check():
        return _form(request, form, plan)
    seen = text_of(request.POST, "seen_digest", 64)
    try:
        plan = plan_edit(plan, form.values.get("title", ""), form.raw(), actor=request.user, seen_digest=seen)
    except REFUSALS as error:
        return _refused(request, form, error, plan)
    messages.success(request, f"Saved as revision {plan.revision} ({plan.short_digest}).", extra_tags="ok")
    return redirect("plan", plan.pk)


@login_required
@require_POST
def plan_check(request: HttpRequest) -> JsonResponse:
    """Say what is wrong with a form as it stands, by field, for the page's script. Saves nothing."""
    form = PlanForm.posted(request.POST)
    form.check()
    return JsonResponse({"problems": {name: problem.as_dict() for name, problem in form.problems.items()}})


@login_required
def plan_page(request: HttpRequest, plan_id: int) -> HttpResponse:
    """Show one plan: its state in words, the board of phases, the live run, what it says and what happened."""
    plan = plan_or_404(request, plan_id)
    detail = plan_detail(plan, request.user)
    run = detail["run"]
    context = {
        "plan": detail | {"words": words_of(detail)},
        "run": run,
        "seen_at": seen_at(run) if run else None,
        "look": now_look(detail),
        "next": next_step(detail),
        "back": back_step(detail),
        "abort": last_abort(run),
        "log": events_before(plan),
        "charts": frames.charts_of(plan, run["rows_expected"] if run else None)[1],
        "revisions": plan_revisions(plan),
        "runs": run_list(request.user, plan_id=plan.pk),
        "stop_line": stop_line(plan.target.engine, plan.pk, run["id"] if run["is_active"] else None) if run else "",
        "reasons": ABORT_REASONS,
        "is_fresh": is_fresh(request),
    }
    return show(request, "plans/plan.html", context, section="plans")


@login_required
def plan_feed(request: HttpRequest, plan_id: int) -> JsonResponse:
    """Answer what the socket would say now: for pages that missed something, or have no socket."""
    plan = plan_or_404(request, plan_id)
    samples, after = Cursor.parse(text_of(request.GET, "samples_after")), text_of(request.GET, "after", 18)
    if samples and after.isdecimal() and request.GET.get("epoch") == epoch():
        place = frames.Place(int(after), samples)
        return JsonResponse(frames.delta(plan, request.user, place)[0] or frames.beat(plan))
    return JsonResponse(frames.snapshot(plan, request.user)[0])


@login_required
def plan_approval(request: HttpRequest, plan_id: int, group: str) -> HttpResponse:
    """Show exactly what a signature would stand for, and take it or ask for changes."""
    plan = plan_or_404(request, plan_id)
    if group not in APPROVALS_BY_GROUP:
        raise Http404
    detail = plan_detail(plan, request.user)
    context = {
        "plan": detail,
        "revision": plan_revisions(plan)[0],
        "group": group,
        "votes": detail["approvals"][group],
        "phases": [phase for phase in detail["phases"] if phase["group"] == group],
        "signed": last_signed(plan, detail),
        "backfill_s": detail["preflight"]["rows"] / plan.content["limits"]["rate_rows_per_s"]
        if detail["preflight"]
        else 0,
        "groups": list(APPROVALS_BY_GROUP),
    }
    return show(request, "plans/approve.html", context, section="plans")


@login_required
def plan_history(request: HttpRequest, plan_id: int) -> HttpResponse:
    """List everything that happened to a plan, newest first."""
    plan = plan_or_404(request, plan_id)
    before = text_of(request.GET, "before", 18)
    log = events_before(plan, int(before) if before.isdecimal() else None, HISTORY_PAGE + 1)
    context = {
        "plan": plan_row(plan),
        "log": log[:HISTORY_PAGE],
        "more": log[-2]["seq"] if len(log) > HISTORY_PAGE else None,
    }
    return show(request, "plans/history.html", context, section="plans")


def is_fresh(request: HttpRequest) -> bool:
    """Return whether the password was given a moment ago, so that grave verbs need not ask for it."""
    return is_reauthenticated(request.session.get(REAUTHENTICATED_AT), timezone.now().timestamp())


def _form(request: HttpRequest, form: PlanForm, plan: Plan | None = None, status: int = 200) -> HttpResponse:
    if plan and not is_allowed(request.user, "plan_edit", plan):
        raise PermissionDenied("Plans are changed by authors.")
    context = {
        "form": form,
        "targets": access_targets(request.user),
        "plan": plan_row(plan) if plan else None,
        "functions": sorted(set(FUNCTIONS) - {"||"}),
    }
    return show(request, "plans/form.html", context, section="plans", status=422 if form.problems else status)


def _refused(request: HttpRequest, form: PlanForm, error: Exception, plan: Plan | None = None) -> HttpResponse:
    refusal = Refusal.of(error)
    form.refuse(refusal.field, Problem(refusal.fact, refusal.remedy))
    return _form(request, form, plan)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 18 else 0
