"""The whole of Lockstep with a live target, its people, and what a test needs to bring about: tables, plans, phases.

Everything goes by HTTP, except for looking at the target itself, which is asked as its own superuser.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from demo.lockstep_api import LockstepApi, sign_in
from stack.demo_stack import NEW_APP, DemoStack
from stack.target_roles import TABLE_OWNER

PATIENCE_S = 90.0
POLL_S = 0.1
FORWARD = ("expand", "dual_write", "backfill", "verify", "cutover", "contract")
GATES = ("backup_before_dual_write", "new_version_deployed")
GATES_AFTER_CUTOVER = ("old_version_stopped", "backup_before_contract")
_numbers = count(1)


def wait_until(holds: Callable[[], Any], what: str, *, patience_s: float = PATIENCE_S) -> Any:
    """Return what `holds` returns once it is true; fail where that takes too long."""
    until = time.monotonic() + patience_s
    while not (found := holds()):
        assert time.monotonic() < until, f"not within {patience_s:.0f} s: {what}"
        time.sleep(POLL_S)
    return found


@dataclass
class PlanHere:
    """A plan of a test's own, on a table of its own."""

    world: World
    id: int
    table: str

    @property
    def path(self) -> str:
        return f"/plans/{self.id}/"

    def now(self) -> dict[str, Any]:
        return self.world.ann.get(f"plans/{self.id}/")

    def run(self) -> dict[str, Any]:
        return self.now()["run"] or {}

    def phase_of(self, name: str) -> dict[str, Any]:
        return next(phase for phase in self.now()["phases"] if phase["name"] == name)

    def phase(self, name: str) -> str:
        return self.phase_of(name)["status"]

    def approve(self, *groups: str) -> None:
        for group in groups:
            self.world.paul.post(f"plans/{self.id}/approvals/", {"group": group, "digest": self.now()["digest"]})

    def confirm(self, *gates: str) -> None:
        for gate in gates:
            self.world.ann.post(f"plans/{self.id}/gates/{gate}/")

    def start(self, phase: str) -> None:
        self.world.ann.post(f"plans/{self.id}/phases/{phase}/start/")

    def do(self, *phases: str) -> PlanHere:
        """Carry phases out, one after the other."""
        for phase in phases:
            self.start(phase)
            wait_until(lambda phase=phase: self.phase(phase) == "done", f"{phase} of plan {self.id} is done")
            if phase == "cutover":
                self.confirm(*GATES_AFTER_CUTOVER)
        return self

    def last_seq(self) -> int:
        """Return the number of the newest event."""
        after = 0
        while events := self.world.ann.get(f"plans/{self.id}/events/?after={after}")["events"]:
            after = events[-1]["seq"]
        return after

    def columns(self) -> list[str]:
        query = """
            SELECT attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
            WHERE c.relname = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
        return [name for (name,) in self.world.target.execute(query, [self.table])]

    def written_at(self) -> datetime:
        """Return when the target committed the last batch, by its own clock."""
        query = "SELECT max(written_at) FROM lockstep.progress WHERE plan = %s"
        return self.world.target.execute(query, [self.id]).fetchone()[0]

    def last_write(self, *, silence_s: float) -> datetime:
        """Return when the last batch was committed, once none came for so long by the target's clock."""
        wait_until(
            lambda: (self.world.clock() - self.written_at()).total_seconds() > silence_s, "the target sees no write"
        )
        return self.written_at()

    def command(self, verb: str) -> dict[str, Any]:
        """Return the last command of this kind that the present run was given."""
        return [command for command in self.run()["commands"] if command["verb"] == verb][-1]

    def rows_in_step(self) -> int:
        query = SQL("SELECT count(*) FROM {} WHERE first_name IS NOT NULL").format(Identifier(self.table))
        return self.world.target.execute(query).fetchone()[0]

    def sessions(self) -> int:
        """Return how many sessions of this plan are at work in the target."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE starts_with(application_name, %s) AND state <> 'idle'"
        return self.world.target.execute(query, [f"lockstep:p{self.id}:r"]).fetchone()[0]


@dataclass
class World:
    """One stack for all tests; each makes what it needs on it."""

    stack: DemoStack
    passwords: dict[str, str] = field(init=False)
    target: psycopg.Connection[tuple[Any, ...]] = field(init=False)
    plans: list[PlanHere] = field(default_factory=list)
    """Those of the present test."""

    def __post_init__(self) -> None:
        self.passwords = {person["username"]: person["password"] for person in self.stack.seeded["people"]}
        self.ann, self.paul, self.olga = (self.api_of(name) for name in ("ann", "paul", "olga"))
        self.target = psycopg.connect(self.stack.admin_url(), autocommit=True)
        self.target_id = self.ann.get(f"plans/{self.stack.seeded['plan']}/")["target"]["id"]

    @property
    def url(self) -> str:
        return self.stack.url

    def api_of(self, username: str) -> LockstepApi:
        return sign_in(self.url, username, self.passwords[username], program="e2e")

    def clock(self) -> datetime:
        """Return what time it is in the target."""
        return self.target.execute("SELECT clock_timestamp()").fetchone()[0]

    def come_to_rest(self) -> None:
        """Abort what the last test left running, so that workers are free for the next."""
        for plan in self.plans:
            self.stop(plan)
        self.plans.clear()

    def keep(self, plan: PlanHere) -> PlanHere:
        """Take a plan out of what the end of each test stops; whoever keeps it stops it."""
        self.plans.remove(plan)
        return plan

    def stop(self, plan: PlanHere) -> None:
        if plan.run().get("is_active"):
            self.olga.post(f"runs/{plan.run()['id']}/abort/")
            wait_until(lambda: not plan.run()["is_active"], f"plan {plan.id} comes to rest")

    def a_plan_for_both_versions(self, *, title: str, rate: int) -> PlanHere:
        """Submit a plan like the seeded one, and let the new version of the application follow it instead."""
        seeded = self.ann.get(f"plans/{self.stack.seeded['plan']}/")
        content = deepcopy(seeded["content"])
        content["limits"] |= {"rate_rows_per_s": rate, "batch_rows": 20, "batch_rows_most": 50}
        content["rules"] |= {"soak_s": 0, "unused_s": 0, "hold_s": 0}
        made = self.ann.post("plans/", {"target": self.target_id, "title": title, "content": content})
        self.ann.post(f"plans/{made['id']}/preflight/", timeout_s=120)
        self.ann.post(f"plans/{made['id']}/submit/")
        self.stack.stop_application(NEW_APP)
        self.stack.seeded["plan"] = made["id"]
        self.stack.start_application(NEW_APP)
        return PlanHere(self, made["id"], "users")

    def a_table(self, rows: int, name: str = "") -> str:
        """Make a table of people in the target, owned as the application's tables are."""
        name = name or f"people{next(_numbers)}"
        create = SQL(
            "CREATE TABLE {table} (id bigint PRIMARY KEY, name text);"
            "INSERT INTO {table} SELECT n, 'First' || n || ' Last' || n FROM generate_series(1, {rows}) AS n;"
            "ALTER TABLE {table} OWNER TO {owner}; ANALYZE {table}"
        )
        self.target.execute(create.format(table=Identifier(name), rows=Literal(rows), owner=Identifier(TABLE_OWNER)))
        return name

    def a_draft(
        self, *, rows: int = 3_000, rate: int = 20_000, title: str = "", table: str = "", **rules: float
    ) -> PlanHere:
        """Make a plan on a table of its own; the preflight has looked at it."""
        table = table or self.a_table(rows)
        parts = [
            {"name": "first_name", "type": "text", "expression": "split_part(name, ' ', 1)"},
            {"name": "last_name", "type": "text", "expression": "split_part(name, ' ', 2)"},
        ]
        parameters = {"schema": "public", "table": table, "column": "name", "parts": parts}
        content = {
            "operations": [
                {"kind": "split_column", "parameters": parameters | {"join": "first_name || ' ' || last_name"}}
            ],
            "limits": {
                "rate_rows_per_s": rate,
                "rate_rows_per_s_most": 50_000,
                "batch_rows": 100,
                "batch_rows_most": 500,
            },
            "rules": {"soak_s": 0, "unused_s": 0, "hold_s": 0} | rules,
        }
        made = self.ann.post(
            "plans/", {"target": self.target_id, "title": title or f"Split {table}", "content": content}
        )
        plan = PlanHere(self, made["id"], table)
        self.plans.append(plan)
        self.ann.post(f"plans/{plan.id}/preflight/", timeout_s=120)
        return plan

    def a_submitted_plan(self, **wanted: Any) -> PlanHere:
        plan = self.a_draft(**wanted)
        self.ann.post(f"plans/{plan.id}/submit/")
        return plan

    def a_plan(self, *, done: str = "", **wanted: Any) -> PlanHere:
        """Make an approved plan with every gate confirmed, carried out up to and including `done`."""
        plan = self.a_submitted_plan(**wanted)
        plan.approve("expand", "cutover", "contract")
        plan.confirm(*GATES)
        return plan.do(*FORWARD[: FORWARD.index(done) + 1] if done else ())

    def a_backfill(self, *, rows: int = 60_000, rate: int = 500, **wanted: Any) -> PlanHere:
        """Make a plan whose backfill is under way and does not end while a test looks at it."""
        plan = self.a_plan(done="dual_write", rows=rows, rate=rate, **wanted)
        plan.start("backfill")
        wait_until(lambda: plan.run().get("rows", 0) > 0, "the backfill has written a batch")
        return plan
