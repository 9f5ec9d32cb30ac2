"""The line for a mistyped name among many."""

from __future__ import annotations

from core.words import nearest


def test_the_nearest_names_are_offered_whatever_their_case() -> None:
    line = nearest("symbol", "btc/ustd", ["BTC/USDT", "ETH/EUR", "LTC/BTC"], "venue lists")
    assert line == "unknown symbol 'btc/ustd': did you mean BTC/USDT? venue lists 3"


def test_a_name_like_no_other_gets_the_count_only() -> None:
    assert nearest("exchange", "zzz", ["kraken"], "ccxt knows") == "unknown exchange 'zzz': ccxt knows 1"
