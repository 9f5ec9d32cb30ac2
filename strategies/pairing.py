"""A second symbol's closes for a rule that looks at two, joined to the bars by time.

A rule with a `partner` takes the partner's closes as a third argument of its `columns`. Whoever has the
candles binds them to the strategy; from then on it is one like any other, for every engine and every proof.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from core.domain import FloatArray, IntArray
from core.errors import UsageError
from strategies.indicators_more import steps
from strategies.registry import Strategy


class PartnerBars(Protocol):
    """Candles of the partner, of the same timeframe: `Bars`, or what grows while it trades."""

    @property
    def ts(self) -> IntArray:
        """Open times, ms UTC, ascending."""
        ...

    @property
    def close(self) -> FloatArray:
        """Closes, one for each time."""
        ...


class Growing:
    """A partner's newest candles as a live session sees them close."""

    def __init__(self, most: int) -> None:
        """Keep so many: as many as the rule's own window."""
        self._most = most
        self.ts: IntArray = np.empty(0, np.int64)
        self.close: FloatArray = np.empty(0)

    def take(self, ts: int, close: float) -> None:
        """Add a candle that closed; one that is not newer than the newest is known already."""
        if not self.ts.size or ts > self.ts[-1]:
            self.ts = np.append(self.ts, ts)[-self._most :]
            self.close = np.append(self.close, close)[-self._most :]


def partner_of(symbol: str) -> str:
    """Return the symbol that another is compared with: bitcoin against the same quote; for itself, ether."""
    base, _, rest = symbol.partition("/")
    return f"{'ETH' if base == 'BTC' else 'BTC'}/{rest}"


class Joined(NamedTuple):
    """A partner as it stands at the close of each bar."""

    close: FloatArray
    """Its last close; NaN before its first."""
    is_fresh: FloatArray
    """1 where its newest candle is at most a bar older than this one, else 0: a partner that trades no more
    says nothing."""


def given(partner: Joined | None, name: str) -> Joined:
    """Return the partner's closes. Raises UsageError when a rule was not bound to any."""
    if partner is None:
        raise UsageError(f"{name} looks at a second symbol: its candles are wanted too, and were not given")
    return partner


def as_of(ts: IntArray, partner: PartnerBars) -> Joined:
    """Return the partner's last close at the close of each of these bars, and whether it is of then.

    Bars of one timeframe close in the order in which they open: nothing later than the bar is looked at.
    """
    last = np.searchsorted(partner.ts, ts, side="right") - 1
    known = last >= 0
    out = np.full(ts.size, np.nan)
    out[known] = partner.close[last[known]]
    fresh = np.zeros(ts.size)
    fresh[known] = ts[known] - partner.ts[last[known]] <= steps(ts)[known]
    return Joined(out, fresh)


def bind(strategy: Strategy, partner: PartnerBars | None) -> Strategy:
    """Return the strategy with its partner's candles at hand; itself if it has none, or none are given."""
    rule = strategy.rule
    if rule.partner is None or partner is None:
        return strategy
    alone = rule.columns
    bound = replace(rule, columns=lambda bars, params: alone(bars, params, as_of(bars.ts, partner)))
    kinds = (type(kind.__name__, (kind,), {"rule": bound}) for kind in (strategy.backtest, strategy.live))
    return Strategy(bound, *kinds)
