"""A shop with a table of users on a real target, registered, with an approved plan to split their names."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from django.conf import settings
from django.db import connection

from migrations_app.lifecycle import RunStatus
from migrations_app.models import Event, Plan, Replica, Run, Target
from migrations_app.policy import GATES
from migrations_app.services.runs import run_start
from migrations_app.services.samples import sample_write
from tests.builders import OPERATOR, a_plan, a_user, a_watched_target, content
from tests.contracts.target import Target as TargetServer
from workers.engine.vocabulary import PHASES, Direction, Phase
from workers.runner import advance_run
from workers.supervisor import supervise
from workers.targets import adapter_of

CLONE = Path(__file__).resolve().parents[2]
AT_REST = (RunStatus.PAUSED, RunStatus.ABORTED, RunStatus.ERRORED, RunStatus.FAILED, RunStatus.SUCCEEDED)
NO_WAITS = {"soak_s": 0, "unused_s": 0, "hold_s": 0}
EVENTUALLY_S = 20.0

WORKER_NAME = "worker process "


def eventually(fact: Callable[[], Any], *, within_s: float = EVENTUALLY_S) -> Any:
    """Return the first true answer; fail where there is none in time."""
    deadline = time.monotonic() + within_s
    while not (answer := fact()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.02)
    return answer


class Shop:
    def __init__(self) -> None:
        self.server = TargetServer()
        self.server.clean()
        self.operator = a_user(OPERATOR, "oncall", "approver")
        self.target = a_watched_target(
            host=self.server.host, port=self.server.port, database=self.server.database, tls="disable"
        )
        with adapter_of(self.target, tag="lockstep:test") as adapter:
            Target.objects.filter(pk=self.target.pk).update(system=adapter.identity().system)
        self._threads: list[threading.Thread] = []
        self._ended = threading.Event()
        self._workers: list[subprocess.Popen[bytes]] = []
        self._others: list[Any] = []

    def close(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(10)
        for worker in self._workers:
            worker.kill()
            worker.wait()
        for other in self._others:
            other.close()
        self.server.clean()
        self.server.close()

    # The shop's data.

    def users(self, rows: int) -> None:
        self.server.create(
            "CREATE TABLE public.users (id int PRIMARY KEY, name text)",
            f"INSERT INTO public.users SELECT n, 'First' || n || ' Last' || n FROM generate_series(1, {int(rows)}) n",
        )

    def value(self, query: str) -> Any:
        return self.server.root.execute(query).fetchone()[0]

    def columns(self) -> set[str]:
        query = "SELECT column_name FROM information_schema.columns WHERE table_name = 'users'"
        return {name for (name,) in self.server.root.execute(query)}

    def in_step(self) -> int:
        return self.value("SELECT count(*) FROM public.users WHERE name = first_name || ' ' || last_name")

    @contextmanager
    def row_locked(self, user: int) -> Iterator[None]:
        """Hold one row, so that a batch over it stops in its middle."""
        other = self.server.application()
        self._others.append(other)
        other.autocommit = False
        other.execute("SELECT 1 FROM public.users WHERE id = %s FOR UPDATE", [user])
        try:
            yield
        finally:
            other.rollback()
            other.close()

    def waits_in_a_batch(self, run: Run) -> bool:
        """Return whether a session of this run waits for a lock in the middle of a batch."""
        return self.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            f" AND application_name LIKE 'lockstep:p{run.plan_id}:r{run.pk}:%'"
        )

    @contextmanager
    def deaf_session(self, run: Run) -> Iterator[Callable[[], None]]:
        """Keep a session with the run's name at work that hears no cancel; yields what ends it."""
        other = self.server.application()
        self._others.append(other)
        other.execute(f"SET application_name = 'lockstep:p{run.plan_id}:r{run.pk}:l0:e1'")
        (pid,) = other.execute("SELECT pg_backend_pid()").fetchone()
        loop = "LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP"

        def work() -> None:
            with suppress(psycopg.Error):
                other.execute(f"DO $$ BEGIN {loop}; END $$")

        def end_it() -> None:
            self.server.root.execute("SELECT pg_terminate_backend(%s)", [pid])

        worker = self.in_thread(work)
        try:
            yield end_it
        finally:
            end_it()
            worker.join()

    # Plans and runs.

    def replica(self, *, port: int | None = None) -> Replica:
        at = urlsplit(os.environ["LOCKSTEP_TEST_REPLICA_URL"])
        return Replica.objects.create(target=self.target, name="replica1", host=at.hostname, port=port or at.port)

    def plan(self, *, done: str = "", **changes: Any) -> Plan:
        """Return an approved plan, every gate confirmed, without waits; phases up to `done` are really carried out."""
        raw = content(**({"rules": NO_WAITS} | changes))
        groups = ("expand", "cutover", "contract")
        plan = a_plan("approved", target=self.target, raw=raw, approved_groups=groups, gates=_all_gates())
        for phase in PHASES[: PHASES.index(Phase(done)) + 1] if done else ():
            run = self.drive(self.start(plan, phase))
            assert run.status == RunStatus.SUCCEEDED, (run.error_code, run.error_fact)
        return plan

    def start(self, plan: Plan, phase: Phase, direction: Direction = Direction.FORWARD) -> Run:
        for gate in _all_gates():
            plan.confirmations.get_or_create(gate=gate, voided_at=None, defaults={"user": self.operator})
        return run_start(plan, phase, actor=self.operator, direction=direction)

    def drive(self, run: Run, *, until: tuple[str, ...] = AT_REST) -> Run:
        """Play Celery and the supervisor's wake-ups in this process until the run is at rest."""
        deadline = time.monotonic() + EVENTUALLY_S
        while run.status not in until:
            assert time.monotonic() < deadline, (run.status, run.wait_reason)
            self.observe()
            advance_run(run.pk)
            run.refresh_from_db()
        return run

    def advance(self, run: Run) -> Run:
        """Drive one slice, if there is one to drive, under a supervisor that watches."""
        advance_run(run.pk)
        run.refresh_from_db()
        return run

    @contextmanager
    def replica_paused(self) -> Iterator[None]:
        """Let the replica receive but not replay."""
        with psycopg.connect(os.environ["LOCKSTEP_TEST_REPLICA_URL"], autocommit=True) as replica:
            replica.execute("SELECT pg_wal_replay_pause()")
            try:
                yield
            finally:
                replica.execute("SELECT pg_wal_replay_resume()")

    def observe(self, *readings: dict[str, Any]) -> None:
        """Play the supervisor's watch: a sample of the target as it is now, with no error budget spent."""
        burn = {"signal": "error_budget_burn", "observed": 0.0, "unit": "x", "slow_at": 1.0, "hold_at": 12.0}
        burns = [burn | {"source": f"plan {pk}"} for pk in self.target.plans.values_list("pk", flat=True)]
        sample_write(self.target.pk, [*burns, *readings])

    def kinds(self, plan: Plan) -> list[str]:
        stream = Event.objects.filter(stream__kind="plan", stream__object_id=plan.pk)
        return list(stream.order_by("seq").values_list("kind", flat=True))

    def event(self, plan: Plan, kind: str) -> Event:
        return Event.objects.filter(stream__kind="plan", stream__object_id=plan.pk, kind=kind).latest("seq")

    # Processes.

    def supervise(self, owner: str = "", *, ended: threading.Event | None = None) -> threading.Thread:
        """Run a supervisor in a thread until the test ends."""
        thread = threading.Thread(target=supervise, args=(ended or self._ended,), kwargs={"owner": owner})
        thread.start()
        self._threads.append(thread)
        return thread

    def worker(self, run: Run, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker of its own process for one slice of the run."""
        at = connection.settings_dict
        url = f"postgres://{at['USER']}:{quote(at['PASSWORD'], safe='')}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
        patient = {"LOCKSTEP_LOCK_TIMEOUT_S": "30", "LOCKSTEP_STATEMENT_TIMEOUT_S": "30"}
        own = {"LOCKSTEP_DATABASE_URL": url, "LOCKSTEP_LEASE_S": str(settings.LOCKSTEP_LEASE_S)}
        program = (
            f"import os; os.environ['PGAPPNAME'] = f'{WORKER_NAME}{{os.getpid()}}';"
            f"import django; django.setup(); from workers.runner import advance_run; advance_run({run.pk})"
        )
        worker = subprocess.Popen(
            [sys.executable, "-c", program], cwd=CLONE, env=os.environ | patient | own | environment
        )
        self._workers.append(worker)
        return worker

    def cut_off_from_control(self, worker: subprocess.Popen[bytes]) -> None:
        """End every connection of the worker's to the control database, as a restart of that database would."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
                [f"{WORKER_NAME}{worker.pid}"],
            )

    def in_thread(self, act: Callable[[], None]) -> threading.Thread:
        """Do it in a thread that gives its connection back."""

        def run() -> None:
            try:
                act()
            finally:
                connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        self._threads.append(thread)
        return thread


def _all_gates() -> tuple[str, ...]:
    return tuple(gate.key for gate in GATES)
