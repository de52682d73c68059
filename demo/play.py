"""Plays the demo without a person, act by act, through the public HTTP API; stack/check.py runs it and sums it up.

Each act says in its title what must hold, and raises NotHeld where it does not.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from demo.ledger import Account
from demo.lockstep_api import Problem, sign_in
from demo.proof import LEDGERS, accounts, lost_writes
from demo.witness import LagWatch, LastWrite, Witness
from stack.demo_stack import NEW_APP, OLD_APP, DemoStack
from stack.logs import last_lines
from stack.target_roles import TARGET_DATABASE

PHASE_TIMEOUT_S = 90
BACKFILL_S = 14  # the rate is set so that there is time for an abort and a kill
SOAK_S, UNUSED_S, HOLD_S = 5, 5, 3
WARM_UP_S = 6
WRITES_EACH = 20  # what each application must have written before the next act
ABORT_AT, KILL_AT = 0.25, 0.55  # share of the backfill
ROWS_AHEAD = 60  # quiet rows between the backfill and the row that it will meet locked
ABORT_WITHIN_MS = 1_000
LAG_SLACK_S = 1  # the batch in flight when the threshold was passed, and one sample
POLL_S = 0.1


class NotHeld(Exception):
    """Something that must hold did not."""


@dataclass
class Figures:
    """What the play measured; None where it did not come so far."""

    abort_ms: float | None = None
    mismatches_found: int | None = None
    rolled_back: bool = False
    events: int = 0
    lost_writes: int | None = None
    backfill_is_whole: bool = False
    backfill: list[tuple[float, float]] = field(default_factory=list)
    """Start and end of each backfill run, in epoch seconds."""
    before: tuple[float, float] = (0.0, 0.0)
    """The time in which applications were alone."""


class Play:
    """The demo, played once on a stack of its own."""

    def __init__(self, stack: DemoStack):
        self.stack = stack
        self.plan_id = stack.seeded["plan"]
        self.target_name = stack.seeded["target"]
        self.passwords = {person["username"]: person["password"] for person in stack.seeded["people"]}
        self.ann, self.paul, self.olga = (
            sign_in(stack.url, name, self.passwords[name], program="demo-check") for name in ("ann", "paul", "olga")
        )
        self.witness = Witness(stack.admin_url(), stack.rows)
        assert stack.servers.replica is not None
        self.lag = LagWatch(stack.admin_url(), stack.servers.replica.url(TARGET_DATABASE))
        self.lag.start()
        self.figures = Figures()
        self.started_at = time.time()

    def acts(self) -> list[tuple[str, Callable[[], None]]]:
        """Return title and deed of each act, in order."""
        return [
            ("An edit voids the approval", self.edit_after_approval),
            ("The author cannot approve, the approver can", self.approve),
            ("Expand adds the columns", self.expand),
            ("No phase starts out of its order", self.refuse_out_of_order),
            ("Dual-write, after an override with a reason", self.dual_write),
            ("Abort stops the backfill within a second", self.abort_backfill),
            ("A new start goes on, a worker is killed in mid-batch", self.resume_and_kill),
            ("Verify finds the planted difference", self.find_difference),
            ("Cutover is refused until it is mended", self.mend_and_verify),
            ("Cutover", self.cutover),
            ("Roll back while both applications write", self.roll_back),
            ("Cutover again", self.cutover_again),
            ("The old application stops, the gates of contract open", self.stop_old_application),
            ("Contract", self.contract),
            ("Purge", self.purge),
            ("Nothing of Lockstep's remains in the target", self.look_for_leftovers),
            ("The event log has no gap", self.read_events),
            ("No write is lost", self.prove),
        ]

    def close(self) -> None:
        """End what watches; may be called after any act."""
        self.lag.is_over.set()
        self.lag.join()
        self.witness.close()

    # Acts.

    def edit_after_approval(self) -> None:
        plan = self._plan()
        self.paul.post(f"plans/{self.plan_id}/approvals/", {"group": "expand", "digest": plan["digest"]})
        self._hold(self._plan()["status"] == "approved", "the seeded plan can be approved")
        rows = self.stack.rows
        content = plan["content"]
        content["limits"] |= {"rate_rows_per_s": rows // BACKFILL_S, "batch_rows": 200, "batch_rows_most": 1_000}
        content["rules"] |= {"soak_s": SOAK_S, "unused_s": UNUSED_S, "hold_s": HOLD_S}
        self.ann.put(
            f"plans/{self.plan_id}/",
            {"title": plan["title"], "content": content, "digest": plan["digest"]},
        )
        self._hold(self._plan()["status"] == "draft", "an edit makes the plan a draft again")
        self._refused(409, self.ann.post, f"plans/{self.plan_id}/phases/expand/start/")

    def approve(self) -> None:
        self.ann.post(f"plans/{self.plan_id}/preflight/", timeout_s=120)
        self.ann.post(f"plans/{self.plan_id}/submit/")
        digest = self._plan()["digest"]
        vote = {"group": "expand", "digest": digest}
        self._refused(403, self.ann.post, f"plans/{self.plan_id}/approvals/", vote)
        self.paul.post(f"plans/{self.plan_id}/approvals/", vote)
        self._hold(self._plan()["status"] == "approved", "the plan is approved")

    def expand(self) -> None:
        time.sleep(max(0.0, self.started_at + WARM_UP_S - time.time()))
        self.figures.before = (self.started_at, time.time())
        self._drive("expand")
        self._hold({"first_name", "last_name"} <= set(self.witness.columns()), "the new columns are there")

    def refuse_out_of_order(self) -> None:
        self._refused(409, self.ann.post, f"plans/{self.plan_id}/phases/backfill/start/", code="phase_out_of_order")

    def dual_write(self) -> None:
        # The seed's override was said of the plan as it was before the edit.
        self._refused(409, self.ann.post, f"plans/{self.plan_id}/phases/dual_write/start/", code="gate_open")
        self._override("backup_before_dual_write")
        self._drive("dual_write")
        self._let_both_write()

    def abort_backfill(self) -> None:
        with self._backfill():
            run = self._start("backfill")
            self._wait(lambda: self.witness.filled_share() > ABORT_AT, "the backfill gets to a quarter")
            watch = LastWrite(self.stack.admin_url(), self.stack.rows, silence_s=2.0, longest_s=15.0)
            watch.start()
            self._wait(lambda: watch.writes > 0, "the backfill is seen to write", poll_s=0.01)
            time.sleep(random.uniform(0, 0.3))  # at any moment between two batches, or within one
            asked_s = time.monotonic()
            first = self.olga.post(f"runs/{run}/abort/", {"reason": "played"})
            second = self.olga.post(f"runs/{run}/abort/", {"reason": "played"})
            watch.join(20)
            self.figures.abort_ms = round(max(0.0, watch.last_at - asked_s) * 1000, 1)
            self._wait(lambda: self._phase("backfill")["status"] == "failed", "the abort is proven")
        self._hold(first["id"] == second["id"], "a second abort is the first")
        self._hold(self.figures.abort_ms <= ABORT_WITHIN_MS, f"the last write came {self.figures.abort_ms} ms after it")
        self._hold(self.witness.filled_share() < 1, "the backfill was stopped in the middle")
        self._let_both_write()

    def resume_and_kill(self) -> None:
        filled = self.witness.filled()
        with self._backfill():
            self._start("backfill")
            self._wait(lambda: self.witness.filled_share() > KILL_AT, "the backfill gets past its middle")
            self._hold(self.witness.filled() >= filled, "the new start goes on where the last one stopped")
            worker = self.stack.children["worker-lanes"]
            with self.witness.lock_ahead(ROWS_AHEAD):
                self._wait(self.witness.backfill_is_blocked, "a batch waits for the locked row", poll_s=0.005)
                worker.kill()
            worker.start()  # as a process manager would
            self._wait_for_phase("backfill")
        self._hold(self.witness.filled_share() == 1, "the backfill is whole")
        self.figures.backfill_is_whole = True
        self._prove_now()

    def find_difference(self) -> None:
        self.planted = self.witness.plant_difference()
        self._start("verify")
        self._wait(lambda: self._phase("verify")["status"] == "failed", "verify fails")
        result = self._phase("verify")["result"]
        self.figures.mismatches_found = int(result["out_of_step"])
        self._hold(self.figures.mismatches_found == 1, f"verify finds 1 row, not {self.figures.mismatches_found}")

    def mend_and_verify(self) -> None:
        self._confirm("new_version_deployed")
        self._approve("cutover")
        self._refused(409, self.ann.post, f"plans/{self.plan_id}/phases/cutover/start/", code="phase_out_of_order")
        self.witness.mend(self.planted)
        self._drive("verify")

    def cutover(self) -> None:
        self._drive("cutover")
        self._let_both_write()

    def roll_back(self) -> None:
        before = self._accounts()
        self.olga.post(f"plans/{self.plan_id}/rollback/", {"to": "cutover", "reason": "played"} | self._grave("olga"))
        self._wait(lambda: self._phase("cutover")["status"] == "reverted", "cutover is rolled back")
        self._let_both_write()
        after = self._accounts()
        wrote = [name for name in LEDGERS if len(after[name].versions) + len(after[name].removed) > 0]
        self._hold(len(wrote) == len(LEDGERS) and before != after, "both applications went on writing")
        self._prove_now()
        self.figures.rolled_back = True

    def cutover_again(self) -> None:
        self._confirm("new_version_deployed")
        self._drive("cutover")
        self._let_both_write()
        self._prove_now()

    def stop_old_application(self) -> None:
        self._refused(409, self.ann.post, f"plans/{self.plan_id}/phases/contract/start/", self._grave("ann"))
        self.stack.stop_application(OLD_APP)
        self._approve("contract")
        self._confirm("old_version_stopped")
        self._override("backup_before_contract")

    def contract(self) -> None:
        self._wait(lambda: self._is_startable("contract"), "soak and disuse of the old column are over")
        self._drive("contract", self._grave("ann"))
        self._hold("name" not in self.witness.columns(), "the old column is out of reach")

    def purge(self) -> None:
        self._wait(lambda: self._is_startable("purge"), "the hold is over")
        self._drive("purge", self._grave("ann"))
        self._hold(self._plan()["status"] == "completed", "the plan is completed")

    def look_for_leftovers(self) -> None:
        # The supervisor lets go of a plan within a second or two of its end.
        self._wait(lambda: not self.witness.leftovers(), "nothing of Lockstep's is left")
        wanted = ["id", "email", "note", "version", "first_name", "last_name"]
        self._hold(
            self.witness.columns() == wanted, f"the table has the new shape, but it has {self.witness.columns()}"
        )

    def read_events(self) -> None:
        events: list[dict[str, Any]] = []
        while page := self.ann.get(f"plans/{self.plan_id}/events/?after={len(events)}")["events"]:
            events += page
        numbers = [event["seq"] for event in events]
        self._hold(numbers == list(range(1, len(events) + 1)), "events are numbered without a gap")
        self.figures.events = len(events)

    def prove(self) -> None:
        self.stack.stop_application(NEW_APP)
        self._prove_now()
        for name, account in self._accounts().items():
            self._hold(not account.errors, f"{name} met no error, but {len(account.errors)}: {account.errors[:3]}")
        most_s = self._plan()["content"]["limits"]["lag_hold_s"] + LAG_SLACK_S
        self._hold(
            self.lag.max_s <= most_s, f"the replica is at most {most_s} s behind, but was {self.lag.max_s:.1f} s"
        )

    # Details.

    def _plan(self) -> dict[str, Any]:
        plan: dict[str, Any] = self.ann.get(f"plans/{self.plan_id}/")
        return plan

    def _phase(self, name: str) -> dict[str, Any]:
        return next(phase for phase in self._plan()["phases"] if phase["name"] == name)

    def _is_startable(self, name: str) -> bool:
        return self._plan()["next_phase"] == name and not self._phase(name)["blockers_forward"]

    def _approve(self, group: str) -> None:
        self.paul.post(f"plans/{self.plan_id}/approvals/", {"group": group, "digest": self._plan()["digest"]})

    def _confirm(self, gate: str) -> None:
        self.ann.post(f"plans/{self.plan_id}/gates/{gate}/", {})

    def _override(self, gate: str) -> None:
        """Pass a gate with a reason; without one it is refused."""
        path = f"plans/{self.plan_id}/gates/{gate}/"
        self._refused(422, self.ann.post, path, {"override": True}, code="reason_missing")
        self.ann.post(path, {"override": True, "reason": "The demo's data can be made anew."})

    def _grave(self, username: str) -> dict[str, str]:
        return {"confirm_target": self.target_name, "password": self.passwords[username]}

    def _start(self, phase: str, body: dict[str, str] | None = None) -> int:
        run: int = self.ann.post(f"plans/{self.plan_id}/phases/{phase}/start/", body)["id"]
        return run

    def _drive(self, phase: str, body: dict[str, str] | None = None) -> None:
        self._start(phase, body)
        self._wait_for_phase(phase)

    def _wait_for_phase(self, name: str) -> None:
        def is_over() -> bool:
            phase = self._phase(name)
            if phase["status"] == "failed":
                words = self._plan()["words"]
                raise NotHeld(f"{name} failed: {words['state']} {words['why']}")
            return bool(phase["status"] == "done")

        self._wait(is_over, f"{name} is done")

    @contextmanager
    def _backfill(self) -> Iterator[None]:
        started = time.time()
        try:
            yield
        finally:
            self.figures.backfill.append((started, time.time()))

    def _let_both_write(self) -> None:
        """Wait until each application has written some more."""
        wanted = {name: _deeds(account) + WRITES_EACH for name, account in self._accounts().items()}
        self._wait(
            lambda: all(_deeds(account) >= wanted[name] for name, account in self._accounts().items()),
            "both applications write",
        )

    def _accounts(self) -> dict[str, Account]:
        return accounts(self.stack.state_dir)

    def _prove_now(self) -> None:
        lost = lost_writes(self.stack.admin_url(), self.stack.state_dir, self.stack.rows)
        self.figures.lost_writes = len(lost)
        self._hold(not lost, f"no write is lost, but {len(lost)} are: {'; '.join(lost[:3])}")

    def _refused(self, status: int, ask: Callable[..., Any], *arguments: Any, code: str = "") -> None:
        try:
            ask(*arguments)
        except Problem as problem:
            if problem.status != status or (code and problem.code != code):
                raise NotHeld(f"{arguments[0]} is refused with {status} {code}, but with {problem}") from problem
            return
        raise NotHeld(f"{arguments[0]} is refused with {status} {code}, but it was done")

    def _wait(self, condition: Callable[[], bool], what: str, *, poll_s: float = POLL_S) -> None:
        deadline = time.monotonic() + PHASE_TIMEOUT_S
        while not condition():
            for child in self.stack.ended():
                raise NotHeld(f"{child.name} ended; its last words:\n{last_lines(child.log_path)}")
            if time.monotonic() > deadline:
                words = self._plan()["words"]
                left = f"In the target: {', '.join(self.witness.leftovers())}"
                raise NotHeld(f"{what}, but not within {PHASE_TIMEOUT_S} s: {words['state']} {words['why']} {left}")
            time.sleep(poll_s)

    def _hold(self, holds: bool, what: str) -> None:
        if not holds:
            raise NotHeld(what)


def _deeds(account: Account) -> int:
    return sum(account.versions.values()) + len(account.removed)
