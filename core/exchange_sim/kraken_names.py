"""Kraken's own names: of assets, pairs, orders and trades."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from core.exchange_sim.markets import SimMarket
from core.exchange_sim.orders import OwnTrade, SimOrder

RENAMED: Mapping[str, str] = MappingProxyType({"BTC": "XBT", "DOGE": "XDG"})
LETTERED: Mapping[str, str] = MappingProxyType(
    {"XBT": "XXBT", "ETH": "XETH", "LTC": "XLTC", "XDG": "XXDG", "USD": "ZUSD", "EUR": "ZEUR"}
)
"""Assets of Kraken's first years have an X (coins) or a Z (currencies) in front."""
DECIMALS: Mapping[str, int] = MappingProxyType({"BTC": 1, "DOGE": 7})
"""Price decimals where Kraken's differ from the candles' own."""
LOT_DECIMALS = 8
ASSET_DECIMALS: Mapping[str, int] = MappingProxyType({"X": 10, "Z": 4})
"""Of balances, by the letter in front; 8 for all others."""


class KrakenPair(NamedTuple):
    """A market under Kraken's names, with Kraken's decimals."""

    id: str
    altname: str
    wsname: str
    base: str
    quote: str
    market: SimMarket


def pair_of(market: SimMarket) -> KrakenPair:
    """Return a market under Kraken's names: XXBTZUSD, XBTUSD and XBT/USD for BTC/USD."""
    base, quote = (RENAMED.get(asset, asset) for asset in (market.base, market.quote))
    long_base, long_quote = asset_id(market.base), asset_id(market.quote)
    # Only pairs of two lettered assets have the letters in their id, and the dogecoin's has not.
    lettered = long_base != base and long_quote != quote and base != "XDG"
    own = market._replace(
        price_decimals=DECIMALS.get(market.base, market.price_decimals),
        lot_decimals=LOT_DECIMALS,
        market_stops=True,
    )
    return KrakenPair(
        long_base + long_quote if lettered else base + quote,
        base + quote,
        f"{base}/{quote}",
        long_base,
        long_quote,
        own,
    )


def asset_id(asset: str) -> str:
    """Return Kraken's name of an asset: XXBT for BTC."""
    short = RENAMED.get(asset, asset)
    return LETTERED.get(short, short)


def altname(long: str) -> str:
    """Return the short form of Kraken's name of an asset: XBT for XXBT."""
    return next((short for short, name in LETTERED.items() if name == long), long)


def asset_decimals(asset: str) -> int:
    """Return how many decimals balances of an asset have."""
    long = asset_id(asset)
    return ASSET_DECIMALS.get(long[0], 8) if long in LETTERED.values() else 8


def order_txid(order: SimOrder) -> str:
    """Return the id of an order, which no other order of the account has."""
    return txid("O", f"{order.market.symbol}|{order.id}")


def trade_txid(trade: OwnTrade) -> str:
    """Return the id of an execution."""
    return txid("T", f"{trade.market.symbol}|{trade.id}")


def txid(letter: str, what: str) -> str:
    """Return an id of Kraken's form, a function of what it names."""
    text = b32encode(hashlib.sha256(f"{letter}|{what}".encode()).digest()).decode()
    return f"{letter}{text[:5]}-{text[5:10]}-{text[10:16]}"
