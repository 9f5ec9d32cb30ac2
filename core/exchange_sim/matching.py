"""The matching engine: orders against the book and the tape, in exact decimals, without any I/O.

An order that arrives takes from the book what its limit reaches; what is left rests until trades of the
tape reach it, and gets at most their volume. The book is a pure function of market, time and last price
less what the account took from it within the same second. Nothing here depends on how often it is asked:
the state after a trade follows from the trades and the orders before it.

Own orders never meet each other: the book holds the market's offers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal

from core.account.money import minus, plus, times, to_step, total
from core.exchange_sim.accounts import AccountConfig, Wallet
from core.exchange_sim.filters import OrderInMarket
from core.exchange_sim.liquidity import Liquidity
from core.exchange_sim.markets import TRADING, SimMarket
from core.exchange_sim.orders import (
    ALGOS,
    BUY,
    CANCELED,
    EXPIRED,
    FILLED,
    FOK,
    GTC,
    LIMIT_MAKER,
    MARKET,
    MARKET_STOPS,
    NO_LIST,
    PARTLY,
    STOP_LOSS,
    TAKE_PROFIT,
    ZERO,
    DepthAt,
    Level,
    NewOrder,
    NewPair,
    OrderList,
    OwnTrade,
    Print,
    Seen,
    SimOrder,
    lot_of,
    walk,
)
from core.exchange_sim.rules import BinanceRules, MatchingRules
from core.exchange_sim.venue import RequestRefused

Funds = tuple[str, int]
"""What funds are kept for: a pair (no symbol, its id) or a single order (symbol, its id)."""
_UNSUPPORTED = {STOP_LOSS: "Stop loss", TAKE_PROFIT: "Take profit"}


class Matching:
    """One account's orders, trades and balances."""

    def __init__(self, account: AccountConfig, depth: DepthAt, rules: MatchingRules | None = None) -> None:
        """Take the account, what says what the book offers, and a venue's rules (default: Binance.US)."""
        self.wallet = Wallet(account.balances)
        self.orders: dict[str, dict[int, SimOrder]] = {}
        """By symbol and id."""
        self.trades: dict[str, list[OwnTrade]] = {}
        """By symbol, oldest first."""
        self.lists: dict[int, OrderList] = {}
        self.observer: Callable[[SimOrder | None, SimOrder], None] | None = None
        """Hears of every order before and after each change of it, its execution booked already."""
        self._rules = rules or BinanceRules(account)
        self._liquidity = Liquidity(depth)
        self._open: dict[str, dict[int, SimOrder]] = {}
        self._kept: dict[Funds, Decimal] = {}

    def open_orders(self, symbol: str | None = None) -> list[SimOrder]:
        """Return the open orders of one symbol or of all, oldest first."""
        chosen = self._open.values() if symbol is None else [self._open.get(symbol, {})]
        return sorted((one for orders in chosen for one in orders.values()), key=lambda one: one.created)

    def find(self, symbol: str, order_id: int | None = None, client_id: str | None = None) -> SimOrder | None:
        """Return the order with this id, or the newest with this client order id."""
        orders = self.orders.get(symbol, {})
        if order_id is not None:
            found = orders.get(order_id)
            return found if found and client_id in (None, found.client_id) else None
        return next((one for one in reversed(orders.values()) if one.client_id == client_id), None)

    def trades_of(self, order: SimOrder) -> list[OwnTrade]:
        """Return the executions of one order."""
        return [one for one in self.trades.get(order.market.symbol, ()) if one.order_id == order.id]

    def check(self, new: NewOrder, seen: Seen) -> None:
        """Refuse an order for any reason but the balance, and change nothing."""
        self._check_alone(new, seen, 1)
        if new.kind == LIMIT_MAKER and self._crosses(new, seen):
            raise RequestRefused(-2010, "Order would immediately match and take.")

    def place(self, new: NewOrder, seen: Seen) -> SimOrder:
        """Take an order, execute what can be at once, and return it as it stands then.

        Raises Refused with Binance's code when it is not taken; nothing has changed then.
        """
        self.check(new, seen)
        order = self.draft(new, seen.time)
        if order.kind == MARKET:
            return self._at_market(order, new, seen)
        self._keep(order, self._rules.needs(order))
        self._put(order)
        if order.kind not in ALGOS:
            return self._work(order, seen.time, seen.last)
        if order.triggered_by(seen.last):
            # Only where a venue takes stops whose price is reached already.
            self._trigger(order, Print(seen.time, seen.last, ZERO))
        return self.orders[order.market.symbol][order.id]

    def place_pair(self, new: NewPair, seen: Seen) -> OrderList:
        """Take two orders of which one cancels the other; funds are kept once, for the dearer.

        Raises Refused with Binance's code when they are not taken; nothing has changed then.
        """
        for count, asked in enumerate((new.limit, new.stop), start=1):
            self._check_alone(asked, seen, count)
        _check_prices(new, seen)
        if any(one.client_id == new.client_id and self._is_executing(one) for one in self.lists.values()):
            raise RequestRefused(-2010, "Duplicate order sent.")
        ids = self._next_id(new.limit.market), self._next_id(new.limit.market) + 1
        made = OrderList(len(self.lists) + 1, new.client_id, new.limit.market, ids, seen.time)
        legs = [
            replace(self.draft(asked, seen.time), id=order_id, list_id=made.id)
            for asked, order_id in zip((new.limit, new.stop), ids, strict=True)
        ]
        self._keep(legs[0], max(map(self._rules.needs, legs)))
        self.lists[made.id] = made
        for leg in legs:
            self._put(leg)
        return made

    def cancel(self, order: SimOrder, now: int) -> list[SimOrder]:
        """Cancel an open order, and the other of its pair; return them as they stand then."""
        return [self._close(one, CANCELED, now) for one in self._siblings(order) if one.open]

    def amend(self, order: SimOrder, new: NewOrder, seen: Seen) -> SimOrder:
        """Give an open order another amount, price or stop price, and return it as it stands then.

        It keeps its id and what was executed. Raises Refused when it cannot be; nothing has changed then.
        """
        if new.quantity is None or new.quantity <= order.executed:
            raise RequestRefused(-1013, "Filter failure: LOT_SIZE")
        changed = replace(
            order,
            quantity=new.quantity,
            price=new.price or ZERO,
            stop=new.stop or ZERO,
            updated=seen.time,
        )
        mine = len(self._open.get(order.market.symbol, ()))
        held = OrderInMarket(new, seen, mine, mine)
        self._rules.check(held, is_triggered=not changed.working and changed.triggered_by(seen.last))
        if order.kind == LIMIT_MAKER and self._crosses(new, seen):
            raise RequestRefused(-2010, "Order would immediately match and take.")
        self._keep(changed, self._rules.needs(changed))
        self._put(changed)
        if changed.working:
            return self._work(changed, seen.time, seen.last)
        if changed.triggered_by(seen.last):
            self._trigger(changed, Print(seen.time, seen.last, ZERO))
        return self.orders[order.market.symbol][order.id]

    def trade(self, market: SimMarket, seen: Print) -> None:
        """Let one trade of the tape reach resting orders and set waiting ones to work."""
        left = to_step(seen.amount, lot_of(market))
        for order in self._reached(market, seen.price):
            if left <= 0:
                break
            amount = min(left, order.left)
            left = minus(left, amount)
            self._executed(order, [Level(order.price, amount)], seen.time, maker=True)
        for order in list(self._open.get(market.symbol, {}).values()):
            if not order.working and order.triggered_by(seen.price):
                self._trigger(order, seen)

    def _check_alone(self, new: NewOrder, seen: Seen, count: int) -> None:
        _check_market(new)
        mine = self._open.get(new.market.symbol, {}).values()
        waiting = sum(one.kind in ALGOS for one in mine) + 1
        is_triggered = new.kind in ALGOS and self.draft(new, seen.time).triggered_by(seen.last)
        if new.client_id and any(one.client_id == new.client_id for one in mine):
            raise RequestRefused(-2010, "Duplicate order sent.")
        self._rules.check(OrderInMarket(new, seen, len(mine) + count, waiting), is_triggered=is_triggered)

    def _crosses(self, new: NewOrder, seen: Seen) -> bool:
        order = self.draft(new, seen.time)
        return bool(walk(self._liquidity.offered(order, seen.time, seen.last), order, None))

    def draft(self, new: NewOrder, now: int) -> SimOrder:
        """Return the order that would be placed, with nothing checked or kept."""
        return SimOrder(
            id=self._next_id(new.market),
            list_id=NO_LIST,
            client_id=new.client_id,
            market=new.market,
            side=new.side,
            kind=new.kind,
            lifetime=new.lifetime,
            quantity=new.quantity or ZERO,
            value=new.value or ZERO,
            price=new.price or ZERO,
            stop=new.stop or ZERO,
            created=now,
            updated=now,
            working=new.kind not in ALGOS,
            fee_asset=new.fee_asset,
            userref=new.userref,
        )

    def _at_market(self, order: SimOrder, new: NewOrder, seen: Seen) -> SimOrder:
        offered = self._liquidity.offered(order, seen.time, seen.last)
        levels = tuple(offered) if new.value else offered
        taken = walk(levels, order, new.quantity, new.value)
        if new.quantity is None:
            if levels and not taken:
                raise RequestRefused(-1013, "Filter failure: LOT_SIZE")
            order = replace(order, quantity=_amount(taken))
        wanted = self._rules.price_of(order, taken) if order.buys else order.quantity
        if order.buys and new.value:
            wanted = max(wanted, new.value)
        self._keep(order, wanted)
        self._put(order)
        return self._take(order, taken, seen.time)

    def _work(self, order: SimOrder, now: int, last: Decimal) -> SimOrder:
        taken = walk(self._liquidity.offered(order, now, last), order, order.left)
        if order.lifetime == FOK and _amount(taken) < order.left:
            taken = []
        if order.lifetime == GTC:
            return self._executed(order, taken, now)
        return self._take(order, taken, now)

    def _take(self, order: SimOrder, taken: list[Level], now: int) -> SimOrder:
        """Execute what was found; the rest has no second chance."""
        order = self._executed(order, taken, now)
        return self._close(order, EXPIRED, now) if order.open else order

    def _trigger(self, order: SimOrder, seen: Print) -> None:
        self._expire_others(order, seen.time)
        order = self._put(replace(order, working=True, updated=seen.time))
        if order.kind not in MARKET_STOPS:
            self._work(order, seen.time, seen.price)
            return
        # Its funds were kept at the stop price; the book may be dearer, and then free cash pays as well.
        self._keep(order, ZERO)
        budget = self._rules.budget(order, self.wallet.of(order.pays).free) if order.buys else None
        taken = walk(self._liquidity.offered(order, seen.time, seen.price), order, order.left, budget)
        self._keep(order, self._rules.price_of(order, taken) if order.buys else order.left)
        self._take(order, taken, seen.time)

    def _executed(
        self, order: SimOrder, taken: Iterable[Level], now: int, *, maker: bool = False
    ) -> SimOrder:
        for price, amount in taken:
            self._expire_others(order, now)
            self._book(order, price, amount, now, maker=maker)
            done = plus(order.executed, amount)
            order = replace(
                order,
                executed=done,
                turnover=plus(order.turnover, times(price, amount)),
                updated=now,
                status=FILLED if done == order.quantity else PARTLY,
            )
            self._put(order)
            if not maker:
                self._liquidity.take(order, Level(price, amount), now)
        # What takes at any price has its funds counted out already.
        if order.price or not order.open:
            self._keep(order, self._rules.needs(order))
        return order

    def _book(self, order: SimOrder, price: Decimal, amount: Decimal, now: int, *, maker: bool) -> None:
        settled = self._rules.settle(order, Level(price, amount), maker=maker)
        self.wallet.pay(order.pays, settled.given)
        self._kept[_unit(order)] = minus(self._kept[_unit(order)], settled.given)
        self.wallet.earn(order.earns, settled.taken)
        done = self.trades.setdefault(order.market.symbol, [])
        done.append(
            OwnTrade(
                len(done) + 1,
                order.id,
                order.list_id,
                order.market,
                order.buys,
                maker,
                price,
                amount,
                settled.fee,
                settled.fee_asset,
                now,
            )
        )

    def _close(self, order: SimOrder, status: str, now: int) -> SimOrder:
        order = self._put(replace(order, status=status, updated=now))
        self._keep(order, max(map(self._rules.needs, self._siblings(order))))
        return order

    def _expire_others(self, order: SimOrder, now: int) -> None:
        for other in self._siblings(order):
            if other.id != order.id and other.open:
                self._put(replace(other, status=EXPIRED, updated=now))
                self._keep(order, self._rules.needs(order))

    def _siblings(self, order: SimOrder) -> list[SimOrder]:
        mine = self.orders[order.market.symbol]
        ids = (order.id,) if order.list_id == NO_LIST else self.lists[order.list_id].orders
        return [mine[order_id] for order_id in ids]

    def _is_executing(self, pair: OrderList) -> bool:
        return any(self.orders[pair.market.symbol][order_id].open for order_id in pair.orders)

    def _keep(self, order: SimOrder, amount: Decimal) -> None:
        """Make what is kept for an order (with its pair) this amount."""
        unit = _unit(order)
        self.wallet.lock(order.pays, minus(amount, self._kept.get(unit, ZERO)))
        self._kept[unit] = amount
        if not amount:
            del self._kept[unit]

    def _put(self, order: SimOrder) -> SimOrder:
        symbol = order.market.symbol
        before = self.orders.setdefault(symbol, {}).get(order.id)
        self.orders[symbol][order.id] = order
        mine = self._open.setdefault(symbol, {})
        mine[order.id] = order
        if not order.open:
            del mine[order.id]
        if self.observer is not None:
            self.observer(before, order)
        return order

    def _next_id(self, market: SimMarket) -> int:
        return len(self.orders.get(market.symbol, ())) + 1

    def _reached(self, market: SimMarket, price: Decimal) -> list[SimOrder]:
        mine = self._open.get(market.symbol, {}).values()
        found = [one for one in mine if one.working and one.reached_by(price)]
        # The best price first, and of equal ones the oldest.
        return sorted(found, key=lambda one: (one.price.copy_negate() if one.buys else one.price, one.id))


def _unit(order: SimOrder) -> Funds:
    return (order.market.symbol, order.id) if order.list_id == NO_LIST else ("", order.list_id)


def _amount(levels: Iterable[Level]) -> Decimal:
    return total(level.amount for level in levels)


def _check_market(new: NewOrder) -> None:
    if new.market.status != TRADING:
        raise RequestRefused(-1013, "Market is closed.")
    if new.kind in MARKET_STOPS and not new.market.market_stops:
        raise RequestRefused(-1013, f"{_UNSUPPORTED[new.kind]} orders are not supported for this symbol.")


def _check_prices(new: NewPair, seen: Seen) -> None:
    limit, stop = new.limit.price or ZERO, new.stop.stop or ZERO
    holds = limit < seen.last < stop if new.limit.side == BUY else stop < seen.last < limit
    if not holds:
        raise RequestRefused(-2010, "The relationship of the prices for the orders is not correct.")
