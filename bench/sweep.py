"""What a sweep costs: against Backtesting.py's own `optimize`, and per bar and set at three lengths.

Both sides use all cores and compute the indicators. `optimize` is given fewer sets, since a thousand would
take minutes; both times are per set.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar

from backtesting.lib import FractionalBacktest

from bench.backtests import CASH, COMMISSION, PlainTrendEma, four_years
from bench.by_hand import hand_loop
from bench.harness import Case
from bench.kernel import HAND, one_year
from core.backtester import prepare_ohlcv_for_backtesting
from core.candles.frames import frame_from_bars
from core.domain import LOT, Bars, Costs, Series
from core.exchange_sim.candles import Interval, aggregate
from core.exchange_sim.synthetic import SyntheticSource
from core.optimise.param_sets import grid
from core.optimise.sweep import sweep
from core.utils import parse_time, timeframe_ms
from strategies.indicators import atr, ema
from strategies.trend_ema import RULE

AVERAGES = {"ema_fast": list(range(5, 25, 2)), "ema_slow": list(range(30, 130, 10))}
TIMES = [1.0 + k / 4 for k in range(10)]
FEWER = grid(RULE, AVERAGES)
SETS = grid(RULE, {**AVERAGES, "rr_ratio": TIMES})
KINDS = (("six figures", True), ("all statistics", False))
THEIRS: dict[str, Any] = {"fast_span": [5, 11, 17, 23], "slow_span": [30, 60, 90, 120]}
FEW = 16
PER_BAR = (4e-9, 10e-9)
"""Seconds, of six figures and of all statistics."""


@cache
def more_sets() -> list[dict[str, float]]:
    """Return ten times as many; made when they are wanted, since making them takes a second."""
    return grid(RULE, {**AVERAGES, "rr_ratio": TIMES, "atr_stop_mult": TIMES})


class TunedTrendEma(PlainTrendEma):
    """TREND_EMA for Backtesting.py alone, with parameters to tune."""

    fast_span: ClassVar[int] = 20
    slow_span: ClassVar[int] = 50

    def init(self) -> None:
        """Declare the indicators."""
        data = self.data
        self.fast = self.I(ema, data.Close, self.fast_span)
        self.slow = self.I(ema, data.Close, self.slow_span)
        self.atr = self.I(atr, data.High, data.Low, data.Close, 14)


def cases(folder: Path) -> list[Case]:  # noqa: ARG001
    """Return the sweep against `optimize`, and against the loop written by hand for one set."""
    hours, year = four_years("BTC/USDT"), one_year()
    data = prepare_ohlcv_for_backtesting(frame_from_bars(hours))
    theirs = FractionalBacktest(data, TunedTrendEma, cash=CASH, commission=COMMISSION, fractional_unit=LOT)
    hand = partial(hand_loop, year, RULE.columns(year, RULE.params()))
    against = [
        Case(
            f"sweep of {len(SETS):,} sets over {hours.close.size:,} bars, {kind}, per set",
            partial(ours, "1h", hours, SETS, brief=brief),
            partial(_optimize, theirs),
            1 / 1000,
            3,
            units=(len(SETS), FEW),
            is_wall=True,
        )
        for kind, brief in KINDS
    ]
    return [*against, *_whole(year, hand), *_per_bar(hours, year, hand)]


def _whole(year: Bars, hand: Callable[[], object]) -> Iterator[Case]:
    """Yield whole sweeps on all cores, in wall time, against the hand-written loop on one."""
    months = two_years_of_4h()
    for timeframe, bars, sets, targets in (
        ("1m", year, FEWER, (150, 300)),
        ("4h", months, FEWER, (3, 6)),
        ("4h", months, more_sets(), (200, 500)),
    ):
        for (kind, brief), target in zip(KINDS, targets, strict=True):
            yield Case(
                f"sweep of {len(sets):,} x {bars.close.size:,}, {kind}, all cores, against one loop by hand",
                partial(ours, timeframe, bars, sets, brief=brief),
                hand,
                target / HAND,
                3 if len(sets) == len(more_sets()) else 7,
                is_wall=True,
            )


def _per_bar(hours: Bars, year: Bars, hand: Callable[[], object]) -> Iterator[Case]:
    """Yield the processor's time per bar and set, against that of the hand-written loop per bar."""
    per_bar = HAND / 1e3 / year.close.size
    for timeframe, bars, sets in (
        ("4h", two_years_of_4h(), SETS),
        ("1h", hours, SETS[::4]),
        ("1m", year, SETS[::40]),
    ):
        for (kind, brief), target in zip(KINDS, PER_BAR, strict=True):
            yield Case(
                f"sweep over {bars.close.size:,} bars, {kind}, per bar and set",
                partial(ours, timeframe, bars, sets, brief=brief, threads=1),
                hand,
                target / per_bar,
                3,
                units=(bars.close.size * len(sets), year.close.size),
            )


def ours(
    timeframe: str,
    bars: Bars,
    sets: list[dict[str, float]],
    *,
    brief: bool = False,
    threads: int | None = None,
) -> object:
    """Sweep TREND_EMA, on all cores unless told otherwise."""
    markets = {Series("bench", "BTC/USDT", timeframe): bars}
    return sweep(markets, RULE.name, sets, Costs(COMMISSION), CASH, threads, brief=brief)


@cache
def two_years_of_4h() -> Bars:
    """Return about 4,380 generated 4h bars."""
    start, end = parse_time("2023-01-01"), parse_time("2025-01-01")
    hours = SyntheticSource(seed=7).candles("BTC/USDT", timeframe_ms("1h"), start, end)
    return aggregate(hours, Interval(timeframe_ms("4h"))).bars()


def _optimize(backtest: FractionalBacktest) -> object:
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        return backtest.optimize(**THEIRS, maximize="Return [%]")
