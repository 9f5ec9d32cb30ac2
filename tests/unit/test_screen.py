"""The picture of an account on a terminal."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from core.reports.screen import LINES, Screen, drawn

NOON = 1_700_000_000_000
HELD = {
    "strategy": "TREND_EMA",
    "symbol": "BTC/USDT",
    "side": "long",
    "amount": "0.5",
    "entry_price": 43_210.5,
    "price": 0.123456,
    "stop": None,
    "take": 50_000.0,
    "open_profit": 12.5,
}
FEED = {"series": "binanceus BTC/USDT 1h", "last": NOON, "behind_ms": 61_000, "stale": False}
STATUS: dict[str, Any] = {
    "time": NOON,
    "equity": 10_012.5,
    "cash": "9000.25",
    "positions": [HELD, HELD | {"open_profit": None, "price": None}],
    "open_orders": [{"key": "k", "side": "buy", "amount": "1"}],
    "breakers": {"daily_loss": "3 % lost"},
    "quarantined": {"MR_BB": "ValueError"},
    "paused": "by me",
    "feeds": [FEED, FEED | {"last": None, "stale": True}],
}


def text(status: dict[str, Any], said: list[str]) -> str:
    out = io.StringIO()
    Console(file=out, width=140).print(drawn("account paper", status, said))
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
        "TREND_EMA bought\nrefused: exposure",
    ):
        assert part in shown


def test_an_account_at_rest_says_that_it_holds_nothing() -> None:
    calm = STATUS | {"positions": [], "open_orders": [], "breakers": {}, "quarantined": {}, "paused": ""}
    shown = text(calm, [])
    assert "no position" in shown
    assert "paused" not in shown
    assert text({}, []) == "account paper\n"


def test_the_screen_keeps_the_newest_lines_and_the_newest_status() -> None:
    out = io.StringIO()
    console = Console(file=out, width=140, height=60, force_terminal=True)
    with Screen("account paper", console) as screen:
        for i in range(LINES + 3):
            screen.say(f"line {i:02}.")
        screen.show(STATUS | {"equity": 1.0})
        screen.show(STATUS | {"equity": 2.0})
    last = out.getvalue().rpartition("account paper")[2]
    assert "equity 2.00" in last
    assert "line 02." not in last
    assert f"line {LINES + 2}." in last
