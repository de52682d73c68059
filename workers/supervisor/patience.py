"""Asks a replica in a thread of its own, so that one that answers nothing does not stop the watch of its primary.

A server that is frozen, or behind a line that swallows everything, neither answers nor refuses: a limit that the server
keeps does not help, and its silence may last for minutes. Meanwhile the replica counts as one that cannot be observed.
"""

from __future__ import annotations

import threading

from workers.engine.adapters.base import Adapter
from workers.engine.errors import Unreachable

PATIENCE_S = 2.0
"""A healthy replica answers within a tenth of it; a run is held from then on."""


class Patient:
    """What signals ask of a server, for one replica. Only one question is under way at any time."""

    def __init__(self, name: str, replica: Adapter, *, patience_s: float = PATIENCE_S) -> None:
        self._name, self._replica, self._patience_s = name, replica, patience_s
        self._question: threading.Thread | None = None

    def position(self) -> str:
        return self._replica.position()

    def scalar(self, query: str, timeout_s: float) -> float | None:
        return self._replica.scalar(query, timeout_s)

    def replica_lag_s(self, position: str) -> float | None:
        """Raise Unreachable where it does not answer in time, and at once while an older question is unanswered."""
        if self._question is not None and self._question.is_alive():
            raise self._silent()
        answers: list[float | None] = []
        failures: list[Exception] = []

        def ask() -> None:
            try:
                answers.append(self._replica.replica_lag_s(position))
            except Exception as error:  # raised again where the answer is waited for
                failures.append(error)

        self._question = threading.Thread(target=ask, name=f"replica-{self._name}", daemon=True)
        self._question.start()
        self._question.join(self._patience_s)
        if failures:
            raise failures[0]
        if not answers:
            raise self._silent()
        return answers[0]

    def _silent(self) -> Unreachable:
        return Unreachable(f"The replica {self._name} does not answer.", remedy="Look whether it hangs.")
