"""The adapter against plain Backtesting.py classes that say the same rule the usual way."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from backtesting import Backtest, Strategy

from bench.backtests import PlainMeanReversion, PlainTrendEma
from core.backtester import prepare_ohlcv_for_backtesting
from core.candles.frames import frame_from_bars
from strategies.mean_reversion_bb import MeanReversionBBBacktest
from strategies.trend_ema import TrendEmaBacktest
from tests.markets import random_bars
from tests.tiers import statistics, tries

CASH = 10_000_000.0
COLUMNS = ["Size", "EntryBar", "ExitBar", "EntryPrice", "ExitPrice", "SL", "TP", "PnL", "Commission"]


def run(strategy: type[Strategy], seed: int, **params: Any) -> tuple[pd.DataFrame, list[float]]:
    data = prepare_ohlcv_for_backtesting(frame_from_bars(random_bars(seed, 1200, price=1000.0)))
    backtest = Backtest(data, strategy, cash=CASH, commission=0.001, finalize_trades=True)
    stats = backtest.run(**params)
    return stats["_trades"][COLUMNS], stats["_equity_curve"]["Equity"].tolist()


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(tries(5, 2)))
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
