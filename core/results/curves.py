"""What a report draws of an account's equity: its drawdowns, its months, and how its ratios moved.

Days, daily returns and ratios are as core.results.measures defines them. A month is a calendar month, UTC.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core.domain import FloatArray, IntArray
from core.results.measures import ratios_of_all, span_of

WINDOW = 90
"""Days of a rolling figure."""


class Drawdown(NamedTuple):
    """One way from a peak of equity down and back; times in ms UTC."""

    peak: int
    lowest: int
    back: int | None
    """When equity was at the peak again; None when it never was."""
    depth: float
    """Deepest fall as a fraction of the peak."""


class Rolling(NamedTuple):
    """Figures of the last WINDOW daily returns at the end of each day; NaN for none."""

    times: IntArray
    """ms UTC."""
    volatility: FloatArray
    sharpe: FloatArray


def drawdowns(times: IntArray, equity: FloatArray, most: int) -> list[Drawdown]:
    """Return the deepest drawdowns of equity at each close, at most so many, the deepest first."""
    peaks = np.maximum.accumulate(equity)
    edges = np.diff(np.concatenate([[False], equity < peaks, [False]]).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if not starts.size:
        return []
    depths = (
        1
        - np.minimum.reduceat(np.append(equity, np.inf), np.column_stack([starts, ends]).ravel())[::2]
        / (peaks[starts])
    )
    found = []
    for k in np.argsort(-depths, kind="stable")[:most].tolist():
        start, end = int(starts[k]), int(ends[k])
        lowest = start + int(equity[start:end].argmin())
        back = int(times[end]) if end < times.size else None
        found.append(Drawdown(int(times[start - 1]), int(times[lowest]), back, float(depths[k])))
    return found


def monthly_returns(times: IntArray, equity: FloatArray) -> dict[str, float]:
    """Return the return of each calendar month as a fraction, by `2024-03`; one without a bar has 0.

    Compounded they are the run's return. A bar that closes at midnight is the end of the month before.
    """
    months = (times - 1).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    names = np.arange(months[0], months[-1] + 1)
    ends = equity[np.searchsorted(months, names, side="right") - 1]
    before = np.concatenate([equity[:1], ends[:-1]])
    with np.errstate(all="ignore"):
        returns = np.where(before > 0, ends / before - 1, 0.0)
    return dict(zip(names.astype("datetime64[M]").astype(str).tolist(), returns.tolist(), strict=True))


def rolling(times: IntArray, equity: FloatArray, window: int = WINDOW) -> Rolling:
    """Return volatility and Sharpe ratio of the last `window` daily returns, from when there are as many."""
    ends = span_of(times).day_ends
    days = equity[ends]
    if days.size <= window:
        nothing = np.empty(0)
        return Rolling(np.empty(0, np.int64), nothing, nothing)
    with np.errstate(all="ignore"):
        returns = np.nan_to_num(days[1:] / days[:-1] - 1, posinf=0.0)
        windows = np.lib.stride_tricks.sliding_window_view(returns, window)
        found = np.array(ratios_of_all(windows))
    last = (times[0] - 1) // 86_400_000 + np.arange(window, days.size)
    return Rolling((last + 1) * 86_400_000, found[:, 0], found[:, 1])
