"""What happened to an account since one looked last: orders, executions and balances, for any venue."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from core.account.money import minus, plus, total
from core.exchange_sim.accounts import SimBalance
from core.exchange_sim.matching import Matching
from core.exchange_sim.orders import NO_LIST, ZERO, OrderList, OwnTrade, SimOrder


class OrderChange(NamedTuple):
    """One change of one order."""

    before: SimOrder | None
    """None for a new one."""
    order: SimOrder
    trade: OwnTrade | None
    """The execution that changed it."""

    @property
    def is_trigger(self) -> bool:
        """Say whether its stop price was reached."""
        return self.before is not None and self.order.working and not self.before.working


class AccountNews(NamedTuple):
    """What happened, in order."""

    now: int
    """ms UTC."""
    orders: tuple[OrderChange, ...] = ()
    lists: tuple[tuple[OrderList, bool], ...] = ()
    """Pairs of orders that began (True) or ended (False)."""
    moved: Mapping[str, Decimal] = {}
    """What balances gained or lost without a trade, by asset."""
    balances: Mapping[str, SimBalance] = {}
    """Those that changed, as they stand."""


class AccountFollower:
    """Hears of every change of an account's orders."""

    def __init__(self, matching: Matching) -> None:
        """Begin now: what the account did before is no news."""
        self._matching = matching
        self._orders: list[OrderChange] = []
        self._balances = matching.wallet.all()
        self._legs = {one.id: self._open_legs(one) for one in matching.lists.values()}
        matching.observer = self._note

    def take(self, now: int) -> AccountNews:
        """Return what happened since it was taken last."""
        orders, self._orders = tuple(self._orders), []
        before, self._balances = self._balances, self._matching.wallet.all()
        changed = {
            asset: balance
            for asset, balance in self._balances.items()
            if balance != before.get(asset, SimBalance())
        }
        if not orders and not changed:
            return AccountNews(now)
        trades = [one.trade for one in orders if one.trade]
        gained = {
            asset: minus(minus(_whole(balance), _whole(before.get(asset, SimBalance()))), _by(trades, asset))
            for asset, balance in changed.items()
        }
        moved = {asset: amount for asset, amount in gained.items() if amount}
        return AccountNews(now, orders, self._lists(orders), moved, changed)

    def _note(self, before: SimOrder | None, order: SimOrder) -> None:
        is_executed = order.executed > (before.executed if before else ZERO)
        trade = self._matching.trades[order.market.symbol][-1] if is_executed else None
        self._orders.append(OrderChange(before, order, trade))

    def _lists(self, orders: tuple[OrderChange, ...]) -> tuple[tuple[OrderList, bool], ...]:
        told: list[tuple[OrderList, bool]] = []
        for order in (one.order for one in orders if one.order.list_id != NO_LIST):
            pair = self._matching.lists[order.list_id]
            if pair.id not in self._legs:
                self._legs[pair.id] = set(pair.orders)
                told.append((pair, True))
            if not order.open and order.id in self._legs[pair.id]:
                self._legs[pair.id].remove(order.id)
                if not self._legs[pair.id]:
                    told.append((pair, False))
        return tuple(told)

    def _open_legs(self, pair: OrderList) -> set[int]:
        orders = self._matching.orders[pair.market.symbol]
        return {order_id for order_id in pair.orders if orders[order_id].open}


def _whole(balance: SimBalance) -> Decimal:
    return plus(balance.free, balance.locked)


def _by(trades: list[OwnTrade], asset: str) -> Decimal:
    """Return what executions did to an asset, before anything is cut."""
    return total(_effect(trade, asset) for trade in trades)


def _effect(trade: OwnTrade, asset: str) -> Decimal:
    gained = ZERO
    if asset == trade.market.base:
        gained = trade.amount if trade.buys else trade.amount.copy_negate()
    elif asset == trade.market.quote:
        gained = trade.turnover.copy_negate() if trade.buys else trade.turnover
    return minus(gained, trade.fee) if asset == trade.fee_asset else gained
