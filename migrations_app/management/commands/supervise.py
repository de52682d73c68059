"""Runs the supervisor until it is told to end."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from workers.supervisor import supervise


class Command(BaseCommand):
    help = "Watch targets, wake what is stuck, pull the brake, and carry out stops. Several may run."

    def handle(self, *args: Any, **options: Any) -> None:
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        supervise(ended)
