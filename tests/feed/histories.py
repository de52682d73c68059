"""Lets people and machines do things to a plan in any order, through the real services; refusals do nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django.utils import timezone

from migrations_app.lifecycle import ACTIVE_RUNS, IllegalTransition
from migrations_app.models import Lane, Plan, Run, SupervisorLease, User
from migrations_app.services import progress, stops
from migrations_app.services.approvals import approval_give, changes_request
from migrations_app.services.errors import ServiceRefused
from migrations_app.services.lanes import Claim, lane_claim, lane_release
from migrations_app.services.plans import plan_abandon, plan_edit, plan_submit
from migrations_app.services.runs import plan_rollback, run_abort, run_pause, run_resume, run_start
from tests.builders import (
    APPROVER,
    AUTHOR,
    ONCALL,
    OPERATOR,
    a_plan,
    a_user,
    a_watched_target,
    split,
    with_clean_preflight,
)
from tests.services.claims import ALL_GATES, NO_WAITS
from workers.engine.errors import ConnectionLost, Mismatch
from workers.engine.vocabulary import Phase


@dataclass
class History:
    """One plan, its people, and the worker that holds its lane."""

    author: User = field(default_factory=lambda: a_user(AUTHOR, OPERATOR, ONCALL))
    approver: User = field(default_factory=lambda: a_user(APPROVER))
    claim: Claim | None = None
    edits: int = 0

    def __post_init__(self) -> None:
        raw = split() | {"rules": NO_WAITS}
        self.plan: Plan = with_clean_preflight(a_plan(target=a_watched_target(), author=self.author, raw=raw))
        self.confirm()

    def do(self, verb: str) -> None:
        """Do it if it may be done now."""
        self.plan.refresh_from_db()
        SupervisorLease.objects.filter(target=self.plan.target).update(beat_at=timezone.now())
        try:
            VERBS[verb](self)
        except (ServiceRefused, IllegalTransition):
            pass
        self.plan.refresh_from_db()

    @property
    def run(self) -> Run:
        """The active run; what cannot be done without one is refused."""
        run = self.plan.runs.filter(status__in=ACTIVE_RUNS).first()
        if run is None:
            raise ServiceRefused("There is no run.")
        return run

    @property
    def held(self) -> Claim:
        if self.claim is None:
            raise ServiceRefused("No worker holds a lane.")
        return self.claim

    # People.

    def edit(self) -> None:
        self.edits += 1
        raw = split(join=f"first_name || '{'-' * self.edits}' || last_name") | {"rules": NO_WAITS}
        plan_edit(self.plan, "", raw, actor=self.author, seen_digest=self.plan.digest)
        with_clean_preflight(Plan.objects.get(pk=self.plan.pk))

    def submit(self) -> None:
        plan_submit(self.plan, actor=self.author)

    def approve(self) -> None:
        for group in ("expand", "cutover", "contract"):
            approval_give(self.plan, group, digest=self.plan.digest, actor=self.approver)

    def ask_for_changes(self) -> None:
        changes_request(self.plan, digest=self.plan.digest, actor=self.approver, comment="Not so.")

    def abandon(self) -> None:
        plan_abandon(self.plan, actor=self.author, reason="no")

    def confirm(self) -> None:
        for gate in ALL_GATES:
            self.plan.confirmations.get_or_create(gate=gate, voided_at=None, defaults={"user": self.author})

    def start(self) -> None:
        self.confirm()
        following = self.plan.phases.exclude(status="done").first()
        if following is None:
            raise ServiceRefused("Nothing is left.")
        run_start(self.plan, Phase(following.name), actor=self.author)

    def pause(self) -> None:
        run_pause(self.run, actor=self.author)

    def resume(self) -> None:
        run_resume(self.run, actor=self.author)

    def abort(self) -> None:
        run_abort(self.run, actor=self.author)

    def roll_back(self) -> None:
        self.confirm()
        plan_rollback(self.plan, actor=self.author)

    def roll_back_to_the_start(self) -> None:
        self.confirm()
        plan_rollback(self.plan, actor=self.author, to=Phase.EXPAND)

    # Machines.

    def take_up(self) -> None:
        Run.objects.filter(plan=self.plan).update(wake_at=None)
        self.claim = lane_claim(self.run.pk, 0, owner="worker") or self.claim

    def give_back(self) -> None:
        lane_release(self.held)

    def die(self) -> None:
        Lane.objects.filter(run__plan=self.plan).update(lease_until=None)

    def act(self) -> None:
        progress.action_start(self.held, 0, "Add column")
        progress.action_finish(self.held, 0, "Add column")

    def hold(self) -> None:
        progress.run_wait(self.held, "replication lag 2.5 s > 2.0 s", verdict="hold")

    def slow(self) -> None:
        progress.run_wait(self.held, "replication lag 1.5 s > 1.0 s", verdict="slow")

    def go_on(self) -> None:
        progress.run_wait_end(self.held)

    def stop_behind_the_batch(self) -> None:
        progress.run_pause_done(self.held)
        self.give_back()

    def finish(self) -> None:
        progress.run_finish(self.held, {0: {"rows": 10, "batches": 1}})

    def lose_the_target(self) -> None:
        progress.run_fail(self.held, ConnectionLost("The target went away."))
        self.give_back()

    def find_a_difference(self) -> None:
        progress.run_fail(self.held, Mismatch("One row is out of step."))

    def prove_the_stop(self) -> None:
        stops.run_abort_done(self.run.pk, evidence={"sessions": 0}, last_write_at=None, fence_epoch=self.plan.epoch + 1)


VERBS: dict[str, Callable[[History], None]] = {
    name: method
    for name, method in vars(History).items()
    if callable(method) and not name.startswith("_") and name not in ("do",)
}
