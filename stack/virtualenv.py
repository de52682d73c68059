"""Makes the virtualenv .venv and keeps it at what a requirements file asks for; runs before anything is installed.

Standard library only. A stamp with the digest of the files makes the second call cost nothing.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterable
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent
FOLDER = CLONE / ".venv"
LEAST_PYTHON = (3, 11)


def main(requirements: str) -> int:
    if sys.version_info < LEAST_PYTHON:
        return refuse(f"Lockstep needs Python 3.11 or later; this is {sys.version.split()[0]}.")
    lock_path = CLONE / ".lockstep" / "virtualenv.lock"
    lock_path.parent.mkdir(exist_ok=True)
    with lock_path.open("w") as lock:
        # Two make targets at once must not install at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return keep_up_to_date(CLONE / requirements)


def keep_up_to_date(requirements: Path) -> int:
    """Install where the stamp does not have this file's digest yet; return an exit status."""
    stamp = FOLDER / f".{requirements.name}.stamp"
    wanted = digest(requirements)
    python = FOLDER / "bin" / "python"
    if python_works(python) and stamp.exists() and stamp.read_text() == wanted:
        return 0
    if not python_works(python) and (status := make_virtualenv()):
        return status
    print(f"Installing {requirements.name} into .venv (once; some 200 MB with its libraries) ...", flush=True)
    # Debian's pip for root warns about what a virtualenv is the answer to.
    quiet = {"PIP_ROOT_USER_ACTION": "ignore", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = [str(python), "-m", "pip", "install", "--progress-bar=off", "-r", str(requirements)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | quiet) as pip:
        assert pip.stdout is not None
        last_words = show_packages(pip.stdout)
    if pip.returncode:
        return refuse(f"{''.join(last_words)}pip could not install {requirements.name}; its words are above.")
    stamp.write_text(wanted)
    return 0


def show_packages(lines: Iterable[str]) -> deque[str]:
    """Show in a terminal which package pip is at, instead of its many lines; return its last ones."""
    last_words: deque[str] = deque(maxlen=15)
    count = 0
    for line in lines:
        last_words.append(line)
        doing = re.match(r"(Collecting ([\w.-]+)|Installing collected)", line)
        if doing and sys.stdout.isatty():
            count += 1
            print(f"\r  {count:>3}  {doing[2] or 'unpacking all of them':<40}", end="", flush=True)
    if count:
        print()
    return last_words


def make_virtualenv() -> int:
    """Make .venv with this Python, with python3-venv from Debian where it is missing and we are root."""
    if not has_ensurepip() and not install_venv_package():
        return refuse(
            "Python's venv module is incomplete here. Install it and try again"
            " (Debian, Ubuntu: apt-get install python3-venv)."
        )
    print("Making the virtualenv .venv ...", flush=True)
    return subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], check=False).returncode


def has_ensurepip() -> bool:
    """Say whether a virtualenv would get a pip; Debian splits that off into python3-venv."""
    return (
        subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode
        == 0
    )


def install_venv_package() -> bool:
    """Install python3-venv where that is possible; say whether it worked."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    print("Installing Debian's python3-venv ...", flush=True)
    subprocess.run(["apt-get", "update", "-qq"], check=False)
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "python3-venv"], check=False)
    return has_ensurepip()


def python_works(python: Path) -> bool:
    """Say whether the virtualenv's Python still starts; a Python that was upgraded away leaves a dead link."""
    try:
        return subprocess.run([str(python), "-c", "import pip"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def digest(requirements: Path) -> str:
    """Return the digest of a requirements file, of those it includes, and of the Python they are installed for."""
    seen = hashlib.sha256(f"{sys.version_info.major}.{sys.version_info.minor}".encode())
    text = requirements.read_text()
    seen.update(text.encode())
    for included in re.findall(r"^-r\s+(\S+)", text, re.MULTILINE):
        seen.update(digest(requirements.parent / included).encode())
    return seen.hexdigest()


def refuse(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
