"""The Django project: wiring only."""

from controlplane.celery import app as celery_app

__all__ = ["celery_app"]
