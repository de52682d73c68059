"""make demo: the whole of Lockstep with a live target, two applications and three people; --reset removes its data."""

import argparse
import sys

from stack.demo_stack import OLD_APP, ROWS, DemoStack
from stack.house import CLONE, StackInUse, remove_state
from stack.progress import spoken
from stack.until_stopped import run_until_stopped

STATE_DIR = CLONE / ".lockstep" / "demo"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m stack.demo", description=__doc__)
    parser.add_argument("--reset", action="store_true", help="remove the demo's data and stop")
    parser.add_argument("--rows", type=int, default=ROWS, help="size of the table at the first start")
    chosen = parser.parse_args()
    if chosen.reset:
        return reset()
    print("Lockstep demo", flush=True)
    return run_until_stopped(DemoStack(STATE_DIR, rows=chosen.rows, step=spoken), announce)


def reset() -> int:
    try:
        remove_state(STATE_DIR)
    except StackInUse as error:
        print(error, file=sys.stderr)
        return 1
    print("The demo's data are gone; make demo starts anew.")
    return 0


def announce(stack: DemoStack) -> None:
    """Print where to click and who may sign in."""
    print(f"\n  Open  {stack.url}\n")
    for person in stack.seeded["people"]:
        print("  {username:<6}{password:<16}{name} ({roles})".format(**person))
    print("\n  The old application goes out of service, as before contract, by")
    print(f"    touch {stack.state_dir / OLD_APP}.off")
    print(f"\n  Logs: {stack.logs}")
    print("  Ctrl-C stops everything; make demo takes up where it was; make demo-reset forgets it.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
