"""Applications that write all the while a sync starts, a backfill runs and the lead turns: no write is lost.

Each writer owns some rows and remembers the last write that was acknowledged, so that the table can be held to it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import psycopg

from tests.contracts.beside import wait_until
from tests.contracts.target import CONTROL_UID, Target, a_fence
from tests.contracts.users import BACKFILL, compared, many_users, out_of_step, people
from tests.sync_cases import SYNC, Person
from workers.engine.adapters.postgresql import PostgresAdapter
from workers.engine.errors import Transient
from workers.engine.vocabulary import Backfill, Fence, Lead, Phase, Restore, Retire, Side, StartSync, StopSync

ROWS = 3_000
RETIRED = "lockstep_p1o0_retired"
WRITERS = 4
WORDS = ["Ann", "Bo", "Cy", "李", "O'Brien", "🦉", "Åsa"]


class Writer(threading.Thread):
    """One application's process: writes rows of its own, whole or in part, and counts its errors."""

    def __init__(self, target: Target, number: int, *, side: Side) -> None:
        super().__init__()
        self.connection = target.application()
        self.side = side
        self.chance = random.Random(number)
        self.rows = range(number + 1, ROWS + 1, WRITERS)
        self.next_id = 1_000_000 * (number + 1)
        self.acknowledged: dict[int, Person] = {}
        self.errors: list[psycopg.Error] = []
        self.ends = threading.Event()

    def run(self) -> None:
        while not self.ends.is_set():
            try:
                self.write()
            except psycopg.Error as error:
                self.errors.append(error)
        self.connection.close()

    def write(self) -> None:
        first, last = self.chance.choice(WORDS), f"{self.chance.choice(WORDS)} {self.chance.randrange(1_000_000)}"
        person = (f"{first} {last}", first, last)
        if self.chance.random() < 0.2:
            self.next_id += 1
            number = self.next_id
            self.insert(number, person)
        else:
            number = self.chance.choice(self.rows)
            self.update(number, person)
        self.acknowledged[number] = person

    def insert(self, number: int, person: Person) -> None:
        if self.side is Side.OLD:
            self.connection.execute("INSERT INTO users (id, name) VALUES (%s, %s)", (number, person[0]))
        else:
            self.connection.execute(
                "INSERT INTO users (id, first_name, last_name) VALUES (%s, %s, %s)", (number, *person[1:])
            )

    def update(self, number: int, person: Person) -> None:
        if self.side is Side.OLD:
            self.connection.execute("UPDATE users SET name = %s WHERE id = %s", (person[0], number))
        else:
            self.connection.execute("UPDATE users SET first_name = %s WHERE id = %s", (person[1], number))
            self.connection.execute("UPDATE users SET last_name = %s WHERE id = %s", (person[2], number))


@contextmanager
def writing(target: Target, sides: Mapping[int, Side]) -> Iterator[list[Writer]]:
    """Let writers of these numbers write while the block runs."""
    writers = [Writer(target, number, side=side) for number, side in sides.items()]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        for writer in writers:
            writer.ends.set()
        for writer in writers:
            writer.join(timeout=30)


def in_the_end(action: Callable[[], object]) -> None:
    """Try again as the loop does."""
    for _ in range(200):
        try:
            action()
            return
        except Transient:
            continue
    raise AssertionError("never granted")


def backfilled(adapter: PostgresAdapter, action: Backfill, fence: Fence) -> None:
    checkpoint = adapter.claim_lane(fence)
    while (upto := adapter.next_boundary(action, checkpoint.cursor, 200)) is not None:
        try:
            checkpoint = adapter.copy(action, checkpoint.cursor, upto, fence).checkpoint
        except Transient:
            continue
    adapter.conclude(fence)


def check(target: Target, *writers: Writer) -> None:
    """Hold the table to what was acknowledged, and the applications to having met no error."""
    stored = people(target)
    acknowledged = {number: person for writer in writers for number, person in writer.acknowledged.items()}
    assert out_of_step(target) == 0
    assert [error for writer in writers for error in writer.errors] == []
    assert {number: stored[number] for number in acknowledged} == acknowledged
    assert len(acknowledged) > 100


def test_no_write_is_lost_while_a_sync_starts_a_backfill_runs_and_the_lead_turns(target: Target) -> None:
    many_users(target, ROWS)
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        with writing(target, {0: Side.OLD, 1: Side.OLD}) as old:
            wait_until(lambda: all(writer.acknowledged for writer in old))
            in_the_end(lambda: adapter.apply(StartSync(SYNC), a_fence(phase=Phase.DUAL_WRITE)))
            with writing(target, {2: Side.NEW, 3: Side.NEW}) as new:
                backfilled(adapter, BACKFILL, a_fence())
                for side in (Side.NEW, Side.OLD) * 20:
                    in_the_end(partial(adapter.apply, Lead(SYNC, side), a_fence(phase=Phase.CUTOVER)))

        assert compared(adapter, rows=2_000)[0] == 0
    check(target, *old, *new)


def test_no_write_is_lost_while_contract_is_undone(target: Target) -> None:
    """Meanwhile the old side goes stale, and only the new application writes."""
    many_users(target, ROWS)
    fence = a_fence(phase=Phase.CONTRACT)
    with target.adapter() as adapter:
        adapter.install(1, CONTROL_UID)
        adapter.apply(StartSync(SYNC, Side.NEW), fence)
        backfilled(adapter, BACKFILL, a_fence())
        with writing(target, dict.fromkeys(range(WRITERS), Side.NEW)) as writers:
            for action in (StopSync(SYNC), Retire(SYNC.table, "name", RETIRED)):
                in_the_end(partial(adapter.apply, action, fence))
            before = [len(writer.acknowledged) for writer in writers]
            wait_until(lambda: all(len(w.acknowledged) > n + 20 for w, n in zip(writers, before, strict=True)))
            for action in (Restore(SYNC.table, "name", RETIRED), StartSync(SYNC, Side.NEW)):
                in_the_end(partial(adapter.apply, action, fence))
            backfilled(adapter, Backfill(SYNC, Side.OLD), a_fence(phase=Phase.CONTRACT, action=2))

    check(target, *writers)
