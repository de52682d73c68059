"""Since when a side is unused: by counters alone, across restarts, and unknown where nothing can be counted."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.utils import timezone

from migrations_app.models import TargetSample
from workers.engine.adapters.base import SyncUse, Usage
from workers.engine.errors import ConnectionLost
from workers.engine.vocabulary import Mapping, Sync, TableName
from workers.supervisor.side_use import SideUse

SYNC = Sync(
    "lockstep_p7o0",
    TableName("public", "users"),
    ahead=(Mapping("first_name", "split_part(name, ' ', 1)"),),
    back=(Mapping("name", "first_name"),),
)


@dataclass
class Counters:
    """Stands for a target whose counters a test sets."""

    use: SyncUse | None = SyncUse(0, 0)
    reads: int | None = 0
    is_away: bool = False

    def sync_use(self, sync: Sync) -> SyncUse | None:
        if self.is_away:
            raise ConnectionLost("away")
        return self.use

    def usage(self, table: TableName, columns: tuple[str, ...]) -> Usage:
        return Usage(self.reads, "")


@pytest.fixture
def target() -> Counters:
    return Counters()


def old_side(use: SideUse, target: Counters, now: float) -> float | None:
    return next(row["observed"] for row in use.read(target, now) if row["signal"] == "old_side_use")


def restarted(use: SideUse, target: Counters, now: float) -> SideUse:
    sample = TargetSample(n=1, at=timezone.now(), readings=use.read(target, now))
    return SideUse(7, SYNC, sample)


def test_a_side_is_unused_since_it_was_first_looked_at(target):
    use = SideUse(7, SYNC, None)
    use.read(target, 1_000)

    assert old_side(use, target, 1_060) == 60


def test_a_write_dates_the_last_use(target):
    use = SideUse(7, SYNC, None)
    use.read(target, 1_000)
    target.use = SyncUse(1, 0)
    use.read(target, 1_030)

    assert old_side(use, target, 1_060) == 30


def test_a_read_dates_the_last_use(target):
    use = SideUse(7, SYNC, None)
    use.read(target, 1_000)
    target.reads = 1
    use.read(target, 1_030)

    assert old_side(use, target, 1_060) == 30


def test_a_write_of_the_other_side_is_no_use(target):
    use = SideUse(7, SYNC, None)
    use.read(target, 1_000)
    target.use = SyncUse(0, 5)

    assert old_side(use, target, 1_060) == 60


def test_a_restart_does_not_forget(target):
    use = SideUse(7, SYNC, None)
    use.read(target, 1_000)

    assert old_side(restarted(use, target, 1_030), target, 1_060) == 60


def test_a_use_while_nobody_watched_is_dated_to_now(target):
    use = SideUse(7, SYNC, None)
    use.read(target, 1_000)
    after = restarted(use, target, 1_030)
    target.use = SyncUse(1, 0)

    assert old_side(after, target, 1_060) == 0


def test_what_cannot_be_counted_is_unknown(target):
    target.use, target.reads = None, None

    assert old_side(SideUse(7, SYNC, None), target, 1_000) is None


def test_a_target_that_is_away_is_unknown_and_remembered(target):
    use = SideUse(7, SYNC, None)
    use.read(target, 1_000)
    target.is_away = True
    assert old_side(use, target, 1_030) is None
    target.is_away = False

    assert old_side(use, target, 1_060) == 60


def test_a_counter_that_appears_was_not_watched_before(target):
    target.reads = None
    use = SideUse(7, SYNC, None)
    use.read(target, 1_000)
    target.reads = 40

    assert old_side(use, target, 1_060) == 0
