"""Runs a command beside throw-away servers: python -m stack.servers [--replica] [--fast] -- CMD...

Everything lies in a folder under /tmp that is removed afterwards; a run that was killed is swept up by the next one.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.backing_servers import DATA_FOLDERS, BackingServers, Ports
from stack.ports import free_port
from stack.postgres import PostgresServer
from stack.processes import is_alive, read_pid_file, stop_process, write_pid_file
from stack.secrets_file import made_up

FOLDER_PREFIX = "lockstep-servers-"


@contextmanager
def throw_away_servers(*, replica: bool, fast: bool) -> Iterator[BackingServers]:
    """Start servers on free ports in a folder of their own, and remove all of it at the end."""
    sweep_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    write_pid_file(folder / "owner.pid", os.getpid())
    ports = Ports(control=free_port(), redis=free_port(), target=free_port(), replica=free_port())
    servers = BackingServers(folder, ports, made_up(), with_replica=replica, fast=fast)
    try:
        servers.start()
        yield servers
    finally:
        servers.destroy()


def sweep_leftovers() -> None:
    """End servers whose owner was killed, and remove their folders."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        owner = read_pid_file(folder / "owner.pid")
        if owner is None or is_alive(owner) or folder.stat().st_uid != os.geteuid():
            continue
        stop_process(folder / "redis" / "redis.pid", grace_s=5)
        for name in DATA_FOLDERS:
            PostgresServer(folder / name, 0, "").destroy()
        shutil.rmtree(folder, ignore_errors=True)


def run_command(command: list[str], environment: dict[str, str]) -> int:
    """Run the command in the foreground and return its exit status as a shell would."""
    child = subprocess.Popen(command, env=os.environ | environment)
    # Ctrl-C reaches the child from the terminal; it decides, and the servers outlive it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    status = child.wait()
    return status if status >= 0 else 128 - status


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m stack.servers", description=__doc__)
    parser.add_argument("--replica", action="store_true", help="give the target a streaming replica")
    parser.add_argument("--fast", action="store_true", help="no fsync: for tests, not for measurements")
    parser.add_argument("command", nargs="+", metavar="CMD", help="what to run, after --")
    chosen = parser.parse_args()
    # A SIGTERM before the command runs must still remove what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with throw_away_servers(replica=chosen.replica, fast=chosen.fast) as servers:
        return run_command(chosen.command, servers.environment() | servers.target_environment())


if __name__ == "__main__":
    sys.exit(main())
