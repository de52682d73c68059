"""Who we are: the identity that is written into each target, so that two control planes never share an object there."""

import uuid

from django.db import models
from django.db.models import Q


class ControlPlane(models.Model):
    """The one row of this control database; a restored copy keeps it, a new installation has its own."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    uid = models.UUIDField(default=uuid.uuid4, editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="control_plane_once")]

    def __str__(self) -> str:
        return str(self.uid)
