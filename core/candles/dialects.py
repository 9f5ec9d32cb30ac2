"""The candle files that people have: how each names its columns, and what it leaves unsaid.

A row of DIALECTS is chosen by the names in a file's header, the first that fits; a row of HEADLESS by how
many columns there are. Whatever has plain names (TradingView's, freqtrade's, ccxt's) fits the last.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

PRICES = ("open", "high", "low", "close")

TIME_NAMES = (
    *("ts", "timestamp", "unix", "unix_timestamp", "time", "open_time", "opentime", "timeopen", "start"),
    *("date", "datetime", "index_level_0"),
)
"""Names of a column of open times, the most exact first; the last is pandas' own for an unnamed index."""

VolumeUnit = Literal["base", "quote", "unsaid"]
"""What a volume counts: the asset traded, or the one that prices are in."""


class Dialect(NamedTuple):
    """One kind of file with a header."""

    name: str
    """Empty for plain names, which need no word."""
    marks: tuple[str, ...]
    """Names that its header has; * stands for anything."""
    times: tuple[str, ...] = TIME_NAMES
    """Names of the open time, the best first."""
    in_utc: bool = False
    """Whether its times that name no zone are known to be UTC."""
    volume: VolumeUnit = "unsaid"
    """What a column that is just called volume counts."""
    has_blanks: bool = False
    """Whether a row without numbers stands for a bar without a trade."""
    is_mixed: bool = False
    """Whether seconds and milliseconds occur in one file."""
    thousands: bool = False
    """Whether numbers are grouped by commas: 1,234.5."""
    skips: tuple[str, ...] = ()
    """How lines below the header begin that are no rows."""


_CRYPTO_DATA_DOWNLOAD = Dialect(
    "CryptoDataDownload",
    ("date", "symbol", "volume_*"),
    ("unix", "unix_timestamp", "date"),
    in_utc=True,
    is_mixed=True,
)
_COIN_MARKET_CAP = Dialect(
    "CoinMarketCap", ("timeopen", "timeclose", "volume"), ("timeopen",), volume="quote"
)
_YAHOO = Dialect(
    "Yahoo Finance",
    ("date", "adj_close", "volume"),
    ("date",),
    in_utc=True,
    volume="quote",
    has_blanks=True,
)

DIALECTS = (
    _CRYPTO_DATA_DOWNLOAD,
    _CRYPTO_DATA_DOWNLOAD._replace(marks=("unix*", "date", "symbol", "volume")),
    Dialect(
        "Kaggle's minutes of Bitstamp",
        ("timestamp", "volume_*", "volume_currency", "weighted_price"),
        ("timestamp",),
        has_blanks=True,
    ),
    _COIN_MARKET_CAP,
    _COIN_MARKET_CAP._replace(
        marks=("date", "volume", "market*cap"), times=("date",), in_utc=True, thousands=True
    ),
    _YAHOO,
    _YAHOO._replace(marks=("datetime", "adj_close", "volume"), times=("datetime",)),
    _YAHOO._replace(
        name="Yahoo Finance (yfinance)",
        marks=("price", "close", "high", "low", "open", "volume"),
        times=("price",),
        skips=("Ticker,", "Date,", "Datetime,"),
    ),
    Dialect("", ()),
)


class Headless(NamedTuple):
    """One kind of file without a header."""

    name: str
    names: tuple[str, ...]
    """Its columns in their order."""
    in_text: bool
    """Whether CSV files come so; otherwise JSON alone, where a row of numbers has an order of its own."""


HEADLESS = (
    Headless("Kraken's OHLCVT", ("time", *PRICES, "volume", "trades"), in_text=True),
    Headless(
        "Binance's",
        (
            *("open_time", *PRICES, "volume", "close_time", "quote_volume", "count"),
            *("taker_buy_volume", "taker_buy_quote_volume", "ignore"),
        ),
        in_text=True,
    ),
    Headless("Kraken's API", ("time", *PRICES, "vwap", "volume", "count"), in_text=False),
    Headless("freqtrade's", ("time", *PRICES, "volume"), in_text=False),
    Headless("Coinbase's", ("time", "low", "high", "open", "close", "volume"), in_text=False),
)


def plain_names(names: Sequence[str]) -> list[str]:
    """Return column names in lower case, with one _ for whatever is between letters: volume_btc."""
    return [re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in names]


def dialect_of(plain: Sequence[str]) -> Dialect:
    """Return the kind of file that has these plain column names."""
    return next(
        one for one in DIALECTS if all(any(fnmatchcase(name, mark) for name in plain) for mark in one.marks)
    )


def headless_of(width: int, *, in_text: bool) -> list[Headless]:
    """Return the kinds of file without a header that have so many columns."""
    return [one for one in HEADLESS if len(one.names) == width and (one.in_text or not in_text)]


def best_order(kinds: Sequence[Headless], rows: Sequence[Sequence[str]]) -> Headless:
    """Return the kind whose order of columns makes most rows candles: low <= open, close <= high."""
    return max(kinds, key=lambda kind: sum(_is_candle(kind, row) for row in rows))


def _is_candle(kind: Headless, row: Sequence[str]) -> bool:
    try:
        opened, high, low, close = (float(row[kind.names.index(name)]) for name in PRICES)
        # Coinbase counts seconds, freqtrade milliseconds: that decides where prices are all the same.
        is_fitting = (float(row[0]) < 1e11) == (kind.name == "Coinbase's")
    except (ValueError, IndexError):
        return False
    return low <= min(opened, close) and max(opened, close) <= high and (low < high or is_fitting)
