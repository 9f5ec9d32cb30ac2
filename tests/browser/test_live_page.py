"""The live page in a browser: every view on a seeded account, kept up to date, safe, and usable by keys."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from core.live.status import to_document
from core.order_path.lock import AccountLock
from core.page.account import ENTRIES, Watched
from core.page.guard import Keys
from core.page.server import PageTerms, serve
from db import live
from db.init_db import init_db
from tests.browser.conftest import Visit
from tests.browser.looks import faults
from tests.markets import START
from tests.page_help import planted, seeded
from tests.status_help import STATUS
from tests.stored import url_of
from tests.traded import trade

VIEWS = ("account", "markets", "decisions", "strategies", "runs", "risk", "journal", "health")
HOSTILE = "</script><b data-hostile onload=x>"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    found = seeded(tmp_path, hostile=HOSTILE)
    yield found
    found.dispose()


@pytest.fixture
def url(engine: Engine) -> Iterator[str]:
    with serve(
        PageTerms(Watched(engine, "paper"), port=0, keys=Keys(token="a-token"), pause=0.05)
    ) as address:
        yield address


def open_view(visit: Visit, url: str, name: str) -> Any:
    visit.go(f"{url}/#{name}")
    visit.tab.wait_for_selector(f".view[data-view={name}]")
    return visit.tab


def test_every_view_is_drawn_from_the_database_without_a_fault(url: str, visit: Visit) -> None:
    waits = {
        "account": "text=10,012.50",
        "markets": "section[data-bars] >> nth=1",
        "decisions": "tbody tr >> nth=49",
        "strategies": "text=bb_period 20",
        "runs": "text=GRID_LR",
        "risk": "role=meter >> nth=1",
        "journal": "text=The journal is empty.",
        "health": "text=Not well",
    }
    for name in VIEWS:
        tab = open_view(visit, url, name)
        tab.wait_for_selector(f"#main >> {waits[name]}")
        assert faults(tab) == [], name
        tab.click("#theme")
        assert faults(tab) == [], f"{name} in the other colours"
    assert visit.tab.locator("[data-hostile]").count() == 0
    assert {address for address in visit.asked if not address.startswith((url, "data:"))} == set()


def test_text_from_the_database_is_shown_as_text(url: str, visit: Visit) -> None:
    tab = open_view(visit, url, "account")
    tab.wait_for_selector("text=Breaker daily_loss")
    assert f"3 % lost{HOSTILE}" in tab.inner_text("#main")
    tab = open_view(visit, url, "decisions")
    tab.wait_for_selector("tbody tr")
    assert f"entry{HOSTILE}" in tab.inner_text("#main")
    assert tab.locator("[data-hostile]").count() == 0


def test_markup_in_every_text_that_is_stored_stays_text(url: str, engine: Engine, visit: Visit) -> None:
    assert planted(engine, HOSTILE) >= 20
    for name in VIEWS:
        tab = open_view(visit, url, name)
        if name in ("account", "markets", "decisions", "strategies", "runs"):
            tab.wait_for_function("t => document.querySelector('#main').textContent.includes(t)", arg=HOSTILE)
        assert tab.locator("[data-hostile]").count() == 0, name
    # No symbol is called that, so its candles are refused, and shown as such.
    assert [one for one in visit.errors if not one.startswith("Failed to load resource")] == []
    visit.errors.clear()


def test_what_the_loop_says_appears_without_a_reload(url: str, engine: Engine, visit: Visit) -> None:
    tab = open_view(visit, url, "account")
    tab.wait_for_selector("text=10,012.50")
    tab.wait_for_selector(".curve .chart")
    tab.evaluate("document.querySelector('.curve .chart').dataset.kept = 'yes'")
    run = live.newest_run(engine, "paper")
    assert run
    status = to_document(STATUS._replace(equity=12_345.67, breakers={}, currency="USDT"))
    live.record(engine, run.id, status=status, now=START + 1)
    tab.wait_for_selector("text=12,345.67")
    assert "Breaker" not in tab.inner_text("#main")
    assert tab.locator("#main .chart[data-kept=yes]").count() == 1
    live.end_run(engine, run.id, "told to stop", START + 2)
    tab.wait_for_selector("#banner >> text=The loop ended at")


def test_what_is_held_has_a_chart_with_its_entry_stop_and_take(
    url: str, engine: Engine, visit: Visit
) -> None:
    tab = open_view(visit, url, "account")
    tab.wait_for_selector("section.held[data-lines='3'][data-trades='60']")
    assert faults(tab) == []
    run = live.newest_run(engine, "paper")
    assert run
    held = STATUS.positions[0]._replace(stop=None)
    live.record(engine, run.id, status=to_document(STATUS._replace(positions=(held,))), now=START + 1)
    tab.wait_for_selector("section.held[data-lines='2']")
    live.record(engine, run.id, status=to_document(STATUS._replace(positions=())), now=START + 2)
    tab.wait_for_selector("section.held", state="detached")


def test_two_timeframes_stand_side_by_side_with_averages_regimes_and_trades(url: str, visit: Visit) -> None:
    tab = open_view(visit, url, "markets")
    tab.wait_for_selector("section[data-bars] >> nth=1")
    names = tab.eval_on_selector_all(
        "select[aria-label=series]", "all => all.map(one => one.selectedOptions[0].text)"
    )
    assert names == ["binanceus BTC/USDT 1h", "binanceus BTC/USDT 4h"]
    tab.select_option("select[aria-label=indicators] >> nth=0", "averages 20, 50")
    tab.check("input[type=checkbox] >> nth=0")
    tab.select_option("select[aria-label=candles] >> nth=0", "5000")
    tab.wait_for_selector("section[data-bars]:not([data-bars='1500']) >> nth=1")
    assert int(tab.get_attribute("section[data-bars] >> nth=0", "data-bars")) > 2900
    assert tab.get_attribute("section[data-bars] >> nth=0", "data-trades") == "60"


def test_candles_that_come_anew_leave_the_stretch_that_is_looked_at(url: str, visit: Visit) -> None:
    tab = open_view(visit, url, "markets")
    tab.wait_for_selector("section[data-bars] >> nth=1")
    stretch = "(({ min, max }) => [min, max])(document.querySelector('section[data-bars]').shown)"
    tab.click("section[data-bars] button[aria-label='zoom in'] >> nth=0")
    tab.click("section[data-bars] button[aria-label=earlier] >> nth=0")
    before = tab.evaluate(stretch)
    tab.evaluate("document.querySelector('section[data-bars] .chart').dataset.old = 'yes'")
    tab.check("input[type=checkbox] >> nth=0")
    tab.wait_for_selector("section[data-bars] >> nth=0 >> .chart:not([data-old])")
    assert tab.evaluate(stretch) == before


def test_a_command_asks_first_needs_the_token_and_shows_its_outcome(
    url: str, engine: Engine, visit: Visit
) -> None:
    tab = open_view(visit, url, "account")
    tab.wait_for_selector("#commands button")
    tab.click("#commands button:text-is('pause')")
    assert "No entries any more" in tab.inner_text("#ask")
    assert faults(tab) == []
    tab.fill("#ask input[type=password]", "wrong")
    tab.click("#ask button[type=submit]")
    tab.wait_for_selector("#ask >> text=the token is not the page's")
    tab.fill("#ask input[type=password]", "a-token")
    tab.click("#ask button[type=submit]")
    tab.wait_for_selector("#ask >> text=no loop runs on account paper")
    visit.errors.clear()  # What was refused is in the browser's own log.
    with AccountLock(Path(str(engine.url.database)), "paper"):
        answerer = threading.Thread(target=answer, args=(engine,))
        answerer.start()
        tab.click("#ask button[type=submit]")
        tab.wait_for_selector("#ask >> text=paused by live page")
        answerer.join()
    tab.keyboard.press("Escape")
    assert not tab.locator("#ask").is_visible()


def answer(engine: Engine) -> None:
    """Do what the loop does with a command."""
    while not (waiting := live.waiting_commands(engine, "paper")):
        threading.Event().wait(0.02)
    live.take_command(engine, waiting[0].id, f"paused by {waiting[0].origin}", START)


def test_without_a_token_the_page_is_for_looking(visit: Visit, engine: Engine) -> None:
    with serve(PageTerms(Watched(engine, "paper"), port=0)) as url:
        tab = open_view(visit, url, "account")
        tab.wait_for_selector("#commands >> text=for looking only")
        assert tab.locator("#main button:text('release')").count() == 0
        tab.goto("about:blank")


def test_an_account_that_never_ran_and_a_server_that_went_away_are_said(visit: Visit, tmp_path: Path) -> None:
    engine = init_db(url_of(tmp_path / "empty.db"))
    with serve(PageTerms(Watched(engine, "paper"), port=0)) as url:
        for name in VIEWS:
            tab = open_view(visit, url, name)
            tab.wait_for_selector("#main >> css=.empty, .cards")
            assert faults(tab) == [], name
        tab = open_view(visit, url, "account")
        assert "python scripts/run_live.py" in tab.inner_text("#main")
    tab.wait_for_selector("#banner >> text=The page's server cannot be reached")
    tab.goto("about:blank")
    visit.errors.clear()  # The lost line is in the browser's own log.
    engine.dispose()


def test_a_page_that_is_opened_while_the_database_is_away_says_so_until_it_is_back(
    engine: Engine, url: str, tmp_path: Path, visit: Visit
) -> None:
    file = Path(str(engine.url.database))
    away = file.rename(tmp_path / "away.db")
    visit.go(url)
    tab = visit.tab
    tab.wait_for_selector(f"#banner >> text=The database cannot be read: the database {file} is gone")
    assert "What the account holds is not known" in tab.inner_text("#banner")
    assert tab.inner_text("#pulse") == "not known"
    with tab.expect_request("**/events", timeout=20_000):
        # The browser asks anew, as the server has ended the stream: that is no lost connection.
        assert "cannot be reached" not in tab.inner_text("#banner")
    away.rename(file)
    tab.wait_for_selector("text=10,012.50")
    assert "cannot be read" not in tab.inner_text("#banner")
    visit.errors.clear()  # What was refused is in the browser's own log.


def test_a_page_that_is_opened_on_a_status_that_is_no_json_says_so(
    url: str, engine: Engine, visit: Visit
) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE live_runs SET status_json = '{'"))
    visit.go(url)
    visit.tab.wait_for_selector("#banner >> text=the status of run 1 cannot be read: '{'")
    visit.tab.goto("about:blank")
    visit.errors.clear()


def test_a_page_that_never_reached_its_server_says_so(url: str, visit: Visit) -> None:
    visit.tab.route("**/events", lambda route: route.abort())
    visit.go(url)
    visit.tab.wait_for_selector("#banner >> text=cannot be reached. It is tried again and again. What the")
    assert visit.tab.inner_text("#pulse") == "no connection"
    visit.errors.clear()


def test_lengths_of_time_below_a_minute_are_seconds(url: str, visit: Visit) -> None:
    tab = open_view(visit, url, "account")
    times = [0, 31_000, 59_999, 60_000, 3_660_000, 90_000_000]
    told = ["0 s", "31 s", "59 s", "1 min", "1 h 1 min", "1 d 1 h"]
    assert tab.evaluate("all => all.map(lasting)", times) == told


def test_lists_of_long_texts_fit_a_phone_and_wide_tables_show_that_they_go_on(
    url: str, engine: Engine, visit: Visit
) -> None:
    live.give_command(engine, "paper", "pause", "", "a test", START)
    is_phone = visit.tab.viewport_size["width"] < 600
    for name in ("decisions", "health"):
        tab = open_view(visit, url, name)
        tab.wait_for_selector("table.stack tbody tr")
        assert tab.eval_on_selector(".scroll:has(.stack)", "one => one.scrollWidth <= one.clientWidth"), name
        # Each cell says what it is where the headings are not above it.
        heads = tab.eval_on_selector_all(
            ".stack tr:first-child td", "all => all.map(one => one.dataset.head)"
        )
        assert heads == tab.eval_on_selector_all(".stack th", "all => all.map(one => one.textContent)")
        assert tab.locator(".stack thead").bounding_box()["x"] < 0 or not is_phone
    tab = open_view(visit, url, "account")
    tab.wait_for_selector("text=10,012.50")
    shadows = tab.eval_on_selector(".scroll", "one => getComputedStyle(one).backgroundAttachment")
    assert shadows.split(", ") == ["local", "local", "scroll", "scroll"]


def test_amounts_of_older_rows_are_plain_numbers_too(url: str, visit: Visit) -> None:
    tab = open_view(visit, url, "decisions")
    texts = ["0E-8", "1E-8", "0.0100", "100", "1.5E+3", ""]
    assert tab.evaluate("all => all.map(exact)", texts) == ["0", "0.00000001", "0.01", "100", "1500", ""]


def test_the_journal_is_short_and_its_entries_unfold(tmp_path: Path, visit: Visit) -> None:
    trade(tmp_path / "hot.db")
    engine = init_db(url_of(tmp_path / "hot.db"))
    with serve(PageTerms(Watched(engine, "paper"), port=0, pause=0.05)) as address:
        tab = open_view(visit, address, "journal")
        tab.wait_for_selector("tbody tr")
        newest = int(tab.inner_text("tbody tr:first-child td:first-child"))
        assert tab.locator("tbody tr").count() == min(newest, ENTRIES)
        assert tab.locator("tbody details[open]").count() == 0
        assert not tab.locator("tbody code >> nth=0").is_visible()
        tab.click("tbody summary >> nth=0")
        assert json.loads(tab.inner_text("tbody details code >> nth=0"))
        assert tab.evaluate("document.documentElement.scrollHeight") < 4_500
        assert faults(tab) == []
        tab.goto("about:blank")
    engine.dispose()


def test_the_page_is_used_with_the_keyboard_alone(url: str, visit: Visit) -> None:
    tab = open_view(visit, url, "account")
    tab.wait_for_selector("text=10,012.50")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "To what is shown"
    reached = set()
    for _ in range(40):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.textContent.trim()"))
    assert {"pause", "Markets", "Health", "resume"} <= reached
    tab.focus("#nav a[href='#risk']")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".view[data-view=risk]")
    assert tab.get_attribute("#nav a[href='#risk']", "aria-current") == "page"
