"""Rules once more for the independent judge, in plain Python, each written from its strategy's docstring.

Nothing here comes from `core` or `strategies`: neither code nor indicators. Every value is computed anew over
its window, in the textbook's words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from tests.judge import NONE, Market, Rule, Values, View, Want

Params = dict[str, float]


class Judged(NamedTuple):
    """A rule on a market, and the first bar that it decides on."""

    decide: Rule
    first: int


def mean(x: Values, period: int) -> list[float]:
    """Return the simple moving average."""
    short = [NONE] * min(period - 1, len(x))
    return short + [math.fsum(x[i + 1 - period : i + 1]) / period for i in range(period - 1, len(x))]


def deviation(x: Values, period: int) -> list[float]:
    """Return the population's standard deviation over the window."""
    out = [NONE] * min(period - 1, len(x))
    for i in range(period - 1, len(x)):
        window = x[i + 1 - period : i + 1]
        middle = math.fsum(window) / period
        out.append(math.sqrt(math.fsum((value - middle) ** 2 for value in window) / period))
    return out


def exponential(x: Values, period: int) -> list[float]:
    """Return the exponential average, 2 / (period + 1), begun with the first simple one."""
    begin = next(i for i, value in enumerate(x) if not math.isnan(value)) + period - 1
    out = [NONE] * begin + [math.fsum(x[begin + 1 - period : begin + 1]) / period]
    for value in x[begin + 1 :]:
        out.append(out[-1] + 2 / (period + 1) * (value - out[-1]))
    return out


def wilder(x: Values, period: int) -> list[float]:
    """Return Wilder's average of what begins at bar 1, begun with the mean of the first `period`."""
    out = [NONE] * period + [math.fsum(x[1 : period + 1]) / period]
    for value in x[period + 1 :]:
        out.append((out[-1] * (period - 1) + value) / period)
    return out


def true_range(m: Market, period: int) -> list[float]:
    """Return Wilder's average true range."""
    before = [NONE, *m.close[:-1]]
    ranges = [max(h, c) - min(low, c) for h, low, c in zip(m.high, m.low, before, strict=True)]
    return wilder(ranges, period)


def strength(x: Values, period: int) -> list[float]:
    """Return Wilder's relative strength index."""
    steps = [NONE, *(b - a for a, b in pairwise(x))]
    ups = wilder([max(step, 0.0) for step in steps], period)
    downs = wilder([max(-step, 0.0) for step in steps], period)
    return [100 * up / (up + down) if up + down else 0.0 * up for up, down in zip(ups, downs, strict=True)]


def first_of(*columns: Sequence[float]) -> int:
    """Return the first bar on which every column has a value, and had one a bar before."""
    known = [not any(math.isnan(value) for value in row) for row in zip(*columns, strict=True)]
    return known.index(True) + 1


def trend_ema(m: Market, p: Params) -> Judged:
    """Buy above a fast average that is above the slow one; stop, and a multiple of it as the target."""
    fast, slow = exponential(m.close, int(p["ema_fast"])), exponential(m.close, int(p["ema_slow"]))
    swing = true_range(m, int(p["atr_period"]))

    def decide(i: int, held: View) -> Want | None:
        if held.side or not fast[i] > slow[i] or not m.close[i] > fast[i]:
            return None
        risk = p["atr_stop_mult"] * swing[i]
        return Want(1.0, m.close[i] - risk, m.close[i] + p["rr_ratio"] * risk)

    return Judged(decide, first_of(fast, slow, swing))


def mean_reversion(m: Market, p: Params) -> Judged:
    """Fade a close outside the bands, back to their middle; stop beyond the bar and some ATRs away."""
    period = int(p["bb_period"])
    middle, spread, swing = (
        mean(m.close, period),
        deviation(m.close, period),
        true_range(m, int(p["atr_period"])),
    )

    def decide(i: int, held: View) -> Want | None:
        close, away, least = m.close[i], p["bb_std"] * spread[i], p["atr_stop_mult"] * swing[i]
        if not held.side and close < middle[i] - away:
            return Want(1.0, min(m.low[i], close - least), middle[i])
        if not held.side and close > middle[i] + away:
            return Want(-1.0, max(m.high[i], close + least), middle[i])
        return None

    return Judged(decide, first_of(middle, spread, swing))


def squeeze(m: Market, p: Params) -> Judged:
    """Follow a close out of narrow bands; stop, and a multiple of it as the target."""
    period = int(p["bb_period"])
    middle, spread, swing = (
        mean(m.close, period),
        deviation(m.close, period),
        true_range(m, int(p["atr_period"])),
    )

    def decide(i: int, held: View) -> Want | None:
        close, away, risk = m.close[i], p["bb_std"] * spread[i], p["atr_stop_mult"] * swing[i]
        if held.side or not 2 * away / middle[i] < p["bandwidth_thresh"] or abs(close - middle[i]) <= away:
            return None
        side = 1 if close > middle[i] else -1
        return Want(float(side), close - side * risk, close + side * p["rr_ratio"] * risk)

    return Judged(decide, first_of(middle, spread, swing))


def crossing(m: Market, p: Params, lead: Values, lag: Values) -> Judged:
    """Turn round when one line crosses the other; stop some ATRs away, no target."""
    swing = true_range(m, int(p["atr_period"]))

    def decide(i: int, held: View) -> Want | None:
        now, before = lead[i] - lag[i], lead[i - 1] - lag[i - 1]
        if now > 0 >= before and held.side <= 0:
            return Want(1.0, m.close[i] - p["atr_stop_mult"] * swing[i])
        if now < 0 <= before and held.side >= 0:
            return Want(-1.0, m.close[i] + p["atr_stop_mult"] * swing[i])
        return None

    return Judged(decide, first_of(lead, lag, swing))


def sma_cross(m: Market, p: Params) -> Judged:
    """Cross of two simple averages."""
    return crossing(m, p, mean(m.close, int(p["sma_fast"])), mean(m.close, int(p["sma_slow"])))


def macd_cross(m: Market, p: Params) -> Judged:
    """Cross of the difference of two exponential averages over its own average."""
    fast, slow = exponential(m.close, int(p["ema_fast"])), exponential(m.close, int(p["ema_slow"]))
    line = [a - b for a, b in zip(fast, slow, strict=True)]
    return crossing(m, p, line, exponential(line, int(p["signal_period"])))


def turtle(m: Market, p: Params) -> Judged:
    """Follow a breakout of the longer channel; the stop moves to the shorter channel, never back."""
    enter, leave, swing = int(p["entry_period"]), int(p["exit_period"]), true_range(m, int(p["atr_period"]))

    def decide(i: int, held: View) -> Want | None:
        low, high = min(m.low[i + 1 - leave : i + 1]), max(m.high[i + 1 - leave : i + 1])
        if held.side > 0 and low > held.stop:
            return Want(held.target, low)
        if held.side < 0 and high < held.stop:
            return Want(held.target, high)
        if not held.side and m.close[i] > max(m.high[i - enter : i]):
            return Want(1.0, m.close[i] - p["atr_stop_mult"] * swing[i])
        if not held.side and m.close[i] < min(m.low[i - enter : i]):
            return Want(-1.0, m.close[i] + p["atr_stop_mult"] * swing[i])
        return None

    channel = [NONE] * max(enter, leave - 1) + [0.0] * (len(m.close) - max(enter, leave - 1))
    return Judged(decide, first_of(channel, swing))


def rsi_reversion(m: Market, p: Params) -> Judged:
    """Enter when the index comes back from an extreme, leave when it reaches the middle."""
    index, swing = strength(m.close, int(p["rsi_period"])), true_range(m, int(p["atr_period"]))

    def decide(i: int, held: View) -> Want | None:
        if held.side * (index[i] - p["rsi_exit"]) >= 0 and held.side:
            return Want(0.0, reason="rule")
        if not held.side and index[i] >= p["rsi_low"] > index[i - 1]:
            return Want(1.0, m.close[i] - p["atr_stop_mult"] * swing[i])
        if not held.side and index[i] <= p["rsi_high"] < index[i - 1]:
            return Want(-1.0, m.close[i] + p["atr_stop_mult"] * swing[i])
        return None

    return Judged(decide, first_of(index, swing))


def grid(m: Market, p: Params) -> Judged:
    """Buy each rung that the bar touches below the mean, sell at the mean."""
    middle, swing, levels = (
        mean(m.close, int(p["ma_period"])),
        true_range(m, int(p["atr_period"])),
        int(p["levels"]),
    )

    def decide(i: int, held: View) -> Want | None:
        if m.close[i] >= middle[i]:
            return Want(0.0, reason="rule", rungs=())
        wanted = list(held.rungs)
        for rung in range(1, levels + 1):
            price = middle[i] - rung * p["step_atr_mult"] * swing[i]
            if rung not in wanted and m.low[i] <= price <= m.high[i]:
                wanted.append(rung)
        return Want(len(wanted) / levels, take=middle[i], rungs=tuple(wanted))

    return Judged(decide, first_of(middle, swing))


def pairs(m: Market, p: Params, other: Values) -> Judged:
    """Trade back to a least-squares line on the partner's log price; leave near it, or after a time."""
    period, swing = int(p["hedge_period"]), true_range(m, int(p["atr_period"]))
    logs = [math.log(value) for value in m.close], [math.log(value) for value in other]
    away = [NONE] * (period - 1)
    for i in range(period - 1, len(m.close)):
        y, x = (values[i + 1 - period : i + 1] for values in logs)
        away.append(_distance(x, y, p["shared_min"]))

    def decide(i: int, held: View) -> Want | None:
        if not held.side:
            side = (away[i] < -p["entry_z"]) - (away[i] > p["entry_z"])
            return Want(float(side), m.close[i] - side * p["atr_stop_mult"] * swing[i]) if side else None
        if held.side * away[i] > -p["exit_z"]:
            return Want(0.0, reason="rule")
        return Want(0.0, reason="time") if held.bars >= p["time_period"] else None

    return Judged(decide, first_of(away, swing))


def _distance(x: Values, y: Values, least: float) -> float:
    """Return how far the last y is from its line on x, in deviations; 0 if the line explains too little."""
    n, of_x, of_y = len(x), math.fsum(x) / len(x), math.fsum(y) / len(y)
    slope = math.fsum((a - of_x) * (b - of_y) for a, b in zip(x, y, strict=True)) / math.fsum(
        (a - of_x) ** 2 for a in x
    )
    rest = [b - of_y - slope * (a - of_x) for a, b in zip(x, y, strict=True)]
    unexplained, whole = math.fsum(r * r for r in rest), math.fsum((b - of_y) ** 2 for b in y)
    return rest[-1] / math.sqrt(unexplained / n) if unexplained <= (1 - least) * whole else 0.0


def supertrend(m: Market, p: Params) -> Judged:
    """Turn round where the close crosses the band; the stop is the band as it stood then."""
    line, side = bands(m, int(p["atr_period"]), p["band_mult"])

    def decide(i: int, held: View) -> Want | None:
        if side[i] > 0 > side[i - 1] and held.side <= 0:
            return Want(1.0, line[i])
        if side[i] < 0 < side[i - 1] and held.side >= 0:
            return Want(-1.0, line[i])
        return None

    return Judged(decide, first_of(line))


def bands(m: Market, period: int, width: float) -> tuple[list[float], list[int]]:
    """Return Seban's band, and the side of it that the close is on: above is 1.

    Each band stays where it is until it may come nearer to the price, or a close was beyond it.
    """
    swing = true_range(m, period)
    line, sides = [NONE] * len(m.close), [0] * len(m.close)
    upper, lower, side = math.inf, -math.inf, 0
    for i in range(period, len(m.close)):
        middle, before = (m.high[i] + m.low[i]) / 2, m.close[i - 1]
        high, low = middle + width * swing[i], middle - width * swing[i]
        upper = high if high < upper or before > upper else upper
        lower = low if low > lower or before < lower else lower
        if not side:
            side = 1 if m.close[i] >= middle else -1
        elif m.close[i] > upper:
            side = 1
        elif m.close[i] < lower:
            side = -1
        line[i], sides[i] = lower if side > 0 else upper, side
    return line, sides


class Session(NamedTuple):
    """Consecutive bars."""

    begin: int
    high: float
    low: float
    close: float


def dual_thrust(m: Market, p: Params, times: Sequence[int]) -> Judged:
    """Turn round where the close crosses a line that is some part of the last sessions' range from the open.

    `times` are the bars' open times, ms UTC.
    """
    up, down = thrust_lines(m, p, times)
    return crossing_two(m, p, up, down)


def thrust_lines(m: Market, p: Params, times: Sequence[int]) -> tuple[list[float], list[float]]:
    """Return the upper and the lower line at each bar, by Chalek's range: max(HH - LC, HC - LL)."""
    day, step = 86_400_000, min(b - a for a, b in pairwise(times))
    number = [(time // day, time % day // step // int(p["session_bars"])) for time in times]
    up, down, done = [NONE] * len(times), [NONE] * len(times), list[Session]()
    begin = 0
    for i in range(len(times)):
        if i and number[i] != number[i - 1]:
            part = slice(begin, i)
            done.append(Session(begin, max(m.high[part]), min(m.low[part]), m.close[i - 1]))
            begin = i
        # The first two may be cut: the data begin inside one.
        last = done[2:][-int(p["day_count"]) :]
        if len(last) == int(p["day_count"]):
            highest, lowest = max(one.high for one in last), min(one.low for one in last)
            closes = [one.close for one in last]
            reach = max(highest - min(closes), max(closes) - lowest)
            up[i] = m.open[begin] + p["up_ratio"] * reach
            down[i] = m.open[begin] - p["down_ratio"] * reach
    return up, down


def crossing_two(m: Market, p: Params, up: Values, down: Values) -> Judged:
    """Turn round when the close crosses the upper line upwards, or the lower one downwards."""
    swing = true_range(m, int(p["atr_period"]))

    def decide(i: int, held: View) -> Want | None:
        now, before, away = m.close[i], m.close[i - 1], p["atr_stop_mult"] * swing[i]
        if now > up[i] >= before and held.side <= 0:
            return Want(1.0, now - away)
        if now < down[i] <= before and held.side >= 0:
            return Want(-1.0, now + away)
        return None

    return Judged(decide, first_of(up, down, swing))


def scripted(m: Market, p: Params) -> Judged:
    """Do what the candle's volume says: tests/scripted.py tells which number means what."""

    def decide(i: int, held: View) -> Want | None:
        order, close, stop, take = m.volume[i], m.close[i], p["stop_away"], p["take_away"]
        long, short = (close - stop, close + take), (close + stop, close - take)
        fixed = {1: (1.0, *long), 5: (0.5, *long), 6: (0.25, *long), 2: (-1.0, *short), 7: (-1 / 3, *short)}
        short_more, long_more = min(held.target, 0.0) - 0.25, max(held.target, 0.0) + 0.01
        bare = {4: -1.0, 10: max(short_more, -1.0), 11: min(long_more, 1.0)}
        if order in fixed:
            return Want(*fixed[int(order)])
        if order in bare:
            return Want(bare[int(order)])
        if order == 8 and held.side:
            return Want(held.target, (close + held.price) / 2 - held.side * stop / 4, held.take)
        return Want(0.0, reason="rule" if order == 3 else "time") if order in (3, 9) else None

    return Judged(decide, 1)


def turning_ladder(m: Market, p: Params) -> Judged:
    """Hold the long rungs or the short ones that the candle's volume says: tests/scripted.py."""

    def decide(i: int, held: View) -> Want | None:
        order = int(m.volume[i])
        if not order:
            return None
        rungs = tuple(rung for rung in range(1, 7) if order & 1 << rung)
        side = 0.0 if not rungs else 1.0 if min(rungs) <= 3 else -1.0
        return Want(side * len(rungs) / 3, rungs=rungs)

    return Judged(decide, 1)


RULES: dict[str, Callable[[Market, Params], Judged]] = {
    "TREND_EMA": trend_ema,
    "MR_BB": mean_reversion,
    "SQZ_BO": squeeze,
    "SMA_CROSS": sma_cross,
    "MACD_CROSS": macd_cross,
    "TURTLE": turtle,
    "SUPERTREND": supertrend,
    "RSI_REVERSION": rsi_reversion,
    "GRID_LR": grid,
    "SCRIPTED": scripted,
    "TURNING": turning_ladder,
}
"""By name; PAIRS needs its partner besides, DUAL_THRUST the times."""
