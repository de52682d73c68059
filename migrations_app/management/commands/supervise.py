"""Runs the supervisor until it is told to end."""

import signal
import threading
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from migrations_app.models import Target
from workers.supervisor import supervise


class Command(BaseCommand):
    help = "Watch targets, wake what is stuck, pull the brake, and carry out stops. Several may run."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="only say whether every target is being watched")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            return self._check()
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        supervise(ended)

    def _check(self) -> None:
        """For a container's health: fail where a target has had no supervisor for a lease's time."""
        since = timezone.now() - timedelta(seconds=settings.LOCKSTEP_LEASE_S)
        unwatched = Target.objects.exclude(supervisor_lease__beat_at__gt=since)
        if unwatched.exists():
            raise CommandError(f"Nobody watches {', '.join(target.name for target in unwatched)}.")
