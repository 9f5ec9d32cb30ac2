"""A real browser for the pages; without one these tests are skipped, and say why (`make test-browser`)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
"""No sandbox, as in a container; and nothing that asks the browser's maker for news."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Yield Chromium."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make test-browser")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium: apt install chromium")
    with api.sync_playwright() as player:
        opened = player.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield opened
        opened.close()


class Visit:
    """A page that somebody looks at, and what went wrong on it."""

    def __init__(self, tab: Any) -> None:
        self.tab = tab
        self.errors: list[str] = []
        self.asked: list[str] = []
        tab.on("console", lambda line: self.errors.extend([line.text] if line.type == "error" else []))
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.on("request", lambda request: self.asked.append(request.url))

    def go(self, url: str) -> None:
        """Open an address and wait until the page says that it is drawn."""
        self.tab.goto(url)
        self.tab.wait_for_selector("html[data-ready=yes]", timeout=60_000)


@pytest.fixture(params=[1280, 390])
def visit(request: pytest.FixtureRequest, browser: Any) -> Iterator[Visit]:
    """Yield a visit at a desktop's and at a phone's width; there must be no error on it."""
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    found = Visit(context.new_page())
    yield found
    context.close()
    assert found.errors == []
