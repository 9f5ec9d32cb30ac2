"""Binance.US REST: which paths there are, what they weigh, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from core.exchange_sim import binanceus_params as given
from core.exchange_sim import binanceus_wire as wire
from core.exchange_sim.binanceus_params import Params
from core.exchange_sim.book import OrderBook, book, no_book
from core.exchange_sim.candles import MINUTE
from core.exchange_sim.feed import LATEST, MarketFeed
from core.exchange_sim.limits import OrderLimit, WeightCounter, WeightVerdict, depth_weight
from core.exchange_sim.markets import TRADING, SimMarket, quoted
from core.exchange_sim.signed import Signed, SignedRoute
from core.exchange_sim.ticker import Ticker, ticker
from core.exchange_sim.venue import RequestRefused, SimAnswer, SimRequest, as_json, page

ROOT = "/api/v3/"
SIGNED = (
    "account",
    "allOrderList",
    "allOrders",
    "historicalTrades",
    "myPreventedMatches",
    "myTrades",
    "openOrderList",
    "openOrders",
    "order",
    "order/cancelReplace",
    "order/oco",
    "order/test",
    "orderList",
    "rateLimit/order",
    "userDataStream",
)
"""Paths that need a key; those that signed.py does not answer refuse every key."""
MARKET_FILTER = ("symbol", "symbols")
WINDOW = ("startTime", "endTime", "limit")


class Route(NamedTuple):
    """One path below ROOT."""

    reply: Callable[[Params, int], object]
    params: tuple[str, ...] = ()
    weight: Callable[[Params], int] = lambda _: 1


class BinanceUS:
    """The venue over one feed; without an account it is public only."""

    def __init__(
        self,
        feed: MarketFeed,
        markets: tuple[SimMarket, ...],
        limits: WeightCounter,
        account: Signed | None = None,
        order_limit: OrderLimit | None = None,
    ) -> None:
        self._feed = feed
        self._markets: Mapping[str, SimMarket] = {market.id: market for market in markets}
        self._limits = limits
        self._order_limit = order_limit or OrderLimit()
        self._routes = self._all_routes()
        self._account = account

    def answer(self, request: SimRequest, now: int) -> SimAnswer:
        """Return the answer at `now`, with the weight headers, 429 and 418 included."""
        route = self._routes.get(request.path.removeprefix(ROOT)) if request.method == "GET" else None
        signed = self._account.route(request) if self._account else None
        weight_of = (route or signed or Route(_ping)).weight
        verdict = self._limits.charge(weight_of(request.params), now)
        if verdict.status != 200:
            body = _too_many(verdict, self._limits)
        elif self._account and signed:
            body = self._account_body(self._account, signed, request, now)
        else:
            body = self._body(request, route, now)
        used = str(verdict.used)
        weight = (("X-MBX-USED-WEIGHT", used), ("X-MBX-USED-WEIGHT-1M", used))
        return body._replace(headers=body.headers + weight)

    def arrive(self, request: SimRequest, now: int) -> None:
        """Do nothing: a request that comes late is judged by its time alone."""

    def _body(self, request: SimRequest, route: Route | None, now: int) -> SimAnswer:
        if route is None:
            return _no_route(request.path)
        try:
            given.check_names(request.params, route.params)
            return as_json(route.reply(request.params, now))
        except RequestRefused as refusal:
            return _error(refusal)

    def _account_body(self, account: Signed, route: SignedRoute, request: SimRequest, now: int) -> SimAnswer:
        try:
            account.check(request, now)
            if route.places and not self._order_limit.charge(now):
                most = self._order_limit.limit
                raise RequestRefused(
                    -1015, f"Too many new orders; current limit is {most} orders per 1 SECOND.", 429
                )
            return as_json(account.reply(route, request, now))
        except RequestRefused as refusal:
            return _error(refusal)

    def _all_routes(self) -> dict[str, Route]:
        return {
            "ping": Route(_ping),
            "time": Route(_time),
            "exchangeInfo": Route(self._info, (*MARKET_FILTER, "permissions"), lambda _: 10),
            "klines": Route(self._klines, ("symbol", "interval", *WINDOW)),
            "depth": Route(self._depth, ("symbol", "limit"), _depth_weight),
            "trades": Route(self._trades, ("symbol", "limit")),
            "aggTrades": Route(self._aggregate_trades, ("symbol", "fromId", *WINDOW)),
            "avgPrice": Route(self._average, ("symbol",)),
            "ticker/24hr": Route(self._day, (*MARKET_FILTER, "type"), _day_weight),
            "ticker/price": Route(self._price, MARKET_FILTER, _price_weight),
            "/sapi/v1/system/status": Route(_status),
            "ticker/bookTicker": Route(self._best, MARKET_FILTER, _price_weight),
        }

    def _info(self, params: Params, now: int) -> object:
        listed = given.chosen({k: v for k, v in params.items() if k != "permissions"}, self._markets)
        listed = listed if isinstance(listed, list) else [listed]
        return wire.exchange_info(
            listed, now, self._limits.weight_limit, self._limits.raw_limit, self._order_limit.limit
        )

    def _klines(self, params: Params, now: int) -> object:
        market, interval = given.market(params, self._markets), given.interval(params)
        start, end = given.whole(params, "startTime"), given.whole(params, "endTime")
        rows = given.limit(params, 500, 1000)
        end = LATEST if end is None else end
        return wire.klines(self._feed.candles(market, interval, now, rows, start=start, end=end), interval)

    def _depth(self, params: Params, now: int) -> object:
        market = given.market(params, self._markets)
        return wire.depth(self._book(market, now, given.limit(params, 100, 5000)), now)

    def _trades(self, params: Params, now: int) -> object:
        market = given.market(params, self._markets)
        return wire.trades(self._feed.trades(market, now, given.limit(params, 500, 1000)))

    def _aggregate_trades(self, params: Params, now: int) -> object:
        market, rows = given.market(params, self._markets), given.limit(params, 500, 1000)
        start, end = given.whole(params, "startTime"), given.whole(params, "endTime")
        from_id = given.whole(params, "fromId")
        if from_id is None and start is None:
            return wire.aggregate_trades(self._feed.trades(market, now, rows, end=end))
        until = now if end is None else min(now, end)
        return wire.aggregate_trades(self._feed.trades_since(market, until, rows, start or 0, from_id or 0))

    def _average(self, params: Params, now: int) -> object:
        bars = self._feed.window(given.market(params, self._markets), now, now - 5 * MINUTE + 1)
        volume = float(bars.volume.sum())
        price = float(bars.quote.sum()) / volume if volume else 0.0
        return {"mins": 5, "price": quoted(price), "closeTime": now}

    def _day(self, params: Params, now: int) -> object:
        kind = params.get("type", "FULL")
        if kind not in ("FULL", "MINI"):
            raise RequestRefused(-1130, "Data sent for parameter 'type' is not valid.")
        return self._per_market(params, now, self._full if kind == "FULL" else _mini)

    def _full(self, market: SimMarket, seen: Ticker, now: int) -> object:
        return wire.full_ticker(market, seen, self._book(market, now, 1))

    def _price(self, params: Params, now: int) -> object:
        return self._per_market(params, now, _last)

    def _best(self, params: Params, now: int) -> object:
        return self._per_market(params, now, self._top)

    def _top(self, market: SimMarket, _: Ticker, now: int) -> object:
        return wire.best_prices(market, self._book(market, now, 1))

    def _per_market(
        self, params: Params, now: int, reply: Callable[[SimMarket, Ticker, int], object]
    ) -> object:
        wanted = given.chosen(params, self._markets)
        rows = []
        for market in wanted if isinstance(wanted, list) else [wanted]:
            seen = ticker(self._feed, market, now)
            if seen is not None:
                rows.append(reply(market, seen, now))
        return rows if isinstance(wanted, list) else rows[0] if rows else {}

    def _book(self, market: SimMarket, now: int, levels: int) -> OrderBook:
        newest = self._feed.last_bar(market, now)
        if market.status != TRADING or not newest.ts.size:
            return no_book()
        return book(market, float(newest.close[0]), now, self._feed.seed, levels)


def _ping(_: Params, __: int) -> object:
    return {}


def _status(_: Params, __: int) -> object:
    return {"status": 0, "msg": "normal"}


def _time(_: Params, now: int) -> object:
    return {"serverTime": now}


def _mini(market: SimMarket, seen: Ticker, _: int) -> object:
    return wire.mini_ticker(market, seen)


def _last(market: SimMarket, seen: Ticker, _: int) -> object:
    return {"symbol": market.id, "price": quoted(seen.last)}


def _no_route(path: str) -> SimAnswer:
    if path.startswith("/sapi/") or path.removeprefix(ROOT) in SIGNED:
        return _error(RequestRefused(-2015, "Invalid API-key, IP, or permissions for action.", 401))
    return page(404, "404 Not Found")


def _error(refusal: RequestRefused) -> SimAnswer:
    return as_json({"code": refusal.code, "msg": refusal.message}, refusal.status)


def _too_many(verdict: WeightVerdict, limits: WeightCounter) -> SimAnswer:
    if verdict.banned_until:
        what = f"Way too much request weight used; IP banned until {verdict.banned_until}."
    else:
        what = f"Too many requests; current limit is {limits.weight_limit} request weight per 1 MINUTE."
    text = f"{what} Please use the websocket for live updates to avoid bans."
    answer = _error(RequestRefused(-1003, text, verdict.status))
    return answer._replace(headers=(("Retry-After", str(verdict.retry_after)),))


def _depth_weight(params: Params) -> int:
    levels = params.get("limit", "100")
    return depth_weight(int(levels) if levels.isdecimal() else 100)


def _day_weight(params: Params) -> int:
    symbols = given.count_chosen(params)
    return 40 if symbols is None or symbols > 100 else 20 if symbols > 20 else 1


def _price_weight(params: Params) -> int:
    return 1 if "symbol" in params else 2
