"""Breaks one row of the demo's table behind the sync's back, or mends it: python -m demo.plant [--mend].

For the tutorial: verify must find the row, and cutover must wait until it is mended.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import psycopg

from demo.witness import Planted, Witness
from stack.demo import STATE_DIR
from stack.postgres import PostgresServer
from stack.secrets_file import kept_secrets
from stack.target_roles import TARGET_DATABASE


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.plant", description=__doc__)
    parser.add_argument("--mend", action="store_true", help="write the row again as an application would")
    mend = parser.parse_args().mend
    remembered = STATE_DIR / "planted.json"
    try:
        witness = Witness(admin_url(STATE_DIR), rows=0)
    except (OSError, psycopg.OperationalError):
        print("The demo does not run; start it with make demo.", file=sys.stderr)
        return 1
    try:
        if mend and remembered.exists():
            planted = Planted(**json.loads(remembered.read_text()))
            witness.mend(planted)
            remembered.unlink()
            print(f"Row {planted.row} has its last name again, written so that the sync saw it.")
        elif mend:
            print("Nothing is planted.")
        elif not {"name", "last_name"} <= set(witness.columns()):
            print("The table does not have both shapes now; plant between backfill and contract.", file=sys.stderr)
            return 1
        else:
            planted = witness.plant_difference()
            remembered.write_text(json.dumps(asdict(planted)))
            print(f"Row {planted.row}: last_name is 'planted' now, and the sync did not see it.")
    finally:
        witness.close()
    return 0


def admin_url(state_dir: Path) -> str:
    """Return the running demo's target as its superuser sees it; raises FileNotFoundError before the first start."""
    port = json.loads((state_dir / "ports.json").read_text())["target"]
    password = kept_secrets(state_dir).target_superuser
    return PostgresServer(state_dir / "target", port, password).url(TARGET_DATABASE)


if __name__ == "__main__":
    sys.exit(main())
