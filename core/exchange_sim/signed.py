"""Binance.US REST below a key: account, orders, pairs of orders, trades, transfers and conversions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from core.exchange_sim import binanceus_params as given
from core.exchange_sim import order_params as asked
from core.exchange_sim import order_wire as wire
from core.exchange_sim.accounts import check_key, check_signature
from core.exchange_sim.binanceus_params import Params
from core.exchange_sim.binanceus_user_stream import ListenKeys
from core.exchange_sim.candles import DAY
from core.exchange_sim.conversions import OTC, SPAN, Conversions
from core.exchange_sim.feed import LATEST
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.orders import LIMIT, MARKET, NO_LIST, OrderList, OwnTrade, SimOrder
from core.exchange_sim.state import AccountChange, Remember
from core.exchange_sim.trading import Trading
from core.exchange_sim.transfers import APPLY, CAPITAL, DEPOSITS, WITHDRAWALS, Transfers
from core.exchange_sim.venue import Json, RequestRefused, SimRequest

API = "/api/v3/"
ASSETS = "/sapi/v1/asset/"
OTC_ORDERS = "/sapi/v1/otc/orders"
BY_HAND = "BY HAND"
"""The method of what happens to the account without a request: no client can send it."""
NAMED = ("symbol", "orderId", "origClientOrderId")
WINDOW = ("startTime", "endTime", "limit")
T = TypeVar("T", SimOrder, OwnTrade, OrderList)


class SignedRoute(NamedTuple):
    """One method and path."""

    reply: Callable[[Params, int], object]
    params: tuple[str, ...] = ()
    weight: Callable[[Params], int] = lambda _: 1
    places: bool = False
    """Whether it counts as an order."""
    names_stream: bool = False
    """Whether it is about the key of the user stream: it wants no signature and changes no account."""


class Signed:
    """The account's part of the venue."""

    def __init__(self, trading: Trading, markets: Iterable[SimMarket], seed: int = 0) -> None:
        self._trading = trading
        self._matching = trading.matching
        self._transfers = Transfers(trading.matching.wallet)
        self._conversions = Conversions(trading.matching.wallet)
        self._markets: Mapping[str, SimMarket] = {market.id: market for market in markets}
        self._remember: Remember | None = None
        self.listen_keys = ListenKeys(seed)
        self._cancellers: dict[tuple[str, int], str] = {}
        self._routes = (
            self._order_routes() | self._account_routes() | self._transfer_routes() | self._stream_routes()
        )

    def route(self, request: SimRequest) -> SignedRoute | None:
        """Return the route of a request, None for no signed one."""
        return self._routes.get((request.method, request.path))

    def check(self, request: SimRequest, now: int) -> None:
        """Refuse a request without the account's key and signature, or out of its time."""
        if self._routes[request.method, request.path].names_stream:
            check_key(request, self._trading.account)
        else:
            check_signature(request, self._trading.account, now)

    def reply(self, route: SignedRoute, request: SimRequest, now: int) -> object:
        """Return what is answered at `now`, ms UTC, to a request that was checked."""
        params = {name: value for name, value in request.params.items() if name not in asked.SIGNING}
        given.check_names(params, route.params)
        return self._done(request.method, request.path, params, now)

    def by_hand(self, what: str, now: int, **params: str) -> Any:
        """Do what no request asks for: `deposit`, `credit`, `fail` or `convert`; see transfers.py."""
        return self._done(BY_HAND, what, params, now)

    def _done(self, method: str, path: str, params: dict[str, str], now: int) -> Any:
        moment, route = self._trading.play(now), self._routes[method, path]
        answer = route.reply(params, moment)
        if self._remember and method != "GET" and not route.names_stream:
            self._remember(AccountChange(moment, method, path, params))
        return answer

    def remember(self, past: Iterable[AccountChange], remember: Remember) -> None:
        """Repeat what was accepted before, and hand on what is accepted from now on."""
        for change in past:
            self._routes[change.method, change.path].reply(change.params, self._trading.play(change.now))
        self._remember = remember

    def _order_routes(self) -> dict[tuple[str, str], SignedRoute]:
        order, opened, pair = API + "order", API + "openOrders", API + "orderList"
        one, pair_named = (*NAMED, "newClientOrderId"), ("orderListId", "listClientOrderId")
        return {
            ("POST", order): SignedRoute(self._place, asked.ORDER, places=True),
            ("POST", order + "/test"): SignedRoute(self._test, asked.ORDER),
            ("GET", order): SignedRoute(self._query, NAMED, lambda _: 2),
            ("DELETE", order): SignedRoute(self._cancel, one),
            ("GET", opened): SignedRoute(self._open, ("symbol",), lambda p: 3 if "symbol" in p else 40),
            ("DELETE", opened): SignedRoute(self._cancel_all, ("symbol",)),
            ("GET", API + "allOrders"): SignedRoute(self._all, ("symbol", "orderId", *WINDOW), lambda _: 10),
            ("POST", order + "/oco"): SignedRoute(self._place_pair, asked.PAIR, places=True),
            ("GET", pair): SignedRoute(self._query_pair, (*pair_named, "origClientOrderId"), lambda _: 2),
            ("DELETE", pair): SignedRoute(self._cancel_pair, ("symbol", *pair_named, "newClientOrderId")),
            ("GET", API + "openOrderList"): SignedRoute(self._open_pairs, (), lambda _: 3),
            ("GET", API + "allOrderList"): SignedRoute(self._all_pairs, ("fromId", *WINDOW), lambda _: 10),
        }

    def canceller(self, order: SimOrder) -> str:
        """Return the client order id of the request that cancelled an order."""
        return self._cancellers.get((order.market.symbol, order.id), "")

    def _stream_routes(self) -> dict[tuple[str, str], SignedRoute]:
        keys, path = self.listen_keys, API + "userDataStream"
        return {
            ("POST", path): SignedRoute(keys.create, names_stream=True),
            ("PUT", path): SignedRoute(keys.keep, ("listenKey",), names_stream=True),
            ("DELETE", path): SignedRoute(keys.close, ("listenKey",), names_stream=True),
        }

    def _account_routes(self) -> dict[tuple[str, str], SignedRoute]:
        trades = ("symbol", "orderId", "fromId", *WINDOW)
        fees = SignedRoute(self._trade_fees, ("symbol",))
        return {
            ("GET", API + "account"): SignedRoute(self._account, ("omitZeroBalances",), lambda _: 10),
            ("GET", API + "account/commission"): SignedRoute(self._commission, ("symbol",), lambda _: 20),
            ("GET", API + "myTrades"): SignedRoute(self._my_trades, trades, lambda _: 10),
            ("GET", ASSETS + "tradeFee"): fees,
            ("GET", ASSETS + "query/trading-fee"): fees,
        }

    def _transfer_routes(self) -> dict[tuple[str, str], SignedRoute]:
        transfers = self._transfers
        return {
            ("POST", CAPITAL + "withdraw/apply"): SignedRoute(transfers.withdraw, APPLY),
            ("GET", CAPITAL + "withdraw/history"): SignedRoute(transfers.list_withdrawals, WITHDRAWALS),
            ("GET", CAPITAL + "deposit/hisrec"): SignedRoute(transfers.list_deposits, DEPOSITS),
            (BY_HAND, "deposit"): SignedRoute(transfers.make_deposit),
            (BY_HAND, "credit"): SignedRoute(transfers.credit),
            (BY_HAND, "fail"): SignedRoute(transfers.fail),
            (BY_HAND, "convert"): SignedRoute(self._conversions.convert),
            ("GET", ASSETS + "query/dust-logs"): SignedRoute(self._conversions.list_dust, SPAN),
            ("GET", OTC_ORDERS): SignedRoute(self._conversions.list_orders, OTC),
        }

    def _account(self, params: Params, now: int) -> object:
        balances = self._matching.wallet.all()
        assets = sorted(
            balances.keys() | {name for m in self._markets.values() for name in (m.base, m.quote)}
        )
        if params.get("omitZeroBalances") == "true":
            assets = [asset for asset in assets if any(balances.get(asset, ()))]
        return wire.account(balances, assets, self._trading.account, now)

    def _commission(self, params: Params, now: int) -> object:
        del now
        return wire.commission(given.market(params, self._markets).id, self._trading.account)

    def _trade_fees(self, params: Params, now: int) -> object:
        del now
        chosen = given.chosen(params, self._markets)
        listed = chosen if isinstance(chosen, list) else [chosen]
        return [wire.trade_fee(market.id, self._trading.account) for market in listed]

    def _place(self, params: Params, now: int) -> object:
        del now
        new = asked.new_order(params, self._markets, self._name())
        says = asked.response(params, "FULL" if new.kind in (MARKET, LIMIT) else "ACK")
        order = self._matching.place(new, self._trading.seen(new.market))
        return self._answered(order, says)

    def _test(self, params: Params, now: int) -> object:
        del now
        new = asked.new_order(params, self._markets, "test")
        asked.response(params, "FULL")
        self._matching.check(new, self._trading.seen(new.market))
        return {}

    def _place_pair(self, params: Params, now: int) -> object:
        new = asked.new_pair(params, self._markets, self._name())
        says = asked.response(params, "RESULT")
        pair = self._matching.place_pair(new, self._trading.seen(new.limit.market))
        legs = self._legs(pair)
        return wire.order_list(pair, legs, now, [self._answered(leg, says) for leg in legs])

    def _answered(self, order: SimOrder, says: str) -> Json:
        if says == "ACK":
            return wire.acknowledged(order)
        return wire.result(order) if says == "RESULT" else wire.full(order, self._matching.trades_of(order))

    def _query(self, params: Params, now: int) -> object:
        del now
        order = self._named(params)
        if order is None:
            raise RequestRefused(-2013, "Order does not exist.")
        return wire.queried(order)

    def _cancel(self, params: Params, now: int) -> object:
        client_id = asked.client_id(params, "newClientOrderId") or self._name()
        order = self._named(params)
        if order is None or not order.open:
            raise RequestRefused(-2011, "Unknown order sent.")
        done = {one.id: one for one in self._cancel_as(client_id, order, now)}
        return wire.cancelled(done[order.id], client_id)

    def _cancel_as(self, client_id: str, order: SimOrder, now: int) -> list[SimOrder]:
        pair = self._matching.lists.get(order.list_id)
        for order_id in pair.orders if pair else (order.id,):
            self._cancellers[order.market.symbol, order_id] = client_id
        return self._matching.cancel(order, now)

    def _open(self, params: Params, now: int) -> object:
        del now
        symbol = given.market(params, self._markets).symbol if "symbol" in params else None
        return [wire.queried(order) for order in self._matching.open_orders(symbol)]

    def _cancel_all(self, params: Params, now: int) -> object:
        market = given.market(params, self._markets)
        orders = self._matching.open_orders(market.symbol)
        if not orders:
            raise RequestRefused(-2011, "Unknown order sent.")
        answers: list[Json] = []
        lists = dict.fromkeys(order.list_id for order in orders if order.list_id != NO_LIST)
        for order in orders:
            if order.list_id == NO_LIST:
                client_id = self._name()
                [done] = self._cancel_as(client_id, order, now)
                answers.append(wire.cancelled(done, client_id))
        return answers + [self._ended(self._matching.lists[list_id], now, self._name()) for list_id in lists]

    def _all(self, params: Params, now: int) -> object:
        del now
        market = given.market(params, self._markets)
        orders = list(self._matching.orders.get(market.symbol, {}).values())
        return [wire.queried(order) for order in _window(orders, params, "orderId", _created)]

    def _my_trades(self, params: Params, now: int) -> object:
        del now
        market = given.market(params, self._markets)
        trades = list(self._matching.trades.get(market.symbol, ()))
        order_id = given.whole(params, "orderId")
        if order_id is not None:
            trades = [trade for trade in trades if trade.order_id == order_id]
        return [wire.own_trade(trade) for trade in _window(trades, params, "fromId", _done)]

    def _query_pair(self, params: Params, now: int) -> object:
        pair = self._pair(params, "origClientOrderId")
        if pair is None:
            raise RequestRefused(-2018, "Order list does not exist.")
        return wire.order_list(pair, self._legs(pair), now)

    def _cancel_pair(self, params: Params, now: int) -> object:
        market = given.market(params, self._markets)
        client_id = asked.client_id(params, "newClientOrderId") or self._name()
        pair = self._pair(params, "listClientOrderId")
        if pair is None or pair.market != market or not any(leg.open for leg in self._legs(pair)):
            raise RequestRefused(-2011, "Unknown order list sent.")
        return self._ended(pair, now, client_id)

    def _ended(self, pair: OrderList, now: int, client_id: str) -> Json:
        self._cancel_as(client_id, self._legs(pair)[0], now)
        legs = self._legs(pair)
        return wire.order_list(pair, legs, now, [wire.cancelled(leg, client_id) for leg in legs])

    def _open_pairs(self, params: Params, now: int) -> object:
        del params
        pairs = [pair for pair in self._matching.lists.values() if any(leg.open for leg in self._legs(pair))]
        return [wire.order_list(pair, self._legs(pair), now) for pair in pairs]

    def _all_pairs(self, params: Params, now: int) -> object:
        chosen = _window(list(self._matching.lists.values()), params, "fromId", _created)
        return [wire.order_list(pair, self._legs(pair), now) for pair in chosen]

    def _pair(self, params: Params, client_name: str) -> OrderList | None:
        list_id, client_id = given.whole(params, "orderListId"), asked.client_id(params, client_name)
        if list_id is None and client_id is None:
            raise _unnamed(client_name, "orderListId")
        if list_id is not None:
            return self._matching.lists.get(list_id)
        pairs = reversed(self._matching.lists.values())
        return next((pair for pair in pairs if pair.client_id == client_id), None)

    def _legs(self, pair: OrderList) -> list[SimOrder]:
        return [self._matching.orders[pair.market.symbol][order_id] for order_id in pair.orders]

    def _named(self, params: Params) -> SimOrder | None:
        market = given.market(params, self._markets)
        order_id = given.whole(params, "orderId")
        client_id = asked.client_id(params, "origClientOrderId")
        if order_id is None and client_id is None:
            raise _unnamed("origClientOrderId", "orderId")
        return self._matching.find(market.symbol, order_id, client_id)

    def _name(self) -> str:
        # From the books alone, so that the same past gives the same names.
        return f"local-{sum(map(len, self._matching.orders.values())) + 1}"


def _window(rows: list[T], params: Params, from_name: str, time_of: Callable[[T], int]) -> list[T]:
    """Return the rows a request chooses: the oldest from an id or a time on, else the newest."""
    from_id, most = given.whole(params, from_name), given.limit(params, 500, 1000)
    start, end = given.whole(params, "startTime"), given.whole(params, "endTime")
    if from_id is not None and from_name == "fromId" and (start is not None or end is not None):
        raise RequestRefused(-1128, "Combination of optional parameters invalid.")
    if start is not None and end is not None and end - start > DAY:
        raise RequestRefused(-1127, "More than 24 hours between startTime and endTime.")
    chosen = [
        row for row in rows if row.id >= (from_id or 0) and (start or 0) <= time_of(row) <= (end or LATEST)
    ]
    oldest_first = from_id is not None or start is not None
    return chosen[:most] if oldest_first else chosen[-most:]


def _created(row: SimOrder | OrderList) -> int:
    return row.created


def _done(row: OwnTrade) -> int:
    return row.time


def _unnamed(one: str, other: str) -> RequestRefused:
    return RequestRefused(-1102, f"Param '{one}' or '{other}' must be sent, but both were empty/null!")
