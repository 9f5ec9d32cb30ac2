"""The order journal's calls at the local Kraken: what was really placed, whatever the answer was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from core.account.messages import Balance, OrderNews, OrderReport, OrderRequest, Terms
from core.account.money import minus, plus, times, total
from core.errors import (
    AuthenticationError,
    ExchangeError,
    ExchangeUnreachableError,
    InsufficientFundsError,
    OrderRefusedError,
    OrderUnknownError,
    RateLimitedError,
)
from core.exchange.kraken_fills import PAGE
from core.exchange.orders import Orders
from core.exchange.rate_limit import kraken_costs
from core.exchange_client import ExchangeClient
from core.exchange_sim.accounts import TEST_KEY, AccountConfig
from core.exchange_sim.faults import TRADING_KINDS, Fault, FaultSchedule, trading_schedule
from core.exchange_sim.kraken_gate import Tier, kraken_secret
from core.exchange_sim.kraken_names import order_txid, trade_txid
from core.exchange_sim.orders import SimOrder
from core.exchange_sim.server import KRAKEN, RunningSim, SimConfig, serve
from tests.exchange_help import NOON, Bench, FakeTime, Reply, bench, said, tiny_exchange
from tests.sim import MINUTE, bars_of, hand_made

D = Decimal
SYMBOL = "BTC/USD"
ADD, CANCEL = "/0/private/AddOrder", "/0/private/CancelOrder"
ACCOUNT = AccountConfig(balances={"USD": D(10_000), "BTC": D(1)}, maker=D("0.0025"), taker=D("0.004"))
SECRET = kraken_secret(ACCOUNT)
FREE = Tier(1e9, 1e9, 1e9, 1e9)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime(NOON + 30_000)


@pytest.fixture
def sim(time: FakeTime) -> Iterator[RunningSim]:
    """Serve three minutes at 100, 90 and 120, 160 coins traded in each."""
    prices = (100.0, 90.0, 120.0)
    bars = [(NOON + n * MINUTE, price, price, price, price, 160.0) for n, price in enumerate(prices)]
    source = hand_made(bars_of(bars), symbol=SYMBOL)
    with serve(SimConfig(source=source, clock=time.clock, account=ACCOUNT, tier=FREE)) as running:
        yield running


def opened(sim: RunningSim, time: FakeTime, **how: Any) -> Any:
    """Return a client of Kraken that asks as often as it likes."""
    return bench(sim.url, "kraken", time, **{"api_key": TEST_KEY, "api_secret": SECRET, **how})


def unhurried(client: ExchangeClient) -> ExchangeClient:
    """Take the budgets away, which have a test of their own."""
    client._transport._limiter._windows.clear()
    return client


@pytest.fixture
def client(sim: RunningSim, time: FakeTime) -> Iterator[ExchangeClient]:
    with opened(sim, time) as one:
        yield unhurried(one.client)


@pytest.fixture
def orders(client: ExchangeClient) -> Orders:
    return client.orders


def request(
    kind: Any, amount: str = "0.5", client_id: str = "mine", side: Any = "buy", **prices: str
) -> OrderRequest:
    decimals: dict[str, Any] = {name: D(price) for name, price in prices.items()}
    return OrderRequest(client_id, SYMBOL, side, D(amount), Terms(kind, **decimals))


def placed(sim: RunningSim) -> list[SimOrder]:
    return list(sim.books(KRAKEN).orders.get(SYMBOL, {}).values())


def asked(sim: RunningSim, path: str) -> list[dict[str, str]]:
    return [one.params for one in sim.requests if one.path == path]


def test_an_order_goes_out_once_with_name_deadline_and_fee_and_nothing_that_kraken_does_not_know(
    sim: RunningSim, orders: Orders
) -> None:
    name = "0123456789abcdef0123456789abcdef"
    report = orders.place(request("market", "0.123456789", name))
    [sent] = asked(sim, ADD)
    assert {key: sent[key] for key in sent if key != "nonce"} == {
        "pair": "XXBTZUSD",
        "type": "buy",
        "ordertype": "market",
        "volume": "0.12345678",
        "cl_ord_id": name,
        "oflags": "fciq",
        "deadline": "2024-01-01T12:00:35.000Z",
    }
    [order] = placed(sim)
    assert report == OrderReport(
        *(order_txid(order), name, SYMBOL, "buy", OrderNews.OPEN, D("0.12345678"), D(0))
    )
    assert orders.find(SYMBOL, name) == OrderReport(
        *(report.id, name, SYMBOL, "buy", OrderNews.FILLED, D("0.12345678"), D("0.12345678"))
    )


KINDS = {
    "market": (request("market"), {"ordertype": "market"}),
    "limit": (request("limit", price="95.09"), {"ordertype": "limit", "price": "95"}),
    "maker": (request("maker", price="95.09"), {"ordertype": "limit", "price": "95", "oflags": "fciq,post"}),
    "stop_limit": (
        request("stop_limit", side="sell", stop="95.01", price="80.01"),
        {"ordertype": "stop-loss-limit", "price": "95.1", "price2": "80.1"},
    ),
    "take_limit": (
        request("take_limit", side="sell", stop="110.01", price="100"),
        {"ordertype": "take-profit-limit", "price": "110.1", "price2": "100"},
    ),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_sent_as_what_it_is_and_kraken_knows_every_field(
    sim: RunningSim, orders: Orders, kind: str
) -> None:
    wanted, fields = KINDS[kind]
    orders.place(wanted)
    [sent] = asked(sim, ADD)
    assert {name: sent[name] for name in fields} == fields
    [order] = placed(sim)
    assert order.status == ("FILLED" if kind == "market" else "NEW")
    everything(orders)
    assert sim.kraken.unknown == {}


def everything(orders: Orders) -> None:
    """Make every other call there is."""
    orders.find(SYMBOL, "mine")
    orders.find(SYMBOL, "nobodys")
    orders.open()
    orders.newest_fill(SYMBOL)
    orders.fills(SYMBOL)
    orders.balances()
    orders.transfers()
    orders.place(request("limit", client_id="other", price="50"))
    orders.cancel(SYMBOL, "other")


@pytest.mark.parametrize(
    "name",
    ["stopPrice", "triggerPrice", "stopLoss", "takeProfit", "trailingPercent", "close", "userref", "x"],
)
def test_what_ccxt_would_send_as_something_else_is_refused_before_it_leaves(
    sim: RunningSim, client: ExchangeClient, name: str
) -> None:
    with pytest.raises(OrderRefusedError, match=f"parameter {name}: order refused before sending"):
        client.create_order(SYMBOL, "sell", "market", "0.1", params={name: "90"})
    assert asked(sim, ADD) == []


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "name", ["nineteen-letters-xx", "0123456789ABCDEF0123456789ABCDEF", "with a blank", ""]
)
def test_a_name_that_kraken_does_not_take_is_refused_before_it_leaves(
    sim: RunningSim, client: ExchangeClient, name: str
) -> None:
    with pytest.raises(OrderRefusedError, match="wanted 32 hex digits, a UUID, or 1 to 18"):
        client.create_order(SYMBOL, "buy", "market", "0.1", params={"clientOrderId": name})
    assert asked(sim, ADD) == []


def test_the_specifications_calls_work_at_kraken_too(sim: RunningSim, client: ExchangeClient) -> None:
    assert client.get_balance("BTC") == 1.0
    order = client.create_order(SYMBOL, "buy", "limit", "0.5", "95")
    assert len(asked(sim, ADD)[0]["cl_ord_id"]) == 32
    assert [one["id"] for one in client.get_open_orders(SYMBOL)] == [order["id"]]
    client.cancel_order(order["id"], SYMBOL)
    assert client.get_open_orders() == []
    rules = client.rules(SYMBOL)
    assert (rules.tick, rules.lot, rules.amount.least, rules.cost.least) == (
        *(D("0.1"), D("1E-8"), D("0.00005")),
        D("0.5"),
    )


def test_fees_and_balances_are_exact_though_balances_cut_what_prices_do_not(
    sim: RunningSim, orders: Orders
) -> None:
    orders.place(request("market", "0.12345678"))
    orders.place(request("market", "0.2", "other", "sell"))
    bought, sold = (one.fill for one in orders.fills(SYMBOL))
    # 12.358024 and a fee of 0.049432 are cut to 12.3580 and 0.0494 each.
    assert (bought.price, bought.fee_asset, bought.fee) == (D("100.1"), "USD", D("0.049376322"))
    kept = orders.balances()
    assert plus(D(10_000), total(
        minus(times(D(1 if one.side == "sell" else -1), times(one.price, one.amount)), one.fee)
        for one in (bought, sold)
    )) == kept["USD"].total  # fmt: skip
    assert (sold.fee_asset, kept["BTC"]) == ("USD", Balance(D("0.92345678"), D(0)))
    assert (bought.client_order_id, bought.exchange, bought.time) == ("", "kraken", NOON + 30_000)
    assert [one.order_id for one in orders.fills(SYMBOL)] == [order_txid(one) for one in placed(sim)]


def test_a_fee_in_base_is_told_by_the_ledger_alone(sim: RunningSim, client: ExchangeClient) -> None:
    client.create_order(SYMBOL, "buy", "market", "0.5", params={"oflags": "fcib", "clientOrderId": "mine"})
    [one] = client.orders.fills(SYMBOL)
    assert (one.fill.fee, one.fill.fee_asset) == (D("0.0020000000"), "BTC")
    assert client.orders.balances()["BTC"].total == D("1.498")


@pytest.mark.unmeasured
def test_a_limit_order_rests_keeps_money_and_is_filled_as_the_market_moves(
    sim: RunningSim, orders: Orders, time: FakeTime
) -> None:
    report = orders.place(request("limit", price="95.09"))
    assert orders.find(SYMBOL, "mine") == report
    assert orders.open() == orders.open(SYMBOL) == [report]
    assert orders.balances()["USD"] == Balance(D("9952.31"), D("47.69"))
    time.now = NOON + 65_000
    found = orders.find(SYMBOL, "mine")
    assert found is not None
    assert (found.standing, found.filled) == (OrderNews.FILLED, D("0.5"))
    assert [one.fill.price for one in orders.fills(SYMBOL)] == [D("95")]
    assert orders.open() == []


@pytest.mark.unmeasured
def test_a_part_is_kept_when_an_order_is_cancelled(orders: Orders, time: FakeTime) -> None:
    orders.place(request("limit", "100", price="95"))
    time.now = NOON + 80_000
    report = orders.cancel(SYMBOL, "mine")
    assert report.standing is OrderNews.CANCELED
    assert 0 < report.filled < 100
    assert total(one.fill.amount for one in orders.fills(SYMBOL)) == report.filled
    assert orders.balances()["USD"].locked == 0


def test_what_a_market_order_cannot_get_is_given_up_by_the_venue_and_by_nobody_else(
    sim: RunningSim, orders: Orders
) -> None:
    sim.deposit("BTC", "1000000", venue=KRAKEN)
    orders.place(request("market", "1000000", side="sell"))
    found = orders.find(SYMBOL, "mine")
    assert found is not None
    assert (found.standing, 0 < found.filled < found.amount) == (OrderNews.EXPIRED, True)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        (request("market", "1.1", side="sell"), InsufficientFundsError),
        (request("limit", "1000", price="95"), InsufficientFundsError),
        (request("maker", price="105"), OrderRefusedError),
        (request("market", "0.00001"), OrderRefusedError),
        (request("limit", "0.005", price="95"), OrderRefusedError),
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


LOST = ("reset_after", "cut", "status", "html", "empty", "cut_json", "unknown", "warning", "no_id", "twice")
NOT_PLACED = ("reset_before", "status_before", "clock")


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", [*LOST, "late_answer", *NOT_PLACED])
def test_without_an_answer_an_order_is_unknown_until_it_is_looked_up(
    sim: RunningSim, time: FakeTime, kind: str
) -> None:
    with opened(sim, time, timeout=0.3) as one:
        orders = unhurried(one.client).orders
        one.client.exchange_now()
        sim.set_faults([Fault(kind, path="AddOrder", method="POST", seconds=0.6)])
        with pytest.raises(OrderUnknownError):
            orders.place(request("limit", price="95"))
        found = orders.find(SYMBOL, "mine")
    assert (found is None) == (kind in NOT_PLACED)
    assert len(placed(sim)) == (kind not in NOT_PLACED)
    assert len(asked(sim, ADD)) == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize("words", range(5))
def test_no_word_of_kraken_about_its_own_state_says_what_became_of_an_order(
    sim: RunningSim, orders: Orders, words: int
) -> None:
    sim.set_faults([Fault("stale", path="Time", times=words + 1), Fault("unknown", path="AddOrder")])
    sim.faults_met += ["so many before"] * words
    with pytest.raises(OrderUnknownError):
        orders.place(request("limit", price="95"))
    assert orders.find(SYMBOL, "mine") is not None


def test_a_name_that_is_taken_says_that_the_order_may_be_there(sim: RunningSim, orders: Orders) -> None:
    orders.place(request("limit", price="95"))
    with pytest.raises(OrderUnknownError, match="cl_ord_id"):
        orders.place(request("limit", price="94"))
    assert len(placed(sim)) == 1


@pytest.mark.parametrize("kind", ["rate_limit", "ban"])
def test_too_many_requests_is_a_certain_refusal(sim: RunningSim, orders: Orders, kind: str) -> None:
    orders.balances()
    sim.set_faults([Fault(kind, path="AddOrder")])
    with pytest.raises(RateLimitedError):
        orders.place(request("limit", price="95"))
    assert placed(sim) == []


@pytest.mark.parametrize("mode", ["limit_only", "post_only", "cancel_only"])
def test_a_mode_that_takes_no_such_order_refuses_it_for_now_and_cancels_go_on(
    sim: RunningSim, orders: Orders, mode: str
) -> None:
    orders.place(request("limit", price="95"))
    sim.set_status(mode)
    with pytest.raises(ExchangeUnreachableError, match="its market takes") as caught:
        orders.place(request("market", client_id="other", side="sell"))
    # Not refused for good: the same exit is sent again later.
    assert not isinstance(caught.value, OrderUnknownError | OrderRefusedError)
    assert orders.cancel(SYMBOL, "mine").standing is OrderNews.CANCELED
    sim.set_status("online")
    assert orders.place(request("market", client_id="other", side="sell")).id


def test_in_maintenance_an_order_is_unknown_and_found_absent_afterwards(
    sim: RunningSim, orders: Orders, time: FakeTime
) -> None:
    orders.balances()
    sim.set_status("maintenance")
    with pytest.raises(OrderUnknownError, match="out of service"):
        orders.place(request("limit", price="95"))
    with pytest.raises(ExchangeUnreachableError, match="tried 4 times"):
        orders.find(SYMBOL, "mine")
    sim.set_status("online")
    assert orders.find(SYMBOL, "mine") is None


def test_an_order_that_is_late_is_found_or_never_comes(
    sim: RunningSim, orders: Orders, time: FakeTime
) -> None:
    orders.balances()
    for wait, there in ((4.0, True), (5.001, False)):
        sent, name = time.now, f"late-{there}"
        assert orders.absence_is_final_at(sent) == sent + 16_000
        sim.set_faults([Fault("late", path="AddOrder", seconds=wait)])
        with pytest.raises(OrderUnknownError):
            orders.place(request("limit", client_id=name, price="50"))
        assert orders.find(SYMBOL, name) is None
        time.now = sent + 16_000
        assert (orders.find(SYMBOL, name) is not None) == there


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", ["empty", "not_counted", "reset_after", "unknown"])
def test_a_cancel_that_is_not_confirmed_is_unknown_and_sent_once(
    sim: RunningSim, orders: Orders, kind: str
) -> None:
    orders.place(request("limit", price="95"))
    sim.set_faults([Fault(kind, path="CancelOrder")])
    with pytest.raises(OrderUnknownError, match="cancel order mine"):
        orders.cancel(SYMBOL, "mine")
    assert len(asked(sim, CANCEL)) == 1
    found = orders.find(SYMBOL, "mine")
    assert found is not None
    assert found.standing is OrderNews.CANCELED
    with pytest.raises(OrderRefusedError, match="Unknown order"):
        orders.cancel(SYMBOL, "mine")


def test_a_cancel_that_cannot_be_looked_up_is_unknown(sim: RunningSim, orders: Orders) -> None:
    orders.place(request("limit", price="95"))
    sim.set_faults([Fault("empty", path="OpenOrders", times=9)])
    with pytest.raises(OrderUnknownError, match="it cannot be looked up"):
        orders.cancel(SYMBOL, "mine")
    sim.set_faults(())
    found = orders.find(SYMBOL, "mine")
    assert found is not None
    assert found.standing is OrderNews.CANCELED


@pytest.mark.unmeasured
def test_fills_of_all_pairs_are_paged_and_those_after_one_come_once(
    sim: RunningSim, orders: Orders, time: FakeTime
) -> None:
    assert orders.newest_fill(SYMBOL) == ""
    for n in range(PAGE + 12):
        orders.place(request("market", "0.01", f"c{n}"))
        if n % 7 == 0:
            time.now += 1000
    names = [trade_txid(one) for one in sim.books(KRAKEN).trades[SYMBOL]]
    assert sorted(one.fill.id for one in orders.fills(SYMBOL)) == sorted(names)
    told = [one.fill.id for one in orders.fills(SYMBOL)]
    # Several share a moment, and still each comes after all that are told before it.
    for at in (0, 5, 6, 7, 40, len(told) - 1):
        assert [one.fill.id for one in orders.fills(SYMBOL, after_id=told[at])] == told[at + 1 :]
    assert orders.newest_fill("BTC/USD") == told[-1]


def test_another_process_goes_on_after_a_fill_it_has_not_read(
    sim: RunningSim, orders: Orders, time: FakeTime
) -> None:
    for n in range(3):
        orders.place(request("market", "0.01", f"c{n}"))
        time.now += 5000
    first, *others = [one.fill.id for one in orders.fills(SYMBOL)]
    with opened(sim, time) as one:
        later = unhurried(one.client).orders
        assert [one.fill.id for one in later.fills(SYMBOL, after_id=first)] == others
    assert asked(sim, "/0/private/QueryTrades")[0]["txid"] == first


def test_the_ledger_is_asked_once_for_each_execution(sim: RunningSim, orders: Orders) -> None:
    orders.place(request("market", "0.01"))
    for _ in range(3):
        orders.fills(SYMBOL)
    assert len(asked(sim, "/0/private/Ledgers")) == 1


def test_deposits_and_withdrawals_are_told_exactly(sim: RunningSim, client: ExchangeClient) -> None:
    sim.deposit("USD", "12.3456", venue=KRAKEN)
    sim.deposit("BTC", "7", pending=True, venue=KRAKEN)
    exchange, sim.kraken.rights = client._exchange, (*sim.kraken.rights, "withdraw-funds")
    for amount in ("0.25", "0.125"):
        exchange.private_post_withdraw({"asset": "XXBT", "key": "mine", "amount": amount})
    sim.fail_withdrawal(2, KRAKEN)
    told = [(one.kind, one.asset, one.amount) for one in client.orders.transfers()]
    assert told == [
        *(("deposit", "BTC", D(0)), ("deposit", "USD", D("12.3456"))),
        *(("withdrawal", "BTC", D(0)), ("withdrawal", "BTC", D("-0.25"))),
    ]


def test_a_key_that_may_not_read_the_ledger_is_said_before_the_first_order(
    sim: RunningSim, client: ExchangeClient
) -> None:
    rights = client.facts.rights()
    assert (rights.may_trade, rights.may_withdraw, rights.is_bound) == (True, False, True)
    sim.kraken.rights = tuple(one for one in sim.kraken.rights if one != "query-ledger")
    assert client.facts.rights().may_trade is False
    with pytest.raises(AuthenticationError, match=r"cannot read the ledger: .*Permission denied"):
        client.orders.newest_fill(SYMBOL)


@pytest.mark.unmeasured
def test_two_processes_on_one_key_are_told_of_each_other_and_no_order_is_doubled(
    sim: RunningSim, time: FakeTime
) -> None:
    with opened(sim, time) as one, opened(sim, FakeTime(time.now)) as other:
        first, second = (unhurried(each.client).orders for each in (one, other))
        for _ in range(40):
            first.balances()
        # The other's clock is the same, and its numbers are behind.
        with pytest.raises(OrderUnknownError, match="Invalid nonce"):
            second.place(request("limit", price="95"))
        other.client._call._retries = other.client._call._retries._replace(tries=2, base=0.001)
        with pytest.raises(AuthenticationError, match="another program uses this key"):
            second.find(SYMBOL, "mine")
        other.time.now += 60_000
        sim.skew_ms = 60_000
        assert second.find(SYMBOL, "mine") is None
        assert second.place(request("limit", price="95")).id
    assert len(placed(sim)) == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("key", "secret", "words"),
    [(TEST_KEY, "c2VjcmV0", "Invalid signature"), ("other", SECRET, "Invalid key")],
)
def test_a_wrong_key_is_said_and_nothing_is_unknown(
    sim: RunningSim, time: FakeTime, key: str, secret: str, words: str
) -> None:
    with opened(sim, time, api_key=key, api_secret=secret) as one:
        orders = unhurried(one.client).orders
        for call in (orders.balances, lambda: orders.place(request("market"))):
            with pytest.raises(AuthenticationError, match=words):
                call()
    assert placed(sim) == []


def test_a_secret_that_is_no_base64_is_said_before_anything_leaves(sim: RunningSim, time: FakeTime) -> None:
    with (
        opened(sim, time, api_secret=ACCOUNT.secret) as one,
        pytest.raises(ExchangeError, match="check the form of key and secret"),
    ):
        one.client.orders.balances()
    assert not [one for one in sim.requests if "private" in one.path]


@pytest.mark.unmeasured
def test_no_secret_is_in_a_log_an_error_or_an_address(
    sim: RunningSim, time: FakeTime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    with opened(sim, time) as one:
        orders = unhurried(one.client).orders
        orders.balances()
        sim.set_faults([Fault("unknown", path="AddOrder"), Fault("html", path="Balance", times=9)])
        for call in (lambda: orders.place(request("limit", price="95")), orders.balances):
            with pytest.raises(ExchangeError) as caught:
                call()
            texts.append(repr(caught.value))
        texts += [one.text for one in one.notices]
    texts += [caplog.text, *(one.path for one in sim.requests)]
    for secret in (SECRET, TEST_KEY, "API-Sign"):
        assert not any(secret in text for text in texts)


@pytest.mark.unmeasured
def test_questions_keep_to_the_counter_of_the_lowest_tier(time: FakeTime) -> None:
    bars = [(NOON + n * MINUTE, 100.0, 100.0, 100.0, 100.0, 160.0) for n in range(9)]
    source = hand_made(bars_of(bars), symbol=SYMBOL)
    with (
        serve(SimConfig(source=source, clock=time.clock, account=ACCOUNT)) as sim,
        opened(sim, time) as one,
    ):
        orders = one.client.orders
        for n in range(20):
            orders.place(request("limit", "0.01", f"c{n}", price="50"))
            orders.fills(SYMBOL)
            orders.open()
        # Nothing was refused, since so long was waited.
        assert one.notices == []
        assert time.now - NOON > 100_000


@pytest.mark.parametrize(
    ("path", "costs"),
    [
        ("/0/public/Time", {"public": 1}),
        ("/0/private/AddOrder", {}),
        ("/0/private/OpenOrders", {"reads": 1}),
        ("/0/private/Ledgers", {"reads": 2}),
    ],
)
def test_what_a_request_costs_at_kraken(path: str, costs: dict[str, int]) -> None:
    assert kraken_costs("POST", f"https://api.kraken.com{path}") == costs


@pytest.mark.unmeasured
def test_random_faults_never_place_an_order_twice_and_never_lie(sim: RunningSim, time: FakeTime) -> None:
    known: dict[str, bool] = {}
    kinds = tuple(kind for kind in TRADING_KINDS if kind not in ("delay", "late_answer"))
    with opened(sim, time) as one:
        orders = unhurried(one.client).orders
        one.client.symbols()
        sim.set_faults((), FaultSchedule(11, 0.5, kinds, 1.0, trading_schedule(0, 1).paths))
        for n in range(60):
            name = f"c{n}"
            try:
                known[name] = (
                    orders.place(request("limit", "0.1", name, price="50")).standing is OrderNews.OPEN
                )
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


PAIR: dict[str, Any] = {
    "XXBTZUSD": {
        "altname": "XBTUSD",
        "wsname": "XBT/USD",
        "base": "XXBT",
        "quote": "ZUSD",
        "status": "online",
        "pair_decimals": 1,
        "lot_decimals": 8,
        "fees": [[0, 0.4]],
        "fees_maker": [[0, 0.25]],
        "ordermin": "0.00005",
        "costmin": "0.5",
        "tick_size": "0.5",
        "leverage_buy": [],
    }
}
ASSETS = {
    name: {"altname": short, "decimals": 10, "display_decimals": 5, "status": "enabled", "aclass": "currency"}
    for name, short in (("XXBT", "XBT"), ("ZUSD", "USD"))
}
ORDER = {
    "status": "open",
    "opentm": 1.0,
    "vol": "0.5",
    "vol_exec": "0",
    "cl_ord_id": "mine",
    "descr": {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "95", "order": ""},
}
TRADE = {"ordertxid": "O1", "pair": "XXBTZUSD", "time": 1.5, "type": "buy", "price": "95", "vol": "0.5"}
LINES = [{"refid": "T1", "asset": "XXBT", "amount": "0.5", "fee": "0"},
         {"refid": "T1", "asset": "ZUSD", "amount": "-47.5", "fee": "0.1"}]  # fmt: skip


@pytest.fixture
def tiny() -> Iterator[tuple[Any, Bench]]:
    """Serve what a test says, as Kraken."""
    with tiny_exchange() as exchange, bench(exchange.url, "kraken", api_secret=SECRET) as one:
        answers = {
            "public/AssetPairs": PAIR,
            "public/Assets": ASSETS,
            "public/Time": {"unixtime": NOON // 1000},
            "private/OpenOrders": {"open": {}},
            "private/ClosedOrders": {"closed": {}},
            "private/TradesHistory": {"trades": {"T1": TRADE}, "count": 1},
            "private/Ledgers": {"ledger": dict(enumerate(LINES)), "count": 2},
        }
        for path, result in answers.items():
            exchange.standing[f"/0/{path}"] = result_of(result)
        unhurried(one.client)
        one.client._call._retries = one.client._call._retries._replace(tries=1)
        yield exchange, one


def result_of(result: object) -> Reply:
    return said({"error": [], "result": result})


def test_a_tick_that_is_coarser_than_the_decimals_is_the_tick(tiny: tuple[Any, Bench]) -> None:
    assert tiny[1].client.rules(SYMBOL).tick == D("0.5")


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        ("OpenOrders", {"open": {"O1": ORDER | {"cl_ord_id": "theirs"}}}, "got another order"),
        ("OpenOrders", {"open": {"O1": ORDER | {"status": "melted"}}}, "stands as 'melted'"),
        ("TradesHistory", {"count": 0}, "has no trades"),
        ("TradesHistory", [], "has no result"),
        ("TradesHistory", {"trades": {"T1": TRADE | {"price": "much"}}}, "no order, side or numbers"),
        ("TradesHistory", {"trades": {"T1": TRADE | {"type": "lent"}}}, "no order, side or numbers"),
        ("Ledgers", {"ledger": {"L1": LINES[0]}}, "does not show trade T1 yet"),
        ("Ledgers", {"ledger": {"L1": LINES[0], "L2": LINES[1] | {"fee": "some"}}}, "has no numbers"),
        ("BalanceEx", {"ZUSD": {"balance": "some"}}, "the balance of ZUSD is no number"),
    ],
)
def test_an_answer_that_a_ledger_cannot_use_is_none(
    tiny: tuple[Any, Bench], path: str, answer: object, words: str
) -> None:
    exchange, one = tiny
    orders = one.client.orders
    exchange.standing[f"/0/private/{path}"] = result_of(answer)
    calls = {"OpenOrders": lambda: orders.find(SYMBOL, "mine"), "BalanceEx": orders.balances}
    with pytest.raises(ExchangeUnreachableError, match=words):
        calls.get(path, lambda: orders.fills(SYMBOL))()


def test_an_order_of_another_symbol_is_not_the_one_and_another_wording_no_crash(
    tiny: tuple[Any, Bench],
) -> None:
    exchange, one = tiny
    exchange.standing["/0/private/OpenOrders"] = result_of({"open": {"O1": ORDER}})
    other = ORDER["descr"] | {"pair": "ETHUSD"}  # type: ignore[operator]
    assert one.client.orders.find(SYMBOL, "mine") is not None
    exchange.standing["/0/private/OpenOrders"] = result_of({"open": {"O1": ORDER | {"descr": other}}})
    assert one.client.orders.find(SYMBOL, "mine") is None
    sentences = {"buy much XBTUSD @ limit 95": D(0), "buy 0.5 XBTUSD @ a limit of 95": D("0.5")}
    for sentence, amount in sentences.items():
        exchange.standing["/0/private/AddOrder"] = result_of({"descr": {"order": sentence}, "txid": ["O1"]})
        assert one.client.orders.place(request("limit", price="95")).amount == amount
    for described in ({"order": ""}, {"order": "sold"}, {}):
        exchange.standing["/0/private/AddOrder"] = result_of({"descr": described, "txid": ["O1"]})
        # ccxt may fall over it: then it is unknown, and looked up.
        with suppress(OrderUnknownError):
            assert one.client.orders.place(request("limit", price="95")).amount == 0


def test_a_cancel_that_is_not_shown_yet_is_unknown(tiny: tuple[Any, Bench]) -> None:
    exchange, one = tiny
    exchange.standing["/0/private/CancelOrder"] = result_of({"count": 1})
    for shown in ({"O1": ORDER}, {}):
        exchange.standing["/0/private/OpenOrders"] = result_of({"open": shown})
        with pytest.raises(OrderUnknownError, match="not shown as cancelled yet"):
            one.client.orders.cancel(SYMBOL, "mine")


def test_the_last_fill_read_from_may_be_gone_from_the_list(tiny: tuple[Any, Bench]) -> None:
    exchange, one = tiny
    exchange.standing["/0/private/QueryTrades"] = result_of({"T0": TRADE | {"time": 1.2}})
    assert [fill.fill.id for fill in one.client.orders.fills(SYMBOL, after_id="T0")] == ["T1"]
    exchange.standing["/0/private/QueryTrades"] = result_of({"T9": TRADE | {"time": 1.6}})
    assert one.client.orders.fills(SYMBOL, after_id="T9") == []


def test_only_so_many_fills_are_remembered(tiny: tuple[Any, Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.exchange.kraken_fills.KEPT", 0)
    exchange, one = tiny
    for _ in range(2):
        assert len(one.client.orders.fills(SYMBOL)) == 1
    assert len(exchange.asked("POST", "/0/private/Ledgers")) == 2
