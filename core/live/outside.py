"""What an exchange's account has beside what this program trades with: older coins, deposits, hand trades.

The account counts what its own fills made of its own cash. The rest is not lost: it is named, with its value,
wherever the account is shown. It is never traded, since an exit sells no more than a strategy's position.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from core.account.money import minus, plus
from core.order_path.ledger import ZERO, assets_of
from core.portfolio import Portfolio
from db.journal_rows import money_text

Price = Callable[[str], float | None]
"""The last price of a symbol, None when nobody knows it."""


class Outside(NamedTuple):
    """Some of an asset that is on the exchange's account and not in this one."""

    asset: str
    amount: Decimal
    """Negative when the exchange has less than the account counts on."""
    value: float | None
    """In the account's currency; None when the asset's price is not known."""


def held_outside(
    totals: Mapping[str, Decimal], portfolio: Portfolio, quote: str, price: Price
) -> list[Outside]:
    """Return what the exchange has (`totals`, by asset) beside the account's cash and positions."""
    own: defaultdict[str, Decimal] = defaultdict(Decimal, {quote: portfolio.cash})
    for symbol in sorted({symbol for _, symbol in portfolio.held()}):
        base = assets_of(symbol)[0]
        own[base] = plus(own[base], portfolio.amount(symbol))
    found = []
    for asset in sorted(totals.keys() | own.keys()):
        amount = minus(totals.get(asset, ZERO), own[asset])
        if amount:
            found.append(Outside(asset, amount, _value(asset, amount, quote, price)))
    return found


def _value(asset: str, amount: Decimal, quote: str, price: Price) -> float | None:
    last = 1.0 if asset == quote else price(f"{asset}/{quote}")
    return None if last is None else float(amount) * last


def as_plain(rest: Iterable[Outside]) -> list[dict[str, Any]]:
    """Return it as values that JSON holds."""
    return [one._asdict() | {"amount": money_text(one.amount)} for one in rest]
