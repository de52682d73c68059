"""Runs a PostgreSQL server: control database, demo target, or a streaming replica of that target."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg

from stack.account import Account, current_account
from stack.logs import last_lines, open_log
from stack.postgres_programs import ServerFailed, has_statement_statistics, run_program

HOST = "127.0.0.1"
SUPERUSER = "postgres"
REPLICATOR = "replicator"
START_TIMEOUT_S = 120  # crash recovery of a demo killed in mid-backfill replays up to max_wal_size
STOP_TIMEOUT_S = 60  # the shutdown checkpoint of a busy target
STREAMING_TIMEOUT_S = 60

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket path is limited to 107 bytes, a clone's path is not
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u %a ",
    "hot_standby": "on",
    # A replica that is gone keeps its slot; this bounds what the primary keeps for it.
    "max_slot_wal_keep_size": "1GB",
    "track_io_timing": "on",
}
# Tests' data may be lost with the machine's power. synchronous_commit stays on: a replica is sent only what is flushed.
FAST_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


class PostgresServer:
    """One server: a data folder, a port and the superuser's password."""

    host = HOST
    user = SUPERUSER

    def __init__(self, data_dir: Path, port: int, password: str, *, fast: bool = False, account: Account | None = None):
        self.account = account or current_account()
        self.wanted_dir = Path(data_dir).absolute()
        self.data_dir = self.account.data_dir(self.wanted_dir)
        self.log_path = self.wanted_dir.parent / "logs" / f"{self.wanted_dir.name}.log"
        self.port = port
        self.password = password
        self.fast = fast
        self.primary: PostgresServer | None = None  # None: it is not a replica

    @classmethod
    def create(
        cls, data_dir: Path, port: int, password: str, *, fast: bool = False, account: Account | None = None
    ) -> "PostgresServer":
        """Make an empty server in data_dir, or take up the one that is there; does not start it."""
        server = cls(data_dir, port, password, fast=fast, account=account)
        if not server.exists():
            server._fill_data_dir(server._initdb)
        return server

    @classmethod
    def replica_of(cls, primary: "PostgresServer", data_dir: Path, port: int) -> "PostgresServer":
        """Make a streaming replica of a running primary, or take up the one that is there; does not start it."""
        replica = cls(data_dir, port, primary.password, fast=primary.fast, account=primary.account)
        replica.primary = primary
        if not replica.exists():
            primary.admit_replica(replica.slot)
            replica._fill_data_dir(replica._copy_primary)
        return replica

    @property
    def slot(self) -> str:
        """Name of the replica's slot and of its session on the primary."""
        return self.wanted_dir.name.replace("-", "_")

    def exists(self) -> bool:
        return (self.data_dir / "PG_VERSION").exists()

    def url(self, dbname: str, *, user: str = SUPERUSER, password: str | None = None) -> str:
        """Return a postgres:// URL; the superuser's unless another account is named."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgres://{quote(user, safe='')}:{secret}@{self.host}:{self.port}/{quote(dbname, safe='')}"

    @property
    def conninfo(self) -> str:
        return psycopg.conninfo.make_conninfo(
            host=self.host, port=self.port, user=self.user, password=self.password, dbname="postgres"
        )

    def connect(self, dbname: str = "postgres") -> psycopg.Connection:
        """Open a superuser's connection in autocommit mode."""
        return psycopg.connect(self.conninfo, dbname=dbname, autocommit=True, connect_timeout=10)

    def start(self) -> None:
        """Start the server and wait until it answers; one left running by a run that crashed is restarted."""
        if self.is_running():
            self.stop()
        self._forget_stranger()
        self._write_settings()
        with open_log(self.log_path) as log:
            # The server keeps the log's file handle, which spares it write access to the log's folder.
            done = run_program(
                *(self.account, "pg_ctl", "start", "-D", str(self.data_dir)),
                *("--wait", f"--timeout={START_TIMEOUT_S}", "--silent"),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            raise ServerFailed(f"PostgreSQL in {self.wanted_dir} did not start:\n{last_lines(self.log_path)}")
        if self.primary is not None:
            self._wait_until_streaming(self.primary)

    def stop(self, *, mode: str = "fast") -> None:
        """Stop the server; open transactions roll back. Does nothing where it does not run."""
        if not self.is_running():
            return
        done = run_program(
            *(self.account, "pg_ctl", "stop", "-D", str(self.data_dir)),
            *("--wait", f"--timeout={STOP_TIMEOUT_S}", f"--mode={mode}"),
            capture_output=True,
            text=True,
        )
        if done.returncode and self.is_running():
            raise ServerFailed(f"PostgreSQL in {self.wanted_dir} did not stop:\n{done.stdout}{done.stderr}")

    def is_running(self) -> bool:
        """Say whether it runs. pg_ctl would take any process for it that was given its number after a reboot."""
        return os.fsencode(self.data_dir) in self._command_line().split(b"\0")

    def destroy(self) -> None:
        """Stop the server at once and remove its data."""
        self.stop(mode="immediate")
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def admit_replica(self, slot: str) -> None:
        """Make the role and the slot a replica needs; may be repeated."""
        with self.connect() as connection:
            literal = psycopg.sql.Literal(self.password)
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [REPLICATOR]).fetchone():
                statement = psycopg.sql.SQL("CREATE ROLE {} LOGIN REPLICATION PASSWORD {}")
                connection.execute(statement.format(psycopg.sql.Identifier(REPLICATOR), literal))
            connection.execute(
                "SELECT pg_create_physical_replication_slot(%(slot)s::name, true)"
                " WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %(slot)s)",
                {"slot": slot},
            )

    def _replication_conninfo(self, application_name: str) -> str:
        return psycopg.conninfo.make_conninfo(
            host=self.host,
            port=self.port,
            user=REPLICATOR,
            password=self.password,
            application_name=application_name,
        )

    def _fill_data_dir(self, fill: Callable[[Path], None]) -> None:
        """Fill a folder beside the data folder and rename it, so that a run cut off leaves nothing half made."""
        self.account.make_parent(self.data_dir)
        unfinished = self.data_dir.with_name(f"{self.data_dir.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        fill(unfinished)
        unfinished.rename(self.data_dir)

    def _initdb(self, folder: Path) -> None:
        password_file = folder.with_name(f"{folder.name}.password")
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        self.account.give(password_file)
        # The built-in provider sorts and folds case alike on every machine; this build has no ICU.
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--encoding=UTF8")
        try:
            self._fill(
                "initdb",
                *("-D", str(folder), "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={password_file}"),
                *(*locale, "--no-instructions", *(("--no-sync",) if self.fast else ())),
            )
        finally:
            password_file.unlink()
        self._include_own_settings(folder)

    def _copy_primary(self, folder: Path) -> None:
        assert self.primary is not None
        address = ("-h", self.primary.host, "-p", str(self.primary.port), "-U", REPLICATOR)
        backup = ("-D", str(folder), "--checkpoint=fast", "--wal-method=stream", "--slot", self.slot)
        no_sync = ("--no-sync",) if self.fast else ()
        self._fill("pg_basebackup", *address, *backup, *no_sync, password=self.primary.password)
        (folder / "standby.signal").touch()
        self.account.give(folder / "standby.signal")

    def _include_own_settings(self, folder: Path) -> None:
        with (folder / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude_if_exists = 'lockstep.conf'\n")

    def _write_settings(self) -> None:
        """Write the settings anew at every start, since ports may have moved."""
        settings = SETTINGS | {"port": str(self.port), "cluster_name": self.slot}
        if has_statement_statistics():
            settings |= {"shared_preload_libraries": "pg_stat_statements"}
        if self.fast:
            settings |= FAST_SETTINGS
        if self.primary is not None:
            conninfo = self.primary._replication_conninfo(self.slot)
            settings |= {"primary_conninfo": conninfo, "primary_slot_name": self.slot}
        path = self.data_dir / "lockstep.conf"
        path.touch(mode=0o600)
        lines = [f"{name} = {quoted(value)}\n" for name, value in settings.items()]
        path.write_text("".join(lines))
        self.account.give(path)

    def _wait_until_streaming(self, primary: "PostgresServer") -> None:
        deadline = time.monotonic() + STREAMING_TIMEOUT_S
        query = "SELECT 1 FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'"
        with primary.connect() as connection:
            while not connection.execute(query, [self.slot]).fetchone():
                if time.monotonic() > deadline:
                    raise ServerFailed(
                        f"the replica in {self.wanted_dir} does not stream:\n{last_lines(self.log_path)}"
                    )
                time.sleep(0.1)

    def _command_line(self) -> bytes:
        """Return the command line of the process that the pid file names; empty where there is none."""
        try:
            pid = int((self.data_dir / "postmaster.pid").read_text().split()[0])
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return b""

    def _forget_stranger(self) -> None:
        """Remove a pid file that names another program, for which PostgreSQL would refuse to start."""
        if self._command_line() and not self.is_running():
            (self.data_dir / "postmaster.pid").unlink()

    def _fill(self, program: str, *arguments: str, password: str = "") -> None:
        done = run_program(
            self.account, program, *arguments, variables={"PGPASSWORD": password}, capture_output=True, text=True
        )
        if done.returncode:
            raise ServerFailed(f"{program} failed for {self.wanted_dir}:\n{done.stdout}{done.stderr}")


def quoted(value: str) -> str:
    """Write a value as postgresql.conf wants it."""
    doubled = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"
