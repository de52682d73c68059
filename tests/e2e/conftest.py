"""One stack and one browser for all of it; each test has a window of its own, and no window may break the policy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stack.debian import BROWSER, reason_missing
from stack.demo_stack import DemoStack
from tests.e2e.world import World

ROWS = 5_000
PATIENCE_MS = 45_000
"""A machine that does much else besides is slow; nothing here measures how fast a page is."""
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WATCH_POLICY = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


def pytest_configure(config: pytest.Config) -> None:
    """The stack's children end with the session; that they still run when Python looks is no fault of a test."""
    config.addinivalue_line("filterwarnings", "ignore:subprocess .* is still running:ResourceWarning")
    config.addinivalue_line("filterwarnings", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The whole stack, on ports of its own."""
    if missing := reason_missing(BROWSER):
        pytest.skip(missing)
    with DemoStack(tmp_path_factory.mktemp("e2e") / "state", rows=ROWS, fast=True, any_ports=True) as stack:
        world = World(stack)
        yield world
        world.target.close()


@pytest.fixture(autouse=True)
def rest(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave no backfill behind, since workers are few."""
    yield
    if "world" in request.fixturenames and "paths" not in request.fixturenames:
        request.getfixturevalue("world").come_to_rest()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("LOCKSTEP_CHROMIUM", CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def as_person(world: World, browser: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that opens a window for one of the demo's people; all are looked at when the test ends."""
    windows: list[Any] = []
    complaints: list[str] = []

    def open_window(name: str, path: str = "/", **options: Any) -> Any:
        context = browser.new_context(base_url=world.url, **({"viewport": {"width": 1280, "height": 900}} | options))
        context.add_init_script(WATCH_POLICY)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}") or dialog.dismiss())
        page.goto("/sign-in/")
        page.get_by_role("button", name=name).click()
        page.wait_for_url("**/")
        page.goto(path)
        windows.append(page)
        return page

    yield open_window
    for page in windows:
        if not page.is_closed():
            complaints.extend(page.evaluate("window.violations ?? []"))
        page.context.close()
    assert complaints == []


@pytest.fixture
def ann(as_person: Callable[..., Any]) -> Callable[..., Any]:
    """Open a window for the author, who is also operator."""
    return lambda path="/", **options: as_person("Ann Author", path, **options)


@pytest.fixture
def paul(as_person: Callable[..., Any]) -> Callable[..., Any]:
    """Open a window for the approver."""
    return lambda path="/", **options: as_person("Paul Approver", path, **options)


@pytest.fixture
def olga(as_person: Callable[..., Any]) -> Callable[..., Any]:
    """Open a window for who is on call."""
    return lambda path="/", **options: as_person("Olga On-Call", path, **options)
