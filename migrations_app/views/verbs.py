"""The verbs of the pages: plain POST forms that work without scripts, without the socket and without a worker.

Each calls the same service as the API. Verbs that lose something or are hard to take back have a page that asks first;
where scripts run, the same question comes as a dialog.
"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from migrations_app.models import Plan
from migrations_app.policy import phase_title, rollback_is_grave, start_is_grave
from migrations_app.selectors.board import ABORT_REASONS
from migrations_app.selectors.plans import plan_detail
from migrations_app.services.approvals import approval_give, changes_request, gate_confirm
from migrations_app.services.errors import InputRefused
from migrations_app.services.plans import plan_abandon, plan_submit
from migrations_app.services.preflight import preflight_run
from migrations_app.services.runs import plan_rollback, run_abort, run_pause, run_resume, run_start, run_tune
from migrations_app.services.sign_ins import REAUTHENTICATED_AT, grave_check
from migrations_app.views.answers import answer, text_of
from migrations_app.views.pages import plan_or_404, run_or_404, show
from migrations_app.views.plans import is_fresh
from workers.engine.vocabulary import Phase


@login_required
@require_POST
def preflight(request: HttpRequest, plan_id: int) -> HttpResponseBase:
    plan = plan_or_404(request, plan_id)

    def act() -> str:
        objections = preflight_run(plan, actor=request.user).preflight["objections"]
        blocking = sum(1 for objection in objections if objection["severity"] == "block")
        return f"The preflight looked at the target: {blocking} to mend, {len(objections) - blocking} to know."

    return answer(request, act, _plan(plan))


@login_required
@require_POST
def submit(request: HttpRequest, plan_id: int) -> HttpResponseBase:
    plan = plan_or_404(request, plan_id)
    return answer(request, _then(lambda: plan_submit(plan, actor=request.user), "Submitted for approval."), _plan(plan))


@login_required
@require_POST
def abandon(request: HttpRequest, plan_id: int) -> HttpResponseBase:
    plan, reason = plan_or_404(request, plan_id), text_of(request.POST, "reason")
    act = _then(lambda: plan_abandon(plan, actor=request.user, reason=reason), "Abandoned.")
    return answer(request, act, _plan(plan))


@login_required
@require_POST
def approve(request: HttpRequest, plan_id: int, group: str) -> HttpResponseBase:
    """Sign the digest that the person saw, not the one that the plan has now."""
    plan, digest, comment = plan_or_404(request, plan_id), text_of(request.POST, "digest", 64), _comment(request)
    give = _then(
        lambda: approval_give(plan, group, digest=digest, actor=request.user, comment=comment),
        f"You approved {group} of revision {plan.revision} ({digest[:12]}).",
    )
    return answer(request, give, _plan(plan))


@login_required
@require_POST
def ask_for_changes(request: HttpRequest, plan_id: int) -> HttpResponseBase:
    plan, digest, comment = plan_or_404(request, plan_id), text_of(request.POST, "digest", 64), _comment(request)
    ask = _then(
        lambda: changes_request(plan, digest=digest, actor=request.user, comment=comment),
        "You asked for changes. The plan is its author's draft again.",
    )
    return answer(request, ask, _plan(plan))


@login_required
@require_POST
def confirm_gate(request: HttpRequest, plan_id: int, gate: str) -> HttpResponseBase:
    """Confirm a gate, or override it with a reason."""
    plan, override, reason = plan_or_404(request, plan_id), "override" in request.POST, text_of(request.POST, "reason")
    confirm = _then(
        lambda: gate_confirm(plan, gate, actor=request.user, reason=reason, override=override),
        "Overridden, with your reason." if override else "Confirmed.",
    )
    return answer(request, confirm, _plan(plan))


@login_required
@sensitive_post_parameters("password")
def start(request: HttpRequest, plan_id: int, phase: str) -> HttpResponseBase:
    """Start a phase; contract and purge ask first."""
    plan, wanted = plan_or_404(request, plan_id), _phase(phase)
    here = reverse("start", args=[plan.pk, phase])
    grave = start_is_grave(wanted)
    if request.method != "POST":
        return _ask(request, plan, "start", phase=wanted)

    def act() -> str:
        if grave:
            _check_grave(request, plan)
        run_start(plan, wanted, actor=request.user)
        return f"{phase_title(wanted)} started."

    return answer(request, act, here if grave and _lacks(request) else _plan(plan))


@login_required
@sensitive_post_parameters("password")
def roll_back(request: HttpRequest, plan_id: int) -> HttpResponseBase:
    """Undo the last phase, or several down to one; what undoes cutover or contract asks for name and password."""
    plan = plan_or_404(request, plan_id)
    if request.method != "POST":
        return _ask(request, plan, "rollback")
    to, key, reason = (
        text_of(request.POST, "to", 16),
        text_of(request.POST, "key", 64),
        text_of(request.POST, "reason"),
    )

    def act() -> str:
        if rollback_is_grave({Phase(row.name): row.status for row in plan.phases.all()}):
            _check_grave(request, plan)
        plan_rollback(plan, actor=request.user, to=to, reason=reason, key=key)
        return "The rollback has begun. Old and new side stay in step until each phase is undone."

    return answer(request, act, _plan(plan))


@login_required
@require_POST
def pause(request: HttpRequest, run_id: int) -> HttpResponseBase:
    run = run_or_404(request, run_id)
    act = _then(
        lambda: run_pause(run, actor=request.user, key=text_of(request.POST, "key", 64)),
        "It pauses after the present batch.",
    )
    return answer(request, act, _plan(run.plan))


@login_required
@require_POST
def resume(request: HttpRequest, run_id: int) -> HttpResponseBase:
    run = run_or_404(request, run_id)
    act = _then(
        lambda: run_resume(run, actor=request.user, key=text_of(request.POST, "key", 64)),
        "It goes on from the last committed batch.",
    )
    return answer(request, act, _plan(run.plan))


@login_required
def abort(request: HttpRequest, run_id: int) -> HttpResponseBase:
    """Stop a run at once. One confirmation, no typing: seconds count, and nothing is lost."""
    run = run_or_404(request, run_id)
    if request.method != "POST":
        return _ask(request, run.plan, "abort")
    reason = text_of(request.POST, "reason") or text_of(request.POST, "chip")
    act = _then(
        lambda: run_abort(run, actor=request.user, key=text_of(request.POST, "key", 64), reason=reason),
        "Abort asked for. It counts as aborted once the target was seen to have stopped.",
    )
    return answer(request, act, _plan(run.plan))


@login_required
@require_POST
def tune(request: HttpRequest, run_id: int) -> HttpResponseBase:
    """Change the rate or the batch within the approved bounds."""
    run = run_or_404(request, run_id)

    def act() -> str:
        changes = {name: _figure(request, name) for name in ("rate_rows_per_s", "batch_rows") if request.POST.get(name)}
        run_tune(run, changes, actor=request.user)
        return "Changed; the next batch follows it."

    return answer(request, act, _plan(run.plan))


def _ask(request: HttpRequest, plan: Plan, verb: str, phase: Phase | None = None) -> HttpResponse:
    """Show the question of a verb as a page of its own."""
    detail = plan_detail(plan, request.user)
    context = {
        "plan": detail,
        "run": detail["run"],
        "verb": verb,
        "phase": next((each for each in detail["phases"] if each["name"] == phase), None),
        "reasons": ABORT_REASONS,
        "is_fresh": is_fresh(request),
        "on_page": True,
    }
    return show(request, "plans/ask.html", context, section="plans")


def _check_grave(request: HttpRequest, plan: Plan) -> None:
    """Let pass who typed the target's name and knows the password; remember that the password was given."""
    password = request.POST.get("password", "")
    grave_check(
        plan.target,
        typed_name=text_of(request.POST, "confirm_target", 64),
        actor=request.user,
        password=password,
        reauthenticated_at=request.session.get(REAUTHENTICATED_AT),
        address=request.META.get("REMOTE_ADDR", ""),
    )
    if password:
        request.session[REAUTHENTICATED_AT] = timezone.now().timestamp()
    if not text_of(request.POST, "reason"):
        raise InputRefused("A reason is missing.", remedy="Say why; it is kept with the plan.", field="reason")


def _then(do: Callable[[], object], said: str) -> Callable[[], str]:
    def act() -> str:
        do()
        return said

    return act


def _lacks(request: HttpRequest) -> bool:
    return not request.POST.get("confirm_target")


def _plan(plan: Plan) -> str:
    return reverse("plan", args=[plan.pk])


def _comment(request: HttpRequest) -> str:
    return text_of(request.POST, "comment")


def _phase(name: str) -> Phase:
    try:
        return Phase(name)
    except ValueError:
        raise Http404 from None


def _figure(request: HttpRequest, name: str) -> float:
    text = text_of(request.POST, name, 20)
    try:
        return float(text)
    except ValueError:
        raise InputRefused(f'"{text}" is not a number.', field=name) from None
