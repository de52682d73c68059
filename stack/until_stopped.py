"""Runs a stack in the foreground until Ctrl-C, SIGTERM or a closed terminal, and always stops what it started."""

import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from stack.house import Stack, StackInUse
from stack.one_shot import ProgramFailed
from stack.postgres_programs import ServerFailed

AnyStack = TypeVar("AnyStack", bound=Stack)
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_stopped(stack: AnyStack, announce: Callable[[AnyStack], None]) -> int:
    """Start the stack, announce it, watch over it until a signal comes, stop it; return an exit status."""
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupt)
    try:
        stack.start()
        announce(stack)
        stack.watch()
    except KeyboardInterrupt:
        return 0
    except (ProgramFailed, ServerFailed, StackInUse) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    finally:
        _stop(stack)
    return 0


def _stop(stack: Stack) -> None:
    # A second Ctrl-C would leave servers behind; everything here ends within its own grace.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if stack.is_started:
        print("\nStopping ...", flush=True)
        started = time.monotonic()
        stack.stop()
        print(f"Stopped in {time.monotonic() - started:.1f} s.", flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
