"""Reads of targets as the API shows them: where they are and who watches them. Never a password or a sealed text."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone

from migrations_app.models import SupervisorLease, Target, User
from migrations_app.selectors.access import access_targets
from migrations_app.selectors.moments import iso


def target_list(actor: User) -> list[dict[str, Any]]:
    """Return every target that the actor may see, by name; three queries."""
    targets = access_targets(actor).select_related("registered_by", "supervisor_lease").prefetch_related("replicas")
    return [target_detail(target) for target in targets.order_by("name")]


def target_detail(target: Target) -> dict[str, Any]:
    """Render a target; no query where registrar, lease and replicas are loaded."""
    return {
        "id": target.pk,
        "uid": str(target.uid),
        "name": target.name,
        "project": target.project,
        "environment": target.environment,
        "engine": target.engine,
        "host": target.host,
        "port": target.port,
        "database": target.database,
        "username": target.username,
        "tls": target.tls,
        "tls_ca_file": target.tls_ca_file,
        "secret": {
            "kind": target.secret_kind,
            "reference": target.secret_reference,
            "set_at": iso(target.secret_set_at),
        },
        "version": target.version,
        "registered_by": target.registered_by.display_name,
        "registered_at": iso(target.registered_at),
        "replicas": [
            {"name": replica.name, "host": replica.host, "port": replica.port} for replica in target.replicas.all()
        ],
        "supervisor": supervisor_as_dict(getattr(target, "supervisor_lease", None)),
    }


def supervisor_as_dict(lease: SupervisorLease | None) -> dict[str, Any]:
    """Say whether a supervisor has watched within the lease, and when it last did."""
    beat_at = lease.beat_at if lease else None
    age_s = (timezone.now() - beat_at).total_seconds() if beat_at else None
    return {"alive": age_s is not None and age_s < settings.LOCKSTEP_LEASE_S, "beat_at": iso(beat_at)}
