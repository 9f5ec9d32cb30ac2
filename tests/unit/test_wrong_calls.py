"""What a person's own calls cannot mean is one clear line: what was wanted, and what came."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from core.account.orders import Refused
from core.errors import UsageError, number
from core.execution import Executor
from core.portfolio import Portfolio
from core.risk.limits import Limits
from core.risk_manager import RiskManager
from strategies.base import StrategySignal
from strategies.signal_checks import KNOWN
from tests.account_help import SYMBOL
from tests.markets import HOUR, START

NAN, INF = math.nan, math.inf
CANDLE = {"time": START, "open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0, "volume": 1.0}


def held() -> Portfolio:
    """Return an account that has bought 10 at 100."""
    portfolio = Portfolio(10_000)
    portfolio.open_long(SYMBOL, 10, 100.0, stop=90.0, tp=120.0)
    return portfolio


def executor() -> Executor:
    made = Executor(Portfolio(), RiskManager())
    made.on_candle(SYMBOL, CANDLE)
    return made


def said(call: Callable[..., object], *given: Any) -> str:
    """Return the one line that a call is refused with."""
    with pytest.raises(UsageError) as caught:
        call(*given)
    line = str(caught.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    "wrong", [-5, 0, NAN, INF, -INF, "5", None, True, np.float64(-1), Decimal("NaN"), 10**400]
)
@pytest.mark.parametrize("name", ["size", "price"])
@pytest.mark.parametrize("opens", ["open_long", "open_short"])
def test_no_entry_by_hand_is_of_an_impossible_size_or_price(opens: str, name: str, wrong: Any) -> None:
    portfolio = Portfolio()
    line = said(lambda: getattr(portfolio, opens)(SYMBOL, **{"size": 1.0, "price": 100.0, name: wrong}))
    assert line == f"{name}: wanted a number above 0, got {wrong!r}"
    assert not portfolio.positions
    assert not portfolio.marks
    assert portfolio.cash == 10_000


@pytest.mark.parametrize("wrong", [-5, 0, NAN, INF, "5", True])
@pytest.mark.parametrize("name", ["size", "price"])
@pytest.mark.parametrize("closes", ["close_long", "close_short"])
def test_no_exit_by_hand_is_of_an_impossible_size_or_price(closes: str, name: str, wrong: Any) -> None:
    portfolio = held()
    line = said(lambda: getattr(portfolio, closes)(SYMBOL, **{"price": 100.0, name: wrong}))
    assert line == f"{name}: wanted a number above 0, got {wrong!r}"
    assert portfolio.amount(SYMBOL) == 10


@pytest.mark.parametrize(
    ("opens", "bracket", "line"),
    [
        ("open_long", {"stop": 105.0}, "stop of a long: wanted a price above 0 and below 100, got 105"),
        ("open_long", {"stop": 100.0}, "stop of a long: wanted a price above 0 and below 100, got 100"),
        ("open_long", {"tp": 95.0}, "take of a long: wanted a price above 0 and above 100, got 95"),
        ("open_short", {"stop": 95.0}, "stop of a short: wanted a price above 0 and above 100, got 95"),
        ("open_short", {"tp": 105.0}, "take of a short: wanted a price above 0 and below 100, got 105"),
        ("open_long", {"stop": -5.0}, "stop: wanted a number above 0, got -5.0"),
        ("open_long", {"tp": NAN}, "tp: wanted a number above 0, got nan"),
    ],
)
def test_a_stop_by_hand_loses_and_a_take_wins(opens: str, bracket: dict[str, float], line: str) -> None:
    assert said(lambda: getattr(Portfolio(), opens)(SYMBOL, 1.0, 100.0, **bracket)) == line


@pytest.mark.parametrize("symbol", ["BTC", "btc/usdt", "BTC-USDT", "BTC/USDT:USDT", "", None])
def test_a_symbol_is_one_market_in_one_spelling(symbol: Any) -> None:
    for call in (
        lambda: Portfolio().open_long(symbol, 1.0, 100.0),
        lambda: Portfolio().close_short(symbol, 100.0),
        lambda: Executor(Portfolio(), RiskManager()).on_candle(symbol, CANDLE),
        lambda: executor().execute_signal(symbol, StrategySignal(symbol, "HOLD"), CANDLE, "MINE"),
    ):
        assert "wanted a s" in said(call)


def test_an_account_begins_with_money_that_there_can_be() -> None:
    for wrong in (NAN, INF, -1, "many", "10000", None, Decimal("-0.01")):
        assert said(Portfolio, wrong) == f"cash: wanted a number from 0 up, got {wrong!r}"
    for wrong in (NAN, -0.1, 1.5):
        line = said(Portfolio, 10_000, None, wrong)
        assert line == f"commission: wanted a number from 0 to 1, got {wrong!r}"
    assert Portfolio(Decimal("0.1")).cash == Decimal("0.1")
    assert Portfolio(np.float64(500)).cash == 500


def test_equity_is_of_prices_that_there_can_be_or_unknown() -> None:
    for wrong in (-100.0, 0, "100", None):
        for call in (lambda w=wrong: held().get_equity({SYMBOL: w}), lambda w=wrong: held().mark(SYMBOL, w)):
            assert said(call) == f"price of {SYMBOL}: wanted a number above 0, got {wrong!r}"
    assert math.isnan(held().get_equity({SYMBOL: NAN}))
    assert held().get_equity({SYMBOL: 110}) == 10_100


def test_a_number_of_numpy_s_is_one() -> None:
    portfolio: Any = Portfolio()
    portfolio.open_long(SYMBOL, np.float64(1.5), np.int64(100), stop=np.float32(90))
    assert portfolio.close_long(SYMBOL, np.float64(110.0), Decimal("0.5")) == 5.0
    assert portfolio.amount(SYMBOL) == 1


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            {"default_risk_per_trade": 0},
            "default_risk_per_trade: wanted a number above 0 and at most 1, got 0",
        ),
        (
            {"default_risk_per_trade": 5},
            "default_risk_per_trade: wanted a number above 0 and at most 1, got 5",
        ),
        ({"max_daily_loss_pct": -3}, "max_daily_loss_pct: wanted a number from 0 up, got -3"),
        ({"max_daily_loss_pct": NAN}, "max_daily_loss_pct: wanted a number from 0 up, got nan"),
        ({"limits": Limits(max_positions=-1)}, "max_positions: wanted a number from 0 up, got -1"),
        ({"limits": Limits(min_notional=NAN)}, "min_notional: wanted a number from 0 up, got nan"),
    ],
)
def test_a_risk_manager_limits_by_numbers_that_there_can_be(given: dict[str, Any], line: str) -> None:
    assert said(lambda: RiskManager(**given)) == line


def test_what_a_risk_manager_is_asked_is_a_number() -> None:
    risk = RiskManager()
    for name, call in (
        ("equity", lambda: risk.compute_position_size("1", 1.0, 1.0)),  # type: ignore[arg-type]
        ("atr_value", lambda: risk.compute_position_size(1.0, None, 1.0)),  # type: ignore[arg-type]
        ("atr_stop_mult", lambda: risk.compute_position_size(1.0, 1.0, "1")),  # type: ignore[arg-type]
        ("risk_r", lambda: risk.compute_position_size(1.0, 1.0, 1.0, None)),  # type: ignore[arg-type]
        ("equity", lambda: risk.can_open_new_trade(None)),  # type: ignore[arg-type]
        ("pnl", lambda: risk.register_trade_pnl("1", 1.0)),  # type: ignore[arg-type]
        ("equity_before", lambda: risk.register_trade_pnl(1.0, None)),  # type: ignore[arg-type]
    ):
        assert said(call).startswith(f"{name}: wanted a number, got ")
    assert risk.compute_position_size(INF, 1.0, 1.0) == 0
    assert risk.compute_position_size(10_000.0, 2.0, 1.5) == 33


@pytest.mark.parametrize(
    ("candle", "words"),
    [
        (
            {"time": START, "open": 1},
            "wanted a mapping with time, open, high, low, close, volume; high, low, close",
        ),
        ({"open": 1}, "time is not in"),
        (None, "time is not in None"),
        (
            {**CANDLE, "close": "100"},
            f"close of candle {START} of {SYMBOL}: wanted a number above 0, got '100'",
        ),
        ({**CANDLE, "volume": -1}, f"volume of {SYMBOL}: wanted a number from 0 up, got -1"),
        ({**CANDLE, "time": 1.5}, "cannot read the time 1.5"),
    ],
)
def test_a_candle_that_lacks_something_is_said_to(candle: Any, words: str) -> None:
    made = Executor(Portfolio(), RiskManager())
    assert words in said(lambda: made.on_candle(SYMBOL, candle))
    # The right one may still come.
    made.on_candle(SYMBOL, CANDLE)
    assert made.portfolio.marks == {SYMBOL: 100.0}


def test_the_candle_of_a_signal_has_a_time_and_a_close() -> None:
    made, hold = executor(), StrategySignal(SYMBOL, "HOLD")
    for candle, words in (({"time": START}, "close is not in"), ({"close": 1.0}, "time is not in")):
        assert words in said(made.execute_signal, SYMBOL, hold, candle, "MINE")
    for signal in (None, "OPEN_LONG"):
        line = said(made.execute_signal, SYMBOL, signal, CANDLE, "MINE")
        assert line == f"wanted a StrategySignal (HOLD for nothing), got {signal!r}"


WHOSE = f"OPEN_LONG of {SYMBOL}: "


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ({"target": 2}, "extra['target']: wanted a number from -1 to 1, got 2"),
        ({"target": -1}, "extra['target']: wanted a number above 0 and at most 1, got -1"),
        ({"target": 0.0}, "extra['target']: wanted a number above 0 and at most 1, got 0.0"),
        ({"target": NAN}, "extra['target']: wanted a number from -1 to 1, got nan"),
        ({"stop": 97.0, "add": 1.5}, "extra['add']: wanted a number above 0 and at most 1, got 1.5"),
        ({"stop": 97.0, "rr_ratio": -2.0}, "extra['rr_ratio']: wanted a number above 0, got -2.0"),
        ({"stop": 97.0, "rr_ratio": None}, "extra['rr_ratio']: wanted a number above 0, got None"),
        ({"atr": 2.0, "atr_stop_mult": 0}, "extra['atr_stop_mult']: wanted a number above 0, got 0"),
        (
            {"stop": 97.0, "risk_per_trade": 5},
            "extra['risk_per_trade']: wanted a number above 0 and at most 1, got 5",
        ),
        ({"stop": 97.0, "level": 1.5}, "a rung: wanted a whole number, got 1.5"),
        ({"stop": 97.0, "level": -1}, "a rung: wanted a number from 0 to 62, got -1"),
        ({"stop": 97.0, "levels": [1]}, "extra['levels']: wanted rungs as {1: True, 2: False}, got [1]"),
        ({"stop": 105.0}, "stop of a long: wanted a price above 0 and below 100, got 105"),
        ({"stop": -5.0}, "stop of a long: wanted a price above 0 and below 100, got -5"),
        ({"atr": 100.0}, "stop of a long: wanted a price above 0 and below 100, got -50"),
        ({"atr": -1.0}, "stop of a long: wanted a price above 0 and below 100, got 101.5"),
        ({"stop": 97.0, "tp": 99.0}, "take of a long: wanted a price above 0 and above 100, got 99"),
    ],
)
def test_a_signal_that_cannot_be_meant_is_no_trade(extra: dict[str, Any], line: str) -> None:
    made = executor()
    signal = StrategySignal(SYMBOL, "OPEN_LONG", 1.0, extra)
    assert said(lambda: made.execute_signal(SYMBOL, signal, CANDLE, "MINE")) == WHOSE + line
    assert made.portfolio.pending == {}
    right = StrategySignal(SYMBOL, "OPEN_LONG", 1.0, {"stop": 97.0, "rr_ratio": 2.0})
    assert len(made.execute_signal(SYMBOL, right, CANDLE, "MINE")) == 1


@pytest.mark.parametrize(
    ("name", "near"),
    [("typo_rr", None), ("rr_ration", "rr_ratio"), ("Stop", "stop"), ("risk_per_trad", "risk_per_trade")],
)
def test_a_misspelt_name_in_extra_is_answered_with_the_nearest_and_all_known(
    name: str, near: str | None
) -> None:
    signal = StrategySignal(SYMBOL, "OPEN_LONG", 1.0, {"stop": 97.0, name: 2.0})
    line = said(lambda: executor().execute_signal(SYMBOL, signal, CANDLE, "MINE"))
    assert line.startswith(f"{WHOSE}extra: unknown name '{name}': ")
    assert line.endswith(f"known: {', '.join(sorted(KNOWN))}; what is your own goes into extra['notes']")
    assert re.findall(r"did you mean (\S+)\?", line) == ([] if near is None else [near])


def test_what_a_strategy_notes_for_itself_changes_no_order() -> None:
    notes = {"typo_rr": 2.0, "why": ["breakout", object()], "stop": -1, "target": "text"}
    orders = []
    for extra in ({"stop": 97.0}, {"stop": 97.0, "notes": notes}, {"stop": 97.0, "notes": "a word"}):
        (order,) = executor().execute_signal(
            SYMBOL, StrategySignal(SYMBOL, "OPEN_LONG", 1.0, extra), CANDLE, "MINE"
        )
        orders.append(order)
    assert orders[1] == orders[0]
    assert orders[2] == orders[0]


def test_a_hold_moves_a_stop_only_to_where_it_loses() -> None:
    made = executor()
    made.portfolio.open_long(SYMBOL, 1.0, 100.0, stop=90.0)
    made.execute_signal(SYMBOL, StrategySignal(SYMBOL, "OPEN_LONG", 1.0, {"stop": 97.0}), CANDLE, "MINE")
    made.on_candle(SYMBOL, {**CANDLE, "time": START + HOUR})
    wrong = StrategySignal(SYMBOL, "HOLD", 1.0, {"stop": 103.0})
    line = said(lambda: made.execute_signal(SYMBOL, wrong, {**CANDLE, "time": START + HOUR}, "MINE"))
    assert line == f"HOLD of {SYMBOL}: stop of a long: wanted a price above 0 and below 100, got 103"


def test_a_rule_s_own_stop_behind_the_close_is_refused_where_it_is_sized_as_in_a_backtest() -> None:
    signal = StrategySignal(SYMBOL, "OPEN_LONG", 1.0, {"target": 0.5, "stop": 105.0})
    (refused,) = executor().execute_signal(SYMBOL, signal, CANDLE, "MINE")
    assert isinstance(refused, Refused)
    assert refused.detail == "stop and take must be positive and enclose the price"


def test_bounds_of_a_number_are_said_as_they_are() -> None:
    assert said(lambda: number("n", 2, 0, 1)) == "n: wanted a number from 0 to 1, got 2"
    assert said(lambda: number("n", 0, above=0)) == "n: wanted a number above 0, got 0"
    assert said(lambda: number("n", "1")) == "n: wanted a number, got '1'"
    assert math.isnan(number("n", NAN, 0, or_unknown=True))
    assert number("n", Decimal("0.5"), 0, 1) == 0.5
