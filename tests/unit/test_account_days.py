"""What a day's figures are, against sums worked out by hand."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from core.errors import UsageError
from core.results.days import (
    DayFill,
    DayResult,
    DayTrade,
    curve_of,
    date_of,
    day_start,
    drawdown_pct,
    fees_by_asset,
    realised_curve,
    result,
    results,
    sharpe_of_days,
    sharpe_of_equity,
)
from core.results.measures import DAY, FEWEST

D = Decimal
START = 1_771_459_200_000
"""2026-02-19."""
HOUR = 3_600_000


def trade(strategy: str, pnl: str, time: int = START) -> DayTrade:
    return DayTrade(strategy, time, D(pnl))


def fill(strategy: str = "A", fee: str = "0.1", asset: str = "USDT", price: str = "100") -> DayFill:
    return DayFill(
        strategy=strategy,
        symbol="BTC/USDT",
        time=START,
        price=D(price),
        fee=D(fee),
        fee_asset=asset,
        waited=None,
    )


def test_a_day_has_a_name_and_a_beginning() -> None:
    assert day_start("2026-02-19") == START
    assert [date_of(START - 1), date_of(START), date_of(START + DAY - 1)] == [
        "2026-02-18",
        "2026-02-19",
        "2026-02-19",
    ]


@pytest.mark.parametrize("text", ["2026-02-30", "2026-2-19", "yesterday", "", "2026-02-19T00:00"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="wanted a day such as 2026-02-19, got"):
        day_start(text)


def test_profits_and_losses_are_added_up_exactly_and_nothing_is_neither() -> None:
    trades = [trade("A", "0.1"), trade("A", "0.2"), trade("A", "-0.7"), trade("A", "0")]
    fills = [fill(fee="0.03"), fill(fee="0.0002", asset="BTC", price="150"), fill(fee="1", asset="BNB")]
    assert result("A", trades, fills, "USDT") == DayResult(
        strategy="A",
        trades=4,
        wins=2,
        losses=1,
        gross_profit=D("0.3"),
        gross_loss=D("0.7"),
        net=D("-0.4"),
        fees=D("0.06"),
        fills=3,
    )
    assert fees_by_asset(fills) == {"USDT": D("0.03"), "BTC": D("0.0002"), "BNB": D(1)}


def test_each_strategy_that_did_something_has_its_own_result() -> None:
    found = results([trade("B", "1"), trade("A", "-2")], [fill("C", "0.5")], "USDT")
    assert [(one.strategy, one.trades, one.net, one.fees) for one in found] == [
        ("A", 1, D(-2), D(0)),
        ("B", 1, D(1), D(0)),
        ("C", 0, D(0), D("0.5")),
    ]


CURVE = curve_of([(START, 100.0), (START + HOUR, math.nan), (START + 2 * HOUR, 90.0), (START + DAY, 120.0)])


def test_equity_at_a_moment_is_that_of_the_last_bar_closed_by_then() -> None:
    moments = [START - 1, START, START + 2 * HOUR - 1, START + 2 * HOUR, START + 9 * DAY]
    assert [CURVE.at(time) for time in moments] == [100.0, 100.0, 100.0, 90.0, 120.0]
    assert curve_of([]).at(START) is None


def test_a_stretch_begins_with_the_equity_before_it_and_ends_with_a_bar_that_closes_at_its_end() -> None:
    assert CURVE.within(START, START + DAY).tolist() == [100.0, 90.0, 120.0]
    assert CURVE.within(START + HOUR, START + 3 * HOUR).tolist() == [100.0, 90.0]
    assert curve_of([]).within(START, START + DAY).tolist() == []
    assert CURVE.until(START + 2 * HOUR).equity.tolist() == [100.0, 90.0]


def test_the_deepest_fall_is_measured_from_the_peak_before_it() -> None:
    assert drawdown_pct([100.0, 120.0, 90.0, 110.0]) == pytest.approx(25.0)
    assert drawdown_pct([100.0, 110.0]) == 0.0
    assert drawdown_pct([]) is None
    assert drawdown_pct([0.0, 1.0]) is None
    assert drawdown_pct(realised_curve(100.0, [trade("A", "10"), trade("A", "-22")])) == pytest.approx(20.0)


def test_a_sharpe_ratio_needs_sixty_days_and_is_the_textbooks() -> None:
    growth = [1.01 if n % 3 else 0.99 for n in range(FEWEST)]
    equity = [100.0]
    for factor in growth:
        equity.append(equity[-1] * factor)
    points = [(START + n * DAY, value) for n, value in enumerate(equity)]
    returns = np.array(growth) - 1
    wanted = returns.mean() / returns.std(ddof=1) * math.sqrt(365)
    assert sharpe_of_equity(curve_of(points)) == pytest.approx(wanted)
    assert sharpe_of_equity(curve_of(points[:-1])) is None
    assert sharpe_of_equity(curve_of([])) is None
    first = START // DAY
    opening = {first + n: equity[n] for n in range(FEWEST)}
    earned = {first + n: equity[n + 1] - equity[n] for n in range(FEWEST)}
    assert sharpe_of_days(earned, opening, first + FEWEST - 1) == pytest.approx(wanted)
    assert sharpe_of_days(earned, opening, first + FEWEST - 2) is None
    assert sharpe_of_days({}, opening, first + FEWEST - 1) is None
