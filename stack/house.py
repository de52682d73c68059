"""The whole of Lockstep as running processes: servers, web, workers and supervisor.

make demo, make run, make demo-check and the browser tests all bring up this one Stack, each in a state folder of its
own.
"""

import fcntl
import http.client
import os
import shlex
import shutil
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TextIO

from stack.backing_servers import DATA_FOLDERS, BackingServers, Ports
from stack.logs import last_lines
from stack.one_shot import OnLine, ProgramFailed, ignore, run_to_end
from stack.ports import kept_ports
from stack.postgres import PostgresServer
from stack.processes import Child, stop_process
from stack.progress import Step, silent
from stack.secrets_file import kept_secrets, write_private

CLONE = Path(__file__).resolve().parent.parent
DEFAULT_PORTS: dict[str, int | None] = {
    "web": 8000,
    "control": 25432,
    "redis": 26380,
    "target": 25433,
    "replica": 25434,
}
ANY_PORTS: dict[str, int | None] = dict.fromkeys(DEFAULT_PORTS)
WEB_TIMEOUT_S = 60  # a cold start on two busy cores takes some 10 s
EARLY_S = 10  # what ends this soon has a wrong setting; starting it again would not help
WEB_OPTIONS = (
    *("--ws", "websockets-sansio", "--ws-max-size", "65536", "--ws-ping-interval", "20", "--ws-ping-timeout", "20"),
    *("--timeout-graceful-shutdown", "10", "--no-server-header"),
)
# Talk among workers that nothing here listens to; the lease in the control database says who lives.
WORKER_OPTIONS = ("--without-gossip", "--without-mingle", "--without-heartbeat")


class StackInUse(Exception):
    """Another process runs a stack from the same state folder."""


class Stack:
    """One stack in one state folder; starting it again takes up where it was."""

    def __init__(
        self,
        state_dir: Path,
        *,
        with_target: bool = False,
        fast: bool = False,
        any_ports: bool = False,
        step: Step = silent,
    ):
        self.state_dir = Path(state_dir).absolute()
        self.logs = self.state_dir / "logs"
        self.with_target = with_target
        self.fast = fast
        self.any_ports = any_ports  # True: leave the default ports to a person's demo
        self.step = step
        self.children: dict[str, Child] = {}
        self.is_started = False

    def __enter__(self) -> "Stack":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['web']}"

    def start(self) -> None:
        """Start servers, web, workers and supervisor; where one fails everything is stopped again."""
        self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = take_lock(self.state_dir)
        self.is_started = True
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all processes in reverse order, then the servers; data stay. May be repeated."""
        if not self.is_started:
            return
        for child in reversed(self.children.values()):
            child.ask_to_stop()  # so that they end side by side
        with ExitStack() as last_first:  # goes on where one of them fails
            last_first.callback(self._lock.close)
            if hasattr(self, "servers"):
                last_first.callback(self.servers.stop)
            for child in self.children.values():
                last_first.callback(child.stop)
        self.children.clear()
        self.is_started = False

    def environment(self) -> dict[str, str]:
        """Return the variables under which every part of this stack runs."""
        return os.environ | self.servers.environment() | {"LOCKSTEP_URL": self.url}

    def environment_file(self) -> Path:
        """Write the variables into a file that a shell can read, for manage.py by hand, and return its path."""
        path = self.state_dir / "environment"
        own = sorted((self.servers.environment() | {"LOCKSTEP_URL": self.url}).items())
        write_private(path, "".join(f"{name}={shlex.quote(value)}\n" for name, value in own))
        return path

    def run(self, name: str, *arguments: str, on_line: OnLine = ignore, extra: dict[str, str] | None = None) -> str:
        """Run a Python program to its end and return what it printed; its complaints go to logs/NAME.log."""
        command = [sys.executable, *arguments]
        environment = self.environment() | (extra or {})
        return run_to_end(name, command, self.logs / f"{name}.log", environment, folder=CLONE, on_line=on_line)

    def keep_running(
        self, name: str, *arguments: str, extra: dict[str, str] | None = None, grace_s: float = 10
    ) -> Child:
        """Start a Python program that runs until the stack stops; its log is logs/NAME.log."""
        child = Child(
            name,
            [sys.executable, *arguments],
            self.logs / f"{name}.log",
            self.state_dir / "pids" / f"{name}.pid",
            environment=self.environment() | (extra or {}),
            folder=CLONE,
            grace_s=grace_s,
        )
        child.start()
        self.children[name] = child
        return child

    def watch(self) -> None:
        """Wait until a signal comes; start again what ended by itself, as a process manager would."""
        while True:
            for child in self.ended():
                words = f"{child.name} ended with status {child.exit_status()}; its last words in {child.log_path}:"
                print(f"{words}\n{last_lines(child.log_path)}", file=sys.stderr, flush=True)
                # SIGKILL is somebody's doing, not a setting.
                if child.age_s() < EARLY_S and child.exit_status() != -signal.SIGKILL:
                    raise ProgramFailed(f"{child.name} does not stay up; its last words are above.")
                print(f"Starting {child.name} again.", file=sys.stderr, flush=True)
                child.start()
            time.sleep(0.5)

    def ended(self) -> list[Child]:
        """Return the children that ended by themselves, Redis first, since the others need it."""
        redis = self.servers.redis.child
        children = [*([redis] if redis else []), *self.children.values()]
        return [child for child in children if child.exit_status() is not None]

    def _start(self) -> None:
        stop_leftovers(self.state_dir)
        self.ports = kept_ports(self.state_dir / "ports.json", ANY_PORTS if self.any_ports else DEFAULT_PORTS)
        self.servers = BackingServers(
            self.state_dir,
            Ports(**{name: port for name, port in self.ports.items() if name != "web"}),
            kept_secrets(self.state_dir),
            with_target=self.with_target,
            fast=self.fast,
        )
        self.servers.start(self.step)
        with self.step("Control database: tables"):
            self.run("migrate", "manage.py", "migrate", "--no-input")
        with self.step("Web server"):
            self._start_web()
        with self.step("Workers and supervisor"):
            self._start_workers()

    def _start_web(self) -> None:
        address = ("--host", "127.0.0.1", "--port", str(self.ports["web"]))
        web = self.keep_running(
            "web", "-m", "uvicorn", "controlplane.asgi:application", *address, *WEB_OPTIONS, grace_s=15
        )
        deadline = time.monotonic() + WEB_TIMEOUT_S
        while not self._web_answers():
            if web.exit_status() is not None or time.monotonic() > deadline:
                raise ProgramFailed(f"the web server did not start:\n{last_lines(web.log_path)}")
            time.sleep(0.1)

    def _start_workers(self) -> None:
        for queue, concurrency in (("control", 1), ("lanes", 2)):
            worker = ("-m", "celery", "-A", "controlplane", "worker", "-Q", queue, "-n", f"{queue}@%h", *WORKER_OPTIONS)
            # A slice may last longer than the grace; killing it is safe, every batch is one transaction in the target.
            self.keep_running(f"worker-{queue}", *worker, "-c", str(concurrency), "--loglevel", "INFO", grace_s=8)
        self.keep_running("supervisor", "manage.py", "supervise")

    def _web_answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["web"], timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status < 500
        except OSError:
            return False
        finally:
            connection.close()


def take_lock(state_dir: Path) -> TextIO:
    """Return the open lock file of a state folder; the kernel frees it however its holder ends."""
    lock = (state_dir / "lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StackInUse(f"Another Lockstep runs from {state_dir}; stop it first (Ctrl-C in its terminal).") from None
    return lock


def stop_leftovers(state_dir: Path) -> None:
    """Stop what a run that was killed left running in this state folder."""
    for pid_path in (*state_dir.glob("pids/*.pid"), state_dir / "redis" / "redis.pid"):
        stop_process(pid_path, grace_s=10)
    for name in DATA_FOLDERS:
        PostgresServer(state_dir / name, port=0, password="").stop()


def remove_state(state_dir: Path) -> None:
    """Remove everything a stack kept; does nothing where there is nothing. Raises StackInUse while it runs."""
    if not state_dir.exists():
        return
    with take_lock(state_dir):
        stop_leftovers(state_dir)
        for name in DATA_FOLDERS:
            PostgresServer(state_dir / name, port=0, password="").destroy()
        shutil.rmtree(state_dir)
