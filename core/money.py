"""Exact money: decimals whose sums and products lose no digit, or say so."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext

NOTHING = Decimal(0)

# Products of 17-digit numbers have 34 digits, and sums of small with large ones many more; Python's default
# keeps 28 and rounds silently. Here rounding raises.
_EXACT = Context(prec=400, traps=[Inexact, InvalidOperation])
_ROUNDED = Context(prec=60)


def exactly() -> AbstractContextManager[Context]:
    """Compute in decimals without rounding, in a `with` block; decimal.Inexact is raised otherwise."""
    return localcontext(_EXACT)


def total(values: Iterable[Decimal]) -> Decimal:
    """Return the exact sum."""
    with exactly():
        return sum(values, NOTHING)


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
    with exactly():
        return _ROUNDED.divide(whole * part, total)


def quotient(cost: Decimal, amount: Decimal) -> float:
    """Return cost / amount as the nearest float."""
    return float(_ROUNDED.divide(cost, amount))


def to_step(amount: Decimal, step: Decimal | None) -> Decimal:
    """Return the largest multiple of `step` not above an amount; the amount itself without a step."""
    if not step:
        return amount
    with exactly():
        return amount // step * step
