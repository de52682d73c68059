"""For everybody: by keyboard, on a phone, with a screen reader, without scripts; and nothing from outside is run."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.windows import Windows
from tests.e2e.world import PlanHere, World, wait_until

HOSTILE = '<img src=x onerror="window.hacked=1">'
HOSTILE_SCRIPT = "<script>window.hacked=1</script>{{ 7 * 7 }}"
PHONE = {"width": 360, "height": 740}
GRAVE = ("serious", "critical")
MOST_TABS = 60
A_MEASUREMENT = re.compile(r"^\s*(now|\d+ s ago)\s*[\d,]+")
CHARTS_ARE_DRAWN = """() => document.querySelectorAll(".js-plotly-plot").length ===
  document.querySelectorAll("[data-canvas]").length"""
PAGES = (
    *("fleet", "plans", "form", "plan", "waiting", "approval", "edit", "history"),
    *("abort", "rollback", "targets", "target", "register", "password"),
)
every_page = pytest.mark.parametrize("name", PAGES)


@pytest.fixture(scope="module")
def live(world: World) -> Iterator[PlanHere]:
    """A live backfill of a table with a hostile name, that outlasts the tests of this file."""
    table = world.a_table(40_000, HOSTILE)
    plan = world.keep(world.a_backfill(table=table, title=HOSTILE, rate=100))
    yield plan
    world.stop(plan)


@pytest.fixture(scope="module")
def paths(world: World, live: PlanHere) -> dict[str, str]:
    """Every page, on the live plan and on one that waits for an approval."""
    waiting = world.a_submitted_plan(title=HOSTILE_SCRIPT)
    return {
        "fleet": "/",
        "plans": "/plans/",
        "form": "/plans/new/",
        "plan": live.path,
        "waiting": waiting.path,
        "approval": f"{waiting.path}approve/expand/",
        "edit": f"{waiting.path}edit/",
        "history": f"{live.path}history/",
        "abort": f"/runs/{live.run()['id']}/abort/",
        "rollback": f"{live.path}rollback/",
        "targets": "/targets/",
        "target": f"/targets/{world.target_id}/",
        "register": "/targets/new/",
        "password": "/reauthenticate/",
    }


@pytest.fixture(scope="module")
def desk(lasting: Windows) -> Page:
    return lasting.open("Ann Author")


@pytest.fixture(scope="module")
def phone(lasting: Windows) -> Page:
    return lasting.open("Ann Author", viewport=PHONE)


@every_page
def test_no_page_is_wider_than_a_phone(paths, phone, name):
    phone.goto(paths[name])

    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_sign_in_page_is_not_wider_than_a_phone(lasting):
    page = lasting.open_unsigned(viewport=PHONE)
    page.goto("/sign-in/")

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@every_page
def test_no_page_shuts_anybody_out_by_day(paths, desk, name):
    desk.emulate_media(color_scheme="light")
    visit(desk, paths[name])

    assert barriers(desk) == []


@every_page
def test_no_page_shuts_anybody_out_by_night(paths, desk, name):
    desk.emulate_media(color_scheme="dark")
    visit(desk, paths[name])

    assert barriers(desk) == []


@every_page
def test_no_name_from_outside_is_run(paths, desk, name):
    visit(desk, paths[name])

    assert (desk.evaluate("window.hacked"), desk.locator("img").count()) == (None, 0)


def test_a_hostile_title_is_shown_as_it_is_written(paths, desk):
    visit(desk, paths["plan"])

    expect(desk.get_by_role("heading", level=1)).to_have_text(HOSTILE)


def test_no_page_asks_for_what_the_policy_refuses_or_complains(lasting, paths, desk, phone):
    assert lasting.complaints == []


def test_abort_by_keyboard_alone(world, olga):
    plan = world.a_backfill()
    page = olga(plan.path)
    expect(page.locator("[data-pill]")).to_have_text("Live")

    tab_to(page, "[data-opens=ask-abort]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep running")).to_be_focused()
    tab_to(page, "#ask-abort .button-stop-now")
    page.keyboard.press("Enter")

    wait_until(lambda: plan.run()["status"] == "aborted", "the abort is proven")


def test_escape_closes_the_question_and_does_nothing(world, olga):
    plan = world.a_backfill()
    page = olga(plan.path)
    page.get_by_role("link", name="Abort backfill").click()

    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    assert plan.run()["status"] == "running"


class TestWithoutScripts:
    def test_a_plain_form_pauses(self, world, olga):
        plan = world.a_backfill()
        page = olga(plan.path, java_script_enabled=False)

        page.get_by_role("button", name="Pause backfill").click()

        wait_until(lambda: plan.run()["status"] == "paused", "it pauses")
        page.reload()
        expect(page.locator("[data-now]")).to_contain_text("Backfill was paused by Olga On-Call")

    def test_a_page_asks_before_a_plain_form_aborts(self, world, olga):
        plan = world.a_backfill()
        page = olga(plan.path, java_script_enabled=False)

        page.get_by_role("link", name="Abort backfill").click()
        page.get_by_role("button", name="Abort backfill").click()

        expect(page.locator(".messages")).to_contain_text("Abort asked for.")
        wait_until(lambda: plan.run()["status"] == "aborted", "the abort is proven")
        page.reload()
        expect(page.get_by_text("Stop proven")).to_be_visible()

    def test_charts_are_tables(self, live, olga):
        page = olga(live.path, java_script_enabled=False)

        page.locator("[data-chart=progress] summary").click()

        expect(page.get_by_label("Rows done as a table").locator("tbody tr").first).to_have_text(A_MEASUREMENT)


def visit(page: Page, path: str) -> None:
    """Go there and wait until all of it is there, charts too."""
    page.goto(path, wait_until="load")
    page.wait_for_function(CHARTS_ARE_DRAWN)


def barriers(page: Page) -> list[tuple[str, str]]:
    """Return what a machine can tell that keeps people out, with the first place of each."""
    found = Axe().run(page).response["violations"]
    return [(each["id"], each["nodes"][0]["html"][:200]) for each in found if each["impact"] in GRAVE]


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until something that fits stands in focus, as somebody without a mouse does."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by {MOST_TABS} tabs")
