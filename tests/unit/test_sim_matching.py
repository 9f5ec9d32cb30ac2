"""Orders against a hand-made book and tape, with every number worked out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.exchange_sim.accounts import AccountConfig, SimBalance
from core.exchange_sim.markets import BREAK, SimMarket
from core.exchange_sim.matching import Matching
from core.exchange_sim.orders import Depth, Level, NewOrder, NewPair, Print, Seen, SimOrder
from core.exchange_sim.venue import RequestRefused
from tests.sim import NOON

D = Decimal
MARKET = SimMarket("BTC/USDT", 2, 3, market_stops=True)
ASKS = (Level(D("100.10"), D(1)), Level(D("100.20"), D(2)), Level(D("101.00"), D(5)))
BIDS = (Level(D("99.90"), D(1)), Level(D("99.80"), D(2)), Level(D("99.00"), D(5)))
HALF_A_PERCENT = D("0.005")


def depth(market: SimMarket, now: int, last: Decimal) -> Depth:
    """Return the book above, moved so that it stands around the last price."""
    away = last - 100
    return Depth(*(tuple(Level(price + away, amount) for price, amount in side) for side in (BIDS, ASKS)))


class Desk:
    """A matching engine at a moment, and short words for what is asked of it."""

    def __init__(self, depth_at: Any = depth, **balances: str) -> None:
        kept = {name: D(amount) for name, amount in (balances or {"USDT": "10000", "BTC": "10"}).items()}
        self.engine = Matching(AccountConfig(balances=kept, maker=D("0.001"), taker=HALF_A_PERCENT), depth_at)
        self.now, self.last, self.count = NOON, D(100), 0

    def new(self, side: str, kind: str, quantity: str | None = None, **how: Any) -> NewOrder:
        self.count += 1
        numbers: dict[str, Any] = {
            name: D(how.pop(name)) for name in ("price", "stop", "value") if name in how
        }
        how = {"market": MARKET, "client_id": f"c{self.count}", **how, **numbers}
        return NewOrder(side=side, kind=kind, quantity=D(quantity) if quantity else None, **how)

    def place(self, side: str, kind: str, quantity: str | None = None, **how: Any) -> SimOrder:
        return self.engine.place(self.new(side, kind, quantity, **how), self.seen)

    def pair(
        self, side: str, quantity: str, price: str, stop: str, stop_limit: str | None = None
    ) -> list[SimOrder]:
        limit = self.new(side, "LIMIT_MAKER", quantity, price=price)
        kind = "STOP_LOSS_LIMIT" if stop_limit else "STOP_LOSS"
        waiting = self.new(side, kind, quantity, stop=stop, **({"price": stop_limit} if stop_limit else {}))
        made = self.engine.place_pair(NewPair(limit, waiting, f"pair{self.count}"), self.seen)
        return [self.engine.orders["BTC/USDT"][order_id] for order_id in made.orders]

    def trade(self, price: str, amount: str = "1000", later: int = 1000) -> None:
        self.now += later
        self.last = D(price)
        self.engine.trade(MARKET, Print(self.now, D(price), D(amount)))

    def again(self, order: SimOrder) -> SimOrder:
        return self.engine.orders["BTC/USDT"][order.id]

    @property
    def seen(self) -> Seen:
        return Seen(self.now, self.last, self.last)

    def balance(self, asset: str) -> tuple[str, str]:
        free, locked = self.engine.wallet.of(asset)
        return f"{free.normalize():f}", f"{locked.normalize():f}"

    def fills(self) -> list[tuple[str, str, str, str, bool]]:
        return [
            (f"{t.price:f}", f"{t.amount.normalize():f}", f"{t.fee.normalize():f}", t.fee_asset, t.maker)
            for t in self.engine.trades.get("BTC/USDT", [])
        ]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def refused(code: int, words: str) -> Any:
    return pytest.raises(RequestRefused, match=words, check=lambda error: error.code == code)


def test_a_market_buy_walks_the_book_and_pays_its_fee_in_base(desk: Desk) -> None:
    order = desk.place("BUY", "MARKET", "2.5")
    assert (order.status, order.executed, order.turnover) == ("FILLED", D("2.5"), D("250.40"))
    assert desk.fills() == [
        ("100.10", "1", "0.005", "BTC", False),
        ("100.20", "1.5", "0.0075", "BTC", False),
    ]
    assert desk.balance("USDT") == ("9749.6", "0")
    assert desk.balance("BTC") == ("12.4875", "0")


def test_a_market_sell_pays_its_fee_in_quote(desk: Desk) -> None:
    order = desk.place("SELL", "MARKET", "1")
    assert (order.status, order.turnover) == ("FILLED", D("99.90"))
    assert desk.fills() == [("99.90", "1", "0.4995", "USDT", False)]
    assert desk.balance("USDT") == ("10099.4005", "0")


def test_a_fee_is_rounded_down_to_eight_decimals(desk: Desk) -> None:
    desk.engine = Matching(AccountConfig(taker=D("0.00075")), depth)
    desk.engine.place(desk.new("BUY", "MARKET", "0.12345", market=MARKET._replace(lot_decimals=5)), desk.seen)
    assert [trade.fee for trade in desk.engine.trades["BTC/USDT"]] == [D("0.00009258")]


def test_a_market_order_larger_than_the_book_expires_with_its_executed_part(desk: Desk) -> None:
    order = desk.place("BUY", "MARKET", "9")
    assert (order.status, order.executed, order.quantity) == ("EXPIRED", D(8), D(9))
    assert desk.balance("USDT")[1] == "0"


def test_a_market_order_by_value_spends_whole_lots_of_it(desk: Desk) -> None:
    order = desk.place("BUY", "MARKET", value="150")
    # 1 at 100.10 and, of the 49.90 left, 0.498 at 100.20.
    assert (order.status, order.quantity, order.executed) == ("FILLED", D("1.498"), D("1.498"))
    assert order.turnover == D("149.99960")
    assert desk.balance("USDT") == ("9850.0004", "0")
    assert desk.place("SELL", "MARKET", value="100").turnover == D("99.99980")


def test_a_value_below_one_lot_is_refused(desk: Desk) -> None:
    with refused(-1013, "LOT_SIZE"):
        desk.engine.place(
            desk.new("BUY", "MARKET", value="0.05", market=MARKET._replace(min_notional=0)), desk.seen
        )
    with refused(-2010, "insufficient balance"):
        desk.place("BUY", "MARKET", value="10000.01")


@pytest.mark.parametrize("how", [{"quantity": "1"}, {"value": "100"}])
def test_without_offers_a_market_order_expires_and_moves_nothing(how: dict[str, str]) -> None:
    desk = Desk(lambda *_: Depth())
    order = desk.place("BUY", "MARKET", **how)
    assert (order.status, order.executed) == ("EXPIRED", D(0))
    assert desk.balance("USDT") == ("10000", "0")


def test_a_limit_order_takes_what_it_reaches_and_the_rest_rests(desk: Desk) -> None:
    order = desk.place("BUY", "LIMIT", "4", price="100.20")
    assert (order.status, order.executed) == ("PARTIALLY_FILLED", D(3))
    assert desk.balance("USDT") == (f"{10000 - D('300.50') - D('100.20')}".rstrip("0"), "100.2")
    desk.trade("100.20", "0.4")
    assert desk.again(order).executed == D("3.4")
    desk.trade("100.21", "50")
    assert desk.again(order).executed == D("3.4")
    desk.trade("99.00", "50")
    # A resting order is executed at its own price, and pays the maker's fee.
    assert desk.fills()[-2:] == [
        ("100.20", "0.4", "0.0004", "BTC", True),
        ("100.20", "0.6", "0.0006", "BTC", True),
    ]
    assert desk.again(order).status == "FILLED"
    assert desk.balance("USDT")[1] == "0"


def test_cheaper_than_its_limit_sets_the_difference_free(desk: Desk) -> None:
    desk.place("BUY", "LIMIT", "1", price="150")
    assert desk.balance("USDT") == ("9899.9", "0")


def test_a_resting_sell_waits_for_its_price(desk: Desk) -> None:
    order = desk.place("SELL", "LIMIT", "2", price="101.50")
    desk.trade("101.49")
    assert desk.again(order).status == "NEW"
    desk.trade("101.50", "0.0009")
    assert desk.again(order).status == "NEW"  # less than one lot was traded
    desk.trade("103")
    assert desk.again(order).status == "FILLED"
    assert desk.balance("USDT") == ("10202.797", "0")


@pytest.mark.parametrize(
    ("lifetime", "quantity", "status", "executed"),
    [
        ("IOC", "2", "FILLED", "2"),
        ("IOC", "4", "EXPIRED", "3"),
        ("FOK", "3", "FILLED", "3"),
        ("FOK", "4", "EXPIRED", "0"),
    ],
)
def test_orders_that_do_not_rest(
    desk: Desk, lifetime: str, quantity: str, status: str, executed: str
) -> None:
    order = desk.place("BUY", "LIMIT", quantity, price="100.20", lifetime=lifetime)
    assert (order.status, order.executed) == (status, D(executed))
    assert desk.engine.open_orders() == []
    assert desk.balance("USDT")[1] == "0"


def test_a_maker_order_that_would_take_is_refused(desk: Desk) -> None:
    with refused(-2010, "immediately match and take"):
        desk.place("BUY", "LIMIT_MAKER", "1", price="100.10")
    assert desk.place("BUY", "LIMIT_MAKER", "1", price="100.09").status == "NEW"


def test_what_was_taken_is_gone_until_the_second_is_over(desk: Desk) -> None:
    desk.place("BUY", "MARKET", "0.4")
    desk.place("BUY", "MARKET", "0.4")
    assert desk.place("BUY", "MARKET", "0.4").turnover == D("0.2") * D("100.10") + D("0.2") * D("100.20")
    assert desk.place("SELL", "MARKET", "1").turnover == D("99.90")  # the other side is untouched
    assert desk.place("BUY", "MARKET", "1").turnover == D("100.20")
    desk.now += 1000
    assert desk.place("BUY", "MARKET", "1").turnover == D("100.10")


def test_own_orders_share_what_was_traded_best_price_first_then_the_oldest(desk: Desk) -> None:
    prices = ("99.50", "99.60", "99.60")
    low, first, second = (desk.place("BUY", "LIMIT", "1", price=price) for price in prices)
    desk.trade("99.40", "2.5")
    assert [desk.again(one).executed for one in (first, second, low)] == [1, 1, D("0.5")]
    desk.trade("99.40", "0.2")
    assert desk.again(low).executed == D("0.7")


def test_a_cancelled_order_keeps_what_was_executed_and_frees_the_rest(desk: Desk) -> None:
    order = desk.place("BUY", "LIMIT", "2", price="99.50")
    desk.trade("99.50", "0.5")
    [done] = desk.engine.cancel(desk.again(order), desk.now)
    assert (done.status, done.executed, done.updated) == ("CANCELED", D("0.5"), desk.now)
    assert desk.balance("USDT") == ("9950.25", "0")
    desk.trade("90")
    assert desk.again(order) == done


@pytest.mark.parametrize(
    ("side", "kind", "stop", "not_yet", "there", "status"),
    [
        ("SELL", "STOP_LOSS_LIMIT", "99", "99.01", "98.9", "FILLED"),
        ("SELL", "TAKE_PROFIT_LIMIT", "103", "102.99", "103", "FILLED"),
        ("BUY", "STOP_LOSS_LIMIT", "101", "100.99", "101", "FILLED"),
        ("BUY", "TAKE_PROFIT_LIMIT", "97", "97.01", "96", "FILLED"),
        ("SELL", "STOP_LOSS", "99", "99.01", "98.9", "FILLED"),
        ("BUY", "STOP_LOSS", "101", "100.99", "101", "FILLED"),
        ("BUY", "TAKE_PROFIT", "97", "97.01", "96", "FILLED"),
    ],
)
def test_a_stop_waits_for_its_price_and_then_works(
    desk: Desk, side: str, kind: str, stop: str, not_yet: str, there: str, status: str
) -> None:
    price = {"price": "50" if side == "SELL" else "150"} if kind.endswith("LIMIT") else {}
    order = desk.place(side, kind, "1", stop=stop, **price)
    assert (order.status, order.working) == ("NEW", False)
    assert desk.balance("BTC" if side == "SELL" else "USDT")[1] == (
        "1" if side == "SELL" else price.get("price", stop)
    )
    desk.trade(not_yet)
    assert desk.again(order) == order
    desk.trade(there)
    done = desk.again(order)
    assert (done.status, done.working, done.executed) == (status, True, D(1))
    # It took from the book around the price that set it to work.
    assert done.turnover == D(there) + (D("0.10") if side == "BUY" else D("-0.10"))
    assert [desk.balance(asset)[1] for asset in ("BTC", "USDT")] == ["0", "0"]


def test_a_stop_whose_limit_is_out_of_reach_rests_there(desk: Desk) -> None:
    order = desk.place("SELL", "STOP_LOSS_LIMIT", "1", stop="99", price="98.95")
    desk.trade("98")
    assert (desk.again(order).status, desk.again(order).working) == ("NEW", True)
    desk.trade("98.94")
    assert desk.again(order).status == "NEW"
    desk.trade("98.95")
    assert desk.again(order).status == "FILLED"
    assert desk.fills() == [("98.95", "1", "0.09895", "USDT", True)]


def test_a_market_stop_buys_what_cash_pays_and_the_rest_expires() -> None:
    desk = Desk(USDT="101")
    order = desk.place("BUY", "STOP_LOSS", "1", stop="101")
    desk.trade("110")
    done = desk.again(order)
    # 101 USDT at 110.10.
    assert (done.status, done.executed) == ("EXPIRED", D("0.917"))
    assert desk.balance("USDT") == ("0.0383", "0")


def test_a_market_stop_that_can_pay_nothing_expires() -> None:
    desk = Desk(lambda *_: Depth(), USDT="101")
    order = desk.place("BUY", "STOP_LOSS", "1", stop="101")
    desk.trade("110")
    assert desk.again(order).status == "EXPIRED"
    assert desk.balance("USDT") == ("101", "0")


@pytest.mark.parametrize(
    ("side", "kind", "stop"), [("SELL", "STOP_LOSS_LIMIT", "100"), ("BUY", "TAKE_PROFIT_LIMIT", "100")]
)
def test_a_stop_that_would_trigger_at_once_is_refused(desk: Desk, side: str, kind: str, stop: str) -> None:
    with refused(-2010, "trigger immediately"):
        desk.place(side, kind, "1", stop=stop, price="100")


def test_a_pair_keeps_its_funds_once(desk: Desk) -> None:
    desk.pair("SELL", "10", "103", "97", "96")
    assert desk.balance("BTC") == ("0", "10")
    desk.pair("BUY", "50", "95", "105", "106")
    assert desk.balance("USDT") == ("4700", "5300")


@pytest.mark.parametrize(("price", "filled", "sold"), [("103", 0, "103.00"), ("96.9", 1, "96.80")])
def test_one_of_a_pair_executed_expires_the_other(desk: Desk, price: str, filled: int, sold: str) -> None:
    legs = desk.pair("SELL", "1", "103.00", "97", "96")
    desk.trade(price)
    done = [desk.again(leg) for leg in legs]
    assert done[filled].status == "FILLED"
    assert done[1 - filled].status == "EXPIRED"
    assert [fill[0] for fill in desk.fills()] == [sold]
    assert desk.balance("BTC")[1] == "0"
    desk.trade("110")
    desk.trade("90")
    assert len(desk.fills()) == 1


def test_a_partial_execution_ends_the_other_of_a_pair_too(desk: Desk) -> None:
    limit, stop = desk.pair("BUY", "2", "97", "105", "106")
    desk.trade("96", "0.5")
    assert [desk.again(leg).status for leg in (limit, stop)] == ["PARTIALLY_FILLED", "EXPIRED"]
    assert desk.balance("USDT") == ("9806", "145.5")


def test_a_pair_with_a_market_stop_frees_everything(desk: Desk) -> None:
    limit, stop = desk.pair("BUY", "1", "97", "105")
    desk.trade("105")
    assert [desk.again(leg).status for leg in (limit, stop)] == ["EXPIRED", "FILLED"]
    assert desk.balance("USDT") == ("9894.9", "0")


def test_cancelling_one_of_a_pair_cancels_both(desk: Desk) -> None:
    legs = desk.pair("SELL", "1", "103", "97", "96")
    done = desk.engine.cancel(legs[1], desk.now)
    assert [one.status for one in done] == ["CANCELED", "CANCELED"]
    assert desk.balance("BTC") == ("10", "0")


def test_a_trade_that_ends_a_pair_does_not_reach_its_other_order(desk: Desk) -> None:
    # Nobody's prices, but nothing may be executed twice: both orders of the pair rest at reachable prices.
    legs = desk.pair("SELL", "1", "103", "97", "98")
    desk.trade("96")
    assert [desk.again(leg).status for leg in legs] == ["EXPIRED", "NEW"]
    desk.trade("120", "0.4")
    assert desk.again(legs[1]).executed == D("0.4")


@pytest.mark.parametrize(
    ("side", "price", "stop"),
    [("SELL", "99.95", "98"), ("SELL", "101", "100"), ("BUY", "100", "103"), ("BUY", "99", "100")],
)
def test_a_pair_on_the_wrong_sides_of_the_price_is_refused(
    desk: Desk, side: str, price: str, stop: str
) -> None:
    with refused(-2010, "relationship|trigger immediately"):
        desk.pair(side, "1", price, stop, stop)
    assert desk.engine.open_orders() == []
    assert desk.engine.lists == {}


def test_a_pair_wants_funds_and_an_id_of_its_own(desk: Desk) -> None:
    with refused(-2010, "insufficient"):
        desk.pair("SELL", "11", "103", "97", "96")
    desk.pair("SELL", "1", "103", "97", "96")
    used = next(iter(desk.engine.lists.values())).client_id
    limit = desk.new("SELL", "LIMIT_MAKER", "1", price="103")
    stop = desk.new("SELL", "STOP_LOSS_LIMIT", "1", price="96", stop="97")
    with refused(-2010, "Duplicate"):
        desk.engine.place_pair(NewPair(limit, stop, used), desk.seen)
    desk.engine.cancel(desk.engine.open_orders()[0], desk.now)
    assert desk.engine.place_pair(NewPair(limit, stop, used), desk.seen).id == 2


def test_a_client_order_id_is_free_again_once_its_order_is_closed(desk: Desk) -> None:
    first = desk.place("BUY", "LIMIT", "1", price="99", client_id="mine")
    with refused(-2010, "Duplicate order sent"):
        desk.place("BUY", "LIMIT", "1", price="98", client_id="mine")
    desk.trade("98.5")
    again = desk.place("BUY", "MARKET", "1", client_id="mine")
    assert again.id != first.id
    assert desk.engine.find("BTC/USDT", client_id="mine") == again


def test_orders_are_found_by_id_or_by_client_order_id(desk: Desk) -> None:
    order = desk.place("BUY", "LIMIT", "1", price="99")
    assert desk.engine.find("BTC/USDT", order.id) == order
    assert desk.engine.find("BTC/USDT", order.id, "other") is None
    assert desk.engine.find("BTC/USDT", 99) is None
    assert desk.engine.find("BTC/USDT", client_id="other") is None
    assert desk.engine.find("ETH/USDT", 1) is None
    assert desk.engine.open_orders("BTC/USDT") == desk.engine.open_orders() == [order]
    assert desk.engine.open_orders("ETH/USDT") == []
    assert desk.engine.trades_of(order) == []


@pytest.mark.parametrize(
    ("side", "kind", "how"),
    [
        ("BUY", "LIMIT", {"quantity": "101", "price": "99.50"}),
        ("SELL", "LIMIT", {"quantity": "10.001", "price": "103"}),
        ("SELL", "MARKET", {"quantity": "10.001"}),
        ("BUY", "STOP_LOSS", {"quantity": "30", "stop": "400"}),
    ],
)
def test_what_the_balance_does_not_cover_is_refused_and_changes_nothing(
    desk: Desk, side: str, kind: str, how: dict[str, str]
) -> None:
    with refused(-2010, "insufficient balance"):
        desk.place(side, kind, **how)
    assert (desk.balance("USDT"), desk.balance("BTC")) == (("10000", "0"), ("10", "0"))
    assert desk.engine.orders == {}


@pytest.mark.parametrize(
    ("market", "kind", "words"),
    [
        (MARKET._replace(status=BREAK), "MARKET", "Market is closed"),
        (MARKET._replace(market_stops=False), "STOP_LOSS", "Stop loss orders are not supported"),
        (MARKET._replace(market_stops=False), "TAKE_PROFIT", "Take profit orders are not supported"),
    ],
)
def test_what_the_market_does_not_take_is_refused(
    desk: Desk, market: SimMarket, kind: str, words: str
) -> None:
    with refused(-1013, words):
        desk.place("SELL", kind, "1", market=market, **({} if kind == "MARKET" else {"stop": "99"}))


def test_an_asset_never_had_has_no_balance(desk: Desk) -> None:
    assert desk.engine.wallet.of("DOGE") == SimBalance(D(0), D(0))
    assert set(desk.engine.wallet.all()) == {"USDT", "BTC"}
