"""The live page beside a loop that trades: what it does is seen as it happens, and commands reach it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Visit
from tests.browser.looks import faults

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-this-test"
VIEWS = ("markets", "decisions", "strategies", "runs", "risk", "journal", "health", "account")
SLOW = 120_000
"""Milliseconds that a loop on a busy machine may take to begin and to trade."""


@pytest.fixture(scope="module")
def address(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the page of a demo that trades, which nobody begins without a browser to look at it."""
    words = ["scripts/demo_live.py", "--folder", str(tmp_path_factory.mktemp("demo")), "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "HOT_CRYPTO_DASHBOARD_TOKEN": TOKEN},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    yield next(line for line in process.stdout if line.startswith("open http")).split()[1]
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    process.stdout.close()
    assert process.wait(60) == 130


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = Visit(context.new_page())
    yield found
    context.close()
    assert found.errors == []


def test_trades_appear_on_every_page_and_a_pause_reaches_the_loop(visit: Visit, address: str) -> None:
    tab = visit.tab
    visit.go(f"{address}/#account")
    assert tab.inner_text("#pulse") == "running"
    tab.wait_for_selector("section.held[data-lines]", timeout=SLOW)
    tab.wait_for_selector("text=TREND_EMA", timeout=SLOW)
    for name in VIEWS:
        tab.click(f"#nav a[href='#{name}']")
        tab.wait_for_selector(f".view[data-view={name}]")
        assert faults(tab) == [], name
    tab.click("#commands button:text-is('pause')")
    tab.fill("#ask input[type=password]", TOKEN)
    tab.click("#ask button[type=submit]")
    tab.wait_for_selector("#ask >> text=entries are paused; exits and stops go on", timeout=SLOW)
    tab.keyboard.press("Escape")
    tab.wait_for_selector("#main >> text=Entries are paused: paused by command", timeout=SLOW)
    tab.click("#nav a[href='#health']")
    tab.wait_for_selector("#main >> text=pause >> nth=0")
    assert {one for one in visit.asked if not one.startswith((address, "data:"))} == set()
