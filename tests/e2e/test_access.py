"""For everybody: by keyboard, on a phone, with a screen reader; and nothing from outside is ever run."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.world import wait_until

HOSTILE = "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>"
GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def paths(world):
    """Every page, on a plan with a live backfill and on one that waits for an approval."""
    plan, waiting = world.a_backfill(), world.a_submitted_plan(title=HOSTILE[:120])
    paths = {
        "fleet": "/",
        "plans": "/plans/",
        "form": "/plans/new/",
        "plan": plan.path,
        "waiting": waiting.path,
        "approval": f"{waiting.path}approve/expand/",
        "edit": f"{waiting.path}edit/",
        "history": f"{plan.path}history/",
        "abort": f"/runs/{plan.run()['id']}/abort/",
        "rollback": f"{plan.path}rollback/",
        "targets": "/targets/",
        "target": f"/targets/{world.target_id}/",
        "register": "/targets/new/",
        "password": "/reauthenticate/",
    }
    yield paths
    world.come_to_rest()


PAGES = (
    *("fleet", "plans", "form", "plan", "waiting", "approval", "edit", "history"),
    *("abort", "rollback", "targets", "target", "register", "password"),
)


def test_abort_by_keyboard_alone(world, olga):
    plan = world.a_backfill()
    page = olga(plan.path)

    tab_to(page, "Abort backfill")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep running")).to_be_focused()
    tab_to(page, "Abort backfill")
    page.keyboard.press("Enter")

    wait_until(lambda: plan.run()["status"] == "aborted", "the abort is proven")


def test_escape_closes_the_question_and_does_nothing(world, olga):
    plan = world.a_backfill()
    page = olga(plan.path)
    page.get_by_role("link", name="Abort backfill").click()

    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    assert plan.run()["status"] == "running"


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_a_phone(paths, ann, name):
    page = ann(paths[name], viewport={"width": 360, "height": 740})
    page.wait_for_timeout(500)

    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_shuts_anybody_out(paths, ann, name, theme):
    page = ann(paths[name], color_scheme=theme)
    page.wait_for_timeout(500)

    found = Axe().run(page).response["violations"]

    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found if each["impact"] in GRAVE] == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_from_outside_is_run_and_the_policy_holds(paths, ann, name):
    page = ann(paths[name])
    page.wait_for_timeout(800)
    for chart in page.locator("[data-canvas]").all():
        chart.hover()

    assert "hacked" not in page.title().lower().replace(HOSTILE[:120].lower(), "")
    assert page.locator("img").count() == 0
    assert page.evaluate("window.violations") == []


def tab_to(page, name):
    for _ in range(60):
        page.keyboard.press("Tab")
        if name in page.evaluate("document.activeElement.textContent ?? ''") and page.evaluate(
            "document.activeElement.matches('a, button')"
        ):
            return
    raise AssertionError(f'"{name}" cannot be reached by keyboard')
