"""What others took of an account: lots and cash go, what came for them stays; no strategy gains or loses."""

from __future__ import annotations

from decimal import Decimal

from core.account.lots import cut
from core.account.money import NOTHING, minus, plus, total
from core.account.orders import Taken
from core.portfolio import DUST, Portfolio


def take_away(portfolio: Portfolio, taken: Taken) -> None:
    """Give up the oldest lots of a strategy, or cash.

    What came to cash for it is a deposit, and what it had cost is none any more: so the account's books hold.
    """
    if not taken.symbol:
        portfolio.cash = minus(portfolio.cash, taken.amount)
        portfolio.deposits = minus(portfolio.deposits, taken.amount)
        portfolio.settled -= float(taken.amount)
        return
    left, cost = taken.amount, NOTHING
    # What is too little for an order was given to nobody, and is still that strategy's in the journal.
    for owner in (taken.strategy, DUST):
        left, some = _without(portfolio, owner, taken.symbol, left)
        cost = plus(cost, some)
    portfolio.cash = plus(portfolio.cash, taken.proceeds)
    portfolio.settled += float(taken.proceeds)
    portfolio.deposits = plus(portfolio.deposits, minus(taken.proceeds, cost))
    portfolio.taken = plus(portfolio.taken, cost)


def _without(portfolio: Portfolio, owner: str, symbol: str, amount: Decimal) -> tuple[Decimal, Decimal]:
    """Drop the oldest lots of a strategy; return what they do not have, and what they cost."""
    kept, gone, left = cut(list(portfolio.lots(owner, symbol)), amount)
    if not gone:
        return amount, NOTHING
    least = portfolio.steps.get(symbol, NOTHING)
    dust = [lot for lot in kept if lot.amount < least and owner != DUST]
    portfolio.adopt(owner, symbol, [lot for lot in kept if lot not in dust])
    if dust:
        portfolio.adopt(DUST, symbol, [*portfolio.lots(DUST, symbol), *dust])
    for lot in gone:
        portfolio.settled -= lot.size * lot.entry_price
    return left, total(lot.cost for lot in gone)
