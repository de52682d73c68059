"""Wake-ups: at once where nobody else would ask, else patiently, and never for what is being driven."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from migrations_app.models import Run
from migrations_app.services.lanes import slice_end, slice_hold
from migrations_app.services.runs import run_abort, run_pause
from tests.services.claims import a_claim, a_run, expired
from workers.supervisor import wakeups
from workers.supervisor.wakeups import Wakeups

pytestmark = pytest.mark.django_db


class Alarm:
    """Wake-ups under a clock that a test moves, and what they asked for."""

    def __init__(self, monkeypatch) -> None:
        self.now = 0.0
        self.sent: list[int] = []
        self._wakeups = Wakeups(clock=lambda: self.now)
        monkeypatch.setattr(wakeups, "enqueue_run", lambda run_id, lane: self.sent.append(run_id))

    def wake(self, run: Run, *, after_s: float = 0, targets: set[int] | None = None) -> int:
        """Return how many hints were sent in this round; `targets` None for that of the run."""
        self.now += after_s
        before = len(self.sent)
        self._wakeups.wake({run.plan.target_id} if targets is None else targets)
        return len(self.sent) - before


@pytest.fixture
def alarm(monkeypatch) -> Alarm:
    return Alarm(monkeypatch)


def test_a_run_that_was_just_enqueued_has_a_hint_of_its_own(alarm):
    run = a_run()

    assert alarm.wake(run) == 0
    assert alarm.wake(run, after_s=2) == 1


def test_a_run_that_stays_idle_is_asked_for_ever_more_seldom(alarm):
    run = a_run()

    rounds = [alarm.wake(run, after_s=2) for _ in range(16)]

    assert [index for index, sent in enumerate(rounds) if sent] == [1, 3, 7, 15]


def test_a_lane_whose_worker_died_is_asked_for_at_once(alarm):
    claim = expired(a_claim())

    assert alarm.wake(claim.run) == 1


def test_a_lane_that_is_driven_is_left_alone(alarm):
    claim = a_claim()

    assert alarm.wake(claim.run, after_s=60) == 0


def test_a_run_that_sleeps_is_asked_for_when_its_time_has_come(alarm):
    claim = a_claim()
    slice_hold(claim, carry={}, retry_after_s=60)
    assert alarm.wake(claim.run) == 0
    Run.objects.filter(pk=claim.run.pk).update(wake_at=timezone.now() - timedelta(seconds=1))

    assert alarm.wake(claim.run) == 1


def test_a_run_of_another_supervisors_target_is_left_alone(alarm):
    claim = expired(a_claim())

    assert alarm.wake(claim.run, targets=set()) == 0


def test_a_sleeping_run_is_paused_without_waking_it(alarm):
    claim = a_claim()
    slice_hold(claim, carry={}, retry_after_s=60)
    run_pause(claim.run, actor=None)

    assert alarm.wake(claim.run) == 0
    assert Run.objects.get(pk=claim.run.pk).status == "paused"


def test_a_run_that_is_being_aborted_is_not_woken(alarm):
    claim = a_claim()
    slice_end(claim, carry={})
    run_abort(claim.run, actor=None)

    assert alarm.wake(claim.run, after_s=60) == 0
