"""Pictures of the pages at a desktop's and a phone's width, to be looked at and shown in docs/images.

.venv/bin/python -m tests.browser.pictures --page http://127.0.0.1:8080 --report report.html
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from core import cli
from tests.browser.conftest import FLAGS, Visit

SIZES = ((1280, 1000), (390, 844))
VIEWS = ("account", "markets", "decisions", "strategies", "runs", "risk", "journal", "health")
ARRIVED = {
    "account": ".curve .chart",
    "markets": "section[data-bars] >> nth=1",
    "risk": "role=meter >> nth=0",
    "health": ".cards",
}
"""What a view has once it is drawn; the others have rows."""
TRADE = "#trades button[aria-label='show trade 12 on the candles']"


def main(argv: list[str] | None = None) -> int:
    """Write what is asked for; return 1 where a page has a fault or asked another computer."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.pictures", description=__doc__)
    parser.add_argument("--page", metavar="URL", help="of start_dashboard.py beside a loop that trades")
    parser.add_argument("--report", type=Path, help="a page of --report")
    parser.add_argument("--sweep", type=Path, help="a page of run_sweep.py --report")
    parser.add_argument("--folder", type=Path, default=cli.ROOT / "docs" / "images")
    args = parser.parse_args(argv)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        faults = [fault for size in SIZES for fault in pictures(browser, args, size)]
        browser.close()
    print("\n".join(faults) or "no errors, nothing asked of another computer")
    return int(bool(faults))


def pictures(browser: Any, args: argparse.Namespace, size: tuple[int, int]) -> list[str]:
    """Write the pictures of one width; return what went wrong."""
    width, height = size
    visit = Visit(browser.new_context(viewport={"width": width, "height": height}).new_page())

    def keep(name: str) -> None:
        visit.tab.wait_for_timeout(1_000)
        visit.tab.screenshot(path=args.folder / f"{name}-{width}.png")

    for view in VIEWS if args.page else ():
        visit.go(f"{args.page}/#{view}")
        visit.tab.wait_for_selector(f".view[data-view={view}]")
        visit.tab.wait_for_selector(f"#main >> {ARRIVED.get(view, 'tbody tr >> nth=0')}")
        keep(f"live-{view}")
    if args.report:
        visit.go(args.report.resolve().as_uri())
        keep("report")
        visit.tab.click(TRADE)
        keep("report-candles")
    if args.sweep:
        visit.go(args.sweep.resolve().as_uri())
        keep("sweep")
    own = tuple(one for one in (args.page, "file:", "data:") if one)
    return visit.errors + [f"asked {url}" for url in visit.asked if not url.startswith(own)]


if __name__ == "__main__":
    sys.exit(main())
