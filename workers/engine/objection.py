"""What a check or an audit rule has against a plan or a script: one value, shown alike in page, API and CLI."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    BLOCK = "block"
    """Must be mended before the phase starts."""
    WARN = "warn"
    """Shown with the plan and signed with it."""


@dataclass(frozen=True)
class Objection:
    code: str
    title: str
    severity: Severity
    text: str
    remedy: str
    field: str = ""
    """The parameter it is about, or empty."""
    count: int | None = None
    """Rows concerned; None where it does not count rows."""
