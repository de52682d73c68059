"""Proves that no write was lost: compares what the ledgers promise with what the table holds, row by row.

One SELECT is one snapshot, so this may be done at any time, also while both applications write. The ledgers are read
before the table, since what is acknowledged meanwhile only makes it newer, and once more after it, for the removals
that were begun meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Composable, Composed, Identifier

from demo.ledger import Account, read
from demo.names import Parts, name_at, split

LEDGERS = ("old-app", "new-app")


@dataclass(frozen=True)
class Held:
    """One row as the table holds it; a side that is not there is not compared."""

    id: int
    email: str
    version: int
    name: str | None
    parts: Parts


@dataclass(frozen=True)
class Sides:
    """Which columns the table has now."""

    has_name: bool
    has_parts: bool


def accounts(state_dir: Path) -> dict[str, Account]:
    """Read both ledgers."""
    return {name: read(state_dir / "ledgers" / f"{name}.jsonl") for name in LEDGERS}


def lost_writes(url: str, state_dir: Path, loaded_rows: int) -> list[str]:
    """Return one sentence for each write that the table or a reader contradicts."""
    before = list(accounts(state_dir).values())
    with psycopg.connect(url, autocommit=True, application_name="shop-proof") as connection:
        sides = sides_of(connection)
        rows = [
            Held(number, email, version, name, Parts(first, last))
            for number, email, version, name, first, last in connection.execute(_select(sides))
        ]
    removing = {row for account in accounts(state_dir).values() for row in account.removing}
    return contradictions(rows, sides, before, removing, loaded_rows)


def contradictions(
    rows: Iterable[Held], sides: Sides, ledgers: Sequence[Account], removing: Collection[int], loaded_rows: int
) -> list[str]:
    """Compare the table with what every row says of itself, and with what was acknowledged."""
    found = [difference for account in ledgers for difference in account.differences]
    version_by_row: dict[int, int] = {}
    for row in rows:
        version_by_row[row.id] = row.version
        expected = name_at(row.email, row.version)
        if sides.has_name and row.name != expected:
            found.append(f"row {row.id} version {row.version}: name is {row.name!r} instead of {expected!r}")
        if sides.has_parts and row.parts != split(expected):
            found.append(f"row {row.id} version {row.version}: parts are {tuple(row.parts)} instead of {expected!r}")
    found += [f"row {row} was loaded and is gone" for row in range(1, loaded_rows + 1) if row not in version_by_row]
    for account in ledgers:
        found += _forgotten(account, version_by_row, removing)
    return found


def _forgotten(account: Account, version_by_row: dict[int, int], removing: Collection[int]) -> list[str]:
    """Return the acknowledged writes that the table knows nothing of."""
    found = []
    for row, version in account.versions.items():
        held = version_by_row.get(row)
        if row in account.unsure or (held is None and row in removing):
            continue
        if held is None or held < version:
            found.append(f"row {row}: version {version} was acknowledged, the table has {held}")
    for row in account.removed:
        if row in version_by_row and row not in account.unsure:
            found.append(f"row {row} was removed and is there again")
    return found


def sides_of(connection: psycopg.Connection) -> Sides:
    """Ask the catalogue which of the columns are there."""
    query = "SELECT attname FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND NOT attisdropped"
    columns = {name for (name,) in connection.execute(query)}
    return Sides("name" in columns, {"first_name", "last_name"} <= columns)


def _select(sides: Sides) -> Composed:
    def column(name: str, *, is_there: bool) -> Composable:
        return Identifier(name) if is_there else SQL("NULL")

    return SQL("SELECT id, email, version, {}, {}, {} FROM public.users").format(
        column("name", is_there=sides.has_name),
        column("first_name", is_there=sides.has_parts),
        column("last_name", is_there=sides.has_parts),
    )
