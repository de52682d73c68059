"""One stack at a time in a state folder, and nothing left of it after a reset."""

import sys

import pytest

from stack.house import StackInUse, remove_state, take_lock
from stack.processes import Child


def test_a_second_stack_in_the_same_folder_is_refused(tmp_path):
    with take_lock(tmp_path), pytest.raises(StackInUse, match="stop it first"):
        take_lock(tmp_path)


def test_removing_the_state_of_a_running_stack_is_refused(tmp_path):
    with take_lock(tmp_path), pytest.raises(StackInUse):
        remove_state(tmp_path)


def test_removing_the_state_stops_what_a_crash_left_running(tmp_path):
    state = tmp_path / "state"
    left = Child("web", [sys.executable, "-c", "input()"], state / "logs" / "web.log", state / "pids" / "web.pid")
    left.start()

    remove_state(state)

    assert (left.exit_status() is None, state.exists()) == (False, False)


def test_removing_what_is_not_there_does_nothing(tmp_path):
    remove_state(tmp_path / "nothing")
