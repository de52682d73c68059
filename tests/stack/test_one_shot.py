"""Programs that a stack runs to their end."""

import os
import sys

import pytest

from stack.one_shot import ProgramFailed, run_to_end


def run(tmp_path, program, **options):
    command = [sys.executable, "-c", program]
    return run_to_end("migrate", command, tmp_path / "migrate.log", os.environ, folder=tmp_path, **options)


def test_each_line_is_handed_over_as_it_comes(tmp_path):
    lines = []

    run(tmp_path, "print('1/2'); print('2/2')", on_line=lines.append)

    assert lines == ["1/2", "2/2"]


def test_a_failure_shows_the_end_of_the_log(tmp_path):
    with pytest.raises(ProgramFailed, match="(?s)migrate ended with status 3.*the reason"):
        run(tmp_path, "import sys; print('the reason', file=sys.stderr); sys.exit(3)")
