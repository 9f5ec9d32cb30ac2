"""What a strategy takes to decide on one more candle, with a window of 2,000 bars or as many as it needs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from statistics import median

from bench.harness import Case, cpu_seconds
from bench.kernel import one_year
from core.candles.frames import frame_from_bars
from core.domain import Series
from core.proof.markets import companions
from strategies.base import BaseStrategy
from strategies.pairing import bind
from strategies.registry import REGISTRY, load_strategy

WINDOW, CANDLES, SYMBOL = 2_000, 40, "BTC/USDT"
MEDIAN, ENSEMBLE = 0.000_1, 0.001
"""Seconds a decision: of the strategies' median, and of the one that follows eight others."""


def cases(folder: Path) -> list[Case]:  # noqa: ARG001
    """Return the median of all strategies, and the ensemble alone."""
    return [
        Case(
            f"a live decision, median of the {len(REGISTRY)} strategies",
            median_of_all,
            None,
            MEDIAN,
            tells=True,
        ),
        Case("a live decision of ENSEMBLE", partial(seconds, "ENSEMBLE"), None, ENSEMBLE, tells=True),
    ]


def median_of_all() -> float:
    """Return the median over the strategies of the seconds that a decision takes."""
    return median(seconds(name) for name in REGISTRY)


def seconds(name: str) -> float:
    """Return the least processor's time of a decision, over some candles."""
    live, year = warmed(name), one_year()
    start = int(year.ts.searchsorted(live.state[SYMBOL]["df"].index[-1].value // 1_000_000)) + 1
    return min(_timed(live, k) for k in range(start, start + CANDLES))


def warmed(name: str) -> BaseStrategy:
    """Return a strategy with a full window."""
    strategy = load_strategy(name)
    strategy = bind(strategy, companions(strategy.rule, Series("bench", SYMBOL, "5m"), one_year()))
    live: BaseStrategy = strategy.live({})
    live.window = max(live.window, WINDOW)
    live.state[SYMBOL] = {"df": frame_from_bars(one_year().until(live.window))}
    return live


def _timed(live: BaseStrategy, k: int) -> float:
    time, *prices = (column.item(k) for column in one_year())
    names = ("open", "high", "low", "close", "volume")
    candle = {"time": time, **dict(zip(names, prices, strict=True))}
    began = cpu_seconds()
    live.signals(SYMBOL, candle)
    return cpu_seconds() - began
