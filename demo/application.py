"""Runs one version of the shop's application: reads and writes rows until it is stopped, and checks all it reads.

What differs between the versions is in old_app.py and new_app.py. A file NAME.off in the state folder takes the
version out of service, as a deployment would: it gives its connection back and waits until the file is gone.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psycopg

from demo.ledger import Ledger
from demo.names import Parts, name_at
from demo.rows import HOT_ROWS, Writer, has_turn, own_row, shared_row

TICK_S = 0.035  # some 28 rounds a second, each a read and mostly a write
IDLE_S = 0.25
RECONNECT_S = (0.1, 5.0)  # first and longest pause while the server is away
ADDED_ROWS = 60  # so many of its own additions stand at a time
FIND_ADDED = "SELECT id FROM users WHERE email LIKE %s ORDER BY id"
FIND_LOADED = "SELECT max(id) FROM users WHERE email LIKE 'user%@shop.example'"
ANNOTATE = "UPDATE users SET note = %s WHERE id = %s"
REMOVE = "DELETE FROM users WHERE id = %s"

Answer = TypeVar("Answer")
Connection = psycopg.Connection[tuple[Any, ...]]
Name = str | Parts | None
"""A name as a version sees it: whole, or in parts."""


@dataclass(frozen=True)
class Row:
    """One row as a version of the application sees it."""

    id: int
    email: str
    version: int
    name: Name
    name_is_read: bool = True
    """False where this version may not read the name yet."""


class Version(Protocol):
    """What differs between the old and the new version of the application."""

    name: str
    writer: Writer

    def is_on(self) -> bool:
        """Return whether it may write now."""

    def can_write(self, name: str | None) -> bool:
        """Return whether it may write this very name now."""

    def sees(self, name: str | None) -> Name:
        """Return this name as a read by this version gives it."""

    def read(self, connection: Connection, row: int) -> Row | None: ...
    def change(self, connection: Connection, row: Row, name: str | None) -> bool:
        """Write the next version of a row that still is as it was read; return whether it did."""

    def add(self, connection: Connection, email: str, name: str | None) -> int:
        """Insert a row in version 1 and return its id."""


class Application:
    """One running version. It remembers nothing that the table or the ledger does not know."""

    def __init__(self, version: Version, url: str, state_dir: Path, ledger: Ledger, *, seed: int):
        self.version = version
        self.url = url
        self.off_file = state_dir / f"{version.name}.off"
        self.ledger = ledger
        self.random = random.Random(seed)
        self.is_stopping = False
        self.added: list[int] = []
        self.written: dict[int, int] = {}
        self.rows = 0
        self.state = ""
        self.weight_by_deed: dict[Callable[[Connection], object], int] = {
            self._read: 35,
            self._change: 30,
            self._change_shared: 15,
            self._annotate: 5,
            self._add: 9,
            self._remove: 6,
        }

    def run_until_stopped(self) -> None:
        """Work until SIGTERM or SIGINT; the round in progress is finished first."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        pause_s = RECONNECT_S[0]
        while not self.is_stopping:
            try:
                with closing(self._connect()) as connection:
                    pause_s = RECONNECT_S[0]
                    self._work(connection)
            except psycopg.OperationalError as error:
                self.ledger.erred("connect", None, error.sqlstate or type(error).__name__, _first_line(error))
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, RECONNECT_S[1])
            self._wait_while_off()
        self._say("stopped")

    def _connect(self) -> Connection:
        name = f"shop-{self.version.writer}"
        return psycopg.connect(self.url, autocommit=True, connect_timeout=5, application_name=name)

    def _work(self, connection: Connection) -> None:
        """Work on one connection until it breaks, the version is taken out of service or the program stops."""
        self._find_rows(connection)
        next_s = time.monotonic()
        while not self.is_stopping and not self.off_file.exists() and not connection.broken:
            if self.version.is_on():
                self._say("works")
                (deed,) = self.random.choices(list(self.weight_by_deed), list(self.weight_by_deed.values()))
                deed(connection)
            else:
                self._say("waits for its phase")
                next_s = time.monotonic() + IDLE_S
            next_s = max(next_s + TICK_S * self.random.uniform(0.8, 1.2), time.monotonic())
            time.sleep(max(0.0, next_s - time.monotonic()))

    def _wait_while_off(self) -> None:
        while self.off_file.exists() and not self.is_stopping:
            self._say("is out of service")
            time.sleep(IDLE_S)

    def _find_rows(self, connection: Connection) -> None:
        """Learn how many rows were loaded and which of its own additions stand."""
        loaded = connection.execute(FIND_LOADED).fetchone()
        self.rows = int(loaded[0]) if loaded and loaded[0] is not None else 0
        added = connection.execute(FIND_ADDED, [f"{self.version.writer}-%"]).fetchall()
        self.added = [row for (row,) in added]

    def _read(self, connection: Connection) -> Row | None:
        return self._look_at(connection, self._own())

    def _change(self, connection: Connection) -> None:
        row = self._look_at(connection, self._own())
        if row is not None:
            self._write_next(connection, row)

    def _change_shared(self, connection: Connection) -> None:
        row = self._look_at(connection, shared_row(self._draw(), self.rows), is_shared=True)
        if row is not None and has_turn(self.version.writer, row.version):
            self._write_next(connection, row)

    def _annotate(self, connection: Connection) -> None:
        """Write neither side of the name: the sync must leave such a write alone."""
        row, note = self._own(), f"seen by {self.version.writer}"
        self._time("annotate", row, lambda: connection.execute(ANNOTATE, [note, row]))

    def _add(self, connection: Connection) -> None:
        email = f"{self.version.writer}-{self.random.getrandbits(48):012x}@shop.example"
        name = name_at(email, 1)
        if len(self.added) >= ADDED_ROWS or not self.version.can_write(name):
            return
        row = self._time("add", None, lambda: self.version.add(connection, email, name))
        if row is not None:
            self.added.append(row)
            self.written[row] = 1
            self.ledger.wrote(row, 1, name)

    def _remove(self, connection: Connection) -> None:
        if len(self.added) < ADDED_ROWS // 2:
            return
        row = self.added.pop(self.random.randrange(len(self.added)))
        self.ledger.removing(row)
        if self._time("remove", row, lambda: connection.execute(REMOVE, [row])) is not None:
            self.written.pop(row, None)
            self.ledger.removed(row)

    def _own(self) -> int:
        if self.added and self.random.random() < 0.2:
            return self.random.choice(self.added)
        return own_row(self.version.writer, self._draw(), self.rows)

    def _draw(self) -> int:
        """Return a number that chooses a row: every second time one of the hot ones."""
        draw = self.random.getrandbits(40)
        return draw % HOT_ROWS * 7919 if draw & 1 << 39 else draw  # a prime spreads the hot rows over the table

    def _look_at(self, connection: Connection, number: int, *, is_shared: bool = False) -> Row | None:
        """Read a row and check that it holds what was written last."""
        row = self._time("read", number, lambda: self.version.read(connection, number))
        if row is None:
            if self._is_gone(number, connection):
                self.ledger.differs(number, self.written.get(number, 0), "a row", None)
            return None
        expected = self.version.sees(name_at(row.email, row.version))
        if row.name_is_read and row.name != expected:
            self.ledger.differs(row.id, row.version, expected, row.name)
        acknowledged = self.written.get(row.id, row.version)
        if row.version < acknowledged or (row.version > acknowledged and not is_shared):
            self.ledger.differs(row.id, row.version, f"version {acknowledged}", f"version {row.version}")
        return row

    def _is_gone(self, number: int, connection: Connection) -> bool:
        """Return whether a row is missing, and not only unread since the read itself failed."""
        if connection.broken:
            return False
        return connection.execute("SELECT 1 FROM users WHERE id = %s", [number]).fetchone() is None

    def _write_next(self, connection: Connection, row: Row) -> None:
        name = name_at(row.email, row.version + 1)
        if not self.version.can_write(name):
            return
        if self._time("change", row.id, lambda: self.version.change(connection, row, name)):
            self.written[row.id] = row.version + 1
            self.ledger.wrote(row.id, row.version + 1, name)

    def _time(self, doing: str, row: int | None, operation: Callable[[], Answer]) -> Answer | None:
        """Carry out one operation, and record how long it took or why it failed; None where it failed."""
        started = time.perf_counter()
        at = time.time()
        try:
            answer = operation()
        except psycopg.Error as error:
            self.ledger.erred(doing, row, error.sqlstate or type(error).__name__, _first_line(error))
            if row is not None:
                self.written.pop(row, None)  # it may have been written or not
            return None
        self.ledger.took(at, (time.perf_counter() - started) * 1000)
        return answer

    def _say(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.ledger.says(state)
            print(f"{time.strftime('%H:%M:%S')} {self.version.name} {state}", flush=True)

    def _stop(self, number: int, frame: object) -> None:
        self.is_stopping = True


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
