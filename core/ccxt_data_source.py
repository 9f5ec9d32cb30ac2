"""Candles straight from an exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.candles.frames import frame_from_bars
from core.data_source import DataSource
from core.errors import NoDataError
from core.exchange.pages import concat
from core.exchange_client import ExchangeClient
from core.utils import format_time

if TYPE_CHECKING:
    import pandas as pd

    from core.domain import Bars


class CCXTDataSource(DataSource):
    """The closed candles of one exchange, fetched anew each time."""

    def __init__(self, client: ExchangeClient | None = None) -> None:
        """Read from this client's exchange; without one, from Binance.US, without a key."""
        self.client = client or ExchangeClient(api_key="", api_secret="")

    @property
    def exchange(self) -> str:  # type: ignore[override]
        """The label under which its candles would be stored."""
        return self.client.label

    def get_ohlcv(
        self,
        symbol: str,
        timeframe: str,
        limit: int | None = 1000,
        *,
        start: int | None = None,
        end: int | None = None,
    ) -> pd.DataFrame:
        """Return fetched bars as a frame, as DataSource says.

        Raises NoDataError when there is none, UnsupportedError for a symbol or timeframe the venue does
        not offer, ExchangeError when it cannot be read.
        """
        return frame_from_bars(self.get_bars(symbol, timeframe, limit, start=start, end=end))

    def get_bars(
        self,
        symbol: str,
        timeframe: str,
        limit: int | None = None,
        *,
        start: int | None = None,
        end: int | None = None,
    ) -> Bars:
        """Return fetched bars as arrays; arguments and errors as `get_ohlcv`, but all bars by default."""
        if limit is None:
            bars = concat(list(self.client.ohlcv_pages(symbol, timeframe, start or 0, end)))
        else:
            bars = self.client.newest_bars(symbol, timeframe, limit, start=start, end=end)
        if not len(bars.ts):
            within = "" if start is None else f" from {format_time(start)}"
            within += "" if end is None else f" before {format_time(end)}"
            raise NoDataError(
                f"{self.client.name} has no closed {symbol} {timeframe} candles{within}: ask for other times"
            )
        return bars
