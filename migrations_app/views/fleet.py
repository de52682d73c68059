"""The first page."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse

from migrations_app.selectors.fleet import plans_with_phases, pulses, rows_of, runs_moving, tasks_of
from migrations_app.views.pages import show

PLANS_SHOWN = 8


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Show what moves now, what waits for this person, the newest plans and the targets."""
    actor = request.user
    context = {
        "moving": [(run, *rows_of(run)) for run in runs_moving(actor)],
        "tasks": tasks_of(actor),
        "plans": plans_with_phases(actor, limit=PLANS_SHOWN),
        "pulses": pulses(actor),
    }
    return show(request, "fleet.html", context, section="fleet")
