"""The adapter against plain Backtesting.py classes that say the same rule the usual way."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from backtesting import Backtest, Strategy

from core.backtester import prepare_ohlcv_for_backtesting
from core.bars import frame_from_bars
from strategies.indicators import atr, bollinger, ema
from strategies.mean_reversion_bb import MeanReversionBBBacktest
from strategies.trend_ema import TrendEmaBacktest
from tests.markets import random_bars

CASH = 10_000_000.0
COLUMNS = ["Size", "EntryBar", "ExitBar", "EntryPrice", "ExitPrice", "SL", "TP", "PnL", "Commission"]


class PlainTrendEma(Strategy):  # type: ignore[misc]
    def init(self) -> None:
        data = self.data
        self.fast = self.I(ema, data.Close, 20)
        self.slow = self.I(ema, data.Close, 50)
        self.atr = self.I(atr, data.High, data.Low, data.Close, 14)

    def next(self) -> None:
        close = self.data.Close[-1]
        if not self.position and self.fast[-1] > self.slow[-1] and close > self.fast[-1]:
            stop = close - 1.5 * self.atr[-1]
            size = min(self.equity * 0.01 / (close - stop), 0.95 * self.equity / (close * 1.001))
            if int(size):
                self.buy(size=int(size), sl=stop, tp=close + 2 * (close - stop))


class PlainMeanReversion(Strategy):  # type: ignore[misc]
    def init(self) -> None:
        data = self.data
        self.mid, self.upper, self.lower = self.I(bollinger, data.Close, 20, 2.0)
        self.atr = self.I(atr, data.High, data.Low, data.Close, 14)

    def next(self) -> None:
        close = self.data.Close[-1]
        if self.position:
            return
        if close < self.lower[-1]:
            stop = min(self.data.Low[-1], close - 2 * self.atr[-1])
            self.buy(size=self.units(close, stop), sl=stop, tp=self.mid[-1])
        elif close > self.upper[-1]:
            stop = max(self.data.High[-1], close + 2 * self.atr[-1])
            self.sell(size=self.units(close, stop), sl=stop, tp=self.mid[-1])

    def units(self, close: float, stop: float) -> int:
        return int(min(self.equity * 0.01 / abs(close - stop), 0.95 * self.equity / (close * 1.001)))


def run(strategy: type[Strategy], seed: int, **params: Any) -> tuple[pd.DataFrame, list[float]]:
    data = prepare_ohlcv_for_backtesting(frame_from_bars(random_bars(seed, 1200, price=1000.0)))
    backtest = Backtest(data, strategy, cash=CASH, commission=0.001, finalize_trades=True)
    stats = backtest.run(**params)
    return stats["_trades"][COLUMNS], stats["_equity_curve"]["Equity"].tolist()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("ours", "plain"), [(TrendEmaBacktest, PlainTrendEma), (MeanReversionBBBacktest, PlainMeanReversion)]
)
def test_the_adapter_trades_exactly_as_a_hand_written_class(
    ours: type[Strategy], plain: type[Strategy], seed: int
) -> None:
    our_trades, our_equity = run(ours, seed, commission=0.001)
    plain_trades, plain_equity = run(plain, seed)
    assert len(plain_trades) > 5
    pd.testing.assert_frame_equal(our_trades, plain_trades, check_exact=True)
    assert our_equity == plain_equity
