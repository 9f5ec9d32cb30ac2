"""The picture of an account on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from core.live.status import AccountStatus
from core.reports.screen import KEPT, LEAST, Screen, drawn
from tests.status_help import CALM, FEED, STATUS

REFUSED = "2026-11-21 19:29 MR_BB BTC/USDT entry refused, symbol_exposure: " + " ".join(
    map(str, range(1000, 1030))
)


def text(status: AccountStatus | None, said: list[str], width: int = 140, height: int = 40) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height)
    console.print(drawn("account paper", status, said, console))
    return out.getvalue()


def test_everything_a_person_should_see_is_on_the_screen() -> None:
    shown = text(STATUS, ["TREND_EMA bought", "refused: exposure"])
    for part in (
        "account paper",
        "2023-11-14 22:13 UTC   equity 10,012.50   cash 9,000.25   open profit +12.50",
        "43,210.5",
        "0.123456",
        "waiting: buy 1 (k)",
        "daily_loss: 3 % lost",
        "MR_BB: ValueError",
        "entries are paused: by me",
        "61 s, SILENT",
        "none yet",
        "hold BTC/USDT: others sold: run_live.py --accept BTC/USDT",
        "halt: doubled: run_live.py --release halt",
        "open order of somebody else: sell 1 ETH/USDT, order 7",
        "held outside the account: 0.5 BTC, worth 36,000.00",
        "missing at the exchange: 3 DOGE, of unknown value",
        "TREND_EMA bought\nrefused: exposure",
    ):
        assert part in shown


def test_an_account_at_rest_says_that_it_holds_nothing() -> None:
    shown = text(CALM, [])
    assert "no position" in shown
    assert "paused" not in shown
    assert text(None, []) == "account paper\n"


def test_a_long_reason_goes_on_in_the_next_row_and_nothing_of_it_is_cut() -> None:
    shown = text(STATUS, ["first", REFUSED, "last"], width=100)
    assert " ".join(REFUSED.split()) in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 100
    assert "…" not in shown


@pytest.mark.parametrize("height", [24, 30, 60])
def test_the_newest_lines_fill_the_height_of_the_terminal_and_no_more(height: int) -> None:
    lines = [f"line {i:03}." for i in range(100)]
    lines[-3] = REFUSED
    shown = text(STATUS, lines, width=100, height=height).splitlines()
    assert len(shown) == height - 1
    assert shown[-1] == "line 099."


def test_events_keep_their_rows_however_many_feeds_there_are() -> None:
    feeds = tuple(FEED._replace(series=f"binanceus A{i}/USDT 1h") for i in range(40))
    lines = [f"line {i:03}." for i in range(20)]
    shown = text(STATUS._replace(feeds=(*feeds, FEED._replace(stale=True))), lines, height=24).splitlines()
    assert "40 feeds are up to date, 1 are silent" in shown
    assert sum(line.startswith("line") for line in shown) >= LEAST
    calm = text(STATUS._replace(feeds=feeds), lines, height=24)
    assert "40 feeds are up to date, 0 are silent" in calm
    assert "newest candle" not in calm


@pytest.mark.unmeasured
def test_the_screen_keeps_the_newest_lines_and_the_newest_status() -> None:
    out = io.StringIO()
    console = Console(file=out, width=140, height=60, force_terminal=True)
    with Screen("account paper", console) as screen:
        for i in range(KEPT + 3):
            screen.say(f"line {i:03}.")
        screen.show(STATUS._replace(equity=1.0))
        screen.show(STATUS._replace(equity=2.0))
    last = out.getvalue().rpartition("account paper")[2]
    assert "equity 2.00" in last
    assert "line 002." not in last
    assert f"line {KEPT + 2}." in last
