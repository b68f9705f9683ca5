"""A headless Chromium that notes everything a page says, asks for and is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests import required

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
Scheme = Literal["light", "dark"]

NOTE_VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


@dataclass
class Visit:
    """A page that was opened, and what it has done since."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        """The directives of the page's policy that something broke."""
        found: list[str] = self.page.evaluate("window.violations")
        return found


@dataclass
class Visitor:
    """Opens HTML text in a fresh context, as a file on disk."""

    browser: Browser
    folder: Path
    contexts: list[BrowserContext] = field(default_factory=list)

    def visit(
        self, html: str, *, place: str = "", scheme: Scheme = "light", scripts: Literal["on", "off"] = "on"
    ) -> Visit:
        """Write `html` to a file and open it at `place` (as `#cases`)."""
        path = self.folder / f"page-{len(self.contexts)}.html"
        path.write_text(html, encoding="utf-8")
        context = self.browser.new_context(
            color_scheme=scheme,
            java_script_enabled=scripts == "on",
            reduced_motion="reduce",
            viewport={"width": 1200, "height": 900},
        )
        self.contexts.append(context)
        context.add_init_script(NOTE_VIOLATIONS)
        seen = Visit(page=context.new_page())
        seen.page.set_default_timeout(10_000)
        seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
        seen.page.on("console", lambda said: seen.errors.append(said.text) if said.type == "error" else None)
        seen.page.on("request", lambda asked: _note(asked.url, seen.requests))
        seen.page.goto(f"file://{path}{place}")
        return seen


def _note(url: str, requests: list[str]) -> None:
    if not url.startswith("file:"):
        requests.append(url)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium; skip where there is none, unless GEMMA_EVAL_REQUIRE names `browser`."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        required.missing("browser", "no Chromium on the path: apt-get install chromium")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=sandbox)
        yield started
        started.close()


@pytest.fixture
def visitor(browser: Browser, tmp_path: Path) -> Iterator[Visitor]:
    """Open pages and close them after the test."""
    made = Visitor(browser=browser, folder=tmp_path)
    yield made
    for context in made.contexts:
        context.close()
