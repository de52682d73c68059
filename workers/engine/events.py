"""What the engine says while it works: past-tense facts as frozen values, complete in themselves.

The runner turns them into event rows (state), samples (pace) and mirrored counters (progress).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from workers.engine.vocabulary import Phase


@dataclass(frozen=True)
class ActionStarted:
    phase: Phase
    action: int
    title: str


@dataclass(frozen=True)
class ActionFinished:
    phase: Phase
    action: int
    title: str


@dataclass(frozen=True)
class BatchCopied:
    """One batch was committed: mirrored into the lane's counters and a sample, not an event row."""

    action: int
    seq: int
    rows: int
    """Rows of this batch."""
    total_rows: int
    """Rows of this lane so far."""
    batch_rows: int
    """Batch size that was asked for."""
    seconds: float
    counters: Mapping[str, int] = field(default_factory=dict)
    """Counters of the lane so far."""


@dataclass(frozen=True)
class Waited:
    """The loop was held or slowed; `reason` names signal, observed value and threshold. Said when it changes."""

    reason: str
    verdict: str


@dataclass(frozen=True)
class WaitEnded:
    seconds: float


@dataclass(frozen=True)
class RetryScheduled:
    """A transient failure was met; `code` is that of the error tree."""

    code: str
    text: str
    attempt: int
    delay_s: float


@dataclass(frozen=True)
class OutcomeResolved:
    """A commit without an answer was looked up in the target."""

    committed: bool


EngineEvent = ActionStarted | ActionFinished | BatchCopied | Waited | WaitEnded | RetryScheduled | OutcomeResolved
