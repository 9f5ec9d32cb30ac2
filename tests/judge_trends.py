"""Two more rules for the independent judge: MOMENTUM and ADAPTIVE, each from its strategy's docstring.

As in tests/judge_rules.py: nothing of `core` or `strategies`, every value anew, in the textbook's words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from tests.judge import NONE, Market, Values, View, Want
from tests.judge_rules import Judged, Params, crossing, exponential, first_of, mean, strength, true_range


def adaptive(m: Market, p: Params) -> Judged:
    """Turn round where two exponential averages cross, whose periods double with noise."""
    swing = true_range(m, int(p["atr_period"]))
    usual = mean(swing, int(p["noise_period"]))
    pairs = {
        times: [exponential(m.close, times * int(p[name])) for name in ("ema_fast", "ema_slow")]
        for times in (1, 2, 4)
    }
    lead, lag = [NONE] * len(m.close), [NONE] * len(m.close)
    for i, (noise, middle) in enumerate(zip(swing, usual, strict=True)):
        # Nothing is decided before the slowest of all is known.
        if math.isnan(middle) or math.isnan(pairs[4][1][i]):
            continue
        times = 1 if noise < p["calm_ratio"] * middle else 4 if noise > p["wild_ratio"] * middle else 2
        lead[i], lag[i] = (line[i] for line in pairs[times])
    return crossing(m, p, lead, lag)


def momentum(m: Market, p: Params, times: Sequence[int]) -> Judged:
    """Join a trend that six measures call young; trail the stop the closer, the more it has gained.

    `times` are the bars' open times, ms UTC.
    """
    period = int(p["wilder_period"])
    lean = gap(m.close, int(p["ema_fast"]), int(p["ema_slow"]))
    index, swing = strength(m.close, period), true_range(m, period)
    side, told = young(m, p, times, lean, index), divergences(m, index, wing=5, reach=60)

    def decide(i: int, held: View) -> Want | None:
        close = m.close[i]
        if not held.side:
            risk = side[i] * p["atr_stop_mult"] * swing[i]
            return Want(side[i], close - risk, close + p["take_ratio"] * risk) if side[i] else None
        if held.side * lean[i] < 0 or held.side * told[i] < 0:
            return Want(0.0, reason="rule")
        risk = abs(held.take - held.price) / p["take_ratio"]
        ahead = held.side * (close - held.price) / risk
        if held.bars >= p["time_period"] and ahead < 2:
            return Want(0.0, reason="time")
        if ahead <= 1:
            return None
        stop = close - held.side * (0.8 if ahead > 3 else 1.0 if ahead > 2 else 1.2) * swing[i]
        return Want(held.target, stop, held.take) if held.side * (stop - held.stop) > 0 else None

    return Judged(decide, first_of(side, lean, index, swing))


def gap(x: Values, fast: int, slow: int) -> list[float]:
    """Return the fast exponential average less the slow one."""
    return [a - b for a, b in zip(exponential(x, fast), exponential(x, slow), strict=True)]


def young(m: Market, p: Params, times: Sequence[int], lean: Values, index: Values) -> list[float]:
    """Return 1 where all six measures are for long, -1 where all are for short, else 0."""
    line = gap(m.close, 12, 26)
    bar = [a - b for a, b in zip(line, exponential(line, 9), strict=True)]
    growth = [NONE, *(b - a for a, b in pairwise(bar))]
    longer = longer_gap(m.close, times, p)
    usual, trend = mean(m.volume, 20), directed(m, int(p["wilder_period"]))
    within, out = int(p["cross_period"]), [NONE] * len(m.close)
    for i in range(len(m.close)):
        measures = [lean[i], longer[i], bar[i], growth[i], index[i] - 50]
        if math.isnan(math.fsum(measures)) or i < within or math.isnan(lean[i - within]):
            continue
        is_strong = abs(index[i] - 50) > p["rsi_margin"] and trend[i] > p["adx_min"]
        is_strong = is_strong and m.volume[i] > p["volume_mult"] * usual[i]
        out[i] = 0.0
        for side in (1.0, -1.0):
            is_fresh = any(side * lean[k] > 0 >= side * lean[k - 1] for k in range(i + 1 - within, i + 1))
            if is_strong and is_fresh and all(side * measure > 0 for measure in measures):
                out[i] = side
    return out


def longer_gap(close: Values, times: Sequence[int], p: Params) -> list[float]:
    """Return the gap of the averages on bars some times as long, closed by each bar."""
    step = min(b - a for a, b in pairwise(times))
    length = step * int(p["trend_mult"])
    closes: dict[int, float] = {}
    for time, price in zip(times, close, strict=True):
        closes[time // length] = price
    gaps = gap(list(closes.values()), int(p["ema_fast"]), int(p["ema_slow"]))
    known = [((number + 1) * length, value) for number, value in zip(closes, gaps, strict=True)]
    out = list[float]()
    for time in times:
        done = [value for end, value in known if end <= time + step]
        out.append(done[-1] if done else NONE)
    return out


def directed(m: Market, period: int) -> list[float]:
    """Return Wilder's average directional index, begun as in TA-Lib: one bar short of a period."""
    ups, downs, ranges = 0.0, 0.0, 0.0
    found, out = list[float](), [NONE] * len(m.close)
    for i in range(1, len(m.close)):
        up, down = m.high[i] - m.high[i - 1], m.low[i - 1] - m.low[i]
        fade = 1.0 if i < period else 1 - 1 / period
        ups = ups * fade + (up if up > down and up > 0 else 0.0)
        downs = downs * fade + (down if down > up and down > 0 else 0.0)
        ranges = ranges * fade + max(m.high[i], m.close[i - 1]) - min(m.low[i], m.close[i - 1])
        if i >= period:
            found.append(100 * abs(ups - downs) / (ups + downs))
        if i == 2 * period - 1:
            out[i] = math.fsum(found) / period
        elif i >= 2 * period:
            out[i] = (out[i - 1] * (period - 1) + found[-1]) / period
    return out


def divergences(m: Market, index: Values, wing: int, reach: int) -> list[float]:
    """Return 1 where a lower low met a higher index, -1 where a higher high met a lower one."""
    out = [0.0] * len(m.close)
    for side, prices in ((1.0, m.low), (-1.0, [-high for high in m.high])):
        pivots = [
            i for i in range(wing, len(prices) - wing) if prices[i] == min(prices[i - wing : i + wing + 1])
        ]
        for old, new in pairwise(pivots):
            is_against = prices[new] < prices[old] and side * (index[new] - index[old]) > 0
            if new - old <= reach and is_against:
                out[new + wing] += side
    return out
