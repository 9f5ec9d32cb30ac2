"""Where candles come from, as one interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from core.candles.frames import bars_from_frame

if TYPE_CHECKING:
    import pandas as pd

    from core.domain import Bars


class DataSource(ABC):
    """A source of closed candles of one exchange."""

    exchange: str = "binanceus"
    """The label under which its candles are stored."""

    @abstractmethod
    def get_ohlcv(
        self,
        symbol: str,
        timeframe: str,
        limit: int | None = 1000,
        *,
        start: int | None = None,
        end: int | None = None,
    ) -> pd.DataFrame:
        """Return bars with start <= open time < end (ms UTC), at most the newest `limit` of them.

        The frame has columns open high low close volume (float64) on a tz-aware UTC DatetimeIndex
        `timestamp` of open times, oldest first; gaps are left as they are. `limit=None` means all.
        Raises NoDataError when there is none.
        """

    def get_bars(
        self,
        symbol: str,
        timeframe: str,
        limit: int | None = None,
        *,
        start: int | None = None,
        end: int | None = None,
    ) -> Bars:
        """Return the bars as arrays; arguments and errors as `get_ohlcv`, but all bars by default."""
        span = {name: time for name, time in (("start", start), ("end", end)) if time is not None}
        return bars_from_frame(self.get_ohlcv(symbol, timeframe, limit, **span))
