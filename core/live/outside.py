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
from core.order_path.path import OrderPath
from core.portfolio import Portfolio
from db.journal_rows import money_text

Price = Callable[[str], float | None]
"""The last price of a symbol, None when nobody knows it."""


class OutsideCoins:
    """What is held beside one account, as it was when books and account agreed last."""

    def __init__(self, path: OrderPath, price: Price | None) -> None:
        """Take the path whose books say what is there, and what knows the price of what is not traded."""
        self._path, self._price = path, price
        self._prices: dict[str, float | None] = {}
        self._held: list[Outside] = []

    def held(self, portfolio: Portfolio, quote: str, *, is_told: bool) -> list[Outside]:
        """Return it; `is_told`: the account knows all that is booked, else it would look like another's."""
        if is_told:
            known = {**self._prices, **portfolio.marks}
            self._held = held_outside(self._path.balances(), portfolio, quote, known.get)
        return self._held

    def ask_prices(self, portfolio: Portfolio, quote: str, *, is_told: bool) -> None:
        """Ask what it is worth; what is traded has prices of its own."""
        if self._price is not None:
            held = self.held(portfolio, quote, is_told=is_told)
            for asset in sorted({one.asset for one in held} - {quote}):
                symbol = f"{asset}/{quote}"
                if symbol not in portfolio.marks:
                    self._prices[symbol] = self._price(symbol)


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
