"""Says which application may write which row, so that what every row must hold is known at any time.

Each has rows of its own. Shared rows are written in turn: the old application makes the odd versions, the new one the
even ones, each only from the version that the other made. Quiet rows are written by nobody but Lockstep.
"""

from __future__ import annotations

from enum import StrEnum

SHARED_EVERY = 50
OLD_ENDS = (1, 2, 3)
NEW_ENDS = (4, 5, 6)
QUIET_ENDS = (7, 8, 9)
HOT_ROWS = 200  # of each kind, spread over the table and written again and again


class Writer(StrEnum):
    OLD = "old"
    NEW = "new"


def is_shared(row: int) -> bool:
    return row % SHARED_EVERY == 0


def is_quiet(row: int) -> bool:
    return row % 10 in QUIET_ENDS


def has_turn(writer: Writer, version: int) -> bool:
    """Return whether this application writes the next version of a shared row."""
    return (version % 2 == 0) == (writer is Writer.OLD)


def own_row(writer: Writer, draw: int, rows: int) -> int:
    """Return a loaded row of this application's own, chosen by any number."""
    ends = OLD_ENDS if writer is Writer.OLD else NEW_ENDS
    tens = max(rows // 10, 1)
    return draw % tens * 10 + ends[draw // tens % len(ends)]


def shared_row(draw: int, rows: int) -> int:
    return (draw % max(rows // SHARED_EVERY, 1) + 1) * SHARED_EVERY
