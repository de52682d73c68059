"""Reads of one target for its page: how it is, what works on it, what happened to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from migrations_app.history import sentence
from migrations_app.models import Event, SupervisorLease, Target, TargetSample, User
from migrations_app.selectors.access import access_plans

PLANS_SHOWN = 20
EVENTS_SHOWN = 30


def target_page(target: Target, actor: User) -> dict[str, Any]:
    """Return what the page of a target shows; a constant number of queries. `target.replicas` are loaded."""
    now = timezone.now()
    sample = TargetSample.objects.filter(target=target).order_by("-n").first()
    lag_by_replica = {
        reading["source"]: reading.get("observed")
        for reading in (sample.readings if sample else ())
        if reading.get("signal") == "replication_lag"
    }
    lease = SupervisorLease.objects.filter(target=target).first()
    beat_at = lease.beat_at if lease else None
    events = Event.objects.filter(stream__kind="target", stream__object_id=target.pk).order_by("-seq")
    return {
        "replicas": [
            {"name": row.name, "host": row.host, "port": row.port, "lag_s": lag_by_replica.get(row.name)}
            for row in target.replicas.all()
        ],
        "seen_at": sample.at if sample else None,
        "watched": beat_at is not None and now - beat_at < timedelta(seconds=settings.LOCKSTEP_LEASE_S),
        "beat_at": beat_at,
        "plans": list(
            access_plans(actor).filter(target=target).order_by("-id").prefetch_related("phases")[:PLANS_SHOWN]
        ),
        "events": [
            {"at": event.at, "by": event.actor_name, "text": sentence(event.kind, event.payload)}
            for event in events[:EVENTS_SHOWN]
        ],
    }
