"""The old version of the application, which knows one column: name. Runs as python -m demo.old_app."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from demo.application import Application, Connection, Row
from demo.ledger import Ledger
from demo.rows import Writer

READ = "SELECT id, email, version, name FROM users WHERE id = %s"
CHANGE = "UPDATE users SET name = %s, version = version + 1 WHERE id = %s AND version = %s"
ADD = "INSERT INTO users (name, email, note, version) VALUES (%s, %s, 'added', 1) RETURNING id"


class OldVersion:
    """Reads and writes `name`; columns are named, so that new ones do not concern it."""

    name = "old-app"
    writer = Writer.OLD

    def is_on(self) -> bool:
        return True

    def can_write(self, name: str | None) -> bool:
        return True

    def sees(self, name: str | None) -> str | None:
        return name

    def read(self, connection: Connection, row: int) -> Row | None:
        for number, email, version, name in connection.execute(READ, [row]):
            return Row(number, email, version, name)
        return None

    def change(self, connection: Connection, row: Row, name: str | None) -> bool:
        return connection.execute(CHANGE, [name, row.id, row.version]).rowcount == 1

    def add(self, connection: Connection, email: str, name: str | None) -> int:
        (row,) = connection.execute(ADD, [name, email]).fetchone() or (0,)
        return int(row)


def main() -> int:
    state_dir = Path(os.environ["DEMO_STATE_DIR"])
    ledger = Ledger(state_dir / "ledgers" / "old-app.jsonl")
    try:
        Application(OldVersion(), os.environ["DEMO_TARGET_URL"], state_dir, ledger, seed=1).run_until_stopped()
    finally:
        ledger.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
