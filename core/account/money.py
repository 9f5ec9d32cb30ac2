"""Exact money: decimals whose sums and products lose no digit, or say so.

All that the engine computes in decimals goes through these functions: a rule of the type checker
(tests/mypy_money.py) refuses operators on decimals anywhere else. Comparing decimals, negating one with
`copy_negate`, and making a float or text of one are exact by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import ROUND_DOWN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

NOTHING = Decimal(0)

# Products of 17-digit numbers have 34 digits, and sums of small with large ones many more; Python's default
# keeps 28 and rounds silently, and ccxt changes it. Here rounding raises.
_EXACT = Context(prec=1000, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
_ROUNDED = Context(prec=60)
_CUT = Context(prec=60, rounding=ROUND_DOWN)


def plus(one: Decimal, other: Decimal) -> Decimal:
    """Return the exact sum of two."""
    return _EXACT.add(one, other)


def minus(one: Decimal, other: Decimal) -> Decimal:
    """Return the first less the second, exactly."""
    return _EXACT.subtract(one, other)


def times(one: Decimal, other: Decimal) -> Decimal:
    """Return the exact product of two."""
    return _EXACT.multiply(one, other)


def signed(side: int, amount: Decimal) -> Decimal:
    """Return an amount with the sign of a side: itself for +1, its negative for -1."""
    return amount if side > 0 else amount.copy_negate()


def total(values: Iterable[Decimal]) -> Decimal:
    """Return the exact sum."""
    whole = NOTHING
    for value in values:
        whole = _EXACT.add(whole, value)
    return whole


def decimal_of(value: float) -> Decimal:
    """Return a price or fee as the shortest decimal that reads back as the same float."""
    return Decimal(repr(value))


def price_of(value: float) -> Decimal | None:
    """Return a protective price, None for NaN, which stands for none."""
    return None if math.isnan(value) else decimal_of(value)


def float_of(value: Decimal | None) -> float:
    """Return a protective price as a float, NaN for none."""
    return math.nan if value is None else float(value)


def part_of(whole: Decimal, part: Decimal, total: Decimal) -> Decimal:
    """Return whole * part / total, to 60 digits where it has no end; `whole` less this is exact."""
    if part == total:
        return whole
    return _ROUNDED.divide(times(whole, part), total)


def quotient(cost: Decimal, amount: Decimal) -> float:
    """Return cost / amount as the nearest float."""
    return float(_ROUNDED.divide(cost, amount))


def affordable(money: Decimal, price: Decimal) -> Decimal:
    """Return how much money buys at a price, cut after 60 digits: never more than it pays."""
    return _CUT.divide(money, price)


def percent_of(pct: float, whole: float) -> Decimal:
    """Return so many percent of a whole, exactly."""
    return times(times(decimal_of(pct), decimal_of(whole)), Decimal("0.01"))


def power_of_ten(exponent: int) -> Decimal:
    """Return the step of so many decimals: 0.001 for -3."""
    return Decimal((0, (1,), exponent))


def to_step(amount: Decimal, step: Decimal | None) -> Decimal:
    """Return the multiple of `step` that is next to an amount towards zero; the amount itself without one."""
    if not step:
        return amount
    return _EXACT.multiply(_EXACT.divide_int(amount, step), step)


def raised_to(price: Decimal, step: Decimal | None) -> Decimal:
    """Return the multiple of `step` that is next to a positive price from above; the price without one."""
    below = to_step(price, step)
    return below if step is None or below == price else plus(below, step)


def float_below(amount: Decimal) -> Decimal:
    """Return the largest amount not above a positive one that a float holds exactly."""
    nearest = float(amount)
    return Decimal(nearest if Decimal(nearest) <= amount else math.nextafter(nearest, 0.0))


def is_on_step(amount: Decimal, step: Decimal | None) -> bool:
    """Tell whether an amount is a multiple of a step; any is of none."""
    return to_step(amount, step) == amount
