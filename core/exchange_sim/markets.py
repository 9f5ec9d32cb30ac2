"""The symbols the local exchange lists: tick, lot and smallest order, and what follows for others."""

from __future__ import annotations

import math
from typing import NamedTuple

TRADING = "TRADING"
BREAK = "BREAK"


class SimMarket(NamedTuple):
    """One symbol and its grid of prices and amounts."""

    symbol: str
    """`BTC/USDT`."""
    price_decimals: int
    lot_decimals: int
    min_notional: float = 1.0
    """Smallest order value, quote units."""
    status: str = TRADING
    """`TRADING`, or `BREAK` for a symbol that is listed but no longer traded."""
    max_lot: float = 9000.0
    """Largest limit order, base units."""
    market_stops: bool = False
    """Whether stops that become market orders are taken; the venue itself takes limit ones only."""
    newer_filters: bool = False
    """Whether NOTIONAL and PERCENT_PRICE_BY_SIDE stand in for MIN_NOTIONAL and PERCENT_PRICE."""

    @property
    def base(self) -> str:
        """Return the asset that is bought and sold."""
        return self.symbol.partition("/")[0]

    @property
    def quote(self) -> str:
        """Return the asset that prices are in."""
        return self.symbol.partition("/")[2]

    @property
    def id(self) -> str:
        """Return the venue's name for it: `BTCUSDT`."""
        return self.base + self.quote

    @property
    def tick(self) -> float:
        """Return the smallest price step, quote units."""
        return float(10**-self.price_decimals)

    @property
    def lot(self) -> float:
        """Return the smallest amount step, base units."""
        return float(10**-self.lot_decimals)


LISTED = (
    SimMarket("BTC/USDT", 2, 5),
    SimMarket("ETH/USDT", 2, 4),
    SimMarket("BTC/USD", 2, 5),
    SimMarket("ETH/USD", 2, 4),
    SimMarket("SOL/USDT", 2, 3, max_lot=90_000.0),
    SimMarket("DOGE/USDT", 5, 0, max_lot=9_000_000.0),
    SimMarket("LTC/USD", 2, 3, status=BREAK, max_lot=90_000.0),
)


def market_for(symbol: str, price: float) -> SimMarket:
    """Return the listed market, or one whose tick suits a price (about 1/100,000 of it)."""
    for market in LISTED:
        if market.symbol == symbol:
            return market._replace(status=TRADING)
    magnitude = math.floor(math.log10(price))
    decimals = min(max(4 - magnitude, 0), 8)
    return SimMarket(symbol, decimals, min(max(magnitude + 1, 0), 8), max_lot=9e8 / 10 ** max(magnitude, 0))


def quoted(value: float, decimals: int = 8) -> str:
    """Return a number as venues send it: fixed decimals, no exponent."""
    return f"{value:.{decimals}f}"
