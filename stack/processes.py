"""Starts child processes in process groups of their own, with log files, and stops them in reverse order.

Every child leaves a pid file with its start time, so that the next run finds and ends what a run that crashed left
behind, and never another process that was given the same number.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.logs import open_log

KILL_GRACE_S = 5  # SIGKILL takes effect once the kernel call in progress returns


@dataclass(frozen=True)
class PidMark:
    """A process as its pid file names it."""

    pid: int
    started: str  # the kernel's start time in ticks since boot; tells a reused number apart


def start_time(pid: int) -> str | None:
    """Return the process's start time, or None where it is gone or only waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def is_alive(mark: PidMark) -> bool:
    return start_time(mark.pid) == mark.started


def write_pid_file(path: Path, pid: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{pid} {start_time(pid) or 'gone'}\n")


def read_pid_file(path: Path) -> PidMark | None:
    """Return what the file says, or None where there is no file or it was cut off while being written."""
    try:
        pid, started = path.read_text().split()
        return PidMark(int(pid), started)
    except (OSError, ValueError):
        return None


def stop_process(
    pid_path: Path, *, grace_s: float, popen: subprocess.Popen[bytes] | None = None, is_asked: bool = False
) -> None:
    """Ask the process to stop and kill what stays after grace_s; its pid file goes too. May be repeated."""
    mark = read_pid_file(pid_path)
    if mark is not None and is_alive(mark):
        if not is_asked:
            # Only the leader: a Celery worker's children would die of it in mid-task, their parent lets them finish.
            _signal(os.kill, mark.pid, signal.SIGTERM)
        if not _wait_until_gone(mark, grace_s, popen):
            _signal(os.killpg, mark.pid, signal.SIGKILL)
            _wait_until_gone(mark, KILL_GRACE_S, popen)
        # Workers that outlive their parent would keep taking work.
        _signal(os.killpg, mark.pid, signal.SIGKILL)
    pid_path.unlink(missing_ok=True)


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> None:
    try:
        send(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def _wait_until_gone(mark: PidMark, seconds: float, popen: subprocess.Popen[bytes] | None) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(mark):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    if popen is not None:
        # The kernel shows a leader as ended while threads of its own still end; only then can it be reaped.
        popen.wait(timeout=KILL_GRACE_S)
    return True


class Child:
    """One child process: its command, its log file and its pid file."""

    def __init__(
        self,
        name: str,
        command: list[str],
        log_path: Path,
        pid_path: Path,
        *,
        environment: Mapping[str, str] | None = None,  # None: ours
        folder: Path | None = None,  # None: ours
        grace_s: float = 10,
    ):
        self.name = name
        self.command = command
        self.log_path = log_path
        self.pid_path = pid_path
        self.environment = environment
        self.folder = folder
        self.grace_s = grace_s
        self.popen: subprocess.Popen[bytes] | None = None
        self.is_asked = False

    def start(self) -> None:
        """Start the process; one of the same name left by a run that crashed is stopped first."""
        stop_process(self.pid_path, grace_s=self.grace_s)
        with open_log(self.log_path) as log:
            self.popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
            )
        self.started_s = time.monotonic()
        write_pid_file(self.pid_path, self.popen.pid)

    def age_s(self) -> float:
        """Return how long ago it was started."""
        return time.monotonic() - self.started_s

    def exit_status(self) -> int | None:
        """Return how the process ended, or None while it runs."""
        return None if self.popen is None else self.popen.poll()

    def kill(self) -> None:
        """End the whole group with SIGKILL, as a machine that dies would."""
        if self.popen is not None:
            _signal(os.killpg, self.popen.pid, signal.SIGKILL)
            self.popen.wait()

    def ask_to_stop(self) -> None:
        """Ask it to stop and do not wait; stop() then does not ask again, since some take a second signal as "now"."""
        if self.popen is not None and self.popen.poll() is None:
            self.popen.terminate()
            self.is_asked = True

    def stop(self) -> None:
        """Ask it to stop, wait, and kill what stays."""
        stop_process(self.pid_path, grace_s=self.grace_s, popen=self.popen, is_asked=self.is_asked)
        self.is_asked = False
