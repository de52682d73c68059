"""The law of the feed: a page that folds what happened shows what a fresh page would show."""

import json
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from migrations_app.lifecycle import MOVES
from migrations_app.selectors.feed import events_after, events_before, last_seq, state_of
from migrations_app.selectors.plans import plan_detail
from tests.feed.histories import VERBS, History

FOLD = Path(__file__).parent / "fold_cases.mjs"
ONE_PHASE = ["start", "take_up", "act", "finish"]
APPROVED = ["submit", "approve"]
DOWN_TO_BACKFILL = APPROVED + ONE_PHASE * 2 + ["start", "take_up"]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed (Debian's nodejs)"),
]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted(VERBS)), min_size=5, max_size=20))
@example(["edit", "submit", "approve", "edit", "submit", "ask_for_changes", "abandon"])
@example([*DOWN_TO_BACKFILL, "hold", "slow", "go_on", "pause", "stop_behind_the_batch", "resume", "take_up", "finish"])
@example([*DOWN_TO_BACKFILL, "hold", "abort", "prove_the_stop", "start", "take_up", "finish"])
@example([*DOWN_TO_BACKFILL, "lose_the_target", "resume", "take_up", "find_a_difference", "roll_back", "take_up"])
@example([*DOWN_TO_BACKFILL, "roll_back_to_the_start", "prove_the_stop", *["take_up", "finish"] * 4])
@example(APPROVED + ONE_PHASE * 7)
@example(APPROVED + ONE_PHASE * 5 + ["roll_back", "take_up", "finish", "start", "take_up", "finish"])
def test_folding_events_gives_what_a_fresh_snapshot_gives(verbs):
    history = History()
    snapshots = [snapshot_of(history)]

    before = standing(history)
    for verb in verbs:
        history.do(verb)
        if standing(history) != before:
            before = standing(history)
            snapshots.append(snapshot_of(history))

    assert folded_step_by_step(history, snapshots) == snapshots[1:]


def test_every_status_of_a_run_is_reached_by_some_history():
    seen = set()
    for verbs in (
        [*DOWN_TO_BACKFILL, "pause", "stop_behind_the_batch", "resume", "take_up", "lose_the_target", "abort"],
        [*DOWN_TO_BACKFILL, "abort", "prove_the_stop"],
        [*DOWN_TO_BACKFILL, "find_a_difference"],
        DOWN_TO_BACKFILL + ["finish"],
    ):
        history = History()
        for verb in verbs:
            history.do(verb)
            seen.update(history.plan.runs.values_list("status", flat=True)[:1])

    assert seen == set(MOVES["run"])


def standing(history):
    """Return what a snapshot depends on: where it is the same, the snapshot is, and need not be taken."""
    plan = history.plan
    runs = list(plan.runs.values_list("pk", "status", "wait_verdict"))
    return last_seq(plan), plan.status, plan.digest, list(plan.phases.values_list("name", "status")), runs


def snapshot_of(history):
    state = state_of(plan_detail(history.plan, history.author))
    snapshot = {"seq": last_seq(history.plan), "state": state, "log": events_before(history.plan)}
    return json.loads(json.dumps(snapshot))


def folded_step_by_step(history, snapshots):
    """Fold each snapshot by what happened until the next one; several are then the same as one by one."""
    events = events_after(history.plan, 0, 1000)
    cases = [
        {"snapshot": one, "events": [event for event in events if one["seq"] < event["seq"] <= other["seq"]]}
        for one, other in pairwise(snapshots)
    ]
    done = subprocess.run(
        ["node", str(FOLD)], input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=30
    )
    return json.loads(done.stdout)
