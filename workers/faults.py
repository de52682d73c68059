"""Faults of our own, said without values: an error nobody expected, and objects that would not go."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

from django.db import InterfaceError, OperationalError

from workers.engine.errors import EngineError

CONTROL_LOST = (OperationalError, InterfaceError)
"""The control database is away or gave up on us: nobody's fault here, and the next try goes on from the target."""
NAMED_MOST = 20
"""Enough to see what they have in common."""


class InternalError(EngineError):
    """A fault in Lockstep itself. The run stops where it is; the worker's log says where it happened."""

    code = "internal_error"

    def __init__(self, correlation: str) -> None:
        super().__init__(
            f"Something went wrong inside Lockstep ({correlation}).",
            remedy=f"Look for {correlation} in the worker's log, then resume: the run goes on from its last batch.",
        )


class LeftBehind(EngineError):
    """Objects of the plan are still in the target after everything was removed."""

    code = "left_behind"

    def __init__(self, names: Sequence[str]) -> None:
        shown = ", ".join(names[:NAMED_MOST]) + (" ..." if len(names) > NAMED_MOST else "")
        super().__init__(
            f"{len(names)} objects of this plan are still in the target: {shown}.",
            remedy="Find out what depends on them, remove that, then resume.",
        )


def where_it_happened(error: BaseException) -> list[str]:
    """Return classes and places of an error and its causes, never their messages: a driver's may hold row values."""
    lines = []
    link: BaseException | None = error
    while link is not None:
        lines.append(type(link).__qualname__)
        lines += [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(link.__traceback__)]
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return lines
