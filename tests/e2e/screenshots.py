"""Takes the pictures of docs/screenshots from a stack of its own: python -m tests.e2e.screenshots.

Plays the beginning of the demo, so that a live page shows a live backfill. Pictures are cut to what one sees first.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from stack.demo_stack import DemoStack
from stack.house import CLONE, remove_state
from stack.progress import spoken
from tests.e2e.windows import Windows, launched
from tests.e2e.world import PlanHere, World, wait_until

FOLDER = CLONE / "docs" / "screenshots"
ROWS = 40_000
SHARE = 0.4  # of the backfill, so that the charts have something to show
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
MOST_HEIGHT = 1_560
MOST_BYTES = 250_000


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        state_dir = Path(folder) / "state"
        with DemoStack(state_dir, rows=ROWS, fast=True, any_ports=True, step=spoken) as stack:
            with sync_playwright() as playwright, launched(playwright) as browser:
                take_all(World(stack), Windows(browser, stack.url))
        remove_state(state_dir)
    too_big = [path.name for path in FOLDER.glob("*.png") if path.stat().st_size > MOST_BYTES]
    print(f"too big: {', '.join(too_big)}" if too_big else f"taken into {FOLDER.relative_to(CLONE)}")
    return 1 if too_big else 0


def take_all(world: World, windows: Windows) -> None:
    """Take every picture, in the order in which the demo comes by."""
    plan = PlanHere(world, world.stack.seeded["plan"], "users")
    before_approval(plan, windows)
    plan.approve("expand")
    plan.do("expand", "dual_write")
    plan.start("backfill")
    wait_until(lambda: plan.run()["rows"] > SHARE * (plan.run()["rows_expected"] or ROWS), "the backfill gets on")
    live(plan, windows)
    aborted(plan, windows)


def before_approval(plan: PlanHere, windows: Windows) -> None:
    page = windows.open_unsigned(viewport=WIDE)
    page.goto("/sign-in/")
    take(page, "sign-in")
    take(windows.open("Paul Approver", f"{plan.path}approve/expand/", viewport=WIDE), "approval")
    take(windows.open("Ann Author", "/plans/new/", viewport=WIDE), "new-plan")
    windows.close()


def live(plan: PlanHere, windows: Windows) -> None:
    olga = windows.open("Olga On-Call", viewport=WIDE)
    take(olga, "fleet")
    olga.goto(f"/targets/{plan.world.target_id}/")
    take(olga, "target")
    for name, options in {
        "plan-live-light": {"viewport": WIDE},
        "plan-live-dark": {"viewport": WIDE, "color_scheme": "dark"},
        "plan-live-phone": {"viewport": PHONE},
    }.items():
        page = windows.open("Olga On-Call", plan.path, **options)
        drawn(page)
        take(page, name)
        windows.close()


def aborted(plan: PlanHere, windows: Windows) -> None:
    olga = windows.open("Olga On-Call", plan.path, viewport=WIDE)
    drawn(olga)
    olga.get_by_role("link", name="Abort backfill").click()
    dialog = olga.get_by_role("dialog")
    olga.screenshot(path=FOLDER / "abort-dialog.png")
    dialog.get_by_text("Applications are slow").click()
    dialog.get_by_role("button", name="Abort backfill").click()
    expect(olga.get_by_text("Stop proven")).to_be_visible()
    expect(olga.locator("[data-now]")).to_contain_text("was aborted")
    expect(olga.locator("[data-toasts] .notice")).to_have_count(0, timeout=20_000)
    take(olga, "aborted")
    windows.close()


def drawn(page: Page) -> None:
    """Wait until the charts are there and go on."""
    expect(page.locator("[data-pill]")).to_have_text("Live")
    expect(page.locator(".chart-canvas .main-svg").nth(7)).to_be_attached()
    expect(page.locator("[data-number=rows_per_s]")).not_to_have_text("–")


def take(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    height = min(page.evaluate("document.documentElement.scrollHeight"), MOST_HEIGHT)
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
