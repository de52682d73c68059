"""Lends a thread the control database for a moment, and keeps a thread alive whatever it meets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection

from workers.faults import CONTROL_LOST, where_it_happened

logger = logging.getLogger("lockstep.supervisor")


@contextmanager
def borrowed_connection() -> Iterator[None]:
    """Give the thread's connection back to the pool at the end: there are more threads than connections."""
    try:
        yield
    finally:
        connection.close()


def attempt(what: str, act: Callable[[], None], **about: object) -> None:
    """Do it, and log what goes wrong without its values: the next round tries again. An outer border like a task's."""
    try:
        with borrowed_connection():
            act()
    except CONTROL_LOST as error:
        logger.warning("control database lost", extra={"action": f"{what}_failed", "error": type(error).__name__})
    except Exception as error:
        extra = {"action": f"{what}_failed", "trace": where_it_happened(error), **about}
        logger.error("supervisor failed", extra=extra)
