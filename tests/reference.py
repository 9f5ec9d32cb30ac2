"""What Backtesting.py itself makes of trades and equity; markets and runs to ask it about."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
from backtesting._stats import compute_stats
from backtesting._util import _Indicator

from core.domain import Bars, FloatArray, IntArray
from core.fills import ENTRY_BAR, EXIT_BAR, FEES, PNL, RETURN, SIZE, TRADE_COLUMNS

HOUR, DAY = 3_600_000, 86_400_000
STEPS = (HOUR // 60, HOUR // 4, HOUR, 4 * HOUR, DAY, 7 * DAY, 31 * DAY, 365 * DAY, 1500, 25 * HOUR)
"""Bar lengths in ms: usual ones, weeks, months and years, and odd ones."""


class Outcome(NamedTuple):
    """A run, made up."""

    bars: Bars
    trades: FloatArray
    curve: FloatArray
    first: int


def expected(run: Outcome) -> pd.Series:
    """Return compute_stats' answer, with the commissions it shows for its own runs."""
    index = pd.DatetimeIndex(run.bars.ts.astype("datetime64[ms]"))
    column = np.ones(run.curve.size)
    column[: run.first] = np.nan
    warmed = SimpleNamespace(column=_Indicator(column, name="column", scatter=False))
    data = pd.DataFrame({"Close": run.bars.close}, index=index)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        stats = compute_stats(_table(run.trades, index), run.curve, data, warmed)
    items = [(name, value) for name, value in stats.items() if not str(name).startswith("_")]
    if fees := sum(run.trades[:, FEES].tolist()):
        items.insert([name for name, _ in items].index("Equity Peak [$]") + 1, ("Commissions [$]", fees))
    return pd.Series(dict(items), dtype=object)


def differences(one: pd.Series, other: pd.Series) -> list[str]:
    """Return the names whose values differ, NaN being equal to NaN and NaT to NaT; or that the names do."""
    if list(one.index) != list(other.index):
        return ["names"]
    return [str(name) for name in one.index if not _same(one[name], other[name])]


def _same(one: object, other: object) -> bool:
    return bool(one == other) or (one != one and other != other and (one is pd.NaT) == (other is pd.NaT))


def _table(trades: FloatArray, index: pd.DatetimeIndex) -> pd.DataFrame:
    entries, exits = trades[:, ENTRY_BAR].astype(np.int64), trades[:, EXIT_BAR].astype(np.int64)
    times = index.to_numpy()
    return pd.DataFrame(
        {
            "EntryBar": entries,
            "ExitBar": exits,
            "PnL": trades[:, PNL],
            "ReturnPct": trades[:, RETURN],
            "Duration": times[exits] - times[entries],
        }
    )


def random_run(seed: int, longest: int = 3000) -> Outcome:
    """Return a run of two to `longest` bars in which anything may happen."""
    rng = np.random.default_rng(seed)
    length = int(rng.integers(2, (4, 40, longest)[seed % 3] + 1))
    step = int(rng.choice(STEPS))
    if step > 7 * DAY:
        length = min(length, 160)
    gaps: IntArray = rng.choice([1, 1, 1, 2, 7], length) if seed % 2 else np.ones(length, np.int64)
    steps = step * gaps
    if seed % 4 == 2:
        # Finer once: Backtesting.py looks at the last hundred bars to tell how long one is.
        steps[:-100] = step // 7
    stamps = int(rng.integers(0, 10**12)) // step * step + np.cumsum(steps)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01 * (rng.random() < 0.9), length)))
    bars = Bars(stamps, close, close, close, close, close)
    first = int(rng.integers(0, length))
    return Outcome(bars, random_trades(rng, length), random_curve(rng, length, seed % 7), first)


def random_curve(rng: np.random.Generator, length: int, kind: int) -> FloatArray:
    """Return an equity curve; some kinds end in ruin, only rise or fall, move in steps, fall at the end."""
    moves = rng.normal(0, 0.01, length) * (rng.random(length) < rng.random())
    curve: FloatArray = 10_000.0 * np.exp(np.cumsum(moves))
    if kind == 0:
        curve[int(rng.integers(1, length)) :] = 0.0
    elif kind == 1:
        curve = np.maximum.accumulate(curve)
    elif kind == 2:
        curve = np.minimum.accumulate(curve)
    elif kind == 3:
        curve = np.round(curve, -1)
    elif kind == 4:
        curve = np.maximum.accumulate(curve)
        curve[-1] *= 0.9
    elif kind == 5:
        curve[-1] = -500.0 * rng.random()
    return curve


def random_trades(rng: np.random.Generator, length: int) -> FloatArray:
    """Return trades in the order they were closed: none, one or many, short or overlapping, won or lost."""
    count = int(rng.choice([0, 1, 2, 5, 60, 500]))
    trades = np.zeros((count, TRADE_COLUMNS))
    exits = np.sort(rng.integers(0, length, count))
    held = rng.integers(0, int(rng.choice([1, 3, length + 1])), count)
    trades[:, SIZE] = rng.choice([1.0, -1.0], count)
    trades[:, ENTRY_BAR], trades[:, EXIT_BAR] = np.maximum(exits - held, 0), exits
    signs = rng.choice([[0.0, 1.0, -1.0], [1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]])
    trades[:, PNL] = np.abs(rng.normal(0, 10, count)) * rng.choice(signs, count)
    trades[:, RETURN] = trades[:, PNL] / 1000 if rng.random() < 0.8 else rng.choice([-1.0, 0.0, 0.1], count)
    trades[:, FEES] = rng.random(count) * (rng.random() < 0.5)
    return trades
