"""The servers behind Lockstep, brought up and down together: control database, Redis, target primary and replica."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from stack.postgres import PostgresServer
from stack.progress import Step, silent
from stack.redis import RedisServer
from stack.secrets_file import Secrets, write_private
from stack.target_roles import (
    APPLICATION,
    CONTROL_DATABASE,
    CONTROL_ROLE,
    EXECUTOR,
    TARGET_DATABASE,
    prepare_control,
    prepare_target,
)

DATA_FOLDERS = ("replica", "target", "control")  # in the order in which they are stopped


@dataclass(frozen=True)
class Ports:
    """Where each server listens."""

    control: int
    redis: int
    target: int
    replica: int


@dataclass
class BackingServers:
    """The servers of one stack, with all their data below one folder."""

    folder: Path
    ports: Ports
    secrets: Secrets
    with_target: bool = True
    with_replica: bool = True
    fast: bool = False  # True gives up safety against a power cut
    control: PostgresServer = field(init=False)
    redis: RedisServer = field(init=False)
    target: PostgresServer | None = field(init=False, default=None)
    replica: PostgresServer | None = field(init=False, default=None)

    def start(self, step: Step = silent) -> None:
        """Start all of them, made at the first start; where one fails the rest is stopped again."""
        try:
            with step("Control database"):
                self._start_control()
            with step("Redis"):
                self.redis = RedisServer(self.folder / "redis", self.ports.redis, self.secrets.redis)
                self.redis.start()
            if self.with_target:
                with step("Target: PostgreSQL primary"):
                    self._start_target()
            if self.with_target and self.with_replica:
                with step("Target: streaming replica"):
                    self._start_replica()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop what runs, last first; data stay."""
        for name in (*DATA_FOLDERS, "redis"):
            server = getattr(self, name, None)
            if server is not None:
                server.stop()

    def destroy(self) -> None:
        """Stop everything at once and remove all data."""
        for name in DATA_FOLDERS:
            server = getattr(self, name, None)
            if server is not None:
                server.destroy()
        if getattr(self, "redis", None) is not None:
            self.redis.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        """Return the variables from which Lockstep reads its settings."""
        # WhiteNoise warns where the folder is missing; a clone is served from its finders, so it stays empty.
        static_root = self.folder / "static"
        static_root.mkdir(exist_ok=True)
        seal_key_file = self.folder / "seal.key"
        if not seal_key_file.exists():
            write_private(seal_key_file, self.secrets.seal_key + "\n")
        return {
            "DJANGO_SETTINGS_MODULE": "controlplane.settings",
            "LOCKSTEP_DATABASE_URL": self.control.url(
                CONTROL_DATABASE, user=CONTROL_ROLE, password=self.secrets.control
            ),
            "LOCKSTEP_REDIS_URL": self.redis.url,
            "LOCKSTEP_SECRET_KEY": self.secrets.django,
            "LOCKSTEP_SEAL_KEY_FILE": str(seal_key_file),
            "LOCKSTEP_STATIC_ROOT": str(static_root),
            "LOCKSTEP_DEBUG": "0",
            "LOCKSTEP_ALLOWED_HOSTS": "127.0.0.1,localhost",
        }

    def target_environment(self) -> dict[str, str]:
        """Return the variables that tell tests where the target is and how its accounts sign in."""
        if self.target is None:
            return {}
        found = {
            "LOCKSTEP_TEST_TARGET_URL": self.target.url(TARGET_DATABASE),
            "LOCKSTEP_TEST_EXECUTOR_PASSWORD": self.secrets.executor,
            "LOCKSTEP_TEST_APP_PASSWORD": self.secrets.app,
        }
        if self.replica is not None:
            found["LOCKSTEP_TEST_REPLICA_URL"] = self.replica.url(TARGET_DATABASE)
        return found

    def application_url(self) -> str:
        """Return the target as the application sees it."""
        assert self.target is not None
        return self.target.url(TARGET_DATABASE, user=APPLICATION, password=self.secrets.app)

    def executor_url(self) -> str:
        """Return the target as Lockstep sees it."""
        assert self.target is not None
        return self.target.url(TARGET_DATABASE, user=EXECUTOR, password=self.secrets.executor)

    def _start_control(self) -> None:
        self.control = PostgresServer.create(
            self.folder / "control", self.ports.control, self.secrets.control_superuser, fast=self.fast
        )
        self.control.start()
        prepare_control(self.control, password=self.secrets.control)

    def _start_target(self) -> None:
        self.target = PostgresServer.create(
            self.folder / "target", self.ports.target, self.secrets.target_superuser, fast=self.fast
        )
        self.target.start()
        prepare_target(self.target, executor_password=self.secrets.executor, app_password=self.secrets.app)

    def _start_replica(self) -> None:
        assert self.target is not None
        self.replica = PostgresServer.replica_of(self.target, self.folder / "replica", self.ports.replica)
        self.replica.start()
