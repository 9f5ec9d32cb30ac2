"""What a signal may say: the names and ranges of its extra, so that a slip is an error and not a trade."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from core.account.by_hand import check_bracket
from core.errors import UsageError, number, unknown_name
from core.sizing import Sizing
from core.soundness import MOST

if TYPE_CHECKING:
    from strategies.base import StrategySignal

ACTIONS = {"OPEN_LONG": 1, "CLOSE_LONG": 1, "OPEN_SHORT": -1, "CLOSE_SHORT": -1, "HOLD": 0}
"""What a signal may say, and the side it speaks of."""


class Range(NamedTuple):
    """The numbers that something may be."""

    above: float | None = None
    least: float = -math.inf
    most: float = math.inf
    or_unknown: bool = False
    """NaN too."""


_SHARE = Range(above=0.0, most=1.0)
_PRICE = Range(above=0.0)
_RANGES: Mapping[str, Range] = {
    "atr_stop_mult": _PRICE,
    "rr_ratio": _PRICE,
    # Sums of what a ladder holds go past 1 by rounding.
    "target": Range(least=-MOST, most=MOST),
    "add": Range(above=0.0, most=MOST),
    "portion": Range(above=0.0, most=MOST),
    "volatility": Range(least=0.0, or_unknown=True),
    "fit": Range(least=0.0, most=1.0, or_unknown=True),
    "risk_per_trade": _SHARE,
    "max_exposure": _SHARE,
    "lot": _PRICE,
    "vol_target": Range(least=0.0),
    "kelly_cap": Range(least=0.0, most=1.0),
    "kelly_trades": Range(least=0.0),
    "stake": Range(least=0.0, most=1.0),
    "stake_money": Range(least=0.0),
    "valid_bars": Range(least=1.0),
}
PRICES = ("stop", "take", "tp", "atr", "limit", "trigger")
"""What may be None, which stands for none."""
NOTES = "notes"
"""Where a strategy keeps what is its own: whatever it is, nobody else reads it."""
KNOWN = frozenset((*PRICES, *_RANGES, *Sizing._fields, "level", "levels", "reason", "note", NOTES))
"""All that a signal's extra may name."""


def check_signal(signal: StrategySignal) -> None:
    """Raise UsageError unless action, names and numbers of a signal are some that it may have."""
    if not hasattr(signal, "action"):
        raise UsageError(f"wanted a StrategySignal (HOLD for nothing), got {signal!r}")
    if signal.action not in ACTIONS:
        raise UsageError(unknown_name("action", str(signal.action), ACTIONS))
    extra, whose = signal.extra or {}, f"{signal.action} of {signal.symbol}"
    if not isinstance(extra, Mapping):
        raise UsageError(f"{whose}: extra: wanted a mapping or None, got {extra!r}")
    for name in extra:
        if name not in KNOWN:
            line = unknown_name("name", str(name), KNOWN)
            raise UsageError(f"{whose}: extra: {line}; what is your own goes into extra[{NOTES!r}]")
        if name in _RANGES:
            given = _RANGES[name]
            what = f"{whose}: extra[{name!r}]"
            number(what, extra[name], *given[1:3], above=given.above, or_unknown=given.or_unknown)
    if extra.get("note") is not None:
        number(f"{whose}: extra['note']", extra["note"], or_unknown=True)
    _check_waiting(whose, extra)
    _check_rungs(whose, extra)
    if "target" in extra and signal.action.startswith("OPEN"):
        # A short's own target is negative, as a rule says it; a long's never.
        side = ACTIONS[signal.action]
        number(f"{whose}: extra['target']", _seen(side, extra["target"]), most=MOST, above=0)


def check_prices(signal: StrategySignal, side: int, close: float, stop: float, take: float) -> None:
    """Raise UsageError for a stop or take on the wrong side of the close, in a signal of a person's own.

    A signal with a `target` does not need its stop to be sized, and comes from a rule: it is refused when it
    is sized, as in a backtest.
    """
    if side and "target" not in (signal.extra or {}):
        try:
            check_bracket(side, close, stop, take)
        except UsageError as error:
            raise UsageError(f"{signal.action} of {signal.symbol}: {error}") from None


def _seen(side: int, target: float) -> float:
    """Return a target as seen from the side that it opens."""
    return abs(target) if side < 0 else target


def _check_waiting(whose: str, extra: Mapping[str, Any]) -> None:
    prices = [name for name in ("limit", "trigger") if extra.get(name) is not None]
    for name in prices:
        number(f"{whose}: extra[{name!r}]", extra[name], above=0)
    if len(prices) > 1:
        raise UsageError(f"{whose}: extra has a limit and a trigger: an entry waits for one of them")
    if float(extra.get("valid_bars", 1)) % 1:
        raise UsageError(f"{whose}: extra['valid_bars']: wanted whole bars, got {extra['valid_bars']!r}")


def _check_rungs(whose: str, extra: Mapping[str, Any]) -> None:
    levels = extra.get("levels", {})
    if not isinstance(levels, Mapping):
        raise UsageError(f"{whose}: extra['levels']: wanted rungs as {{1: True, 2: False}}, got {levels!r}")
    level = extra.get("level")
    for one in (*levels, *(() if level is None else (level,))):
        if number(f"{whose}: a rung", one, 0, 62) % 1:
            raise UsageError(f"{whose}: a rung: wanted a whole number, got {one!r}")
