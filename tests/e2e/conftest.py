"""One stack and one browser for all of it; each test has a window of its own, and no window may break the policy."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from stack.debian import BROWSER, reason_missing
from stack.demo_stack import DemoStack
from stack.house import CLONE
from tests.e2e.windows import PATIENCE_MS, Windows, launched
from tests.e2e.world import World

ROWS = 6_000
PICTURES = CLONE / ".lockstep" / "reports" / "e2e"


def pytest_configure(config: pytest.Config) -> None:
    """The stack's children end with the session; that they still run when Python looks is no fault of a test."""
    config.addinivalue_line("filterwarnings", "ignore:subprocess .* is still running:ResourceWarning")
    config.addinivalue_line("filterwarnings", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The whole stack, on ports of its own."""
    if missing := reason_missing(BROWSER):
        pytest.skip(missing)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a run that is stopped must stop its servers too
    with DemoStack(tmp_path_factory.mktemp("e2e") / "state", rows=ROWS, fast=True, any_ports=True) as stack:
        world = World(stack)
        yield world
        world.target.close()


@pytest.fixture(autouse=True)
def rest(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave no backfill behind, since workers are few."""
    yield
    if "world" in request.fixturenames:
        request.getfixturevalue("world").come_to_rest()


@pytest.fixture(autouse=True)
def cheap_passwords() -> None:
    """Django's settings stay out of here: the stack has its own."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright, launched(playwright) as browser:
        yield browser


@pytest.fixture(scope="module")
def lasting(world: World, browser: Browser) -> Iterator[Windows]:
    """Windows that stay open from test to test of a file."""
    windows = Windows(browser, world.url)
    yield windows
    windows.close()


@pytest.fixture
def as_person(world: World, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a window for one of the demo's people; none may have complained at the end."""
    windows = Windows(browser, world.url)
    yield windows.open
    windows.close()
    assert windows.complaints == []


@pytest.fixture
def ann(as_person: Callable[..., Page]) -> Callable[..., Page]:
    """Open a window for the author, who is also operator."""
    return partial(as_person, "Ann Author")


@pytest.fixture
def paul(as_person: Callable[..., Page]) -> Callable[..., Page]:
    """Open a window for the approver."""
    return partial(as_person, "Paul Approver")


@pytest.fixture
def olga(as_person: Callable[..., Page]) -> Callable[..., Page]:
    """Open a window for who is on call."""
    return partial(as_person, "Olga On-Call")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep how every open page looked when a test failed."""
    report = yield
    browser = getattr(item, "funcargs", {}).get("browser")
    if report.failed and browser is not None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        for number, page in enumerate(page for context in browser.contexts for page in context.pages):
            page.screenshot(path=PICTURES / f"{item.name}-{number}.png", full_page=True)
    return report
