"""Tells a person in a terminal what is being done, how far it is and how long it took; plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

Step = Callable[[str], AbstractContextManager[object]]
TITLE_COLUMNS = 34
BAR_COLUMNS = 30


def silent(title: str) -> AbstractContextManager[object]:
    """Take a step without a word; for tests."""
    return nullcontext(title)


@contextmanager
def spoken(title: str) -> Iterator[None]:
    """Print the step's title, and how long it took once it is done."""
    started = time.monotonic()
    interactive = sys.stdout.isatty()
    start_of_line = "\r" if interactive else ""
    if interactive:
        print(f"  {title:<{TITLE_COLUMNS}} ...", end="", flush=True)
    try:
        yield
    except BaseException:
        print(f"{start_of_line}  {title:<{TITLE_COLUMNS}} failed", flush=True)
        raise
    took = f"{time.monotonic() - started:.1f} s"
    if interactive:
        took = took.ljust(BAR_COLUMNS + 30)  # the blanks wipe what a bar left on the line
    print(f"{start_of_line}  {title:<{TITLE_COLUMNS}} {took}", flush=True)


def draw_bar(title: str, done: int, total: int, unit: str = "rows") -> None:
    """Draw a progress bar over the current step's line; nothing where no person looks on."""
    if not sys.stdout.isatty() or total <= 0:
        return
    filled = min(BAR_COLUMNS, BAR_COLUMNS * done // total)
    bar = "#" * filled + "." * (BAR_COLUMNS - filled)  # drawn alike in every terminal
    print(f"\r  {title:<{TITLE_COLUMNS}} {bar} {done:,}/{total:,} {unit}", end="", flush=True)
