"""Whose candles a file says it has, against whose they were said to be.

Another asset, or a currency of another kind, is another market: refused where the file says so in a column.
One dollar may stand for another (BTC/USD for BTC/USDT), and a file's name may be anything: these are said.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from core.errors import UsageError
from core.symbols import DOLLARS, OTHER_NAMES, Pair, pair_of, symbol_name

SYMBOL_COLUMNS = ("symbol", "pair", "ticker", "market", "instrument")
"""Columns that name the market, by their plain names; the first that is there counts."""

_NAMED_QUOTES = ("USD", "USDT", "USDC", "BUSD", "TUSD", "FDUSD", "EUR", "GBP", "BTC", "ETH")
"""What a market's name may end in, the likeliest first where one ends another."""


def symbol_column(plain: Sequence[str]) -> int | None:
    """Return the index of the column that names the market, None without any."""
    return next((plain.index(name) for name in SYMBOL_COLUMNS if name in plain), None)


def check_symbols(cells: Iterable[str], symbol: str) -> frozenset[str]:
    """Return what a file calls a market where that is priced in another dollar; usually nothing.

    Raises UsageError when a file says that it has another market's candles. What is no name of a market says
    nothing.
    """
    return frozenset(said for cell in cells if (said := _other_dollar(cell, symbol)))


def of_columns(plain: Sequence[str], pair: Pair | None) -> str:
    """Return which other dollar the names of volume columns speak of, such as USD; blank for none."""
    if pair is None or pair.quote not in DOLLARS:
        return ""
    named = {
        dollar for dollar in DOLLARS if {f"volume_{dollar}".lower(), f"{dollar}_volume".lower()} & {*plain}
    }
    return "" if pair.quote in named else ", ".join(sorted(named))


def of_file_name(stem: str, symbol: str) -> str:
    """Return the market that a file's name speaks of if it is another one; blank if it says nothing else."""
    pair = pair_of(symbol)
    tokens = [token for token in re.split(r"[^A-Z0-9]+", stem.upper()) if token]
    pairs = [found for token in tokens for found in _splits(token)]
    pairs += [
        Pair(one, other)
        for one, other in pairwise(tokens)
        if other in _NAMED_QUOTES and one in _spellings(pair.base)
    ]
    others = [Pair(OTHER_NAMES.get(base, base), quote) for base, quote in pairs]
    return "" if not others or pair in others else "/".join(others[0])


def market_of_file(name: str) -> str:
    """Return the market that a file's name speaks of, such as BTC/USDT for BTCUSDT-1h-2024.zip.

    Raises UsageError when it speaks of none, or of several.
    """
    tokens = [token for token in re.split(r"[^A-Z0-9]+", name.partition(".")[0].upper()) if token]
    apart = [(one, other) for one, other in pairwise(tokens) if other in _NAMED_QUOTES]
    found = apart or [pairs[0] for token in tokens if (pairs := _splits(token))]
    symbols = {symbol_name(f"{base}/{quote}") for base, quote in found}
    if len(symbols) == 1:
        return symbols.pop()
    says = f"speaks of {' and '.join(sorted(symbols))}" if symbols else "speaks of no market"
    raise UsageError(f"{name}: the name {says}: give --symbol, such as --symbol BTC/USDT")


def said_otherwise(said: Collection[str], symbol: str) -> str:
    """Return the note on a file that speaks of another market than `symbol`; blank when it does not."""
    return f"the file says {', '.join(sorted(said))}: it is taken for {symbol}" if said else ""


def _other_dollar(cell: str, symbol: str) -> str:
    pair = pair_of(symbol)
    text = "".join(filter(str.isalnum, cell.rpartition(":")[2].upper()))
    alike = DOLLARS if pair.quote in DOLLARS else {pair.quote}
    names = {base + quote: quote for base in _spellings(pair.base) for quote in ("", *alike)}
    if text not in names:
        raise UsageError(
            f"the file has candles of {cell.strip()!r}: give them their own symbol, not {symbol!r}"
        )
    return "" if names[text] in ("", pair.quote) else f"{pair.base}/{names[text]}"


def _splits(token: str) -> list[Pair]:
    """Return what a token such as BNBUSD may mean, the likeliest first: BNB/USD, BN/BUSD."""
    fitting = (Pair(token.removesuffix(quote), quote) for quote in _NAMED_QUOTES if token.endswith(quote))
    return [pair for pair in fitting if 2 <= len(pair.base) <= 6]


def _spellings(asset: str) -> set[str]:
    return {asset, *(other for other, usual in OTHER_NAMES.items() if usual == asset)}
