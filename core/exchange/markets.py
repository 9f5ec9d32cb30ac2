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
    """The markets by symbol: never older than an hour where they are read, as they are at hand for an order.

    A list takes long and may have to be asked for again; an order, a cancel or a look at one never waits for
    it. Whoever reads candles or prices loads it anew.
    """

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
        return self._listed()

    def at_hand(self) -> Mapping[str, Mapping[str, Any]]:
        """Return every market as it was loaded last; it is loaded if it never was."""
        return self.all() if self._loaded_at is None else self._listed()

    def _listed(self) -> Mapping[str, Mapping[str, Any]]:
        markets: Mapping[str, Mapping[str, Any]] = self._exchange.markets or {}
        if not markets:
            self._loaded_at = None
            raise ExchangeUnreachableError(f"{self._name}: it lists no market at all; try again later")
        return markets

    def one(self, symbol: str) -> Mapping[str, Any]:
        """Return the market of a symbol. Raises UnsupportedError for one that is not listed."""
        return self._of(self.all(), symbol)

    def known(self, symbol: str) -> Mapping[str, Any]:
        """Return the same of the list that is at hand."""
        return self._of(self.at_hand(), symbol)

    def _of(self, markets: Mapping[str, Mapping[str, Any]], symbol: str) -> Mapping[str, Any]:
        if symbol not in markets:
            raise UnsupportedError(nearest("symbol", symbol, markets, f"{self._name} lists"))
        return markets[symbol]
