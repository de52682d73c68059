"""Prints a table of what was measured, and the same as JSON in the last line: python -m bench [--rows N]."""

from __future__ import annotations

import argparse
import json
import os
import sys

from bench.backfill_speed import measure_backfill
from bench.database import Database
from bench.sync_cost import measure_sync_cost

ROWS = 200_000
ROUNDS = 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"rows of the table (default {ROWS:,})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"times that each statement is measured ({ROUNDS})")
    chosen = parser.parse_args()
    if "LOCKSTEP_TEST_TARGET_URL" not in os.environ:
        print("LOCKSTEP_TEST_TARGET_URL is not set: run make bench, which starts a server.", file=sys.stderr)
        return 2
    with Database() as database:
        costs = measure_sync_cost(database, rows=chosen.rows, rounds=chosen.rounds)
        backfill = measure_backfill(database, rows=chosen.rows)
    print(f"{'processor time of a statement':44}{'without':>10}{'with sync':>11}{'ratio':>8}{'per row':>11}")
    for cost in costs:
        print(
            f"{cost.statement:44}{cost.without_s:>8.2f} s{cost.with_s:>9.2f} s{cost.ratio:>8.2f}"
            f"{cost.added_us_per_row:>8.2f} us"
        )
    print(f"\n{'batch size':>10}{'backfill rows/s':>18}{'verify rows/s':>16}")
    for speed in backfill:
        print(f"{speed.batch_rows:>10,}{speed.backfill_rows_per_s:>18,.0f}{speed.verify_rows_per_s:>16,.0f}")
    report = {
        "rows": chosen.rows,
        "rounds": chosen.rounds,
        "server": database.version,
        "sync_cost": [cost.as_json() for cost in costs],
        "backfill": [speed.as_json() for speed in backfill],
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
