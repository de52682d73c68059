"""A replica that answers nothing is given up on; the watch of its primary goes on."""

from __future__ import annotations

import threading
import time

import pytest

from workers.engine.errors import Unreachable
from workers.supervisor.patience import Patient


class Replica:
    """Answers once `answers` is set."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.asked = 0
        self.failure: Exception | None = None

    def replica_lag_s(self, position: str) -> float | None:
        self.asked += 1
        self.answers.wait(10)
        if self.failure is not None:
            raise self.failure
        return 0.25


@pytest.fixture
def replica():
    replica = Replica()
    yield replica
    replica.answers.set()


def test_what_a_replica_answers_is_passed_on(replica):
    replica.answers.set()

    assert Patient("replica1", replica).replica_lag_s("0/1") == 0.25


def test_what_a_replica_refuses_is_passed_on(replica):
    replica.answers.set()
    replica.failure = ValueError("no number")

    with pytest.raises(ValueError, match="no number"):
        Patient("replica1", replica).replica_lag_s("0/1")


def test_one_that_hangs_is_given_up_on_and_asked_nothing_more(replica):
    patient = Patient("replica1", replica, patience_s=0.05)
    with pytest.raises(Unreachable, match="replica1 does not answer"):
        patient.replica_lag_s("0/1")

    began = time.monotonic()
    with pytest.raises(Unreachable):
        patient.replica_lag_s("0/2")

    assert time.monotonic() - began < 0.05
    assert replica.asked == 1


def test_one_that_answers_again_is_asked_again(replica):
    patient = Patient("replica1", replica, patience_s=0.05)
    with pytest.raises(Unreachable):
        patient.replica_lag_s("0/1")

    replica.answers.set()

    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            assert patient.replica_lag_s("0/2") == 0.25
            break
        except Unreachable:
            time.sleep(0.01)
    assert replica.asked == 2
