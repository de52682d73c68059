"""What holds on every page: no markup from names, nothing refused or broken, room on a phone, keys and plain forms."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.world import World

HOSTILE = '<img src=x onerror="window.hacked=1">'
PHONE = {"width": 360, "height": 740}
MOST_TABS = 60
PAGES = {
    "fleet": "/",
    "plans": "/plans/",
    "new plan": "/plans/new/",
    "plan": "/plans/{plan}/",
    "draft": "/plans/{draft}/",
    "change a draft": "/plans/{draft}/edit/",
    "history": "/plans/{plan}/history/",
    "approval": "/plans/{plan}/approve/expand/",
    "roll back": "/plans/{plan}/rollback/",
    "abort": "/runs/{run}/abort/",
    "targets": "/targets/",
    "new target": "/targets/new/",
    "target": "/targets/1/",
    "password again": "/reauthenticate/",
    "nothing": "/plans/999999/",
}
every_page = pytest.mark.parametrize("address", PAGES.values(), ids=PAGES)


@pytest.fixture(scope="module")
def plan(world: World) -> Iterator[int]:
    """A plan with hostile names whose backfill runs for longer than these tests."""
    world.make_table(HOSTILE, 6_000)
    plan = world.make_plan(HOSTILE, HOSTILE, rows_per_s=20)
    world.let_backfill_run(plan)
    yield plan
    world.stop_backfill(plan)


@pytest.fixture(scope="module")
def places(world: World, plan: int) -> dict[str, int]:
    """What the addresses above name."""
    seen = world.plan(plan)
    body = {"target": seen["target"]["id"], "title": HOSTILE, "content": seen["content"]}
    return {"plan": plan, "run": seen["run"]["id"], "draft": world.apis["ann"].post("plans/", body)["id"]}


@pytest.fixture(scope="module")
def ann(world: World) -> Page:
    return world.enter("ann")


@pytest.fixture(scope="module")
def phone(world: World) -> Page:
    return world.enter("ann", viewport=PHONE)


@every_page
def test_nothing_is_refused_or_broken_and_no_name_is_run(world, ann, places, address):
    ann.goto(address.format(**places), wait_until="networkidle")

    broken = [complaint for complaint in world.complaints if "404" not in complaint]
    assert broken == [] and ann.evaluate("window.hacked") is None


@every_page
def test_a_phone_does_not_scroll_sideways(phone, places, address):
    phone.goto(address.format(**places), wait_until="load")

    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_sign_in_page_fits_a_phone_too(world):
    page = world.context(viewport=PHONE).new_page()
    page.goto("/sign-in/")

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.context.close()


def test_a_hostile_title_is_shown_as_it_is_written(ann, places):
    ann.goto(f"/plans/{places['plan']}/")

    expect(ann.get_by_role("heading", level=1)).to_have_text(HOSTILE)


def test_a_wrong_expression_is_pointed_at_while_it_is_typed(ann):
    ann.goto("/plans/new/")
    field = ann.locator('[data-field$="expression"]').first

    field.locator("input").fill(f"split_part(name, ' ', 1) {HOSTILE}")

    expect(field.locator("[data-error]")).to_be_visible()
    assert ann.evaluate("window.hacked") is None


def test_the_keyboard_alone_aborts(world, plan, ann):
    world.let_backfill_run(plan)
    ann.goto(f"/plans/{plan}/")
    expect(ann.locator("[data-pill]")).to_have_text("Live")

    tab_to(ann, "[data-opens=ask-abort]")
    ann.keyboard.press("Enter")
    expect(ann.get_by_role("button", name="Keep running")).to_be_focused()
    tab_to(ann, "#ask-abort .button-stop-now")
    ann.keyboard.press("Enter")

    expect(ann.locator("[data-now]")).to_contain_text("Backfill was aborted by Ann Author")


def test_escape_never_aborts(world, plan, ann):
    world.let_backfill_run(plan)
    ann.goto(f"/plans/{plan}/")
    ann.get_by_role("link", name="Abort backfill").click()

    ann.keyboard.press("Escape")

    expect(ann.get_by_role("dialog")).to_have_count(0)
    assert world.plan(plan)["run"]["status"] == "running"


@pytest.fixture(scope="module")
def olga(world: World, plan: int) -> Page:
    """On call, with scripts turned off."""
    world.let_backfill_run(plan)
    page = world.enter("olga", java_script_enabled=False)
    page.goto(f"/plans/{plan}/")
    return page


class TestWithoutScripts:
    def test_a_plain_form_pauses(self, world, olga, plan):
        olga.get_by_role("button", name="Pause backfill").click()

        world.wait(lambda: world.plan(plan)["run"]["status"] == "paused", "it pauses")
        olga.reload()
        expect(olga.locator("[data-now]")).to_contain_text("Backfill was paused by Olga On-Call")

    def test_a_page_asks_before_a_plain_form_aborts(self, world, olga, plan):
        olga.get_by_role("link", name="Abort backfill").click()
        expect(olga.get_by_role("heading", name=re.compile("^Abort backfill of"))).to_be_visible()
        olga.get_by_role("button", name="Abort backfill").click()

        world.wait(lambda: world.plan(plan)["run"]["status"] == "aborted", "it is aborted")
        olga.reload()
        expect(olga.locator("[data-now]")).to_contain_text("Backfill was aborted by Olga On-Call")

    def test_the_charts_are_tables(self, olga):
        olga.locator("[data-chart=progress] summary").click()

        expect(olga.get_by_label("Rows done as a table").locator("tbody tr").first).to_contain_text("ago")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until something that fits stands in focus, as somebody without a mouse does."""
    for _ in range(MOST_TABS):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by {MOST_TABS} tabs")
