"""Rules whose entries wait for a price, once more for the judge: from the words of tests/waiting.py."""

from __future__ import annotations

import math
from collections.abc import Callable

from tests.judge import NONE, Market, View, Want
from tests.judge_memory import ranges
from tests.judge_rules import Judged, Params


def patient(m: Market, p: Params) -> Judged:
    """Wait beyond the close where the push turns, else against it; trail; add at a limit; leave in time."""
    period = int(p["period"])
    reach = ranges(m, period)

    def decide(i: int, held: View) -> Want | None:
        close, push = m.close[i], m.close[i] - m.close[i - period]
        before = m.close[i - 1] - m.close[i - 1 - period]
        is_turn, side = push * before < 0, 1 if push > 0 else -1
        near, away, gain = (p[name] * reach[i] for name in ("near", "away", "gain"))
        if not held.side:
            if held.waiting:
                return Want(0.0) if is_turn else None
            at = close + side * near if is_turn else close - side * near
            stop, take = at - side * away, at + side * gain
            if is_turn:
                return Want(0.5 * side, stop, take, trigger=at, valid=3)
            return Want(0.5 * side, stop, take, limit=at, valid=2)
        if held.bars >= p["most"]:
            return Want(0.0, reason="time")
        if held.side * push > 0 and abs(held.target) < 0.6 and not held.waiting:
            at = close - held.side * near
            return Want(held.target + 0.3 * held.side, held.stop, held.take, note=at, limit=at, valid=2)
        best = close - held.side * p["trail"] * reach[i]
        stop = max(held.stop, best) if held.side > 0 else min(held.stop, best)
        return Want(held.target, stop, held.take, note=held.note, keeps=True)

    return Judged(decide, period + 1)


def both_rungs(m: Market, p: Params) -> Judged:
    """Ask for two rungs at a limit, hold them for so many bars."""
    period = int(p["period"])
    reach = ranges(m, period)

    def decide(i: int, held: View) -> Want | None:
        if held.side:
            return Want(0.0, rungs=(), reason="time") if held.bars >= p["most"] else None
        if held.waiting:
            return None
        at = m.close[i] - p["near"] * reach[i]
        return Want(1.0, NONE, at + p["gain"] * reach[i], rungs=(1, 2), limit=at, valid=2)

    return Judged(decide, period + 1)


def pullback(m: Market, p: Params) -> Judged:
    """Above the mean wait below the close, below it want nothing: docs/examples/strategies/pullback.py."""
    period = int(p["mean_period"])

    def decide(i: int, held: View) -> Want | None:
        if m.close[i] < math.fsum(m.close[i - period + 1 : i + 1]) / period:
            return Want(0.0, reason="rule" if held.side else "")
        if held.side or held.waiting:
            return None
        at = m.close[i] * (1 - p["dip_ratio"])
        stop, take = at * (1 - p["stop_ratio"]), at * (1 + p["take_ratio"])
        return Want(1.0, stop, take, limit=at, valid=int(p["wait_period"]))

    return Judged(decide, period)


RULES: dict[str, Callable[[Market, Params], Judged]] = {"PATIENT": patient, "RUNGS": both_rungs}
