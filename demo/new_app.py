"""The new version of the application, which knows first_name and last_name. Runs as python -m demo.new_app.

It writes them from dual-write done and reads them from backfill done, as every new version must; which phases are
done it asks Lockstep each second, over the public API.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from demo.application import Application, Connection, Row
from demo.ledger import Ledger
from demo.lockstep_api import LockstepApi, Problem
from demo.names import Parts, name_at, split
from demo.rows import Writer

ASK_S = 1.0
FORGET_S = 15.0  # without an answer for so long it does not know any more what it may do
READ = "SELECT id, email, version, first_name, last_name FROM users WHERE id = %s"
READ_VERSION = "SELECT id, email, version FROM users WHERE id = %s"
CHANGE = "UPDATE users SET first_name = %s, last_name = %s, version = version + 1 WHERE id = %s AND version = %s"
CHANGE_LAST = "UPDATE users SET last_name = %s, version = version + 1 WHERE id = %s AND version = %s"
ADD = "INSERT INTO users (first_name, last_name, email, note, version) VALUES (%s, %s, %s, 'added', 1) RETURNING id"


class PhaseWatch(threading.Thread):
    """Asks which phases of the plan are done, beside the application's own work."""

    def __init__(self, api: LockstepApi, plan: str):
        super().__init__(daemon=True)
        self.api = api
        self.plan = plan
        self.done: frozenset[str] = frozenset()
        self.asked_s = 0.0

    def run(self) -> None:
        while True:
            self.ask()
            time.sleep(ASK_S)

    def ask(self) -> None:
        """Ask once; without an answer what was known stays so for FORGET_S."""
        try:
            phases = self.api.get(f"plans/{self.plan}/", timeout_s=5)["phases"]
        except (OSError, Problem):
            return
        self.done = frozenset(phase["name"] for phase in phases if phase["status"] == "done")
        self.asked_s = time.monotonic()

    def is_done(self, phase: str) -> bool:
        return phase in self.done and time.monotonic() - self.asked_s < FORGET_S


class NewVersion:
    """Reads and writes the parts. A part that did not change it does not name, as an ORM does that saves one field."""

    name = "new-app"
    writer = Writer.NEW

    def __init__(self, phases: PhaseWatch):
        self.phases = phases

    def is_on(self) -> bool:
        return self.phases.is_done("dual_write")

    def can_write(self, name: str | None) -> bool:
        """Until the backfill is done an explicit NULL looks like a part not written, so it waits with those."""
        return None not in split(name) or self.phases.is_done("backfill")

    def sees(self, name: str | None) -> Parts:
        return split(name)

    def read(self, connection: Connection, row: int) -> Row | None:
        if not self.phases.is_done("backfill"):
            for number, email, version in connection.execute(READ_VERSION, [row]):
                return Row(number, email, version, None, name_is_read=False)
            return None
        for number, email, version, first, last in connection.execute(READ, [row]):
            return Row(number, email, version, Parts(first, last))
        return None

    def change(self, connection: Connection, row: Row, name: str | None) -> bool:
        parts = split(name)
        if parts.first == split(name_at(row.email, row.version)).first:
            return connection.execute(CHANGE_LAST, [parts.last, row.id, row.version]).rowcount == 1
        return connection.execute(CHANGE, [parts.first, parts.last, row.id, row.version]).rowcount == 1

    def add(self, connection: Connection, email: str, name: str | None) -> int:
        (row,) = connection.execute(ADD, [*split(name), email]).fetchone() or (0,)
        return int(row)


def main() -> int:
    state_dir = Path(os.environ["DEMO_STATE_DIR"])
    token = (state_dir / "new-app.token").read_text().strip()
    phases = PhaseWatch(LockstepApi(os.environ["LOCKSTEP_URL"], token), os.environ["DEMO_PLAN"])
    phases.start()
    ledger = Ledger(state_dir / "ledgers" / "new-app.jsonl")
    try:
        application = Application(NewVersion(phases), os.environ["DEMO_TARGET_URL"], state_dir, ledger, seed=2)
        application.run_until_stopped()
    finally:
        ledger.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
