"""A symbol's order book, asked for now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from core.account.money import decimal_of
from core.exchange.calls import Caller
from core.exchange.clock import ExchangeClock
from core.execution_algos.values import BookOffer, LocalBook

LEVELS: Final = 100
"""Price levels asked for on each side: more cost more of the requests that a venue allows."""


class BookReader:
    """Reads books of one exchange."""

    def __init__(
        self, exchange: Any, call: Caller, market: Callable[[str], Mapping[str, Any]], clock: ExchangeClock
    ) -> None:
        """Take an exchange object; `market` raises UnsupportedError for a symbol that it does not list."""
        self._exchange, self._call, self._market, self._clock = exchange, call, market, clock

    def read(self, symbol: str) -> LocalBook:
        """Return what others offer in a symbol now. Raises ExchangeError when no answer comes."""
        self._market(symbol)
        asked = self._clock.now()
        book = self._call.read(
            f"read the book of {symbol}", lambda: self._exchange.fetch_order_book(symbol, LEVELS)
        )
        # As old as the question: how long the answer took is part of its age.
        return LocalBook(_side(book["bids"]), _side(book["asks"]), asked)


def _side(levels: Iterable[Any]) -> tuple[BookOffer, ...]:
    return tuple(BookOffer(decimal_of(float(level[0])), decimal_of(float(level[1]))) for level in levels)
