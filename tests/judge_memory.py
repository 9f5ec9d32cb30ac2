"""Rules that remember, once more for the independent judge: from the words of tests/remembering.py."""

from __future__ import annotations

from collections.abc import Callable

from tests.judge import Market, View, Want
from tests.judge_rules import Judged, Params, mean


def ranges(m: Market, period: int) -> list[float]:
    """Return the mean range of the candles, over the window."""
    return mean([high - low for high, low in zip(m.high, m.low, strict=True)], period)


def remembering(m: Market, p: Params) -> Judged:
    """Follow the push; cool off after a loss, trail the best price, add against it, halve once ahead."""
    period = int(p["period"])
    reach = ranges(m, period)

    def decide(i: int, held: View) -> Want | None:
        close, away, push = m.close[i], p["away"] * reach[i], m.close[i] - m.close[i - period]
        if not held.side:
            is_cooling = held.result < 0 and held.since < p["wait"]
            if is_cooling or push == 0:
                return None
            side = 1 if push > 0 else -1
            return Want(0.4 * side, close - side * away, note=close)
        is_long = held.side > 0
        best = max(held.note, m.high[i]) if is_long else min(held.note, m.low[i])
        stop = best - away if is_long else best + away
        if held.bars >= p["most"]:
            return Want(0.0, reason="time")
        target = held.target
        if held.side * (held.newest - close) > p["step"] * reach[i] and abs(target) < 0.9:
            target += 0.3 * held.side
        elif held.since > held.bars and held.side * (close - held.price) > p["part"] * reach[i]:
            target /= 2
        return Want(target, stop, note=best)

    return Judged(decide, period + 1)


def recalling(m: Market, p: Params) -> Judged:
    """Open a rung lower than the last one's entry; leave above what the oldest remembers of its own."""
    period = int(p["period"])
    reach = ranges(m, period)

    def decide(i: int, held: View) -> Want | None:
        close, rungs = m.close[i], held.rungs
        if not held.side:
            return None if held.result < 0 and held.since < p["wait"] else Want(0.25, rungs=(1,), note=close)
        room = p["part"] if held.since > 10 or held.result > 0 else 2 * p["part"]
        if close > held.note + room * reach[i]:
            return Want(0.0, rungs=(), reason="rule")
        if len(rungs) < p["levels"] and close < held.newest - p["step"] * reach[i]:
            opened = min(set(range(1, 5)) - set(rungs))
            return Want(0.25 * (len(rungs) + 1), rungs=(*rungs, opened), note=close)
        if len(rungs) == p["levels"] and close > m.close[i - period]:
            left = tuple(rung for rung in rungs if rung != 1)
            return Want(0.25 * len(left), rungs=left, reason="reduce", note=m.low[i])
        return None

    return Judged(decide, period + 1)


RULES: dict[str, Callable[[Market, Params], Judged]] = {"REMEMBERING": remembering, "RECALLING": recalling}
