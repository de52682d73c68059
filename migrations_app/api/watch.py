"""What machines watch Lockstep by: /health says which part is missing, /metrics gives figures to Prometheus.

Every figure is read when it is asked for, so that none can be older than the question.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import redis
from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from migrations_app.api.authentication import TokenAuthentication
from migrations_app.selectors.watch import Watch, watch_now

WORKER_PATIENCE_S = 0.5
"""Workers answer a ping within some 20 ms; a busy one too, since its pool does the work."""


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Say which parts answer. 503 where the control database does not: nothing can be decided or stopped then.

    Without the others people can still look, pause and abort, so the web server counts as healthy.
    """
    parts = {"database": _database()}
    if parts["database"]["ok"]:
        parts |= {"redis": _redis(), "workers": _workers(), "supervisor": _supervisor(watch_now())}
    status = 200 if parts["database"]["ok"] else 503
    return JsonResponse({"ok": all(part["ok"] for part in parts.values()), "parts": parts}, status=status)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the figures to a program with a token; they name targets, so not to anybody."""
    try:
        found = TokenAuthentication().authenticate(Request(request))
    except AuthenticationFailed:
        found = None
    if found is None:
        return HttpResponse("A token is needed.\n", status=401, headers={"WWW-Authenticate": "Bearer"})
    registry = CollectorRegistry()
    registry.register(_Figures(watch_now()))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Figures:
    """One reading of everything, as Prometheus gauges."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _gauge("lockstep_plans", "Plans by status.", "status", self.watch.plans_by_status)
        yield _gauge("lockstep_runs", "Runs that have not ended, by status.", "status", self.watch.runs_by_status)
        yield _gauge(
            "lockstep_run_wait_seconds", "How long a run has been held or slowed.", "run", self.watch.wait_s_by_run
        )
        yield _gauge(
            "lockstep_lane_silence_seconds",
            "Since a worker last gave a sign of life for a lane of a running run.",
            "run",
            self.watch.silence_s_by_run,
        )
        yield _gauge(
            "lockstep_supervisor_age_seconds",
            "Since a supervisor last watched the target; absent where none ever did.",
            "target",
            self.watch.supervisor_age_s_by_target,
        )
        yield _gauge(
            "lockstep_sample_age_seconds",
            "Since the target's signals were last sampled; absent where they never were.",
            "target",
            self.watch.sample_age_s_by_target,
        )
        yield _gauge(
            "lockstep_aborts_unproven", "Aborts whose stop the target has not shown.", "", self.watch.aborts_unproven
        )


def _gauge(name: str, text: str, label: str, values: dict[str, float] | float) -> GaugeMetricFamily:
    if not isinstance(values, dict):
        return GaugeMetricFamily(name, text, value=values)
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _database() -> dict[str, Any]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return _part(False, "The control database does not answer.")
    return _part(True, "The control database answers.")


def _redis() -> dict[str, Any]:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0)
        ) as client:
            client.ping()
    except redis.RedisError:
        return _part(False, "Redis does not answer: runs wait for the supervisor's round, and pages ask by themselves.")
    return _part(True, "Redis answers.")


def _workers() -> dict[str, Any]:
    try:
        answers = current_app.control.ping(timeout=WORKER_PATIENCE_S)
    except (OSError, redis.RedisError, OperationalError):
        answers = []
    if answers:
        return _part(True, f"{len(answers)} Celery workers answer.")
    return _part(False, "No Celery worker answers: runs stand still.")


def _supervisor(watch: Watch) -> dict[str, Any]:
    ages = watch.supervisor_age_s_by_target
    silent = sorted(
        name for name in watch.targets if ages.get(name, settings.LOCKSTEP_LEASE_S) >= settings.LOCKSTEP_LEASE_S
    )
    if not watch.targets:
        return _part(True, "There is no target to watch yet.")
    if silent:
        return _part(False, f"{len(silent)} of {len(watch.targets)} targets are watched by no supervisor.")
    return _part(True, f"All {len(watch.targets)} targets are watched.")


def _part(ok: bool, text: str) -> dict[str, Any]:
    return {"ok": ok, "text": text}
