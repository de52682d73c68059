"""Keeps what an application was told by its database: one JSON line for each acknowledged write, error and second.

Written line by line, so that whatever ends the application, what it was promised is on record.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FULL_BYTES = 16_000_000  # some two hours; then only the last word on each row is kept


@dataclass(frozen=True)
class Account:
    """What one ledger comes to."""

    versions: dict[int, int] = field(default_factory=dict)
    """The last acknowledged version by row."""
    removed: frozenset[int] = frozenset()
    removing: frozenset[int] = frozenset()
    """Rows whose removal was at least begun: they may be gone."""
    unsure: frozenset[int] = frozenset()
    """Rows of which a write ended in an error: it may have happened or not."""
    errors: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    """Reads that did not give what was written last."""
    latencies: tuple[tuple[float, float], ...] = ()
    """Epoch second and milliseconds of each operation."""

    def latencies_between(self, start: float, end: float) -> list[float]:
        return [ms for at, ms in self.latencies if start <= at < end]


class Ledger:
    """Appends to one file; opening it again goes on with it."""

    def __init__(self, path: Path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > FULL_BYTES:
            shorten(path)
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._second = 0
        self._latencies_ms: list[float] = []

    def close(self) -> None:
        self._flush_latencies()
        self._file.close()

    def wrote(self, row: int, version: int, name: str | None) -> None:
        """Record an acknowledged insert or update."""
        self._line(op="wrote", id=row, version=version, name=name)

    def removing(self, row: int) -> None:
        """Record that a delete is about to be sent, so that whoever misses the row knows why."""
        self._line(op="removing", id=row)

    def removed(self, row: int) -> None:
        """Record an acknowledged delete."""
        self._line(op="removed", id=row)

    def erred(self, doing: str, row: int | None, code: str, text: str) -> None:
        """Record an error of the database; `row` None where it concerns no row."""
        self._line(op="error", doing=doing, id=row, code=code, text=text)

    def differs(self, row: int, version: int, expected: object, seen: object) -> None:
        """Record a read that did not give what was written."""
        self._line(op="differs", id=row, version=version, expected=expected, seen=seen)

    def says(self, text: str) -> None:
        """Record what the application did as a whole: started, waits, goes on, stopped."""
        self._line(op="says", text=text)

    def took(self, at: float, ms: float) -> None:
        """Record how long one operation took; a line for each second."""
        if int(at) != self._second:
            self._flush_latencies()
            self._second = int(at)
        self._latencies_ms.append(round(ms, 2))

    def _flush_latencies(self) -> None:
        if self._latencies_ms:
            self._line(op="took", second=self._second, ms=self._latencies_ms)
            self._latencies_ms = []

    def _line(self, **fields: Any) -> None:
        self._file.write(json.dumps({"at": round(time.time(), 3)} | fields, ensure_ascii=False) + "\n")


def read(path: Path) -> Account:
    """Read a ledger, also while it is being written; a line cut off at the end was promised to nobody."""
    versions: dict[int, int] = {}
    removed: set[int] = set()
    removing: set[int] = set()
    unsure: set[int] = set()
    errors, differences, latencies = [], [], []
    for line in lines(path):
        match line["op"]:
            case "wrote":
                versions[line["id"]] = line["version"]
            case "removing":
                removing.add(line["id"])
            case "removed":
                versions.pop(line["id"], None)
                removed.add(line["id"])
            case "error":
                errors.append(f"{line['doing']}: {line['code']} {line['text']}")
                if line["id"] is not None:
                    unsure.add(line["id"])
            case "differs":
                differences.append(
                    f"row {line['id']} version {line['version']}: {line['seen']!r} instead of {line['expected']!r}"
                )
            case "took":
                latencies += [(float(line["second"]), ms) for ms in line["ms"]]
    return Account(
        versions=versions,
        removed=frozenset(removed),
        removing=frozenset(removing),
        unsure=frozenset(unsure),
        errors=tuple(errors),
        differences=tuple(differences),
        latencies=tuple(latencies),
    )


def lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def shorten(path: Path) -> None:
    """Keep the last word on each row, and every error and difference; latencies go."""
    last: dict[int, dict[str, Any]] = {}
    kept = []
    for line in lines(path):
        if line["op"] in ("wrote", "removed"):
            last[line["id"]] = line
        elif line["op"] != "took":
            kept.append(line)
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("w", encoding="utf-8") as file:
        for line in [*kept, *last.values()]:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    unfinished.rename(path)
