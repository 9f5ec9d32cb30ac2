"""The candles that a person's own loop shows an executor, as bars: how long one lasts is learnt from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from core.candles.frames import candle_ms
from core.domain import Bar
from core.errors import UsageError, number
from core.symbols import check_written
from core.utils import TIMEFRAMES, timeframe_ms

USUAL = "4h"
"""The timeframe while a symbol's first two candles have not been seen: the specification's default."""
SHORTEST = min(TIMEFRAMES.values())
"""How long a candle lasts at least, ms: what is known of the first one."""
_FIELDS = ("time", "open", "high", "low", "close", "volume")
_NAMES = {step: name for name, step in TIMEFRAMES.items()}


class CandleSeries:
    """One series of candles for each symbol, and the order of calls: a candle first, then its signals."""

    def __init__(self) -> None:
        self._steps: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self._names: dict[str, str] = {}
        self._ordered: dict[str, int] = {}

    def timeframe(self, symbol: str, wanted: str | None = None) -> str:
        """Return the timeframe of a symbol's candles, from now on always the same.

        Raises UsageError when another one is wanted.
        """
        known = self._names.setdefault(symbol, wanted or self.likely(symbol))
        if wanted is not None:
            self._steps.setdefault(symbol, timeframe_ms(wanted))
        if wanted not in (None, known):
            raise UsageError(
                f"candles of {symbol} are taken as {known} here, a strategy wants {wanted}: "
                "trade each timeframe with an Executor of its own"
            )
        return known

    def bar(self, symbol: str, candle: Mapping[str, Any]) -> Bar:
        """Return a candle (time, open, high, low, close, volume) as a bar.

        Raises UsageError for one that is none, that is older than the newest, or that signals were executed
        at already: what they ordered is for the next open, so it must not see this one.
        """
        time, prices = self._time(symbol, candle), _prices(symbol, candle)
        newest = self._newest.get(symbol, -1)
        if time < newest or newest < time <= self._ordered.get(symbol, -1):
            raise UsageError(
                f"candle {candle['time']} of {symbol} comes too late: call on_candle with every candle, "
                "oldest first, before on_bar and execute_signal"
            )
        if 0 <= newest < time:
            self._steps[symbol] = min(time - newest, self._steps.get(symbol, time - newest))
        self._newest[symbol] = time
        name = self.likely(symbol)
        return Bar(symbol, name, time, time + self._steps.get(symbol, SHORTEST), *prices)

    def close(self, symbol: str, candle: Mapping[str, Any], *, is_waiting: bool) -> tuple[int, int, float]:
        """Return open time, close time and close of the candle that a signal is executed at.

        `is_waiting`: an order of an earlier candle has not been filled or refused yet. Raises UsageError if
        so, and this candle was never shown to `bar`, and for a candle without time or close.
        """
        time, close = self._time(symbol, candle), _field(symbol, candle, "close")
        if is_waiting and self._newest.get(symbol, -1) <= self._ordered.get(symbol, time) < time:
            raise UsageError(
                f"an order for {symbol} waits for the next candle: call Executor.on_candle(symbol, candle) "
                "with every candle, before on_bar and execute_signal"
            )
        self._ordered[symbol] = time
        self.timeframe(symbol)
        return time, time + self._steps.get(symbol, SHORTEST), close

    def _time(self, symbol: str, candle: Mapping[str, Any]) -> int:
        if symbol not in self._newest and symbol not in self._ordered:
            check_written(symbol)
        _check_has(symbol, candle, ("time",))
        return candle_ms(candle["time"])

    def likely(self, symbol: str) -> str:
        """Return the timeframe of a symbol's candles as far as it is known now."""
        return self._names.get(symbol) or _NAMES.get(self._steps.get(symbol, 0), USUAL)


def _check_has(symbol: str, candle: Mapping[str, Any], names: tuple[str, ...]) -> None:
    try:
        lacking = [name for name in names if name not in candle]
    except TypeError:
        lacking = list(names)
    if lacking:
        raise UsageError(
            f"candle of {symbol}: wanted a mapping with {', '.join(_FIELDS)}; {', '.join(lacking)} "
            f"{'is' if len(lacking) == 1 else 'are'} not in {candle!r}"
        )


def _field(symbol: str, candle: Mapping[str, Any], name: str) -> float:
    _check_has(symbol, candle, (name,))
    return number(f"{name} of candle {candle['time']} of {symbol}", candle[name], above=0)


def _prices(symbol: str, candle: Mapping[str, Any]) -> tuple[float, float, float, float, float]:
    _check_has(symbol, candle, ("open", "high", "low", "close"))
    opened, high, low, close = (_field(symbol, candle, name) for name in ("open", "high", "low", "close"))
    if not (low <= opened <= high and low <= close <= high):
        raise UsageError(
            f"candle {candle['time']} of {symbol} is none: wanted low <= open, close <= high, got {candle}"
        )
    volume = candle.get("volume", math.nan)
    return opened, high, low, close, number(f"volume of {symbol}", volume, 0, or_unknown=True)
