"""What a signal of the specification stands for: the decision that the rest of the engine works with.

    OPEN_LONG  flat or short: long from the next open on, sized by the distance of `extra["stop"]` from the
               close (or of `extra["atr"]` times `atr_stop_mult`, 1.5 if absent), times `risk_r`; the take is
               `tp` (or `take`), else `rr_ratio` times the stop's distance away. Long already: nothing.
    CLOSE_LONG flat from the next open on, if long; with `portion` that part of it. Not long: nothing.
    HOLD       nothing; with `stop` or `tp` these are moved.

OPEN_SHORT and CLOSE_SHORT alike. `target` (0 to 1 of the strategy's allocation) sizes an entry instead, and
then needs no stop; `add` is a target beside what is held. `note` is a number that the position remembers. On
a ladder `level` names the rung, or `levels` all that are wanted as {1: True, 2: False, …}.
strategies.signal_checks has the names and ranges of all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.account.orders import Intent, Purpose
from core.domain import NAN, Decision, PositionView, Reason, hold
from core.errors import UsageError
from core.sizing import Sizing, by_stake
from strategies.signal_checks import ACTIONS, check_prices, check_signal

if TYPE_CHECKING:
    from strategies.base import StrategySignal

ATR_STOP_MULT = 1.5
"""ATRs between the close and the stop, the specification's example."""


def decision_of(signals: Sequence[StrategySignal], held: PositionView, close: float) -> Decision:
    """Return the decision that signals of one bar, at its close, stand for together.

    Raises UsageError for an action that is none, an entry that nothing sizes, a name in extra that is none,
    and a number or a price that cannot be.
    """
    want = hold(held)
    for signal in signals:
        check_signal(signal)
        if signal.action == "HOLD":
            want = _held(signal, want, close)
        elif signal.action.startswith("OPEN"):
            want = _opened(signal, want, held, close)
        else:
            want = _closed(signal, want)
    return want


def check_entry(signal: StrategySignal, close: float) -> None:
    """Raise UsageError for an entry whose stop or take is on the wrong side of this close."""
    if signal.action.startswith("OPEN"):
        close = entered_at(signal, close)
        stop = _stop(signal, close)
        check_prices(signal, ACTIONS[signal.action], close, stop, _entry_take(signal, close, stop))


def contradicts(signal: StrategySignal, waiting: Intent) -> bool:
    """Tell whether an order that waits for the next open is against what this newer signal wants.

    A CLOSE is against entries of its side, an OPEN against entries of the other side and a rule's exits of
    its own; on a ladder, of the rungs they speak of. Raises UsageError for a CLOSE of a part while an entry
    waits: there is nothing yet to divide.
    """
    extra, side, closes = signal.extra or {}, ACTIONS[signal.action], signal.action.startswith("CLOSE")
    is_entry, buys = waiting.purpose is Purpose.ENTRY, 1 if waiting.side == "buy" else -1
    is_of_side = is_entry and buys == side if closes else side == -buys
    if not is_of_side or waiting.purpose not in (Purpose.ENTRY, Purpose.EXIT):
        return False
    if "levels" in extra or extra.get("level") is not None:
        levels = extra.get("levels") or {extra["level"]: not closes}
        rung = waiting.leg.rpartition("-")[2]
        named = any(str(int(level)) == rung and bool(wanted) != closes for level, wanted in levels.items())
        return named or (is_entry and not closes)
    if closes and (float(extra.get("portion", 1.0)) < 1 or float(extra.get("target", 0.0)) * side > 0):
        raise UsageError(
            f"{signal.action} of {signal.symbol}: an entry waits for the next open, of which no part can be "
            "closed: close it whole, or a part at the next candle"
        )
    return True


def sizing_of(extra: Mapping[str, Any] | None, sizing: Sizing) -> Sizing:
    """Return the sizing with what a signal's extra says otherwise, by the names of Sizing."""
    own = {name: float(value) for name, value in (extra or {}).items() if name in Sizing._fields}
    return by_stake(sizing._replace(**own))


def _held(signal: StrategySignal, want: Decision, close: float) -> Decision:
    extra = signal.extra or {}
    stop, take = _price(signal, "stop", want.stop), _take(signal, want.take)
    side = (want.target > 0) - (want.target < 0)
    # What was set before may be passed by now: only what this signal moves is looked at.
    moved = (level if level != before else NAN for level, before in ((stop, want.stop), (take, want.take)))
    check_prices(signal, side, close, *moved)
    target, kept = float(extra.get("target", want.target)), note_of(extra, want.note)
    reason = _reason(extra, Reason.HOLD)
    return want._replace(target=target, stop=stop, take=take, note=kept, reason=reason)


def _opened(signal: StrategySignal, want: Decision, held: PositionView, close: float) -> Decision:
    extra, side = signal.extra or {}, ACTIONS[signal.action]
    rungs = _rungs(extra, want.rungs, opens=True)
    check_entry(signal, close)
    close = entered_at(signal, close)
    if want.target * side > 0 and "add" not in extra and not rungs & ~held.rungs:
        return want
    stop = _stop(signal, close)
    if "target" in extra:
        target = side * abs(float(extra["target"]))
    elif math.isnan(stop):
        raise UsageError(_unsized(signal, close))
    elif "add" in extra:
        target = side * (max(0.0, side * want.target) + float(extra["add"]))
    else:
        target = side * _risk(signal) * max(1, rungs.bit_count())
    kept = note_of(extra, want.note if want.target * side > 0 else NAN)
    take, reason = _entry_take(signal, close, stop), _reason(extra, Reason.ENTRY)
    return Decision(target, stop, take, reason, rungs, kept, *_waits_for(signal))


def _closed(signal: StrategySignal, want: Decision) -> Decision:
    extra, side = signal.extra or {}, ACTIONS[signal.action]
    if extra.get("level") is not None or "levels" in extra:
        return _rung_closed(signal, want)
    if want.target * side <= 0:
        return want
    left = want.target * (1.0 - float(extra.get("portion", 1.0)))
    target = float(extra.get("target", left))
    if target * side <= 0:
        return Decision(0.0, NAN, NAN, _reason(extra, Reason.RULE), 0)
    stop, take = _price(signal, "stop", want.stop), _take(signal, want.take)
    kept = note_of(extra, want.note)
    return Decision(target, stop, take, _reason(extra, Reason.REDUCE), want.rungs, kept)


def _rung_closed(signal: StrategySignal, want: Decision) -> Decision:
    extra, before = signal.extra or {}, want.rungs
    rungs = _rungs(extra, before, opens=False)
    if rungs == before:
        return want
    left = want.target * rungs.bit_count() / max(1, before.bit_count())
    left = float(extra.get("target", left))
    return Decision(left, NAN, NAN, _reason(extra, Reason.RULE), rungs, want.note)


def note_of(extra: Mapping[str, Any], otherwise: float) -> float:
    """Return the number that a position is to remember: None stands for none, left out for `otherwise`."""
    kept = extra.get("note", otherwise)
    return NAN if kept is None else float(kept)


def entered_at(signal: StrategySignal, close: float) -> float:
    """Return the price that an entry waits for, else the close."""
    limit, trigger, _ = _waits_for(signal)
    at = trigger if math.isnan(limit) else limit
    return close if math.isnan(at) else at


def _waits_for(signal: StrategySignal) -> tuple[float, float, int]:
    """Return limit, trigger and for how many bars."""
    bars = (signal.extra or {}).get("valid_bars", 1)
    return _price(signal, "limit", NAN), _price(signal, "trigger", NAN), int(bars)


def _stop(signal: StrategySignal, close: float) -> float:
    extra = signal.extra or {}
    if extra.get("stop") is None and extra.get("atr") is not None:
        multiple = float(extra.get("atr_stop_mult", ATR_STOP_MULT))
        return close - ACTIONS[signal.action] * multiple * _price(signal, "atr", NAN)
    return _price(signal, "stop", NAN)


def _entry_take(signal: StrategySignal, close: float, stop: float) -> float:
    away = float((signal.extra or {}).get("rr_ratio", NAN)) * (close - stop)
    return _take(signal, close + away)


def _take(signal: StrategySignal, otherwise: float) -> float:
    return _price(signal, "take", _price(signal, "tp", otherwise))


def _price(signal: StrategySignal, name: str, otherwise: float) -> float:
    """Return a price in a signal's extra, NaN for None, which stands for none."""
    extra = signal.extra or {}
    if name not in extra:
        return otherwise
    if extra[name] is None:
        return NAN
    try:
        number = float(extra[name])
    except (TypeError, ValueError):
        number = NAN
    if math.isnan(number):
        raise UsageError(
            f"{signal.action} of {signal.symbol}: extra[{name!r}]: wanted a price, or None for none, "
            f"got {extra[name]!r}"
        )
    return number


def _risk(signal: StrategySignal) -> float:
    risk = float(signal.risk_r)
    if not 0 < risk < math.inf:
        raise UsageError(
            f"{signal.action} of {signal.symbol}: risk_r: wanted a number above 0 (1: the usual risk), "
            f"got {signal.risk_r!r}"
        )
    return risk


def _unsized(signal: StrategySignal, close: float) -> str:
    place = "below" if ACTIONS[signal.action] > 0 else "above"
    return (
        f"{signal.action} of {signal.symbol}: wanted extra['stop'], a price {place} the close {close:g}, got "
        f"{signal.extra or {}}: give it, or extra['atr'], or, for an entry without a stop, extra['target'] "
        "(0 to 1 of the allocation)"
    )


def _rungs(extra: Mapping[str, Any], rungs: int, *, opens: bool) -> int:
    """Return the rungs wanted after a signal; bit i is rung i."""
    if "levels" in extra:
        levels = sum(1 << int(level) for level, wanted in extra["levels"].items() if wanted)
        return levels if opens else rungs & levels
    if extra.get("level") is None:
        return rungs
    bit = 1 << int(extra["level"])
    return rungs | bit if opens else rungs & ~bit


def _reason(extra: Mapping[str, Any], otherwise: Reason) -> Reason:
    """Return the reason that a signal names, in words of its own the usual one."""
    return Reason.__members__.get(str(extra.get("reason", "")).upper(), otherwise)
