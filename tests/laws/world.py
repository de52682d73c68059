"""What a law needs of an engine: a table that applications write to, an adapter, and a look at the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tests.laws.examples import Example, Values
from workers.engine.adapters.base import Adapter


class World(Protocol):
    """The operation's table, keyed by `id bigint`, in a database where Lockstep is installed for plan 1."""

    def adapter(self, tag: str) -> Adapter:
        """Return a new one; the caller uses it as a context manager."""

    # What applications do: one committed transaction each, whose failure is the test's failure.
    def insert(self, key: int, values: Mapping[str, str | None]) -> None: ...
    def update(self, key: int, values: Mapping[str, str | None], *, new_key: int | None = None) -> None:
        """Write one row; `new_key` moves it."""

    def delete(self, key: int) -> None: ...

    def plant(self, key: int, values: Mapping[str, str | None]) -> None:
        """Write behind the sync's back, as a restore of single rows or a disabled trigger would."""

    def rows(self) -> dict[int, Values]:
        """Return every column but the key, by key."""

    def catalogue(self) -> tuple[str, ...]:
        """Describe the table's columns in order and all syncs that stand, one line each."""


class WorldMaker(Protocol):
    def __call__(self, example: Example, rows: Mapping[int, Values]) -> World:
        """Return a fresh world whose table holds these rows; the one before it need not work any more."""
