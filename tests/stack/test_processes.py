"""Child processes: started with a log and a pid file, stopped for certain, never mistaken for others."""

import subprocess
import sys

import pytest

from stack.processes import Child, is_alive, read_pid_file, stop_process, write_pid_file

SLEEPER = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)",
]


@pytest.fixture
def a_child(tmp_path):
    """Return a function that starts a child and waits for its first words; all of them are ended afterwards."""
    started = []

    def start(command, **options):
        child = Child("sleeper", command, tmp_path / "sleeper.log", tmp_path / "pids" / "sleeper.pid", **options)
        child.start()
        started.append(child)
        while b"ready" not in child.log_path.read_bytes() and child.exit_status() is None:
            pass
        return child

    yield start
    for child in started:
        child.kill()


def test_a_child_writes_to_its_log(a_child):
    child = a_child(SLEEPER)

    assert child.log_path.read_text() == "ready\n"


def test_stopping_ends_the_process_and_removes_its_pid_file(a_child):
    child = a_child(SLEEPER)
    mark = read_pid_file(child.pid_path)

    child.stop()

    assert (is_alive(mark), child.pid_path.exists()) == (False, False)


def test_a_process_that_ignores_the_request_is_killed_after_its_grace(a_child):
    child = a_child(STUBBORN, grace_s=0.2)

    child.stop()

    assert child.exit_status() == -9


def test_what_a_run_that_crashed_left_behind_is_stopped_at_the_next_start(a_child):
    forgotten = a_child(SLEEPER)

    a_child(SLEEPER)

    assert forgotten.exit_status() is not None


def test_a_process_that_was_given_an_old_number_is_left_alone(a_child, tmp_path):
    innocent = a_child(SLEEPER)
    stale = tmp_path / "stale.pid"
    stale.write_text(f"{innocent.popen.pid} 12345\n")

    stop_process(stale, grace_s=1)

    assert innocent.exit_status() is None


def test_a_pid_file_that_was_cut_off_names_nobody(tmp_path):
    (tmp_path / "cut.pid").write_text("12")

    assert read_pid_file(tmp_path / "cut.pid") is None


def test_a_process_that_ended_is_not_alive(tmp_path):
    with subprocess.Popen(["true"]) as program:
        write_pid_file(tmp_path / "true.pid", program.pid)

    assert not is_alive(read_pid_file(tmp_path / "true.pid"))
