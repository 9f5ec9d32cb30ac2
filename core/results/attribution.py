"""What each member of an ensemble earned: every trade divided by what they added to its target."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import numpy as np

from core.account.money import decimal_of, minus, plus, times, to_step
from core.domain import Bars
from core.ensemble.ensemble import Ensemble
from core.results.runs import TradeRecord

CENT = Decimal("1e-8")
"""Parts of a trade are rounded to this; the member with the largest takes what is left over."""


def shares(ensemble: Ensemble, bar: int) -> dict[str, float]:
    """Return each member's share of the target at a bar; they add up to 1, those against it are below 0."""
    whole = float(ensemble.whole[bar])
    return {name: float(part[bar]) / whole for name, part in zip(ensemble.names, ensemble.parts, strict=True)}


def attribute(trades: Iterable[TradeRecord], bars: Bars, ensemble: Ensemble) -> dict[str, Decimal]:
    """Return what each member earned, in quote currency; the sum is that of the trades, to the last digit.

    A member that was against a trade loses what the trade won.
    """
    earned = dict.fromkeys(ensemble.names, Decimal(0))
    for trade in trades:
        decided = int(np.searchsorted(bars.ts, trade.entry_ts)) - 1
        part = shares(ensemble, decided)
        pnl = decimal_of(trade.pnl)
        most = max(part, key=lambda name: abs(part[name]))
        left = pnl
        for name, share in part.items():
            if name != most:
                its = to_step(times(pnl, decimal_of(share)), CENT)
                earned[name] = plus(earned[name], its)
                left = minus(left, its)
        earned[most] = plus(earned[most], left)
    return earned
