"""Orders against the local exchange: what was really placed, whatever the answer was."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from core.account.messages import Balance, OrderNews, OrderReport, OrderRequest, Terms
from core.errors import (
    AuthenticationError,
    ExchangeError,
    ExchangeUnreachableError,
    InsufficientFundsError,
    OrderRefusedError,
    OrderUnknownError,
    RateLimitedError,
    UnsupportedError,
)
from core.exchange.binance_orders import PAGE
from core.exchange.orders import Orders
from core.exchange.reports import execution, order_report
from core.exchange_client import ExchangeClient
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET, AccountConfig
from core.exchange_sim.faults import TRADING_KINDS, Fault, trading_schedule
from core.exchange_sim.orders import SimOrder
from core.exchange_sim.server import RunningSim, SimConfig, serve
from tests.exchange_help import NOON, FakeTime, Reply, bench, said, tiny_exchange
from tests.sim import MINUTE, bars_of, hand_made

D = Decimal
SYMBOL = "BTC/USDT"
ORDER = "/api/v3/order"


@pytest.fixture
def time() -> FakeTime:
    return FakeTime(NOON + 30_000)


@pytest.fixture
def sim(time: FakeTime) -> Iterator[RunningSim]:
    """Serve three minutes at 100, 90 and 120, 160 coins traded in each."""
    prices = (100.0, 90.0, 120.0)
    bars = [(NOON + n * MINUTE, price, price, price, price, 160.0) for n, price in enumerate(prices)]
    account = AccountConfig(balances={"USDT": D(10_000), "BTC": D(1)})
    with serve(SimConfig(source=hand_made(bars_of(bars)), clock=time.clock, account=account)) as running:
        yield running


@pytest.fixture
def client(sim: RunningSim, time: FakeTime) -> Iterator[ExchangeClient]:
    with bench(sim.url, time=time, api_key=TEST_KEY, api_secret=TEST_SECRET) as one:
        yield one.client


@pytest.fixture
def orders(client: ExchangeClient) -> Orders:
    return client.orders


def request(
    kind: Any, amount: str = "0.5", client_id: str = "mine", side: Any = "buy", **prices: str
) -> OrderRequest:
    decimals: dict[str, Any] = {name: D(price) for name, price in prices.items()}
    return OrderRequest(client_id, SYMBOL, side, D(amount), Terms(kind, **decimals))


def placed(sim: RunningSim) -> list[SimOrder]:
    return list(sim.books().orders.get(SYMBOL, {}).values())


def asked(sim: RunningSim, method: str, path: str = ORDER) -> list[dict[str, str]]:
    return [one.params for one in sim.requests if (one.method, one.path) == (method, path)]


def test_a_market_order_is_sent_once_and_executed_in_exact_numbers(sim: RunningSim, orders: Orders) -> None:
    report = orders.place(request("market", "0.123456789"))
    assert len(asked(sim, "POST")) == 1
    assert asked(sim, "POST")[0]["recvWindow"] == "5000"
    [order] = placed(sim)
    assert (report.id, report.client_order_id, report.symbol) == ("1", "mine", SYMBOL)
    assert (report.side, order.kind, report.standing) == ("buy", "MARKET", OrderNews.FILLED)
    assert (report.amount, report.filled, order.executed) == (D("0.12345"),) * 3
    assert order.created == NOON + 30_000


@pytest.mark.unmeasured
def test_a_fill_carries_its_fee_in_the_asset_it_was_taken_from(sim: RunningSim, orders: Orders) -> None:
    orders.place(request("market"))
    orders.place(request("market", "0.25", "other", "sell"))
    found = orders.fills(SYMBOL)
    bought, sold = (one.fill for one in found)
    assert (bought.side, bought.amount, bought.fee, bought.fee_asset) == ("buy", D("0.5"), D("0.0005"), "BTC")
    assert (sold.side, sold.fee, sold.fee_asset) == ("sell", D("0.02499750"), "USDT")
    assert (bought.price, sold.price) == (D("100.01"), D("99.99"))
    assert (found[0].order_id, bought.client_order_id, bought.time) == ("1", "", NOON + 30_000)
    assert (bought.exchange, orders.fills(SYMBOL, source="mine")[0].fill.exchange) == ("binanceus", "mine")
    assert orders.balances() == {
        "BTC": Balance(D("1.2495"), D(0)),
        "USDT": Balance(D("9974.96750250"), D(0)),
    }


def test_a_limit_order_rests_is_found_and_is_filled_as_the_market_moves(
    sim: RunningSim, orders: Orders, time: FakeTime
) -> None:
    report = orders.place(request("limit", price="95.009"))
    [order] = placed(sim)
    assert (report.standing, order.price, report.filled) == (OrderNews.OPEN, D("95"), D(0))
    assert orders.find(SYMBOL, "mine") == report
    assert orders.open() == orders.open(SYMBOL) == [report]
    assert orders.balances()["USDT"] == Balance(D("9952.5"), D("47.5"))
    time.now = NOON + 65_000
    found = orders.find(SYMBOL, "mine")
    assert found is not None
    assert (found.standing, found.filled) == (OrderNews.FILLED, D("0.5"))
    assert [(one.fill.price, one.fill.amount) for one in orders.fills(SYMBOL)] == [(D("95"), D("0.5"))]
    assert orders.open() == []


@pytest.mark.unmeasured
def test_a_large_order_is_filled_part_by_part_and_keeps_its_part_when_cancelled(
    orders: Orders, time: FakeTime
) -> None:
    orders.place(request("limit", "100", price="95"))
    time.now = NOON + 80_000
    report = orders.cancel(SYMBOL, "mine")
    assert report.standing is OrderNews.CANCELED
    assert 0 < report.filled < 100
    assert sum(one.fill.amount for one in orders.fills(SYMBOL)) == report.filled
    assert orders.balances()["USDT"].locked == 0


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("kind", "side", "stop", "price", "sent"),
    [
        ("stop_limit", "sell", "95.001", "80.001", ("95.01", "80.01")),
        ("take_limit", "sell", "110.001", "100", ("110.01", "100")),
        ("stop_limit", "buy", "110.009", "130.009", ("110", "130")),
        ("take_limit", "buy", "95.009", "130", ("95", "130")),
    ],
)
def test_a_stop_waits_and_then_works(
    sim: RunningSim,
    time: FakeTime,
    orders: Orders,
    kind: str,
    side: str,
    stop: str,
    price: str,
    sent: tuple[str, str],
) -> None:
    report = orders.place(request(kind, side=side, stop=stop, price=price))
    [order] = placed(sim)
    assert (report.standing, order.stop, order.price) == (OrderNews.OPEN, D(sent[0]), D(sent[1]))
    # The market falls to 90 after one minute and rises to 120 after two.
    time.now = NOON + (65_000 if sent[0].startswith("9") else 125_000)
    found = orders.find(SYMBOL, "mine")
    assert found is not None
    assert (found.standing, found.filled) == (OrderNews.FILLED, D("0.5"))


@pytest.mark.unmeasured
def test_an_order_that_must_rest_is_refused_when_it_would_take(sim: RunningSim, orders: Orders) -> None:
    with pytest.raises(OrderRefusedError, match="immediately match"):
        orders.place(request("maker", price="105"))
    assert orders.place(request("maker", price="95")).standing is OrderNews.OPEN
    assert [order.kind for order in placed(sim)] == ["LIMIT_MAKER"]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        (request("market", "1.1", side="sell"), InsufficientFundsError),
        (request("limit", "1000", price="95"), InsufficientFundsError),
        (request("stop_limit", side="buy", stop="99", price="99"), OrderRefusedError),
        (request("stop_limit", side="sell", stop="0", price="99"), OrderRefusedError),
        (request("limit", price="600"), OrderRefusedError),
        (request("market", "0.000001"), OrderRefusedError),
        (request("limit", "0.5"), OrderRefusedError),
    ],
)
def test_a_refusal_is_certain_and_nothing_is_placed(
    sim: RunningSim, orders: Orders, wanted: OrderRequest, kind: type[ExchangeError]
) -> None:
    with pytest.raises(kind) as caught:
        orders.place(wanted)
    assert not isinstance(caught.value, OrderUnknownError)
    assert placed(sim) == []


LOST = ("reset_after", "cut", "status", "html", "empty", "cut_json", "unknown", "foreign")
LATE = ("late_answer", "delay")
NOT_PLACED = ("reset_before", "status_before")
REFUSED: dict[str, type[ExchangeError]] = {
    "rate_limit": RateLimitedError,
    "ban": RateLimitedError,
    "clock": AuthenticationError,
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", [*LOST, *LATE, *NOT_PLACED])
def test_without_an_answer_an_order_is_unknown_until_it_is_looked_up(
    sim: RunningSim, time: FakeTime, kind: str
) -> None:
    with bench(sim.url, time=time, api_key=TEST_KEY, api_secret=TEST_SECRET, timeout=0.3) as one:
        one.client.exchange_now()
        sim.set_faults([Fault(kind, path="order", method="POST", seconds=0.6)])
        with pytest.raises(OrderUnknownError) as caught:
            one.client.orders.place(request("limit", price="95"))
        assert isinstance(caught.value, OrderUnknownError)
        if kind == "delay":
            wait_until_placed(sim)
        found = one.client.orders.find(SYMBOL, "mine")
    assert (found is None) == (kind in NOT_PLACED)
    assert len(placed(sim)) == (kind not in NOT_PLACED)
    assert len(asked(sim, "POST")) == 1


def wait_until_placed(sim: RunningSim) -> None:
    """Wait for the server's thread, which waits itself: the only real time in these tests."""
    import threading

    for _ in range(200):
        if placed(sim):
            return
        threading.Event().wait(0.02)


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_by_fault_is_certain(sim: RunningSim, orders: Orders, time: FakeTime, kind: str) -> None:
    orders.balances()
    sim.set_faults([Fault(kind, path="order", method="POST", seconds=2)])
    with pytest.raises(REFUSED[kind]) as caught:
        orders.place(request("limit", price="95"))
    assert not isinstance(caught.value, OrderUnknownError)
    time.now += 3000
    assert orders.find(SYMBOL, "mine") is None
    assert orders.place(request("limit", price="95")).standing is OrderNews.OPEN


@pytest.mark.unmeasured
def test_an_order_can_arrive_after_it_was_looked_up_in_vain(
    sim: RunningSim, orders: Orders, time: FakeTime
) -> None:
    orders.balances()
    sim.set_faults([Fault("late", path="order", seconds=4)])
    sent = time.now
    with pytest.raises(OrderUnknownError):
        orders.place(request("limit", price="95"))
    assert orders.find(SYMBOL, "mine") is None
    time.now += 4000
    found = orders.find(SYMBOL, "mine")
    assert found is not None
    assert (found.standing, placed(sim)[0].created) == (OrderNews.OPEN, sent + 4000)


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", ["status", "empty", "cut_json", "reset_after", "foreign"])
def test_a_look_up_that_fails_is_tried_again_and_is_never_an_absence(
    sim: RunningSim, orders: Orders, kind: str
) -> None:
    orders.place(request("limit", price="95"))
    sim.set_faults([Fault(kind, path="order", method="GET", times=2)])
    assert orders.find(SYMBOL, "mine") is not None
    sim.set_faults([Fault(kind, path="order", method="GET", times=9)])
    with pytest.raises(ExchangeUnreachableError, match="tried 4 times"):
        orders.find(SYMBOL, "mine")


def test_from_a_moment_on_absence_is_final(sim: RunningSim, orders: Orders, time: FakeTime) -> None:
    orders.balances()
    final = orders.absence_is_final_at(time.now)
    assert final == time.now + 16_000
    sim.set_faults([Fault("late", path="order", seconds=5.001)])
    with pytest.raises(OrderUnknownError):
        orders.place(request("limit", price="95"))
    time.now = final
    assert orders.find(SYMBOL, "mine") is None
    assert placed(sim) == []


@pytest.mark.unmeasured
def test_a_doubled_request_is_found_as_the_one_that_rests(sim: RunningSim, orders: Orders) -> None:
    sim.set_faults([Fault("twice", path="order", method="POST", times=2)])
    # The second one was refused, which says that the first is there.
    with pytest.raises(OrderUnknownError, match="Duplicate order sent"):
        orders.place(request("limit", price="95"))
    found = orders.find(SYMBOL, "mine")
    assert found is not None
    assert (found.id, len(placed(sim))) == ("1", 1)
    # A market order is executed at once, and its id is free again: nothing stops the second one.
    orders.place(request("market", client_id="other"))
    assert [order.client_id for order in placed(sim)] == ["mine", "other", "other"]


def test_a_cancel_without_an_answer_is_unknown_and_sent_once(sim: RunningSim, orders: Orders) -> None:
    orders.place(request("limit", price="95"))
    sim.set_faults([Fault("empty", path="order", method="DELETE")])
    with pytest.raises(OrderUnknownError, match="cancel order mine"):
        orders.cancel(SYMBOL, "mine")
    assert len(asked(sim, "DELETE")) == 1
    found = orders.find(SYMBOL, "mine")
    assert found is not None
    assert found.standing is OrderNews.CANCELED
    with pytest.raises(OrderRefusedError, match=r"Unknown order sent\."):
        orders.cancel(SYMBOL, "mine")


def test_fills_are_paged_by_id_and_continue_after_one(
    orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.exchange.binance_orders.PAGE", 2)
    for n in range(5):
        orders.place(request("market", "0.1", f"c{n}"))
    assert PAGE == 1000
    ids = [one.fill.id for one in orders.fills(SYMBOL)]
    assert ids == ["1", "2", "3", "4", "5"]
    assert [one.fill.id for one in orders.fills(SYMBOL, after_id="3")] == ["4", "5"]
    assert orders.fills(SYMBOL, after_id="5") == []


@pytest.mark.unmeasured
def test_random_faults_never_place_an_order_twice_and_never_lie(sim: RunningSim, time: FakeTime) -> None:
    known: dict[str, bool] = {}
    kinds = tuple(kind for kind in TRADING_KINDS if kind not in ("delay", "late_answer"))
    with bench(sim.url, time=time, api_key=TEST_KEY, api_secret=TEST_SECRET) as one:
        one.client.symbols()
        schedule = trading_schedule(0.5, 11, seconds=1.0)
        sim.set_faults((), type(schedule)(11, 0.5, kinds, 1.0, schedule.paths))
        for n in range(60):
            name = f"c{n}"
            try:
                report = one.client.orders.place(request("limit", "0.1", name, price="50"))
                known[name] = report.standing is OrderNews.OPEN
            except ExchangeError as error:
                if not isinstance(error, OrderUnknownError):
                    known[name] = False
            time.now += 3000
    sim.set_faults(())
    names = [order.client_id for order in placed(sim)]
    assert len(names) == len(set(names))
    assert {name: name in names for name in known} == known
    assert 10 < len(known) < 50
    assert len(set(sim.faults_met)) > 8


def test_without_a_key_or_the_venues_help_nothing_is_sent(sim: RunningSim, time: FakeTime) -> None:
    kinds: tuple[tuple[dict[str, Any], type[ExchangeError], str], ...] = (
        ({"api_key": "", "api_secret": ""}, AuthenticationError, "there is no key"),
        ({"name": "okx", "api_secret": "c2VjcmV0"}, UnsupportedError, "cannot keep an order journal"),
        ({}, UnsupportedError, "did you mean BTC/USDT"),
    )
    for how, kind, why in kinds:
        keys = {"api_key": TEST_KEY, "api_secret": TEST_SECRET, **how}
        with bench(sim.url, time=time, **keys) as one, pytest.raises(kind, match=why):
            one.client.orders.fills("BTC/USDX")
    assert not [one for one in sim.requests if "signature" in one.params]


def test_an_order_that_is_not_the_one_asked_for_is_no_answer() -> None:
    found = {"symbol": "BTCUSDT", "orderId": 5, "clientOrderId": "theirs", "status": "NEW", "origQty": "1"}
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        exchange.standing[ORDER] = said(found)
        with pytest.raises(ExchangeUnreachableError, match="got another order"):
            one.client.orders.find(SYMBOL, "mine")


@pytest.mark.parametrize(
    "reply",
    [
        said({"symbol": "BTCUSDT", "origClientOrderId": "theirs", "orderId": 5, "status": "CANCELED"}),
        said({"origClientOrderId": "mine", "status": "CANCELED"}),
        Reply("{}"),
    ],
)
def test_an_answer_about_another_cancel_is_none(reply: Reply) -> None:
    with tiny_exchange() as exchange, bench(exchange.url) as one:
        exchange.standing[ORDER] = reply
        with pytest.raises(OrderUnknownError, match="cancel order mine"):
            one.client.orders.cancel(SYMBOL, "mine")


def test_an_answer_without_a_symbol_is_no_report() -> None:
    with pytest.raises(ExchangeUnreachableError, match="no id or no symbol"):
        order_report({"id": "5"})
    with pytest.raises(ExchangeUnreachableError, match="cannot say what the status '' means"):
        order_report({"id": 5, "symbol": SYMBOL})
    assert order_report({"id": 5, "symbol": SYMBOL, "status": "expired", "info": "text"}) == OrderReport(
        "5", "", SYMBOL, "", OrderNews.EXPIRED, D(0), D(0)
    )


TRADE = {
    "id": "7",
    "order": "5",
    "symbol": SYMBOL,
    "side": "buy",
    "price": 2.5,
    "amount": 4.0,
    "fee": {"cost": 0.01, "currency": "BTC"},
    "timestamp": NOON,
    "takerOrMaker": "maker",
}


def test_a_fill_of_a_venue_with_floats_is_read_as_it_is_written() -> None:
    order_id, fill = execution(TRADE, "here")
    assert (order_id, fill.exchange, fill.price, fill.amount, fill.fee) == (
        *("5", "here", D("2.5"), D(4)),
        D("0.01"),
    )


@pytest.mark.parametrize(
    "lack", [{"id": None}, {"id": "x"}, {"order": None}, {"price": None}, {"fee": None}, {"timestamp": None}]
)
def test_a_fill_that_a_ledger_cannot_use_is_no_answer(lack: dict[str, None]) -> None:
    with pytest.raises(ExchangeUnreachableError, match="without id, order"):
        execution(TRADE | lack, "here")


def test_a_fill_that_is_neither_bought_nor_sold_is_no_answer() -> None:
    with pytest.raises(ExchangeUnreachableError, match="trade 7: it is neither bought nor sold but 'lent'"):
        execution(TRADE | {"side": "lent"}, "here")
