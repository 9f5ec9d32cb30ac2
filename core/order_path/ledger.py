"""Double-entry books in exact decimals. Per transaction and asset the postings add up to zero.

cash:USDT      what is at the exchange and belongs to no position
pos:BTC/USDT   base units of the position in a symbol
market:BTC     the other side of every trade of ours
fee:BTC        what we paid to the exchange
foreign:BTC    the other side of what others traded on the account, their fees too
deposit:BTC    what came and
withdrawal:BTC what went, where the exchange lists it
convert:BTC    what was turned into another coin or came of it, and
dust:BTC       the same of small amounts swept together, where the exchange lists it
adjust:BTC     what came or went and nobody says why: the opening balance, corrections
claim:USDT     what came to us of others' sales of what strategies held
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from core.account.money import minus, plus, times
from core.account.orders import Fill

ZERO = Decimal(0)


class Posting(NamedTuple):
    """One line; the amount is signed, in units of the asset."""

    name: str
    asset: str
    amount: Decimal


def assets_of(symbol: str) -> tuple[str, str]:
    """Return base and quote of a symbol such as BTC/USDT."""
    base, _, quote = symbol.partition("/")
    return base, quote.partition(":")[0]


def fill_postings(fill: Fill, *, own: bool) -> list[Posting]:
    """Return the lines of a fill; one that no order of ours made leaves positions, market and fees alone."""
    if not own:
        return foreign_postings(fill)
    base, quote = assets_of(fill.symbol)
    held = f"pos:{fill.symbol}"
    amount = fill.amount if fill.side == "buy" else fill.amount.copy_negate()
    cost, fee = times(amount, fill.price), fill.fee
    got, paid, lines = amount, cost.copy_negate(), []
    if fill.fee_asset == base:
        got = minus(amount, fee)
    elif fill.fee_asset == quote:
        paid = minus(paid, fee)
    else:
        lines.append(Posting(f"cash:{fill.fee_asset}", fill.fee_asset, fee.copy_negate()))
    lines += (
        Posting(held, base, got),
        Posting(f"market:{base}", base, amount.copy_negate()),
        Posting(f"cash:{quote}", quote, paid),
        Posting(f"market:{quote}", quote, cost),
        Posting(f"fee:{fill.fee_asset}", fill.fee_asset, fee),
    )
    return [line for line in lines if line.amount]


def foreign_postings(fill: Fill) -> list[Posting]:
    """Return the lines of a fill that others made: their cash moves, and what is not theirs does not."""
    base, quote = assets_of(fill.symbol)
    amount = fill.amount if fill.side == "buy" else fill.amount.copy_negate()
    moved = ((base, amount), (quote, times(amount, fill.price).copy_negate()))
    return joined(
        Posting(f"{name}:{asset}", asset, value if name == "cash" else value.copy_negate())
        for asset, value in (*moved, (fill.fee_asset, fill.fee.copy_negate()))
        for name in ("cash", "foreign")
    )


def adjustment_postings(asset: str, difference: Decimal, name: str = "adjust") -> list[Posting]:
    """Return the lines that change the books of an asset by a difference; whose it was is said by claims."""
    return [
        Posting(f"{name}:{asset}", asset, difference.copy_negate()),
        Posting(f"cash:{asset}", asset, difference),
    ]


def joined(postings: Iterable[Posting]) -> list[Posting]:
    """Return one line per name and asset, and none of zero."""
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for name, asset, amount in postings:
        sums[name, asset] = plus(sums[name, asset], amount)
    return [Posting(name, asset, amount) for (name, asset), amount in sums.items() if amount]


def unbalanced(postings: Iterable[Posting]) -> dict[str, Decimal]:
    """Return the assets whose amounts do not add up to zero, with what they add up to."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for _, asset, amount in postings:
        sums[asset] = plus(sums[asset], amount)
    return {asset: amount for asset, amount in sums.items() if amount}


class Books:
    """Sums of all postings, kept up to date."""

    def __init__(self) -> None:
        self._sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)

    def add(self, postings: Iterable[Posting]) -> None:
        """Take in some lines."""
        for name, asset, amount in postings:
            self._sums[name, asset] = plus(self._sums[name, asset], amount)

    def sum(self, name: str, asset: str) -> Decimal:
        """Return what the lines of one name add up to."""
        return self._sums.get((name, asset), ZERO)

    def cash(self, asset: str) -> Decimal:
        """Return what belongs to no position."""
        return self._sums.get((f"cash:{asset}", asset), ZERO)

    def position(self, symbol: str) -> Decimal:
        """Return the base units of the position in a symbol, all strategies together."""
        return self._sums.get((f"pos:{symbol}", assets_of(symbol)[0]), ZERO)

    def positions(self, asset: str) -> dict[str, Decimal]:
        """Return the positions whose base is this asset, by symbol."""
        return {
            name.removeprefix("pos:"): amount
            for (name, of), amount in self._sums.items()
            if of == asset and name.startswith("pos:") and amount
        }

    def totals(self) -> dict[str, Decimal]:
        """Return what the exchange should have of each asset."""
        found: defaultdict[str, Decimal] = defaultdict(Decimal)
        for (name, asset), amount in self._sums.items():
            if name.startswith(("cash:", "pos:")):
                found[asset] = plus(found[asset], amount)
        return {asset: amount for asset, amount in found.items() if amount}
