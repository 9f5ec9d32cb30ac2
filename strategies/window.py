"""The recent candles that a live strategy looks at: its frame as bars, and one candle more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from core.candles.frames import COLUMNS, bars_from_frame, candle_ms, empty_bars, frame_from_bars
from core.domain import Bars
from core.errors import UsageError


class SymbolState(dict[str, Any]):
    """What is kept of a symbol; its frame `df` is made of its bars when somebody looks at it.

    Making one takes longer than most decisions, and a rule looks at arrays alone.
    """

    def take(self, bars: Bars) -> None:
        """Keep these candles."""
        self["bars"] = bars
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


def appended(bars: Bars, candle: Mapping[str, Any], window: int) -> Bars:
    """Return the newest `window` bars with this candle; unchanged if it is the newest already."""
    stamp = candle_ms(candle["time"])
    last = int(bars.ts[-1]) if bars.ts.size else stamp - 1
    if stamp < last:
        given, newest = (np.datetime64(ms, "ms") for ms in (stamp, last))
        raise UsageError(f"candles must come in order: {given} after {newest}")
    if stamp == last:
        return bars
    kept = bars.since(max(0, bars.ts.size - window + 1))
    columns = (np.append(old, float(candle[name])) for name, old in zip(COLUMNS, kept[1:], strict=True))
    return Bars(np.append(kept.ts, stamp), *columns)
