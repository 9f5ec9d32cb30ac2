"""What a sweep costs: against Backtesting.py's own `optimize`, and per bar and set at three lengths.

Both sides use all cores and compute the indicators. `optimize` is given fewer sets, since a thousand would
take minutes; both times are per set.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from backtesting.lib import FractionalBacktest

from bench.backtests import CASH, COMMISSION, PlainTrendEma, four_years
from bench.harness import Case
from bench.kernel import one_year
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

SETS = grid(
    RULE,
    {
        "ema_fast": list(range(5, 25, 2)),
        "ema_slow": list(range(30, 130, 10)),
        "rr_ratio": [1.0 + k / 4 for k in range(10)],
    },
)
THEIRS: dict[str, Any] = {"fast_span": [5, 11, 17, 23], "slow_span": [30, 60, 90, 120]}
FEW = 16
PER_BAR = 50e-9


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
    """Return the sweep against `optimize`, and its time per bar and set."""
    hours = four_years("BTC/USDT")
    data = prepare_ohlcv_for_backtesting(frame_from_bars(hours))
    theirs = FractionalBacktest(data, TunedTrendEma, cash=CASH, commission=COMMISSION, fractional_unit=LOT)
    lengths = {"4h": two_years_of_4h(), "1h": hours, "1m": one_year()}
    return [
        Case(
            f"sweep of {len(SETS):,} sets over {hours.close.size:,} bars, per set",
            partial(ours, "1h", hours, SETS),
            partial(_optimize, theirs),
            1 / 300,
            3,
            units=(len(SETS), FEW),
        ),
        *(
            Case(
                f"sweep over {bars.close.size:,} bars, per bar and set",
                partial(ours, timeframe, bars, SETS[::step]),
                None,
                PER_BAR,
                3,
                units=(bars.close.size * len(SETS[::step]), 1),
            )
            for (timeframe, bars), step in zip(lengths.items(), (1, 2, 25), strict=True)
        ),
    ]


def ours(timeframe: str, bars: Bars, sets: list[dict[str, float]]) -> object:
    """Sweep TREND_EMA on all cores."""
    return sweep({Series("bench", "BTC/USDT", timeframe): bars}, RULE.name, sets, Costs(COMMISSION), CASH)


def two_years_of_4h() -> Bars:
    """Return about 4,380 generated 4h bars."""
    start, end = parse_time("2023-01-01"), parse_time("2025-01-01")
    hours = SyntheticSource(seed=7).candles("BTC/USDT", timeframe_ms("1h"), start, end)
    return aggregate(hours, Interval(timeframe_ms("4h"))).bars()


def _optimize(backtest: FractionalBacktest) -> object:
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        return backtest.optimize(**THEIRS, maximize="Return [%]")
