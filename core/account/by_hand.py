"""What a person's own calls may ask of an account: numbers that can be, or one line that says what cannot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from core.account.money import decimal_of
from core.account.orders import Side
from core.errors import UsageError, number
from core.symbols import check_written


class ByHand(NamedTuple):
    """A fill that a person says happened."""

    symbol: str
    price: float
    size: Decimal | None
    """Base units; None for all that is held."""
    bracket: tuple[Decimal | None, Decimal | None] = (None, None)
    """Stop and take."""

    @property
    def at(self) -> Decimal:
        """The price, exact."""
        return decimal_of(self.price)


def opening(
    side: Side, symbol: str, size: float, price: float, bracket: tuple[float | None, float | None]
) -> ByHand:
    """Return an entry at a price, with stop and take. Raises UsageError for what cannot be."""
    check_written(symbol)
    amount, paid = number("size", size, above=0), number("price", price, above=0)
    kept = [
        None if one is None else number(name, one, above=0) for name, one in zip(_NAMES, bracket, strict=True)
    ]
    check_bracket(1 if side == "buy" else -1, paid, kept[0], kept[1])
    stop, take = (None if one is None else decimal_of(one) for one in kept)
    return ByHand(symbol, paid, decimal_of(amount), (stop, take))


def closing(symbol: str, price: float, size: float | None) -> ByHand:
    """Return an exit at a price, of all without a size. Raises UsageError for what cannot be."""
    check_written(symbol)
    paid = number("price", price, above=0)
    return ByHand(symbol, paid, None if size is None else decimal_of(number("size", size, above=0)))


def deposit_of(cash: object) -> Decimal:
    """Return what an account begins with, quote units. Raises UsageError for what cannot be."""
    number("cash", cash, 0)
    return Decimal(str(cash))


def known_price(symbol: str, prices: Mapping[str, float]) -> float:
    """Return a symbol's price, NaN if it is not known. Raises UsageError for what is none."""
    price = prices.get(symbol, math.nan)
    if type(price) is float and 0.0 < price < math.inf:
        return price
    return number(f"price of {symbol}", price, above=0, or_unknown=True)


def check_bracket(side: int, price: float, stop: float | None, take: float | None) -> None:
    """Raise UsageError unless a stop loses and a take wins, seen from this price; None or NaN is none."""
    for name, level, towards in (("stop", stop, -side), ("take", take, side)):
        # Written so that NaN, which stands for none, passes.
        if level is not None and (level <= 0 or towards * (level - price) <= 0):
            where = "above" if towards > 0 else "below"
            kind = "long" if side > 0 else "short"
            raise UsageError(
                f"{name} of a {kind}: wanted a price above 0 and {where} {price:g}, got {level:g}"
            )


_NAMES = ("stop", "tp")
