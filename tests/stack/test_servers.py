"""Throw-away servers: there for one command, gone after it."""

import os
import subprocess
import sys
import tempfile

import pytest

from stack.servers import sweep_leftovers


@pytest.fixture
def own_tmp(tmp_path, monkeypatch):
    """A temporary folder of its own, so that other runs' servers are neither seen nor swept."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def done(own_tmp):
    shell = 'echo "$LOCKSTEP_TEST_TARGET_URL"; exit 7'
    command = [sys.executable, "-m", "stack.servers", "--fast", "--", "sh", "-c", shell]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_runs_beside_them_and_nothing_stays(done, own_tmp):
    found = (done.returncode, done.stdout.startswith("postgres://"), os.listdir(own_tmp))

    assert found == (7, True, [])


def test_the_folder_of_a_run_that_was_killed_is_swept_up(own_tmp):
    (own_tmp / "lockstep-servers-dead").mkdir()
    (own_tmp / "lockstep-servers-dead" / "owner.pid").write_text("1 12345\n")

    sweep_leftovers()

    assert os.listdir(own_tmp) == []


def test_the_folder_of_a_run_that_lives_is_left_alone(own_tmp):
    (own_tmp / "lockstep-servers-new").mkdir()

    sweep_leftovers()

    assert os.listdir(own_tmp) == ["lockstep-servers-new"]
