"""Opens targets for workers and the supervisor, and says who we are there."""

from __future__ import annotations

from migrations_app.addresses import adapter_of, check_identity
from migrations_app.models import ControlPlane

__all__ = ["adapter_of", "check_identity", "control_uid"]


def control_uid() -> str:
    """Return the identity of this control database, made when it is first asked for."""
    return str(ControlPlane.objects.get_or_create(pk=1)[0].uid)
