"""A market is spelled one way, however it was typed, and a contract is no spot market."""

from __future__ import annotations

import re

import pytest

from core.errors import UsageError
from core.symbols import Pair, pair_of, symbol_name


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("BTC/USDT", "BTC/USDT"),
        ("btc/usdt", "BTC/USDT"),
        (" BTC-USD ", "BTC/USD"),
        ("BTC_USDT", "BTC/USDT"),
        ("XBT/USD", "BTC/USD"),
        ("xdg/xbt", "DOGE/BTC"),
        ("1INCH/USDT", "1INCH/USDT"),
    ],
)
def test_every_usual_spelling_is_the_same_symbol(text: str, symbol: str) -> None:
    assert symbol_name(text) == symbol == symbol_name(symbol)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("BTC/USDT:USDT", "wanted a spot symbol such as BTC/USDT, got the contract 'BTC/USDT:USDT'"),
        ("XBT/USD:BTC-241227", "wanted a spot symbol such as BTC/USD, got the contract"),
        ("BTCUSDT", "wanted a symbol such as BTC/USDT, got 'BTCUSDT': did you mean BTC/USDT?"),
        ("XBTUSD", "did you mean BTC/USD?"),
        ("USDT", "wanted a symbol such as BTC/USDT, got 'USDT'"),
        ("BTC/USD/T", "wanted a symbol such as BTC/USDT, got 'BTC/USD/T'"),
        ("BTC/", "wanted a symbol such as BTC/USDT"),
        ("", "wanted a symbol such as BTC/USDT, got ''"),
        ("ΒTC/USD", "wanted a symbol such as BTC/USDT"),
    ],
)
def test_a_contract_and_what_is_no_symbol_are_refused_with_what_was_meant(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        symbol_name(text)


def test_a_pair_is_base_and_quote() -> None:
    assert pair_of("ETH/BTC") == Pair("ETH", "BTC")
