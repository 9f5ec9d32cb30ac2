"""The recent candles that a live strategy looks at: its frame as bars, and one candle more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from core.candles.frames import COLUMNS, bars_from_frame, candle_ms, empty_bars, frame_from_bars
from core.domain import Bars
from core.errors import UsageError


class SymbolState(dict[str, Any]):
    """What is kept of a symbol; its frame `df` is made of its bars when somebody looks at it.

    Making one takes longer than most decisions, and a rule looks at arrays alone.
    """

    def add(self, candle: Mapping[str, Any], window: int) -> None:
        """Keep the newest `window` candles with this one, if it is not there yet."""
        bars = bars_of(self)
        if (stamp := new_stamp(bars, candle)) is None:
            return
        shelf = dict.get(self, "shelf")
        if shelf is None or shelf.bars is not bars or shelf.is_full:
            # Somebody else's candles, or too many: begun anew, and what was handed out stays as it is.
            self["shelf"] = shelf = Shelf(bars.since(max(0, bars.ts.size - window + 1)), window)
        self["bars"] = shelf.add(stamp, [float(candle[name]) for name in COLUMNS], window)
        self.pop("df", None)

    def __missing__(self, name: str) -> Any:
        if name != "df":
            raise KeyError(name)
        self["df"] = self["framed"] = frame = frame_from_bars(self.get("bars", empty_bars()))
        return frame

    def get(self, name: str, default: Any = None) -> Any:
        """Return what is kept under a name."""
        return self[name] if name in self else default  # noqa: SIM401 - that would be this again

    def __contains__(self, name: object) -> bool:
        return name == "df" or super().__contains__(name)


def bars_of(state: SymbolState) -> Bars:
    """Return the candles as arrays; those at hand if they are the frame's, since making them takes longer."""
    frame, bars = dict.get(state, "df"), state.get("bars")
    if frame is None:
        return empty_bars() if bars is None else cast(Bars, bars)
    if bars is not None and state.get("framed") is frame:
        return cast(Bars, bars)
    try:
        return bars_from_frame(frame)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"state[symbol]['df']: wanted candles with {', '.join(COLUMNS)} on a UTC index of times: {error}"
        ) from None


class Shelf:
    """Candles with empty rows behind them, so that one more moves none of the others."""

    def __init__(self, bars: Bars, window: int) -> None:
        """Take the candles to begin with, fewer than the window."""
        self.bars, self._stop = bars, bars.ts.size
        self._columns = Bars(np.empty(2 * window, np.int64), *(np.empty(2 * window) for _ in COLUMNS))
        for column, values in zip(self._columns, bars, strict=True):
            column[: self._stop] = values

    @property
    def is_full(self) -> bool:
        """Whether no row is left."""
        return self._stop == self._columns.ts.size

    def add(self, stamp: int, prices: Sequence[float], window: int) -> Bars:
        """Return the newest `window` candles, this one the last; rows that were returned never change."""
        columns, at = self._columns, self._stop
        for column, value in zip(columns, (stamp, *prices), strict=True):
            column[at] = value
        self._stop = at + 1
        newest = slice(max(0, at + 1 - window), at + 1)
        self.bars = Bars(columns.ts[newest], *[column[newest] for column in columns[1:]])
        return self.bars


def new_stamp(bars: Bars, candle: Mapping[str, Any]) -> int | None:
    """Return a candle's time, None if it is the newest already. Raises UsageError for an older one."""
    stamp = candle_ms(candle["time"])
    last = int(bars.ts[-1]) if bars.ts.size else stamp - 1
    if stamp < last:
        given, newest = (np.datetime64(ms, "ms") for ms in (stamp, last))
        raise UsageError(f"candles must come in order: {given} after {newest}")
    return stamp if stamp > last else None
