"""How a market is spelled: one rule for the command line, the settings, files and the local exchange."""

from __future__ import annotations

import re
from typing import NamedTuple

from core.errors import UsageError

_PAIR = re.compile(r"([A-Z0-9]{1,20})[/_-]([A-Z0-9]{1,20})", re.ASCII)
_CONTRACT = re.compile(r"([A-Z0-9]{1,20})[/_-]([A-Z0-9]{1,20}):.+", re.ASCII)
_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD", "EUR", "GBP", "BTC", "ETH", "BNB")
"""What a name without a separator may end in; only to say what was meant."""

OTHER_NAMES = {"XBT": "BTC", "XDG": "DOGE"}
"""Kraken's own names of assets, and the usual ones."""


DOLLARS = frozenset({"USD", "USDT", "USDC", "BUSD", "FDUSD", "TUSD", "DAI"})
"""Currencies that are a dollar, or stand for one."""

_CASH = DOLLARS | {"EUR", "GBP", "CHF", "CAD", "AUD", "BRL", "TRY", "JPY", "KRW"}


class Pair(NamedTuple):
    """What a market trades."""

    base: str
    quote: str


def symbol_name(text: str) -> str:
    """Return a symbol as this program writes it: BTC/USD for btc/usd, BTC-USD, BTC_USD and XBT/USD.

    Raises UsageError for a contract, such as BTC/USDT:USDT, and for what is no symbol.
    """
    upper = text.strip().upper()
    if match := _CONTRACT.fullmatch(upper):
        spot = "/".join(map(_usual, match.groups()))
        raise UsageError(
            f"wanted a spot symbol such as {spot}, got the contract {text!r}: contracts are not traded here; "
            f"import a contract's candles as {spot} under a label of their own, such as binanceusdm"
        )
    if not (match := _PAIR.fullmatch(upper)):
        raise UsageError(f"wanted a symbol such as BTC/USDT, got {text!r}{_meant(upper)}")
    return "/".join(map(_usual, match.groups()))


def check_written(symbol: str) -> None:
    """Raise UsageError unless a symbol is in this program's spelling, such as BTC/USDT."""
    if not isinstance(symbol, str):
        raise UsageError(f"wanted a symbol such as BTC/USDT, got {symbol!r}")
    if (name := symbol_name(symbol)) != symbol:
        raise UsageError(f"wanted a symbol such as BTC/USDT, got {symbol!r}: write {name}")


def pair_of(symbol: str) -> Pair:
    """Return base and quote of a symbol in this program's spelling."""
    base, _, quote = symbol.partition("/")
    return Pair(base, quote)


def is_same_money(one: str, other: str) -> bool:
    """Tell whether two currencies are one, or both are dollars."""
    return one == other or (one in DOLLARS and other in DOLLARS)


def is_cash(currency: str) -> bool:
    """Tell whether a currency is counted in hundredths, as dollars are and bitcoins are not; "" counts so."""
    return not currency or currency in _CASH


def _usual(asset: str) -> str:
    return OTHER_NAMES.get(asset, asset)


def _meant(text: str) -> str:
    """Return what a name without a separator may have meant."""
    for quote in _QUOTES:
        base = text.removesuffix(quote)
        if base and base != text and base.isalnum():
            return f": did you mean {_usual(base)}/{quote}?"
    return ""
