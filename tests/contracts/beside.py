"""What happens on a target beside the engine's call: open transactions, other threads, and waiting for a state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.contracts.target import Target
from workers.engine.errors import EngineError
from workers.engine.vocabulary import Fence


@contextmanager
def running(work: Callable[[], object]) -> Iterator[list[BaseException | object]]:
    """Run `work` in a thread beside the test; what it returned or raised is in the list afterwards."""
    outcome: list[BaseException | object] = []

    def note() -> None:
        try:
            outcome.append(work())
        except EngineError as error:
            outcome.append(error)

    thread = threading.Thread(target=note)
    thread.start()
    try:
        yield outcome
    finally:
        thread.join(timeout=30)
        assert not thread.is_alive()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def a_locked_row(target: Target, number: int = 1) -> Iterator[None]:
    """Hold one row as an application's open transaction does."""
    with target.application() as holder, holder.transaction():
        holder.execute("SELECT FROM users WHERE id = %s FOR UPDATE", [number])
        yield


def session_of(target: Target, fence: Fence, state: str) -> bool:
    row = target.root.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND state = %s", [fence.tag, state]
    ).fetchone()
    return row is not None and row[0] > 0


def waits_for_a_lock(target: Target, fence: Fence) -> bool:
    """Whether a session of that tag is held up by somebody else; `active` alone may be any statement before."""
    row = target.root.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'", [fence.tag]
    ).fetchone()
    return row is not None and row[0] > 0
