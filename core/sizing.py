"""Sizing: how many units a wanted entry is, decided at the close, in absolute units.

The formula is the specification's, `floor(equity * risk_per_trade / risk_per_unit)`, with a lot other than
1 so that bitcoin can be traded on a small account, and capped by what cash can pay.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from core.domain import LOT, Costs, Decision, Refusal


class Sizing(NamedTuple):
    """How much a strategy may commit; all fractions of equity."""

    risk_per_trade: float = 0.01
    """Equity lost when the stop is hit at its price, before costs."""
    max_exposure: float = 0.95
    """Notional of the whole allocation, costs included. Below 1, so that an open above the close can
    still be paid."""
    lot: float = LOT
    """Base units; sizes are whole multiples of it."""


class Account(NamedTuple):
    """What sizing needs to know of the account, at the close."""

    equity: float
    """Cash and open positions at the close, quote currency."""
    cash: float
    """What is not bound in open positions."""


class Sized(NamedTuple):
    """A size in base units, or the reason there is none."""

    units: float
    refusal: Refusal


def size_entry(want: Decision, close: float, account: Account, sizing: Sizing, costs: Costs) -> Sized:
    """Return the unsigned size of an entry, rounded down to the lot.

    With a stop the size risks `risk_per_trade` of equity; without one it is the target's share of
    `max_exposure`. Both are capped by that share and by free cash.
    """
    side = 1.0 if want.target > 0 else -1.0
    fill = close * (1 + side * costs.spread)
    if not brackets(want, side, fill):
        return Sized(0.0, Refusal.BRACKET)
    share = abs(want.target)
    unit_cost = fill + close * costs.commission
    payable = min(share * sizing.max_exposure * account.equity, sizing.max_exposure * account.cash)
    units = payable / unit_cost
    if not math.isnan(want.stop):
        units = min(units, share * sizing.risk_per_trade * account.equity / abs(close - want.stop))
    units = round_down(units, sizing.lot)
    return Sized(units, Refusal.NONE) if units > 0 else Sized(0.0, Refusal.LOT)


def brackets(want: Decision, side: float, fill: float) -> bool:
    """Tell whether stop and take, where set, are positive and enclose the fill price."""
    below, above = (want.stop, want.take) if side > 0 else (want.take, want.stop)
    return not (below <= 0 or below >= fill or above <= fill)


def round_down(units: float, lot: float) -> float:
    """Return the largest multiple of `lot` not above `units`; 0 for anything not positive and finite."""
    if not 0 < units < math.inf:
        return 0.0
    return math.floor(units / lot) * lot
