"""How far an account's orders ended from the model's fill, in money and by cause.

The model fills an order whole at the open of the bar after its decision, with the backtest's spread on an
entry and its commission (core.fills); a stop, a take and what a person closes at the price then seen. What
came of it differs by

    latency     the price moved from that open until the order was executed
    slippage    it was executed worse than the price then, less the spread that the model counts
    fee         another fee than the model's
    unfilled    what was never executed made or lost nothing: measured to the close of that bar

Their sum is the whole difference, but for rounding of floats: Perold's implementation shortfall (1988) with
the model's fill in place of the decision price. What is above 0 cost money.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from core.domain import Costs


class DriftPart(NamedTuple):
    """One execution."""

    price: float
    amount: float
    """Base units."""
    fee: float
    """Quote units."""
    price_then: float
    """The market's price when it was executed; NaN where candles are too coarse to tell."""


class DriftOrder(NamedTuple):
    """An order, what came of it, and the bar that the model fills it in."""

    strategy: str
    symbol: str
    purpose: str
    """entry, exit, or what closed it by itself: stop, take, flatten."""
    side: int
    """+1 for a buy."""
    bar: int
    """Open time of the bar that was decided on, ms UTC."""
    amount: float
    """Base units wanted."""
    parts: tuple[DriftPart, ...]
    open: float
    """Of the bar after the decision; NaN where it is not stored."""
    close: float
    decided: float = math.nan
    """The price that was decided on; of what protects the price that reached it."""


class Drift(NamedTuple):
    """How much worse than the model an order came out, quote units; below 0 is better."""

    notional: float
    """The model's: what the basis points are of."""
    executed_notional: float
    """The same of the part that was executed."""
    latency: float
    slippage: float
    fee: float
    unfilled: float

    @property
    def total(self) -> float:
        """Return all of it."""
        return math.fsum((self.latency, self.slippage, self.fee, self.unfilled))

    def bps(self, money: float) -> float:
        """Return money in basis points of the model's notional, 0 for none."""
        return 1e4 * money / self.notional if self.notional else 0.0


CAUSES = ("latency", "slippage", "fee", "unfilled")


def drift_of(order: DriftOrder, terms: Costs) -> Drift | None:
    """Return an order's drift, None where the model's fill is not known."""
    if not (math.isfinite(order.open) and math.isfinite(order.close)):
        return None
    spread = terms.spread if order.purpose == "entry" else 0.0
    model = order.open * (1 + order.side * spread)
    done = math.fsum(part.amount for part in order.parts)
    left = order.amount - done
    late = [_moved(part, order) for part in order.parts]
    paid = [order.side * part.amount * (part.price - model) for part in order.parts]
    return Drift(
        notional=order.amount * model,
        executed_notional=done * model,
        latency=math.fsum(late),
        slippage=math.fsum(paid) - math.fsum(late),
        fee=math.fsum(part.fee for part in order.parts) - done * model * terms.commission,
        unfilled=order.side * left * (order.close - model) - left * model * terms.commission,
    )


def _moved(part: DriftPart, order: DriftOrder) -> float:
    """Return what the price did until then; nothing where nobody knows, and slippage has it all."""
    if not math.isfinite(part.price_then):
        return 0.0
    return order.side * part.amount * (part.price_then - order.open)


def against_decision(order: DriftOrder) -> float | None:
    """Return in basis points how much worse than decided on it was executed, None where nothing was."""
    done = math.fsum(part.amount for part in order.parts)
    if not done or not math.isfinite(order.decided):
        return None
    paid = math.fsum(part.amount * part.price for part in order.parts) / done
    return 1e4 * order.side * (paid / order.decided - 1)


def added(drifts: Iterable[Drift]) -> Drift:
    """Return several as one."""
    columns = list(zip(*drifts, strict=True))
    return Drift(*map(math.fsum, columns)) if columns else Drift(*(0.0,) * len(Drift._fields))


class PaidCosts(NamedTuple):
    """What trading cost, as the rates that a backtest takes."""

    commission: float
    """Fees by notional executed, both sides."""
    spread: float
    """What executions cost beside the open, by notional of entries: the model charges it there alone."""


def measured(orders: Sequence[DriftOrder]) -> PaidCosts | None:
    """Return the costs that these orders had, never below 0; None without an executed entry and exit."""
    known = [one for one in orders if one.parts and math.isfinite(one.open)]
    if len({one.purpose == "entry" for one in known}) < 2:
        return None
    parts = [(one, part) for one in known for part in one.parts]
    executed = math.fsum(part.amount * one.open for one, part in parts)
    entered = math.fsum(part.amount * one.open for one, part in parts if one.purpose == "entry")
    fees = math.fsum(part.fee for _, part in parts)
    beside = math.fsum(one.side * part.amount * (part.price - one.open) for one, part in parts)
    return PaidCosts(max(0.0, fees / executed), max(0.0, beside / entered))
