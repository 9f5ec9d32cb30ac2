"""What the adapter costs, against plain Backtesting.py classes that say the same rule the usual way.

tests/parity/test_adapter.py shows that they make the same trades.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
from backtesting import Strategy
from backtesting.lib import FractionalBacktest

from bench.harness import Case
from core.backtest.partners import looked_at, partners_of
from core.backtester import prepare_ohlcv_for_backtesting
from core.candles.frames import frame_from_bars
from core.domain import LOT, Bars, Costs, Series
from core.exchange_sim.synthetic import SyntheticSource
from core.multi_backtester import Job, run_jobs
from core.reports.table import summary_cells
from core.results.runs import RunSpec
from core.utils import parse_time, timeframe_ms
from strategies.indicators import atr, bollinger, ema
from strategies.mean_reversion_bb import MeanReversionBBBacktest
from strategies.pairing import Partners
from strategies.registry import REGISTRY, load_strategy
from strategies.trend_ema import TrendEmaBacktest

CASH = 10_000.0
COMMISSION = 0.001
ADAPTER = 1.15
EVERY = "every strategy x 2 symbols, 4 years of 1h"


class PlainTrendEma(Strategy):  # type: ignore[misc]
    """TREND_EMA with its default parameters, written for Backtesting.py alone."""

    def init(self) -> None:
        """Declare the indicators."""
        data = self.data
        self.fast = self.I(ema, data.Close, 20)
        self.slow = self.I(ema, data.Close, 50)
        self.atr = self.I(atr, data.High, data.Low, data.Close, 14)

    def next(self) -> None:
        """Enter with the trend."""
        close = self.data.Close[-1]
        if not self.position and self.fast[-1] > self.slow[-1] and close > self.fast[-1]:
            stop = close - 1.5 * self.atr[-1]
            size = units(self.equity, close, stop)
            if size:
                self.buy(size=size, sl=stop, tp=close + 2 * (close - stop))


class PlainMeanReversion(Strategy):  # type: ignore[misc]
    """MR_BB with its default parameters, written for Backtesting.py alone."""

    def init(self) -> None:
        """Declare the indicators."""
        data = self.data
        self.mid, self.upper, self.lower = self.I(bollinger, data.Close, 20, 2.0)
        self.atr = self.I(atr, data.High, data.Low, data.Close, 14)

    def next(self) -> None:
        """Fade a close outside the bands."""
        close = self.data.Close[-1]
        if self.position:
            return
        if close < self.lower[-1]:
            stop = min(self.data.Low[-1], close - 2 * self.atr[-1])
            self.buy(size=units(self.equity, close, stop), sl=stop, tp=self.mid[-1])
        elif close > self.upper[-1]:
            stop = max(self.data.High[-1], close + 2 * self.atr[-1])
            self.sell(size=units(self.equity, close, stop), sl=stop, tp=self.mid[-1])


def units(equity: float, close: float, stop: float) -> int:
    """Return the whole units that risk 1 % of equity and cost at most 95 % of it."""
    return int(min(equity * 0.01 / abs(close - stop), 0.95 * equity / (close * (1 + COMMISSION))))


def cases(folder: Path) -> list[Case]:  # noqa: ARG001
    """Return the ratio of each adapter to its plain class, and the time of a whole comparison."""
    hours = {symbol: four_years(symbol) for symbol in ("BTC/USDT", "ETH/USDT")}
    data = prepare_ohlcv_for_backtesting(frame_from_bars(hours["BTC/USDT"]))
    ours = {"unit": LOT, "commission": COMMISSION}
    return [
        Case(
            "backtest TREND_EMA, 4 years of 1h",
            runner(data, TrendEmaBacktest, **ours),
            runner(data, PlainTrendEma),
            ADAPTER,
        ),
        Case(
            "backtest MR_BB, 4 years of 1h",
            runner(data, MeanReversionBBBacktest, **ours),
            runner(data, PlainMeanReversion),
            ADAPTER,
        ),
        Case(EVERY, partial(compare_all, hours, "backtesting"), target=240.0, repeat=1, is_wall=True),
        Case(
            f"{EVERY}, compiled",
            partial(compare_all, hours, "fast"),
            target=15.0,
            repeat=1,
            prepare=partial(compare_all, {name: bars.until(2000) for name, bars in hours.items()}, "fast"),
        ),
    ]


def runner(data: pd.DataFrame, strategy: type[Any], **params: Any) -> Callable[[], object]:
    """Return a function that runs one backtest."""
    backtest = FractionalBacktest(data, strategy, cash=CASH, commission=COMMISSION, fractional_unit=LOT)
    return partial(_quietly, backtest, params)


def compare_all(hours: dict[str, Bars], engine: str) -> None:
    """Run every strategy on every symbol, as `run_backtest.py --all` does with all of them enabled."""
    jobs = [
        Job(bars, RunSpec(series, name, {}, Costs(COMMISSION), CASH), None, _others(name, series, hours))
        for symbol, bars in hours.items()
        for series in [Series("bench", symbol, "1h")]
        for name in REGISTRY
    ]
    for result in run_jobs(jobs, engine=engine):
        summary_cells(result.summary)


def _others(name: str, series: Series, hours: dict[str, Bars]) -> Partners | None:
    """Return the candles that a strategy looks at on a symbol besides its own, if it does."""
    rule = load_strategy(name).rule
    found = looked_at(rule, series)
    bars = {other: hours[other.symbol] for other in found.each}
    return partners_of(series, found, bars) if found.each else None


@cache
def four_years(symbol: str) -> Bars:
    """Return about 35,000 generated hourly bars."""
    start, end = parse_time("2021-01-01"), parse_time("2025-01-01")
    return SyntheticSource(seed=7).candles(symbol, timeframe_ms("1h"), start, end).bars()


def _quietly(backtest: FractionalBacktest, params: dict[str, Any]) -> object:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return backtest.run(**params)
