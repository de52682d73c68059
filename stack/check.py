"""make demo-check: plays the whole demo through the public API and says whether all of it held.

The last line is one JSON object of figures; the exit status is 0 only if every act held. What failed is kept in the
state folder, with all logs.
"""

import argparse
import json
import math
import signal
import sys
import time
from typing import Any

from demo.lockstep_api import Problem
from demo.play import NotHeld, Play
from demo.proof import accounts
from stack.demo_stack import DemoStack
from stack.house import CLONE, StackInUse, remove_state
from stack.one_shot import ProgramFailed
from stack.postgres_programs import ServerFailed
from stack.progress import spoken

STATE_DIR = CLONE / ".lockstep" / "check"
ROWS = 20_000
MEASURED = (
    *("rows_per_s", "old_app_errors", "new_app_errors", "lost_writes", "app_p99_ms", "replica_lag_max_s"),
    *("abort_ms", "events", "mismatches_found", "rolled_back"),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m stack.check", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="size of the table")
    parser.add_argument("--keep", action="store_true", help="keep the state folder also where all of it held")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print("Lockstep demo-check", flush=True)
    try:
        remove_state(STATE_DIR)
    except StackInUse as error:
        print(error, file=sys.stderr)
        return 1
    held, figures = play(DemoStack(STATE_DIR, rows=chosen.rows, any_ports=True, step=spoken))
    if held and not chosen.keep:
        remove_state(STATE_DIR)
    print(json.dumps(figures), flush=True)
    return 0 if held else 1


def play(stack: DemoStack) -> tuple[bool, dict[str, Any]]:
    """Bring the stack up, play every act, take the stack down; return whether all of it held, and the figures."""
    started_s = time.monotonic()
    figures: dict[str, Any] = {"rows": stack.rows, "seconds": 0.0} | dict.fromkeys(MEASURED)
    held = False
    try:
        with stack:
            played = Play(stack)
            try:
                for title, act in played.acts():
                    with spoken(title):
                        act()
                held = True
            finally:
                played.close()
                figures |= measured(played)
    except (NotHeld, Problem, ProgramFailed, ServerFailed, OSError) as error:
        print(f"\nDid not hold: {error}\nLogs: {stack.logs}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr, flush=True)
    figures["seconds"] = round(time.monotonic() - started_s, 1)
    return held, figures


def measured(played: Play) -> dict[str, Any]:
    """Sum up what was measured; null where the play did not come so far."""
    figures, ledgers = played.figures, accounts(played.stack.state_dir)
    old, new = ledgers["old-app"], ledgers["new-app"]
    during = [ms for start, end in figures.backfill for ms in old.latencies_between(start, end)]
    backfill_s = sum(end - start for start, end in figures.backfill)
    return {
        "rows_per_s": round(played.stack.rows / backfill_s) if figures.backfill_is_whole else None,
        "old_app_errors": len(old.errors),
        "new_app_errors": len(new.errors),
        "lost_writes": figures.lost_writes,
        "app_p99_ms": {"before": p99(old.latencies_between(*figures.before)), "during": p99(during)},
        "replica_lag_max_s": round(played.lag.max_s, 3),
        "abort_ms": figures.abort_ms,
        "events": figures.events,
        "mismatches_found": figures.mismatches_found,
        "rolled_back": figures.rolled_back,
    }


def p99(latencies_ms: list[float]) -> float | None:
    """Return the 99th percentile; None for nothing."""
    ordered = sorted(latencies_ms)
    return ordered[math.ceil(len(ordered) * 0.99) - 1] if ordered else None


if __name__ == "__main__":
    sys.exit(main())
