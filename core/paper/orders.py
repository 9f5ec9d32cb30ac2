"""An order as the paper exchange knows it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from core.account.messages import MARKET, Execution, OrderNews, OrderReport, Terms
from core.account.money import minus
from core.account.orders import Intent
from core.order_path.ledger import ZERO


class AcceptedOrder(NamedTuple):
    """An order that was accepted in a former life, as the journal tells it."""

    name: str
    intent: Intent
    terms: Terms = MARKET
    filled: Decimal = ZERO


@dataclass(slots=True)
class PaperOrder:
    """One order and how it stands."""

    name: str
    intent: Intent
    terms: Terms = MARKET
    standing: OrderNews = OrderNews.OPEN
    filled: Decimal = ZERO
    is_tried: bool = False
    """Whether the model had a chance to do it by itself."""
    executions: tuple[Execution, ...] = ()

    @property
    def left(self) -> Decimal:
        """Return what was not executed."""
        return minus(self.intent.amount, self.filled)

    def report(self) -> OrderReport:
        """Return it as an exchange tells it."""
        intent = self.intent
        named = self.name, self.name, intent.symbol, intent.side
        return OrderReport(*named, self.standing, intent.amount, self.filled, self.executions)
