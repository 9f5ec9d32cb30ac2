"""Stops that rest, over real ccxt at the local exchange: what is sent, what was placed, what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from core.account.messages import Balance, OrderNews, OrderRequest, StopRules, Terms
from core.account.orders import Kind
from core.errors import InsufficientFundsError, OrderRefusedError, OrderUnknownError, UnsupportedError
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET, AccountConfig
from core.exchange_sim.faults import Fault
from core.exchange_sim.kraken_gate import Tier, kraken_secret
from core.exchange_sim.orders import SimOrder
from core.exchange_sim.server import BINANCEUS, KRAKEN, RunningSim, SimConfig, serve
from core.order_path.exchange_venue import ExchangeVenue
from tests.exchange_help import NOON, Bench, FakeTime, bench
from tests.sim import MINUTE, bars_of, hand_made

D = Decimal
SYMBOLS = {BINANCEUS: "BTC/USDT", KRAKEN: "BTC/USD"}
NAME = "0123456789abcdef0123456789abcdef"
ACCOUNT = AccountConfig(balances={"USDT": D(10_000), "USD": D(10_000), "BTC": D(1)})
AMEND = "/0/private/AmendOrder"


class Place:
    """One venue with three minutes at 100, 90 and 120, and a client on it."""

    def __init__(self, venue: str, sim: RunningSim, opened: Bench) -> None:
        self.venue, self.sim, self.time, self.client = venue, sim, opened.time, opened.client
        self.symbol, self.orders = SYMBOLS[venue], opened.client.orders

    def stop(self, trigger: str, amount: str = "0.5", name: str = NAME) -> OrderRequest:
        """Return the stop that the venue has."""
        limit = D(trigger) - 1 if self.venue == BINANCEUS else None
        kind: Kind = "stop_limit" if limit is not None else "stop"
        return OrderRequest(name, self.symbol, "sell", D(amount), Terms(kind, limit, D(trigger)))

    def sent(self) -> dict[str, str]:
        """Return the fields of the newest order, but for those of the signature."""
        path = "/api/v3/order" if self.venue == BINANCEUS else "/0/private/AddOrder"
        params = [one.params for one in self.sim.requests if (one.method, one.path) == ("POST", path)][-1]
        return {name: value for name, value in params.items() if name not in SIGNING}

    def placed(self) -> list[SimOrder]:
        return list(self.sim.books(self.venue).orders.get(self.symbol, {}).values())


SIGNING = ("nonce", "signature", "timestamp", "recvWindow")


@pytest.fixture(params=[BINANCEUS, KRAKEN])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from place_of(request.param)


@pytest.fixture
def kraken() -> Iterator[Place]:
    yield from place_of(KRAKEN)


@pytest.fixture
def binanceus() -> Iterator[Place]:
    yield from place_of(BINANCEUS)


def place_of(venue: str) -> Iterator[Place]:
    time = FakeTime(NOON + 30_000)
    rows = [(NOON + n * MINUTE, *(price,) * 4, 160.0) for n, price in enumerate((100.0, 90.0, 120.0))]
    source = hand_made(bars_of(rows), symbol=SYMBOLS[venue])
    free = Tier(1e9, 1e9, 1e9, 1e9)
    secret = TEST_SECRET if venue == BINANCEUS else kraken_secret(ACCOUNT)
    config = SimConfig(source=source, clock=time.clock, account=ACCOUNT, tier=free)
    with (
        serve(config) as sim,
        bench(sim.url, venue, time, api_key=TEST_KEY, api_secret=secret) as opened,
    ):
        opened.client._transport._limiter._windows.clear()
        yield Place(venue, sim, opened)


FIELDS = {
    BINANCEUS: {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "STOP_LOSS_LIMIT",
        "quantity": "0.5",
        "price": "94.01",
        "stopPrice": "95.01",
        "timeInForce": "GTC",
        "newClientOrderId": NAME,
        "newOrderRespType": "FULL",
    },
    KRAKEN: {
        "pair": "XXBTZUSD",
        "type": "sell",
        "ordertype": "stop-loss",
        "volume": "0.5",
        "price": "95.1",
        "cl_ord_id": NAME,
        "oflags": "fciq",
        "deadline": "2024-01-01T12:00:35.000Z",
    },
}


def test_k9_a_stop_is_sent_with_exactly_these_fields_and_rests(place: Place) -> None:
    report = place.orders.place(place.stop("95.01"))
    assert place.sent() == FIELDS[place.venue]
    assert place.sim.kraken.unknown == {}
    [order] = place.placed()
    assert (order.status, order.working, order.quantity) == ("NEW", False, D("0.5"))
    told = place.orders.find(place.symbol, NAME)
    assert told is not None
    assert (told.id, told.standing, told.amount, told.filled) == (report.id, OrderNews.OPEN, D("0.5"), D(0))
    assert told.stop in (None, order.stop)
    assert [one.client_order_id for one in place.orders.open()] == [NAME]
    # What it sells is kept for it.
    assert place.orders.balances()["BTC"] == Balance(D("0.5"), D("0.5"))


@pytest.mark.unmeasured
def test_a_stop_sells_once_its_price_is_reached(place: Place) -> None:
    place.orders.place(place.stop("95"))
    place.time.now += MINUTE
    told = place.orders.find(place.symbol, NAME)
    assert told is not None
    # Where the limit is jumped over it waits at it.
    is_limited = place.venue == BINANCEUS
    assert (told.standing, told.filled) == (
        (OrderNews.OPEN, 0) if is_limited else (OrderNews.FILLED, D("0.5"))
    )
    executions = place.orders.fills(place.symbol)
    assert [one.fill.amount for one in executions if one.fill.side == "sell"] == (
        [] if is_limited else [D("0.5")]
    )
    if is_limited:
        place.orders.cancel(place.symbol, NAME)
        assert place.orders.balances()["BTC"] == Balance(D(1), D(0))


def test_a_stop_limit_that_is_not_jumped_over_is_filled_at_its_limit_or_better(binanceus: Place) -> None:
    order = binanceus.stop("90.5")
    binanceus.orders.place(order)
    binanceus.time.now += MINUTE
    told = binanceus.orders.find(binanceus.symbol, NAME)
    assert told is not None
    assert told.standing is OrderNews.FILLED
    assert min(one.fill.price for one in binanceus.orders.fills(binanceus.symbol)) >= D("89.5")


def test_a_stop_whose_price_is_reached_is_refused_in_words_that_say_so_or_sells_at_once(place: Place) -> None:
    if place.venue == BINANCEUS:
        with pytest.raises(OrderRefusedError, match="would trigger immediately"):
            place.orders.place(place.stop("105"))
        assert place.placed() == []
    else:
        place.orders.place(place.stop("105"))
        [order] = place.placed()
        assert order.status == "FILLED"


def test_what_markets_say_of_stops_is_known(binanceus: Place) -> None:
    expected = StopRules("stop_limit", D("0.01"), D("0.00001"), D("0.00001"), D(1), 5)
    assert binanceus.orders.stop_rules("BTC/USDT") == expected


def test_kraken_sells_at_the_market_takes_as_many_and_changes_what_rests(kraken: Place) -> None:
    expected = StopRules(
        "stop",
        D("0.1"),
        D("1E-8"),
        D("0.00005"),
        D("0.5"),
        None,
        can_change=True,
        look_ms=10_000,
        list_from=2,
    )
    assert kraken.orders.stop_rules("BTC/USD") == expected


def test_p6_the_sixth_stop_in_a_symbol_is_refused_by_its_filter(binanceus: Place) -> None:
    for number in range(5):
        binanceus.orders.place(binanceus.stop("90", "0.15", f"mine-{number}"))
    with pytest.raises(OrderRefusedError, match="MAX_NUM_ALGO_ORDERS"):
        binanceus.orders.place(binanceus.stop("90", "0.15", "mine-5"))


def test_a_stop_of_less_than_the_smallest_order_is_refused(place: Place) -> None:
    with pytest.raises(OrderRefusedError):
        place.orders.place(place.stop("90", "0.00001"))
    with pytest.raises(InsufficientFundsError):
        place.orders.place(place.stop("90", "1.5"))


def test_k8_a_change_is_one_amendment_with_these_fields_and_the_order_keeps_its_names(kraken: Place) -> None:
    before = kraken.orders.place(kraken.stop("80"))
    # By the door that the order path uses.
    ExchangeVenue(kraken.client).change(kraken.symbol, NAME, D("0.75"), Terms("stop", None, D("82.5")))
    [sent] = [one.params for one in kraken.sim.requests if one.path == AMEND]
    assert {name: value for name, value in sent.items() if name != "nonce"} == {
        "cl_ord_id": NAME,
        "order_qty": "0.75",
        "trigger_price": "82.5",
        "deadline": "2024-01-01T12:00:35.000Z",
    }
    assert kraken.sim.kraken.unknown == {}
    told = kraken.orders.find(kraken.symbol, NAME)
    assert told is not None
    assert (told.id, told.client_order_id) == (before.id, NAME)
    assert (told.amount, told.stop, told.standing) == (D("0.75"), D("82.5"), OrderNews.OPEN)
    assert kraken.orders.balances()["BTC"] == Balance(D("0.25"), D("0.75"))


@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", ["reset_after", "empty", "cut_json", "status", "unknown"])
def test_a_change_without_an_answer_is_unknown_and_the_order_tells(kraken: Place, fault: str) -> None:
    kraken.orders.place(kraken.stop("80"))
    kraken.sim.set_faults([Fault(fault, path="AmendOrder")])
    with pytest.raises(OrderUnknownError):
        kraken.orders.change(kraken.symbol, NAME, D("0.5"), Terms("stop", None, D("85")))
    told = kraken.orders.find(kraken.symbol, NAME)
    assert told is not None
    assert told.stop == D(85)


def test_a_change_to_more_than_there_is_leaves_the_stop_as_it_was(kraken: Place) -> None:
    kraken.orders.place(kraken.stop("80"))
    with pytest.raises(InsufficientFundsError):
        kraken.orders.change(kraken.symbol, NAME, D("1.5"), Terms("stop", None, D("85")))
    told = kraken.orders.find(kraken.symbol, NAME)
    assert told is not None
    assert (told.amount, told.stop) == (D("0.5"), D(80))


def test_where_orders_cannot_be_changed_nothing_is_sent(binanceus: Place) -> None:
    before = len(binanceus.sim.requests)
    with pytest.raises(UnsupportedError, match="cancel it and place another one"):
        binanceus.orders.change(binanceus.symbol, NAME, D("0.5"), Terms("stop", None, D("85")))
    assert len(binanceus.sim.requests) == before
