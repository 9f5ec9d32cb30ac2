"""What holds for the local exchange's books after every order, cancel and trade."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.exchange_sim.accounts import AccountConfig
from core.exchange_sim.feed import MarketFeed
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.matching import Matching
from core.exchange_sim.orders import (
    ALGOS,
    CANCELED,
    EXPIRED,
    FILLED,
    KINDS,
    NEW,
    NO_LIST,
    PARTLY,
    TIMES,
    Depth,
    Level,
    NewOrder,
    NewPair,
    Print,
    Seen,
    SimOrder,
)
from core.exchange_sim.rules import BinanceRules
from core.exchange_sim.synthetic import SyntheticSource
from core.exchange_sim.trading import Trading
from core.exchange_sim.venue import RequestRefused
from tests.sim import MINUTE, NOON
from tests.tiers import tries

pytestmark = pytest.mark.unmeasured

D = Decimal
BTC = SimMarket("BTC/USDT", 2, 5, market_stops=True)
ETH = SimMarket("ETH/USDT", 2, 4, market_stops=True)
START = {"USDT": D("20000"), "BTC": D("50"), "ETH": D("70")}
TERMINAL = {FILLED, CANCELED, EXPIRED}
SIDES = st.sampled_from(["BUY", "SELL"])
TICKS = st.integers(9000, 11000).map(lambda ticks: D(ticks) / 100)
AMOUNTS = st.integers(1, 300_000).map(lambda lots: D(lots) / 10**4)


def depth(market: SimMarket, now: int, last: Decimal) -> Depth:
    """Return twenty levels of one to three coins on each side, a tick apart."""
    rest = now // 1000
    levels = [(n, D(1 + (rest + n) % 3)) for n in range(1, 21)]
    return Depth(*(tuple(Level(last + sign * D(n) / 100, size) for n, size in levels) for sign in (-1, 1)))


class Books(RuleBasedStateMachine):
    """Two symbols on one account."""

    def __init__(self) -> None:
        super().__init__()
        account = AccountConfig(balances=START, maker=D("0.0007"), taker=D("0.0013"))
        self.venue_rules = BinanceRules(account)
        self.engine = Matching(account, depth, self.venue_rules)
        self.now, self.count = NOON, 0
        self.last = {BTC: D(100), ETH: D(100)}

    def seen(self, market: SimMarket) -> Seen:
        return Seen(self.now, self.last[market], self.last[market])

    def new(
        self, market: SimMarket, side: str, kind: str, amount: Decimal, price: Decimal, **how: Any
    ) -> NewOrder:
        self.count += 1
        limit = price if kind not in ("MARKET", "STOP_LOSS", "TAKE_PROFIT") else None
        return NewOrder(market, side, kind, f"c{self.count}", amount, price=limit, **how)

    @rule(
        market=st.sampled_from([BTC, ETH]),
        side=SIDES,
        kind=st.sampled_from(KINDS),
        amount=AMOUNTS,
        price=TICKS,
        stop=TICKS,
        lifetime=st.sampled_from(TIMES),
        by_value=st.booleans(),
    )
    def place(
        self,
        market: SimMarket,
        side: str,
        kind: str,
        amount: Decimal,
        price: Decimal,
        stop: Decimal,
        lifetime: str,
        by_value: bool,
    ) -> None:
        new = self.new(market, side, kind, amount, price)
        new = new._replace(stop=stop if kind in ALGOS else None)
        if kind in ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"):
            new = new._replace(lifetime=lifetime)
        if kind == "MARKET" and by_value:
            new = new._replace(quantity=None, value=amount * 10)
        before = self.snapshot()
        try:
            self.engine.place(new, self.seen(market))
        except RequestRefused:
            assert self.snapshot() == before

    @rule(
        market=st.sampled_from([BTC, ETH]),
        side=SIDES,
        amount=AMOUNTS,
        away=st.tuples(*[st.integers(-5, 300)] * 3),
        at_market=st.booleans(),
    )
    def place_pair(
        self, market: SimMarket, side: str, amount: Decimal, away: tuple[int, int, int], at_market: bool
    ) -> None:
        sign, last = (1 if side == "SELL" else -1), self.last[market]
        price, stop, limit = (
            last + way * D(n) / 100 for way, n in zip((sign, -sign, -sign), away, strict=True)
        )
        first = self.new(market, side, "LIMIT_MAKER", amount, price)
        second = self.new(
            market, side, "STOP_LOSS" if at_market else "STOP_LOSS_LIMIT", amount, limit, stop=stop
        )
        before = self.snapshot()
        try:
            self.engine.place_pair(NewPair(first, second, f"pair{self.count}"), self.seen(market))
        except RequestRefused:
            assert self.snapshot() == before

    @precondition(lambda self: self.engine.open_orders())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.engine.open_orders()))
        done = self.engine.cancel(order, self.now)
        assert {one.status for one in done} == {CANCELED}
        assert {one.executed for one in done if one.id == order.id} == {order.executed}

    @rule(market=st.sampled_from([BTC, ETH]), price=TICKS, amount=AMOUNTS, later=st.integers(1, 3000))
    def trade(self, market: SimMarket, price: Decimal, amount: Decimal, later: int) -> None:
        self.now += later
        self.last[market] = price
        before = sum(len(trades) for trades in self.engine.trades.values())
        self.engine.trade(market, Print(self.now, price, amount))
        made = [trade for trades in self.engine.trades.values() for trade in trades if trade.time == self.now]
        rested = sum((trade.amount for trade in made[:] if trade.maker and trade.market == market), D(0))
        assert rested <= amount
        assert sum(len(trades) for trades in self.engine.trades.values()) >= before

    def snapshot(self) -> Any:
        engine = self.engine
        orders = {symbol: dict(orders) for symbol, orders in engine.orders.items() if orders}
        return engine.wallet.all(), orders, {s: list(t) for s, t in engine.trades.items()}, dict(engine.lists)

    def all_orders(self) -> list[SimOrder]:
        return [order for orders in self.engine.orders.values() for order in orders.values()]

    @invariant()
    def no_balance_is_negative(self) -> None:
        assert all(min(balance) >= 0 for balance in self.engine.wallet.all().values())

    @invariant()
    def what_is_locked_is_what_open_orders_need(self) -> None:
        needed: dict[str, Decimal] = defaultdict(Decimal)
        for order in self.all_orders():
            if order.list_id == NO_LIST:
                needed[order.pays] += self.venue_rules.needs(order)
        for pair in self.engine.lists.values():
            legs = [self.engine.orders[pair.market.symbol][order_id] for order_id in pair.orders]
            needed[legs[0].pays] += max(map(self.venue_rules.needs, legs))
        locked = {asset: balance.locked for asset, balance in self.engine.wallet.all().items()}
        assert {asset: amount for asset, amount in locked.items() if amount} == {
            asset: amount for asset, amount in needed.items() if amount
        }

    @invariant()
    def nothing_comes_or_goes_but_by_trades_and_fees(self) -> None:
        total = dict(START)
        for trade in (trade for trades in self.engine.trades.values() for trade in trades):
            base, quote = trade.market.base, trade.market.quote
            sign = 1 if trade.buys else -1
            total[base] += sign * trade.amount
            total[quote] -= sign * trade.price * trade.amount
            total[trade.fee_asset] -= trade.fee
            assert trade.fee_asset == (base if trade.buys else quote)
        kept = {asset: sum(balance) for asset, balance in self.engine.wallet.all().items()}
        assert kept == total

    @invariant()
    def trades_add_up_to_what_their_order_says(self) -> None:
        for order in self.all_orders():
            trades = self.engine.trades_of(order)
            assert sum((trade.amount for trade in trades), D(0)) == order.executed <= order.quantity
            assert sum((trade.turnover for trade in trades), D(0)) == order.turnover
            if order.price:
                sign = 1 if order.buys else -1
                assert all(sign * (order.price - trade.price) >= 0 for trade in trades)

    @invariant()
    def an_order_is_open_or_done(self) -> None:
        for order in self.all_orders():
            assert (order.status in (NEW, PARTLY)) == order.open == (order in self.engine.open_orders())
            assert order.open or order.status in TERMINAL
            assert (order.status == FILLED) == (order.executed == order.quantity > 0)
            assert (order.status == PARTLY) == (order.open and order.executed > 0)

    @invariant()
    def of_a_pair_only_one_is_executed(self) -> None:
        for pair in self.engine.lists.values():
            legs = [self.engine.orders[pair.market.symbol][order_id] for order_id in pair.orders]
            assert sum(leg.executed > 0 for leg in legs) <= 1
            assert sum(leg.executed for leg in legs) <= legs[0].quantity


Books.TestCase.settings = settings(max_examples=tries(60, 15), stateful_step_count=30, deadline=None)
TestBooks = Books.TestCase


def played(moments: list[int]) -> Any:
    """Return the books after the market moved to each of these moments."""
    trading = Trading(
        MarketFeed(SyntheticSource(7), 7), AccountConfig(balances={"USDT": D(50_000), "BTC": D(2)})
    )
    trading.play(NOON)
    last = trading.seen(BTC).last
    for n in range(1, 6):
        away = (last * n / 2000).quantize(D("0.01"))
        orders = [
            NewOrder(BTC, "BUY", "LIMIT", f"buy{n}", D("0.07"), price=last - away),
            NewOrder(BTC, "SELL", "LIMIT", f"sell{n}", D("0.07"), price=last + away),
            NewOrder(BTC, "SELL", "STOP_LOSS", f"stop{n}", D("0.05"), stop=last - away),
        ]
        for order in orders:
            trading.matching.place(order, trading.seen(BTC))
    for moment in sorted(moments):
        trading.play(moment)
    return trading.matching.wallet.all(), trading.matching.orders, trading.matching.trades


@settings(max_examples=tries(20, 5), deadline=None)
@given(st.lists(st.integers(NOON, NOON + 120 * MINUTE), max_size=12))
def test_it_makes_no_difference_how_often_anybody_looks(moments: list[int]) -> None:
    end = NOON + 120 * MINUTE
    assert played([*moments, end]) == played([end])
    assert len(played([end])[2]["BTC/USDT"]) > 10
