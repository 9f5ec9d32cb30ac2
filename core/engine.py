"""One live strategy on one paper account: a closed bar in, signals out, orders placed. No I/O, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from core.domain import NAN, Decision, PositionView, Reason, hold
from core.fills import OneBar
from core.paper import PaperAccount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strategies.base import BaseStrategy, StrategySignal


class Step(NamedTuple):
    """What one bar brought."""

    position: PositionView
    """At the bar's close, after its fills."""
    signals: Sequence[StrategySignal]
    closed_trades: int
    """How many trades this bar closed."""


class Engine:
    """Steps a strategy and its account through bars of one symbol."""

    def __init__(self, symbol: str, strategy: BaseStrategy, account: PaperAccount) -> None:
        self.symbol, self.strategy, self.account = symbol, strategy, account

    def on_bar(self, candle: dict[str, Any]) -> Step:
        """Fill, tell the strategy its position, ask it, and order what it signals for the next open."""
        before = len(self.account.trades)
        bar = OneBar(candle["open"], candle["high"], candle["low"], candle["close"])
        position = self.account.on_bar(bar)
        self.strategy.set_position(self.symbol, position)
        signals = self.strategy.signals(self.symbol, candle)
        self.account.submit(decision_of(signals, position), bar.close)
        return Step(position, signals, len(self.account.trades) - before)


def decision_of(signals: Sequence[StrategySignal], held: PositionView) -> Decision:
    """Return the decision that signals of one bar stand for."""
    last = signals[-1]
    extra = last.extra or {}
    if "target" not in extra:
        return hold(held)
    rungs = held.rungs
    for signal in signals:
        level = (signal.extra or {}).get("level")
        if level is not None:
            rungs = rungs | 1 << level if signal.action.startswith("OPEN") else rungs & ~(1 << level)
    reason = Reason[extra.get("reason", "none").upper()]
    return Decision(extra["target"], _price(extra.get("stop")), _price(extra.get("take")), reason, rungs)


def _price(price: float | None) -> float:
    return NAN if price is None else price
