"""The markets that one exchange lists, as ccxt tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import ExchangeUnreachableError, UnsupportedError, nearest
from core.exchange.calls import Caller
from core.utils import Clock

MARKETS_EVERY_MS = 3_600_000
"""Markets older than this are loaded again: rules change and symbols are halted while a program runs."""


class MarketList:
    """The markets by symbol, loaded when they are asked for and never older than an hour."""

    def __init__(self, name: str, exchange: Any, call: Caller, ticks: Clock) -> None:
        """Keep the list of ccxt's `exchange`; `ticks` is a clock in ms that nobody sets."""
        self._name, self._exchange, self._call, self._ticks = name, exchange, call, ticks
        self._loaded_at: int | None = None

    def all(self) -> Mapping[str, Mapping[str, Any]]:
        """Return every market. Raises ExchangeUnreachableError when none is listed."""
        now = self._ticks()
        if self._loaded_at is None or not 0 <= now - self._loaded_at < MARKETS_EVERY_MS:
            self._call.read("read its markets", lambda: self._exchange.load_markets(reload=True))
            self._loaded_at = now
        markets: Mapping[str, Mapping[str, Any]] = self._exchange.markets or {}
        if not markets:
            self._loaded_at = None
            raise ExchangeUnreachableError(f"{self._name}: it lists no market at all; try again later")
        return markets

    def one(self, symbol: str) -> Mapping[str, Any]:
        """Return the market of a symbol. Raises UnsupportedError for one that is not listed."""
        markets = self.all()
        if symbol not in markets:
            raise UnsupportedError(nearest("symbol", symbol, markets, f"{self._name} lists"))
        return markets[symbol]
