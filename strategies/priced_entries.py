"""Entries that wait for a price, on Backtesting.py: its own orders, with the fill model's rules of a fill.

Backtesting.py leaves stop and take of an entry at a price for the next bar, with a warning. Here its order
has neither: both come with the fill, and what the rest of that bar reaches is closed at once, before the
broker looks at equity (docs/decisions/0041).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.domain import Decision, Refusal
from strategies.open_trades import EntryTag


class PricedEntries:
    """What waits on the broker of one run."""

    def __init__(self, runner: Any) -> None:
        self._runner, self._broker = runner, runner._broker
        self.wanted: dict[EntryTag, Decision] = {}
        """What was ordered at a price, and waits for it."""
        self._process: Callable[[], None] = runner._broker._process_orders

    def ask(self, order: Callable[..., Any], size: float, want: Decision, lot: EntryTag) -> None:
        """Order an entry; `order` buys or sells."""
        # Not before: a run without such entries has nothing to pay for.
        self._broker._process_orders = self._process_orders
        scaled = self._runner._scaled
        self.wanted[lot] = want
        order(size=size, limit=scaled(want.limit), stop=scaled(want.trigger), tag=lot)

    def pass_bar(self, i: int) -> None:
        """Forget what was not paid at bar i, and let go what waited for as long as it may."""
        orders = {order.tag: order for order in self._broker.orders if not order.is_contingent}
        for lot, want in list(self.wanted.items()):
            if lot not in orders:
                del self.wanted[lot]
            elif i - lot.bar >= want.valid_bars:
                self._drop(lot, orders[lot])
                self._runner.refused.append((i, Refusal.EXPIRED))

    def withdraw(self) -> None:
        """Cancel all that waits."""
        for order in [order for order in self._broker.orders if order.tag in self.wanted]:
            if not order.is_contingent:
                self._drop(order.tag, order)

    def _drop(self, lot: EntryTag, order: Any) -> None:
        order.cancel()
        del self.wanted[lot]
        self._runner.asked.discard(lot)

    def _process_orders(self) -> None:
        """Stand for the broker's own, and protect at once what is entered."""
        self._process()
        fresh = [trade for trade in self._broker.trades if trade.tag in self.wanted]
        if not fresh:
            return
        wants = [self.wanted.pop(trade.tag) for trade in fresh]
        for trade, want in zip(fresh, wants, strict=True):
            trade.tp, trade.sl = self._runner._scaled(want.take), self._runner._scaled(want.stop)
        opened, low, high = self._rest(fresh[0], wants[0])
        for trade in reversed(fresh):
            if trade.sl and (low <= trade.sl if trade.is_long else high >= trade.sl):
                better = min if trade.is_long else max
                self._broker._close_trade(trade, better(opened, trade.sl), trade.entry_bar)
        for trade in fresh:
            is_open = trade in self._broker.trades
            if is_open and trade.tp and (high >= trade.tp if trade.is_long else low <= trade.tp):
                better = max if trade.is_long else min
                self._broker._close_trade(trade, better(opened, trade.tp), trade.entry_bar)

    def _rest(self, trade: Any, want: Decision) -> tuple[float, float, float]:
        """Return where the bar reached the price, and its low and high from there: core.fills.from_touch."""
        data, scaled = self._broker._data, self._runner._scaled
        opened, low, high = (float(column[-1]) for column in (data.Open, data.Low, data.High))
        limit, trigger = scaled(want.limit), scaled(want.trigger)
        if limit is None:
            price = max(opened, trigger) if trade.is_long else min(opened, trigger)
            return price, low, high
        price = min(opened, limit) if trade.is_long else max(opened, limit)
        if price == opened:
            return price, low, high
        return (price, low, price) if trade.is_long else (price, price, high)
