"""A venue's public books as one account on paper finds them: less what it took of them itself.

Nobody else notices what is traded on paper, so a book that stands still would fill any number of orders. What
was taken at a price is missing there until that price has left the book.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

from core.account.money import NOTHING, minus, plus
from core.account.orders import Side
from core.execution_algos.values import BOOK_PAUSE, BookOffer, LocalBook

_Taken = dict[Decimal, Decimal]


class PublicBooks:
    """Books of the symbols of one account."""

    def __init__(self, ask: Callable[[str], LocalBook | None]) -> None:
        """Take what asks a venue for a symbol's book; it returns None when nobody answers."""
        self._ask = ask
        self._seen: dict[str, tuple[int, LocalBook | None]] = {}
        self._taken: defaultdict[tuple[str, Side], _Taken] = defaultdict(dict)

    def read(self, symbol: str, now: int) -> LocalBook | None:
        """Return what others still offer; None when nobody says. It is asked for once a second at most."""
        asked_at, book = self._seen.get(symbol, (now - BOOK_PAUSE, None))
        if not 0 <= now - asked_at < BOOK_PAUSE:
            book = self._ask(symbol)
            self._seen[symbol] = now, book
        if book is None:
            return None
        bids, asks = self._left(symbol, "sell", book.bids), self._left(symbol, "buy", book.asks)
        return LocalBook(bids, asks, book.time)

    def usable(self, symbol: str, now: int) -> LocalBook | None:
        """Return the same where prices may be made of it."""
        book = self.read(symbol, now)
        return book if book is not None and book.is_usable(now) else None

    def take(
        self, symbol: str, side: Side, amount: Decimal, worst: Decimal | None, now: int
    ) -> list[BookOffer]:
        """Take up to an amount at the other side's prices, best first, none worse than `worst`."""
        book = self.usable(symbol, now)
        if book is None:
            return []
        got, left, taken = [], amount, self._taken[symbol, side]
        for offer in offers_within(book, side, worst):
            part = min(offer.amount, left)
            if part <= 0:
                break
            left = minus(left, part)
            taken[offer.price] = plus(taken.get(offer.price, NOTHING), part)
            got.append(BookOffer(offer.price, part))
        return got

    def _left(self, symbol: str, side: Side, offers: tuple[BookOffer, ...]) -> tuple[BookOffer, ...]:
        taken = self._taken[symbol, side]
        if not taken:
            return offers
        there = {one.price for one in offers}
        for price in [price for price in taken if price not in there]:
            del taken[price]
        left = (BookOffer(one.price, minus(one.amount, taken.get(one.price, NOTHING))) for one in offers)
        return tuple(one for one in left if one.amount > 0)


def offers_within(book: LocalBook, side: Side, worst: Decimal | None) -> list[BookOffer]:
    """Return what an order of this side could take, best first, none worse than `worst`."""
    if side == "buy":
        return [one for one in book.asks if worst is None or one.price <= worst]
    return [one for one in book.bids if worst is None or one.price >= worst]
