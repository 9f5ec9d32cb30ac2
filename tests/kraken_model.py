"""The model's market and line with Kraken's ways: answers that name an order and tell nothing of it.

Fees are paid in quote beside the price, executions have names without an order of their own, and reading goes
on after the newest execution of the account, whatever its symbol.
"""

from __future__ import annotations

import hashlib
from decimal import ROUND_DOWN, Decimal

from core.account.messages import OrderNews, OrderReport, OrderRequest
from core.order_path.ledger import assets_of
from tests.order_model import FEE, PRICES, Line, Market, Placed


class KrakenMarket(Market):
    """It charges in quote."""

    def trade_id(self) -> str:
        """Return the name of the next execution."""
        return "T" + hashlib.sha256(str(len(self.trades)).encode()).hexdigest()[:12].upper()

    def fee_of(self, request: OrderRequest, amount: Decimal, price: Decimal) -> tuple[str, Decimal]:
        """Return what an execution is charged, and in what."""
        quote = assets_of(request.symbol)[1]
        return quote, (amount * price * FEE).quantize(Decimal("0.00000001"), ROUND_DOWN)

    def needs(self, request: OrderRequest, amount: Decimal) -> tuple[str, Decimal]:
        """Return what an order pays with, and how much of it, its fee included."""
        asset, needed = super().needs(request, amount)
        price = request.terms.price or PRICES[request.symbol]
        return asset, needed + (amount * price * FEE if request.side == "buy" else 0)


class KrakenLine(Line):
    """It learns what became of an order by looking it up."""

    def place(self, request: OrderRequest) -> OrderReport:
        told = super().place(request)
        return OrderReport(*(told.id, told.client_order_id, told.symbol, told.side), *UNTOLD)

    def newest_fill(self, symbol: str) -> str:
        self._travel("newest fill")
        shown = [one.fill.id for seen_from, one in self.market.trades if seen_from <= self.market.now]
        return shown[-1] if shown else ""

    def _answer(self, order: Placed, fault: str) -> OrderReport:
        # An order's name comes back from the list in which it was looked for.
        return super()._answer(order, "" if fault == "foreign" else fault)


UNTOLD = (OrderNews.OPEN, Decimal(0), Decimal(0))
