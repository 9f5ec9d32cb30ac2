"""Where candles come from, as one interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class DataSource(ABC):
    """A source of closed candles of one exchange."""

    exchange: str
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
