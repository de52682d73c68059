"""Windows of one browser, each of its own person; what a page complains of is kept, and no page may."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

from stack.debian import BROWSER

PATIENCE_MS = 45_000
"""A machine that does much else besides is slow; nothing here measures how fast a page is."""
WIDE = {"width": 1280, "height": 900}
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
# What the policy refuses is refused quietly; no page of ours may even ask for it.
TELL_REFUSALS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI}`));
"""
LINE = r"Failed to load resource|WebSocket connection"
"""How the browser itself complains of a line that a test cut, or of an answer that is no success."""


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """Start Debian's browser."""
    program = next(filter(None, map(shutil.which, BROWSER.programs)))
    browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
    yield browser
    browser.close()


class Windows:
    """The windows of one test or file, and what their pages complained of."""

    def __init__(self, browser: Browser, url: str):
        self.browser = browser
        self.url = url
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def open(self, name: str, path: str = "/", *, tolerated: str = "", **options: Any) -> Page:
        """Sign in by one click in a window of its own, and go there; `tolerated` matches what the test provokes."""
        page = self.open_unsigned(tolerated=tolerated, **options)
        page.goto("/sign-in/")
        page.get_by_role("button", name=name).click()
        page.wait_for_url("**/")
        page.goto(path)
        return page

    def open_unsigned(self, *, tolerated: str = "", **options: Any) -> Page:
        context = self.browser.new_context(base_url=self.url, **({"viewport": WIDE} | options))
        context.set_default_timeout(PATIENCE_MS)
        if options.get("java_script_enabled", True):
            context.add_init_script(TELL_REFUSALS)

        def hear(message: ConsoleMessage) -> None:
            if message.type == "error" and not (tolerated and re.search(tolerated, message.text)):
                self.complaints.append(f"{message.page and message.page.url}: {message.text}")

        context.on("console", hear)
        context.on("weberror", lambda error: self.complaints.append(f"broke: {error.error}"))
        context.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}") or dialog.dismiss())
        self.contexts.append(context)
        return context.new_page()

    def close(self) -> None:
        """Close them all: a live page that nobody looks at costs a processor all the same."""
        for context in self.contexts:
            context.close()
        self.contexts.clear()
