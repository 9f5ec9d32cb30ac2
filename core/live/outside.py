"""What an exchange's account has beside what this program trades with: older coins, deposits, hand trades.

The account counts what its own fills made of its own cash. The rest is not lost: it is named, with its value,
wherever the account is shown. It is never traded, since an exit sells no more than a strategy's position.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal

from core.account.money import minus, plus
from core.live.status import Outside
from core.order_path.ledger import ZERO, assets_of
from core.portfolio import Portfolio
from db.journal_rows import money_text

Price = Callable[[str], float | None]
"""The last price of a symbol, None when nobody knows it."""


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
            # As plain digits, the same for equal amounts.
            shown = Decimal(money_text(amount))
            found.append(Outside(asset, shown, _value(asset, amount, quote, price)))
    return found


def _value(asset: str, amount: Decimal, quote: str, price: Price) -> float | None:
    last = 1.0 if asset == quote else price(f"{asset}/{quote}")
    return None if last is None else float(amount) * last
