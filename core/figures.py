"""How an amount of money, a price and a size are written for a person: enough digits, and never an exponent.

Decimals follow the currency and the value: dollars have two, coins as many as six digits need, and what is
not nothing is never shown as 0.00.
"""

from __future__ import annotations

import math
from decimal import Decimal

from core.symbols import is_cash

NONE = "none"
"""What is printed where there is nothing to compute from."""
_MOST = 18
"""Decimals of the smallest unit of any coin in use."""
_PRICE_DIGITS = 8
_COIN_DIGITS = 6


def how_many(count: int, one: str, more: str = "") -> str:
    """Return a count with its noun: `1 position`, `1,200 fills`; `more` is that of several."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def how_often(count: int) -> str:
    """Return how often something was: `once`, `3 times`."""
    return "once" if count == 1 else how_many(count, "time")


def money(value: float | Decimal, currency: str = "", *, sign: bool = False) -> str:
    """Return an amount of money: `1,234.50`, in BTC `0.512345`; with `sign` gains have a plus.

    Where the currency is not known, small amounts have as many digits as they need.
    """
    near = float(value)
    if not math.isfinite(near):
        return str(near)
    is_short = is_cash(currency) and (bool(currency) or abs(near) >= 10)
    decimals = 2 if is_short else max(2, _COIN_DIGITS - 1 - max(_magnitude(near), -3))
    if 0 < abs(near) < 0.5 * 10**-decimals:
        decimals = 1 - _magnitude(near)
    text = _fixed(value, decimals, "+" if sign else "")
    return text if currency else _short(text)


def amount(value: float | Decimal, currency: str, *, sign: bool = False) -> str:
    """Return an amount of money with its currency, `1,234.50 USDT`; without one where that is not known."""
    return f"{money(value, currency, sign=sign)} {currency}".rstrip()


def price(value: float | Decimal | None) -> str:
    """Return a price with eight digits: `64,123.45`, `0.0000015258065`; nothing for none."""
    if value is None or not math.isfinite(near := float(value)):
        return ""
    text = _fixed(value, max(_PRICE_DIGITS - 1 - _magnitude(near), 0))
    return text.rstrip("0").rstrip(".") if "." in text else text


def size(value: float | Decimal) -> str:
    """Return base units with six decimals, or six digits below a thousandth."""
    is_small = 0 < abs(near := float(value)) < 0.001
    return _fixed(value, _COIN_DIGITS - 1 - _magnitude(near) if is_small else 6, thousands="")


def exact(value: Decimal, *, sign: bool = False) -> str:
    """Return every digit that an amount has, without the zeros that end it: `1000.588`.

    For what a person compares with what an exchange shows; with `sign` what is more than nothing has a plus.
    """
    text = f"{value:{'+' if sign and value > 0 else ''}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if text.strip("+-0") else "0"


def _short(text: str) -> str:
    """Return a number without the zeros that end it, two decimals at least."""
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def _magnitude(value: float) -> int:
    """Return the power of ten of the first digit; of nothing, -1."""
    return int(f"{value:e}".partition("e")[2]) if value else -1


def _fixed(value: float | Decimal, decimals: int, sign: str = "", thousands: str = ",") -> str:
    text = f"{value:{sign}{thousands}.{min(decimals, _MOST)}f}"
    return text if text.strip("+-0,.") else text.lstrip("-")
