"""Gets the Debian packages that the tests need: installed where we are root, named where we are not."""

import ctypes
import os
import shutil
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """A program or a shared library that tests need, and the package that has it."""

    package: str
    programs: tuple[str, ...] = ()  # any one of them will do
    library: str = ""

    def is_met(self) -> bool:
        return any(shutil.which(program) for program in self.programs) or self._has_library()

    def _has_library(self) -> bool:
        try:
            return bool(self.library) and ctypes.CDLL(self.library) is not None
        except OSError:
            return False


BROWSER = Need("chromium", programs=("chromium", "chromium-browser", "google-chrome"))
# Playwright's wheel brings a node of its own, which needs a library that a bare Debian does not have.
BROWSER_DRIVER = Need("libatomic1", library="libatomic.so.1")
NODE = Need("nodejs", programs=("node",))


def get(*needs: Need) -> None:
    """Install what is missing where that is possible; is_met() says afterwards whether it was."""
    packages = [need.package for need in needs if not need.is_met()]
    if not packages or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"Installing Debian's {', '.join(packages)} ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    subprocess.run(install, env=environment, stdout=subprocess.DEVNULL, check=False)


def reason_missing(need: Need) -> str:
    """Say what is missing and how to get it, or nothing where it is there."""
    return "" if need.is_met() else f"{need.package} is not installed (apt-get install {need.package})"
