"""Runs a program to its end for a stack, follows what it prints, and shows the end of its log where it fails."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from stack.logs import last_lines, open_log

OnLine = Callable[[str], None]


class ProgramFailed(Exception):
    """A part of the stack did not start or ended by itself; the message has the end of its log."""


def ignore(line: str) -> None:
    """Follow nothing."""


def run_to_end(
    name: str,
    command: list[str],
    log_path: Path,
    environment: Mapping[str, str],
    *,
    folder: Path,
    on_line: OnLine = ignore,
) -> str:
    """Run the command, hand each line it prints to on_line, and return all of them; raises ProgramFailed."""
    lines = []
    with open_log(log_path) as log:
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        assert program.stdout is not None
        try:
            for line in program.stdout:
                lines.append(line)
                on_line(line.rstrip("\n"))
            status = program.wait()
        except BaseException:
            program.kill()
            program.wait()
            raise
        finally:
            program.stdout.close()
    if status:
        raise ProgramFailed(f"{name} ended with status {status}:\n{''.join(lines[-5:])}{last_lines(log_path)}")
    return "".join(lines)
