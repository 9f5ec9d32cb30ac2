"""A second judge: the moving average cross as a person writes it for plain Backtesting.py."""

from __future__ import annotations

import math
from typing import Any, cast

from backtesting import Strategy
from backtesting.lib import FractionalBacktest, crossover
from backtesting.test import GOOG

from tests.judge import Market
from tests.judge_rules import mean, true_range

UNIT = 2.0**-20


class PlainCross(Strategy):  # type: ignore[misc]
    """Turn round at each cross of two averages, sized at the close by all that closing leaves."""

    fast, slow, away, risk, exposure = 10, 30, 10.0, 0.2, 0.99

    def init(self) -> None:
        """Compute the averages and the true range over everything; each value looks back only."""
        data = self.data
        opens, highs, lows, closes = (
            (column / UNIT).tolist() for column in (data.Open, data.High, data.Low, data.Close)
        )
        swing = true_range(Market(opens, highs, lows, closes, volume=[]), 14)
        self.quick = self.I(lambda: mean(closes, self.fast), name="quick")
        self.late = self.I(lambda: mean(closes, self.slow), name="late")
        self.swing = self.I(lambda: swing, name="swing")

    def next(self) -> None:
        """Close what is held and order the other side."""
        side = 1 if crossover(self.quick, self.late) else -1 if crossover(self.late, self.quick) else 0
        if not side or side * self.position.size > 0:
            return
        close, equity = self.data.Close[-1] / UNIT, self.equity
        distance = self.away * self.swing[-1]
        units = min(self.risk * equity / distance, self.exposure * equity / close)
        self.position.close()
        order = self.buy if side > 0 else self.sell
        order(size=math.floor(units / UNIT), sl=(close - side * distance) * UNIT)


def run_plain(cash: float) -> tuple[int, float]:
    """Return the number of trades on all of GOOG, without costs, and the equity at the end."""
    stats = cast(Any, FractionalBacktest(GOOG, PlainCross, fractional_unit=UNIT, cash=cash).run())
    return len(stats._trades) + len(stats._strategy.trades), float(stats["Equity Final [$]"])
