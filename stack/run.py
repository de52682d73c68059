"""make run: Lockstep without demo data, for targets of one's own."""

import sys

from stack.house import CLONE, Stack
from stack.progress import spoken
from stack.until_stopped import run_until_stopped

STATE_DIR = CLONE / ".lockstep" / "run"


def main() -> int:
    print("Lockstep", flush=True)
    return run_until_stopped(Stack(STATE_DIR, step=spoken), announce)


def announce(stack: Stack) -> None:
    """Print where it is and how to make the first account, which only this machine's owner can."""
    print(f"\n  Open  {stack.url}\n")
    settings = f"set -a; . {stack.environment_file()}; set +a"
    print("  The first account, in another terminal:")
    print(f"    ({settings}; {sys.executable} manage.py create_person NAME --roles admin)")
    print(f"  Logs: {stack.logs}\n  Ctrl-C stops everything; make run takes up where it was.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
