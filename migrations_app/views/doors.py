"""In and out: sign in, in the demo by one click, sign out, and give the password again."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from migrations_app.dispatch import publish_session_end
from migrations_app.models import User
from migrations_app.selectors.people import demo_people
from migrations_app.services.errors import ServiceRefused
from migrations_app.services.sign_ins import REAUTHENTICATED_AT, sign_in_check
from migrations_app.views.answers import Refusal, text_of
from migrations_app.views.pages import show


@never_cache
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password. In the demo also offer its people."""
    onward = _onward(request)
    people = demo_people() if settings.LOCKSTEP_DEMO else []
    context: dict[str, object] = {"next": onward, "people": people, "username": ""}
    if request.method != "POST":
        return redirect(onward) if request.user.is_authenticated else render(request, "doors/sign_in.html", context)
    username = text_of(request.POST, "username", 150)
    try:
        user = sign_in_check(username, request.POST.get("password", ""), address=_address(request))
    except ServiceRefused as error:
        context |= {"refusal": Refusal.of(error), "username": username}
        return render(request, "doors/sign_in.html", context, status=error.status)
    _enter(request, user)
    return redirect(onward)


@require_POST
def sign_in_as(request: HttpRequest, user_id: int) -> HttpResponse:
    """Sign in as one of the demo's people, without a password; only where this is the demo."""
    if not settings.LOCKSTEP_DEMO:
        raise Http404
    _enter(request, get_object_or_404(User, pk=user_id, pk__in=[person["id"] for person in demo_people()]))
    return redirect(_onward(request))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session, and with it the sockets that it opened."""
    key = request.session.session_key
    logout(request)
    if key:
        publish_session_end(key)
    return redirect("sign_in")


@never_cache
@login_required
@sensitive_post_parameters("password")
def reauthenticate(request: HttpRequest) -> HttpResponse:
    """Take the password again, so that grave verbs need not ask for it for a while."""
    context = {"next": _onward(request), "minutes": round(settings.LOCKSTEP_REAUTHENTICATE_S / 60)}
    if request.method == "POST":
        try:
            sign_in_check(request.user.username, request.POST.get("password", ""), address=_address(request))
        except ServiceRefused as error:
            return show(request, "doors/reauthenticate.html", context | {"refusal": Refusal.of(error)}, status=401)
        request.session[REAUTHENTICATED_AT] = timezone.now().timestamp()
        return redirect(context["next"])
    return show(request, "doors/reauthenticate.html", context)


def _enter(request: HttpRequest, user: User) -> None:
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session[REAUTHENTICATED_AT] = timezone.now().timestamp()


def _onward(request: HttpRequest) -> str:
    """Return where the person wanted to go, if that is one of our own pages."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    own = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if own and wanted.startswith("/") else "/"


def _address(request: HttpRequest) -> str:
    """The peer itself: headers that it sent prove nothing."""
    return request.META.get("REMOTE_ADDR", "")
