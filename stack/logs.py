"""Keeps the log files of a stack's programs: appended to at each start, turned over when large, quoted in failures."""

from pathlib import Path
from typing import BinaryIO

TURN_OVER_BYTES = 10_000_000  # a demo left running overnight must not fill the disk at its tenth start


def open_log(path: Path) -> BinaryIO:
    """Open a log for appending; a large one is kept once as .old and begun anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > TURN_OVER_BYTES:
        path.replace(path.with_suffix(".old"))
    return path.open("ab")


def last_lines(path: Path, lines: int = 15) -> str:
    """Return the end of a log file."""
    if not path.exists() or not path.stat().st_size:
        return f"({path} is empty)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
