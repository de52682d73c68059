"""One split, as its three people see it in the browser, while both versions of the application work.

The tests are one story: each goes on where the one before it ended. What people are told is held against the target.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from stack.demo_stack import NEW_APP
from tests.e2e.windows import LINE, Windows
from tests.e2e.world import PlanHere, World, wait_until

ROWS_PER_S = 50  # two minutes of backfill
ABORT_WITHIN = timedelta(seconds=1)
SILENCE_S = 2.0  # some five batches at the pace of these tests
POINTS = """uid => [...document.querySelectorAll("[data-canvas]")].flatMap((node) => node.data ?? [])
  .filter((trace) => trace.uid === uid).flatMap((trace) => trace.x)"""
# Notes the moment at which the page first says so, whoever looks, and through any reload.
NOTE_FIRST_ABORTED = """
window.addEventListener("DOMContentLoaded", () => setInterval(() => {
  const said = document.querySelector("[data-now]")?.textContent ?? "";
  if (/was aborted/.test(said) && !sessionStorage.getItem("aborted")) sessionStorage.setItem("aborted", Date.now());
}, 20));
"""
QUIET_ROWS = "SELECT id, name FROM users WHERE note = 'loaded' AND id %% 10 > 6"  # no application writes these


@pytest.fixture(scope="module")
def failed_before(request: pytest.FixtureRequest) -> int:
    return request.session.testsfailed


@pytest.fixture(autouse=True)
def story_goes_on(request: pytest.FixtureRequest, failed_before: int) -> None:
    if request.session.testsfailed > failed_before:
        pytest.skip("an earlier step of the story failed")


@pytest.fixture(scope="module")
def plan(world: World) -> Iterator[PlanHere]:
    plan = world.a_plan_for_both_versions(title="Split users.name, watched", rate=ROWS_PER_S)
    yield plan
    world.stop(plan)


@pytest.fixture(scope="module")
def names_before(world: World) -> dict[int, str | None]:
    return names(world)


class Desk:
    """A window for each person, of which one at a time shows the plan: drawing three live pages keeps one waiting."""

    def __init__(self, windows: Windows, path: str):
        self.windows = windows
        self.path = path
        self.page_by_name: dict[str, Page] = {}

    def seat(self, name: str) -> Page:
        for other in self.page_by_name.keys() - {name}:
            self.page_by_name[other].goto("about:blank")
        if name not in self.page_by_name:
            self.page_by_name[name] = self.windows.open(name, "about:blank")
            self.page_by_name[name].context.add_init_script(NOTE_FIRST_ABORTED)
        page = self.page_by_name[name]
        if page.url == "about:blank":
            page.goto(self.path)
        return page


@pytest.fixture(scope="module")
def desk(lasting: Windows, plan: PlanHere) -> Desk:
    return Desk(lasting, plan.path)


@pytest.fixture
def ann(desk: Desk) -> Page:
    return desk.seat("Ann Author")


@pytest.fixture
def paul(desk: Desk) -> Page:
    return desk.seat("Paul Approver")


@pytest.fixture
def olga(desk: Desk) -> Page:
    return desk.seat("Olga On-Call")


@pytest.mark.parametrize("name", ["Ann Author", "Paul Approver", "Olga On-Call"])
def test_each_person_of_the_demo_comes_in_by_one_click(as_person, name):
    page = as_person(name)

    expect(page.get_by_label(f"{name}: account")).to_be_visible()


def test_the_demo_offers_its_three_people_and_nobody_else(lasting):
    page = lasting.open_unsigned()
    page.goto("/sign-in/")

    expect(page.locator(".people button strong")).to_have_text(["Ann Author", "Paul Approver", "Olga On-Call"])


class TestApproval:
    def test_the_author_cannot_approve_his_own_plan_and_is_told_why(self, ann, plan):
        ann.goto(f"{plan.path}approve/expand/")

        expect(ann.get_by_role("button", name="Approve r1")).to_have_count(0)
        expect(ann.get_by_label("Your decision")).to_contain_text("approver")

    def test_the_approval_page_holds_the_statements_exactly_as_they_are_sent(self, world, paul, plan, names_before):
        paul.goto(f"{plan.path}approve/expand/")

        assert paul.locator("pre.statement").all_text_contents() == statements(plan.now(), "expand")

    def test_the_approver_signs_the_digest_that_he_saw(self, world, paul, plan):
        digest = plan.now()["short_digest"]

        paul.get_by_role("button", name=f"Approve r1 ({digest})").click()

        expect(chip(paul, "plan:plan.status")).to_have_text("Approved")


class TestStart:
    def test_expand_adds_the_new_columns(self, world, ann, plan):
        ann.goto(plan.path)

        ann.get_by_role("button", name="Start expand").click()

        expect(chip(ann, "phase:expand")).to_have_text("Done")
        assert {"first_name", "last_name"} <= set(plan.columns())

    def test_dual_write_waits_for_a_backup_until_it_is_overridden_with_a_reason(self, ann):
        gate = ann.get_by_role("listitem").filter(has_text="Backup and restore test.")
        gate.get_by_text("Override with a reason").click()
        gate.get_by_label("Why it is safe without").fill("The data are made up.")

        gate.get_by_role("button", name="Override", exact=True).click()

        expect(gate).to_contain_text("Ann Author")
        expect(gate).to_contain_text("The data are made up.")

    def test_dual_write_starts_the_sync(self, ann):
        ann.get_by_role("button", name="Start dual-write").click()

        expect(chip(ann, "phase:dual_write")).to_have_text("Done")

    def test_the_backfill_is_said_to_run_in_words(self, ann):
        ann.get_by_role("button", name="Start backfill").click()

        expect(now(ann)).to_contain_text(re.compile(r"Backfill runs: [\d,]+ of [\d,]+ rows"))
        expect(chip(ann, "run:run.status")).to_have_text("Running")

    def test_the_charts_move(self, ann):
        drawn = len(ann.evaluate(POINTS, "progress:rows"))

        ann.wait_for_function(f"drawn => ({POINTS})('progress:rows').length > drawn + 2", arg=drawn)

        assert ann.locator("[data-number=rows]").inner_text() != "0"


class TestAbort:
    def test_the_dialog_names_the_consequence_and_stands_on_keep_running(self, olga):
        olga.get_by_role("link", name="Abort backfill").click()
        dialog = olga.get_by_role("dialog")

        expect(dialog).to_contain_text("Both shapes of the table and the sync stay")
        expect(dialog.get_by_role("button", name="Keep running")).to_be_focused()

    def test_keep_running_keeps_it_running(self, world, olga, plan):
        olga.get_by_role("button", name="Keep running").click()

        expect(olga.get_by_role("dialog")).to_have_count(0)
        assert plan.run()["status"] == "running"

    def test_the_target_sees_no_write_later_than_a_second_after_the_click(self, world, olga, plan):
        olga.get_by_role("link", name="Abort backfill").click()
        clicked_at = world.clock()

        olga.get_by_role("dialog").get_by_role("button", name="Abort backfill").click(no_wait_after=True)

        assert plan.last_write(silence_s=SILENCE_S) <= clicked_at + ABORT_WITHIN

    def test_the_page_shows_all_four_clocks(self, olga):
        clocks = olga.get_by_label("Abort of run", exact=False)

        expect(clocks).to_contain_text("Stop proven")
        expect(clocks.locator(".clock")).to_have_count(4)
        expect(clocks.locator(".clock-open")).to_have_count(0)

    def test_aborted_is_said_only_after_the_stop_was_proven(self, world, olga, plan):
        expect(now(olga)).to_contain_text("was aborted by Olga On-Call")
        said_at = float(olga.evaluate("sessionStorage.getItem('aborted')")) / 1000

        assert said_at >= datetime.fromisoformat(plan.command("abort")["verified_at"]).timestamp()


class TestPause:
    def test_a_new_start_goes_on_from_the_last_batch(self, world, ann, plan):
        rows = plan.run()["rows"]

        ann.get_by_role("button", name="Start backfill").click()

        expect(chip(ann, "run:run.status")).to_have_text("Running")
        wait_until(lambda: plan.run()["rows"] > rows, "the backfill goes on")

    def test_pause_takes_one_click(self, ann):
        ann.get_by_role("button", name="Pause backfill").click()

        expect(chip(ann, "run:run.status")).to_have_text("Paused")
        expect(now(ann)).to_contain_text("Backfill was paused by Ann Author")

    def test_resume_goes_on(self, ann):
        ann.get_by_role("button", name="Resume backfill").click()

        expect(chip(ann, "run:run.status")).to_have_text("Running")


@pytest.fixture(scope="module")
def cut_off(world: World, lasting: Windows, desk: Desk, plan: PlanHere) -> tuple[Page, int]:
    """A page whose line was cut while things happened, and that is back; with the last event it had before."""
    desk.seat("Paul Approver").goto("about:blank")
    assert plan.run().get("status") == "running", "no backfill runs"
    page = lasting.open("Olga On-Call", plan.path, tolerated=LINE)
    expect(pill(page)).to_have_text("Live")
    before, run = plan.last_seq(), plan.run()["id"]
    page.context.set_offline(True)
    expect(pill(page)).to_contain_text("no connection")
    world.olga.post(f"runs/{run}/pause/")
    wait_until(lambda: plan.run()["status"] == "paused", "it pauses")
    world.olga.post(f"runs/{run}/resume/")
    wait_until(lambda: plan.run()["status"] == "running", "it goes on")
    page.context.set_offline(False)
    expect(pill(page)).to_have_text("Live")
    return page, before


class TestDroppedSocket:
    def test_the_page_has_every_event_of_the_time_in_between(self, cut_off):
        page, before = cut_off
        last = page.locator(".log li").first
        expect(last).to_have_attribute("id", re.compile(rf"^e(?!{before}$)\d+$"))

        numbers = [int(seq) for seq in page.locator(".log .seq").all_inner_texts()]

        assert numbers == list(range(numbers[0], numbers[-1] - 1, -1)) and numbers[0] >= before + 4

    def test_the_charts_have_every_measurement_of_that_time(self, world, cut_off, plan):
        page, _ = cut_off
        measured = [milliseconds(sample["at"]) for sample in samples(world, plan)]

        page.wait_for_function(f"newest => ({POINTS})('progress:rows').at(-1) >= newest", arg=measured[-1])

        assert set(measured) - set(page.evaluate(POINTS, "progress:rows")) == set()
        page.context.close()


class TestRollBack:
    def test_on_call_undoes_a_running_backfill_alone(self, olga):
        olga.get_by_role("link", name="Roll back").click()

        olga.get_by_role("dialog").get_by_role("button", name="Roll back").click()

        expect(chip(olga, "phase:backfill")).to_have_text("Rolled back")

    def test_undoing_more_waits_until_the_new_version_is_said_to_be_gone(self, world, olga, plan):
        world.stack.stop_application(NEW_APP)
        gate = olga.get_by_role("listitem").filter(has_text="The new version is gone.")

        gate.get_by_role("button", name="Confirm").click()

        wait_until(lambda: "Olga On-Call" in str(plan.phase_of("dual_write")["gates"]), "the gate is confirmed")

    def test_rolling_back_to_before_expand_ends_the_plan(self, olga):
        olga.get_by_role("link", name="Roll back").click()
        dialog = olga.get_by_role("dialog")
        dialog.get_by_label("How far").select_option(label="Down to before expand")

        dialog.get_by_role("button", name="Roll back").click()

        expect(now(olga)).to_contain_text("Rolled back to the start: the old shape is as it was.")

    def test_the_old_schema_is_back(self, plan):
        assert plan.columns() == ["id", "name", "email", "note", "version"]

    def test_no_name_has_changed(self, world, names_before):
        assert names(world) == names_before


def test_no_page_complained_on_the_way(lasting, olga):
    assert lasting.complaints == []


def chip(page: Page, what: str) -> Locator:
    return page.locator(f'[data-chip="{what}"]')


def now(page: Page) -> Locator:
    return page.locator("[data-now]")


def pill(page: Page) -> Locator:
    return page.locator("[data-pill]")


def statements(plan: dict, group: str) -> list[str]:
    """Return what the API says is sent, phase by phase, there and back."""
    phases = [phase for phase in plan["phases"] if phase["group"] == group]
    actions = [action for phase in phases for way in ("forward", "back") for action in phase["preview"][way]]
    return [statement for action in actions for statement in action["statements"]]


def names(world: World) -> dict[int, str | None]:
    return dict(world.target.execute(QUIET_ROWS, ()).fetchall())


def samples(world: World, plan: PlanHere) -> list[dict]:
    return world.ann.get(f"plans/{plan.id}/samples/?after=0")["samples"]


def milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
