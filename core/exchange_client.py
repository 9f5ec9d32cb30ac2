"""One exchange, through ccxt: closed candles, balance and orders, and no surprises.

The only module that imports ccxt. Times are ms UTC, prices quote currency, amounts base units.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ccxt

from core.account.messages import StopRules
from core.candles.frames import frame_from_bars
from core.errors import (
    AuthenticationError,
    NotPermittedError,
    UnsupportedError,
    UsageError,
    nearest,
)
from core.exchange.account_facts import AccountFacts
from core.exchange.books import BookReader
from core.exchange.calls import Caller, Notify, RetryPolicy, clock_is_off, clock_moved, log_notice
from core.exchange.candles import CandleReader
from core.exchange.clock import ExchangeClock
from core.exchange.engine_counter import EngineCounter
from core.exchange.errors import Attempt
from core.exchange.markets import MarketList
from core.exchange.order_rules import (
    MarketRules,
    Precision,
    check_cancelled,
    check_confirmed,
    checked_params,
    checked_price,
    fit_order,
    fit_stops,
    market_rules,
    refuse_halted,
    refuse_resending,
)
from core.exchange.orders import Orders
from core.exchange.pages import concat
from core.exchange.permission import Called, Guard, Permission, permission_of
from core.exchange.rate_limit import Pacer, RateLimiter
from core.exchange.setup import base_of, made_by, named, prepare, send_through
from core.exchange.stop_rules import stop_rules
from core.exchange.stream_keys import StreamAccess, StreamTerms
from core.exchange.transport import Transport
from core.exchange.urls import is_below, is_host_of
from core.exchange.venues import venue_of
from core.utils import Clock, as_ms, awake_or_asleep_ms, now_ms, steady_ms, timeframe_ms

if TYPE_CHECKING:
    import pandas as pd

    from core.domain import Bars

SKEW_NOTICE_MS = 1000

_PRECISIONS: dict[int, Precision] = {ccxt.TICK_SIZE: "step", ccxt.DECIMAL_PLACES: "places"}


class ExchangeClient:
    """A thin, careful wrapper around one ccxt exchange."""

    def __init__(  # noqa: PLR0913 -- the specification's four, and what a test or a person may replace
        self,
        exchange_name: str = "binanceus",
        api_key: str | None = None,
        api_secret: str | None = None,
        sandbox: bool = False,  # noqa: FBT001 -- the specification's signature
        *,
        base_url: str | None = None,
        real_money: str | None = None,
        clock: Clock = now_ms,
        ticks: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
        timeout: float = 10.0,
        retries: RetryPolicy | None = None,
        notify: Notify = log_notice,
    ) -> None:
        """Make a client; nothing is sent yet.

        Key, secret and base URL come from EXCHANGE_API_KEY, EXCHANGE_API_SECRET and EXCHANGE_BASE_URL
        when None. With a base URL every request goes there and nowhere else. Signed requests (balance,
        orders) go to a base URL on this machine or to the venue's test network; where money may be real, only
        if `real_money` names the address, such as "https://api.binance.us". `clock` returns ms UTC, `ticks`
        is a clock in ms that nobody sets (default: this machine's), `timeout` is the seconds a complete
        answer may take.

        Raises UsageError for a name ccxt does not know or a `real_money` that is not called, SettingsError
        for an unusable base URL, UnsupportedError for a sandbox the venue does not have.
        """
        if exchange_name not in ccxt.exchanges:
            raise UsageError(nearest("exchange", exchange_name, ccxt.exchanges, "ccxt knows"))
        self.name = exchange_name
        self._sandbox = sandbox
        self._venue = venue_of(exchange_name)
        self._base = base_of(base_url)
        keys = named(api_key, "EXCHANGE_API_KEY"), named(api_secret, "EXCHANGE_API_SECRET")
        self._key, self._notify, self._local = keys[0], notify, clock
        self._ticks, self._asleep = ticks or steady_ms, ticks or awake_or_asleep_ms
        self._clock = ExchangeClock(clock, self._counted, self._measure, self._moved)
        self._exchange, called = self._make_exchange(sandbox=sandbox)
        self.permission: Permission = permission_of(called, real_money)
        """Where its signed requests may go; its transport checks it on each of them."""
        self._pacer = Pacer(self._ticks, sleep)
        self._connect(keys, timeout, retries or RetryPolicy(), sleep)
        self._candles = CandleReader(self._exchange, self._call, self._clock, self._venue.keeps, notify)
        dialect = self._venue.journal(self._exchange, self._call) if self._venue.journal else None
        self._orders = Orders(
            *(exchange_name, dialect, self._call, self._ready, self.create_order, self._stop_rules),
            always_sent=lambda: self._venue.always_sent(self._clock.now()),
            counter=EngineCounter(self._venue.engine, self._ticks),
        )

    def __repr__(self) -> str:
        return f"ExchangeClient({self.name!r}, base_url={self._base!r})"

    def __enter__(self) -> ExchangeClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._exchange.session.close()

    @property
    def label(self) -> str:
        """The name under which this exchange's candles are stored.

        The ccxt id; with `-synthetic` or `-replay` behind it when a local exchange made the candles up
        or read them from storage, with `-sandbox` on a test network, so that they never mix with real ones.
        """
        if self._sandbox:
            return f"{self.name}-sandbox"
        if self._base is not None and self._transport.candle_source is None:
            self._clock.measure()
        source = self._transport.candle_source
        return self.name if source is None else f"{self.name}-{made_by(source)}"

    @property
    def orders(self) -> Orders:
        """The account's orders, fills and balances for an order journal.

        Its methods raise AuthenticationError without a usable key, UnsupportedError where the venue lacks
        what a journal needs.
        """
        return self._orders

    def now(self) -> datetime:
        """Return the time now, UTC, as the exchange counts it once that was measured."""
        return datetime.fromtimestamp(self._clock.peek() / 1000, UTC)

    def exchange_now(self, *, ask: bool = False) -> int:
        """Return the exchange's time, ms UTC; asked now if `ask` or the last answer is five minutes old."""
        if ask:
            self._clock.forget()
        return self._clock.now()

    def symbols(self) -> list[str]:
        """Return the symbols the exchange lists, sorted."""
        return sorted(self._markets.all())

    def check_series(self, symbol: str, timeframe: str) -> None:
        """Raise UnsupportedError unless the exchange offers these candles, UsageError for no timeframe."""
        timeframe_ms(timeframe)
        self._markets.one(symbol)
        self._candles.check_timeframe(timeframe)
        if advice := self._venue.other_grids.get(timeframe):
            raise UnsupportedError(f"{self.name}'s {timeframe} candles are not this program's: {advice}")

    def fetch_ohlcv(
        self,
        symbol: str,
        timeframe: str = "4h",
        limit: int | None = 500,
        since: datetime | str | int | None = None,
        until: datetime | str | int | None = None,
    ) -> pd.DataFrame:
        """Return closed candles as a frame indexed by open time (UTC), oldest first.

        The newest `limit` before `until` (default: now), or with `since` the first `limit` from there on;
        None for all. `since` and `until` are open times (ms UTC, a datetime, or text such as 2024-01-31),
        `until` excluded. Any number of them: pages are fetched as needed. The frame is empty when there are
        none.
        """
        start, end = (None if time is None else as_ms(time) for time in (since, until))
        self.check_series(symbol, timeframe)
        if limit is None:
            return frame_from_bars(concat(list(self._candles.pages(symbol, timeframe, start or 0, end))))
        if start is None:
            return frame_from_bars(self._candles.newest(symbol, timeframe, limit, 0, end))
        return frame_from_bars(self._candles.first(symbol, timeframe, limit, start, end))

    def newest_bars(
        self,
        symbol: str,
        timeframe: str,
        limit: int,
        *,
        start: int | None = None,
        end: int | None = None,
    ) -> Bars:
        """Return the newest `limit` closed bars with start <= open time < end (ms UTC)."""
        self.check_series(symbol, timeframe)
        return self._candles.newest(symbol, timeframe, limit, start or 0, end)

    def ohlcv_pages(
        self, symbol: str, timeframe: str, since: int, until: int | None = None
    ) -> Iterator[Bars]:
        """Return an iterator over all closed bars with since <= open time < until (ms UTC), page by page.

        Ascending, without loss or repeat, over years and over holes of any length; no page is empty.
        Rows that are no candles are left out and told to `notify`, as is history that the venue does not
        keep. Raises UnsupportedError for a symbol or timeframe the venue does not offer, ExchangeError
        when it cannot be read.
        """
        self.check_series(symbol, timeframe)
        return self._candles.pages(symbol, timeframe, since, until)

    def last_price(self, symbol: str) -> float:
        """Return the price of the newest trade. Raises ExchangeUnreachableError when there is none."""
        self._markets.one(symbol)
        action = f"read the price of {symbol}"
        ticker = self._call.read(action, lambda: self._exchange.fetch_ticker(symbol))
        return checked_price(ticker.get("last"), self.name, action)

    @property
    def has_key(self) -> bool:
        """Whether it was given a key, of whatever use."""
        return bool(self._key)

    def is_open(self, symbol: str) -> bool:
        """Return whether orders in a symbol are taken now. Raises UnsupportedError for an unknown symbol."""
        return self._markets.one(symbol).get("active") is not False

    def rules(self, symbol: str) -> MarketRules:
        """Return what an order in a symbol must satisfy. Raises UnsupportedError for an unknown symbol."""
        return self._rules_of(self._markets.one(symbol))

    def _rules_of(self, market: Mapping[str, Any]) -> MarketRules:
        return market_rules(market, _PRECISIONS.get(self._exchange.precisionMode, "digits"))

    def _stop_rules(self, symbol: str) -> StopRules | None:
        traits, market = self._venue.stops, self._markets.known(symbol)
        return None if traits is None else stop_rules(market, self._rules_of(market), traits)

    def get_balance(self, asset: str = "USDT") -> float:
        """Return the free balance of one asset, in its own units: what an order could spend now.

        Raises AuthenticationError without a usable key, UnsupportedError for an unknown asset.
        """
        self._require_key("read the balance")
        self._markets.all()
        balance = self._call.read("read the balance", self._exchange.fetch_balance)
        entry = balance.get(asset)
        if entry is None and asset not in self._exchange.currencies:
            raise UnsupportedError(nearest("asset", asset, self._exchange.currencies, f"{self.name} lists"))
        return float(entry["free"] or 0) if entry else 0.0

    def create_order(
        self,
        symbol: str,
        side: str,
        order_type: str,
        amount: float | Decimal | str,
        price: float | Decimal | str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Place one market or limit order, sent exactly once, and return ccxt's order.

        `amount` in base units is rounded down to the lot, a buy price down and a sell price up to the tick,
        a stop price in `params` (stopLossPrice, takeProfitPrice) alike.
        `params["clientOrderId"]` names the order (1 to 36 of A-Z a-z 0-9 - _); one is made up when absent.

        Raises OrderRefusedError (InsufficientFundsError) when nothing is open because of it, and
        OrderUnknownError, which names the client order id, when nobody knows: look it up then.
        """
        sent = checked_params(params, uuid.uuid4().hex, self._venue.names)
        refuse_resending(self._exchange.options)
        client_id = sent["clientOrderId"]
        action = f"place the {order_type} {side} of {amount} {symbol} (client order id {client_id})"
        self._require_key(action)
        market = self._markets.known(symbol)
        refuse_halted(market, self.name)
        rules = self._rules_of(market)
        fitted = fit_order(rules, side, order_type, amount, price)
        sent = fit_stops(rules, side, sent)
        # Text, because a float would lose digits and ccxt formats what it gets.
        numbers = (f"{fitted.amount:f}", None if fitted.price is None else f"{fitted.price:f}")
        sent = {**self._venue.always_sent(self._clock.now()), **sent}
        order = self._call.order(
            action, lambda: self._exchange.create_order(symbol, order_type, side, *numbers, sent)
        )
        check_confirmed(order, Attempt(self.name, action), symbol, client_id)
        return dict(order)

    def cancel_order(self, order_id: str, symbol: str) -> dict[str, Any]:
        """Cancel one order, sent exactly once, and return ccxt's order.

        Raises OrderRefusedError when it is not open (filled, cancelled or never there: look it up),
        OrderUnknownError when no answer says whether it was cancelled.
        """
        action = f"cancel order {order_id} of {symbol}"
        self._ready(action, symbol)
        order = self._call.order(action, lambda: self._exchange.cancel_order(order_id, symbol))
        check_cancelled(order, Attempt(self.name, action), order_id)
        return dict(order)

    def get_open_orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        """Return the open orders of one symbol, or of all, as ccxt's orders."""
        self._ready("read the open orders", symbol)
        return list(self._call.read("read the open orders", lambda: self._exchange.fetch_open_orders(symbol)))

    def _make_exchange(self, *, sandbox: bool) -> tuple[Any, Called]:
        """Return ccxt's object, without a key, and what it calls."""
        kind, options = self._venue.number, dict(self._venue.options)
        exchange = getattr(ccxt, self.name)({"enableRateLimit": True, "number": kind, "options": options})
        exchange.throttle = self._throttle
        # What signs a request tells the time by the same clock as everything else here.
        exchange.milliseconds = self._clock.peek
        called = prepare(exchange, self._venue.domain, self._venue.no_sandbox, self._base, sandbox=sandbox)
        return exchange, called

    def _connect(
        self, keys: tuple[str, str], timeout: float, retries: RetryPolicy, sleep: Callable[[float], None]
    ) -> None:
        """Make the one way out, and set the key where signed requests may go anywhere."""
        limiter = RateLimiter(self.name, self._venue.budgets, self._ticks, sleep, patience=retries.patience)
        guard = Guard(self.permission, self._is_allowed, keys, self._venue.public_posts)
        self._transport = Transport(guard, limiter, self._venue.costs, self._clock.peek, timeout)
        send_through(self._exchange, self._transport)
        if self._key and self.permission.addresses:
            self._exchange.apiKey, self._exchange.secret = keys
        attempt = Attempt(self.name, "", keys, self._base)
        self._call = Caller(attempt, self._transport, limiter, self._clock, retries, sleep, self._notify)
        self._markets = MarketList(self.name, self._exchange, self._call, self._ticks)
        self.facts = AccountFacts(self._exchange, self._call, self._ready, has_modes=self._venue.has_modes)
        """What the venue tells about itself and the key; `books`: what others offer."""
        self.books = BookReader(self._exchange, self._call, self._markets.known, self._clock)
        where = StreamTerms(self.name, self._venue.domain, self._base, self._sandbox, self._venue.options)
        self.streams = StreamAccess(self._exchange, self._call, self._check_key, self._markets.one, where)

    def _is_allowed(self, url: str) -> bool:
        if self._base is not None:
            return is_below(url, self._base)
        return self._venue.domain is None or is_host_of(url, self._venue.domain)

    def _throttle(self, cost: float | None = None) -> None:
        # With budgets of its own the limiter below decides; else ccxt's costs, on the injected clock.
        if not self._venue.budgets:
            self._pacer.wait(float(self._exchange.rateLimit) * (1 if cost is None else float(cost)))

    def _measure(self) -> int | None:
        if not self._tells_time:
            return None
        theirs = int(self._call.read("read the time", self._exchange.fetch_time))
        ahead = self._local() - theirs
        # A local exchange lives in a time of its own.
        if abs(ahead) >= SKEW_NOTICE_MS and self._transport.candle_source is None:
            self._notify(clock_is_off(self.name, ahead))
        return theirs

    @property
    def _tells_time(self) -> bool:
        return bool(self._exchange.has["fetchTime"])

    def _counted(self) -> int:
        # An exchange that tells no time cannot be asked after a sleep: there the clock has to count on.
        return self._ticks() if self._tells_time else self._asleep()

    def _moved(self, step: int) -> None:
        self._notify(clock_moved(self.name, step, tells_time=self._tells_time))

    def _require_key(self, action: str) -> None:
        self._check_key(action)
        self._clock.now()

    def _check_key(self, action: str) -> None:
        if not self._key:
            raise AuthenticationError(
                f"{self.name}: cannot {action}: there is no key; set EXCHANGE_API_KEY and EXCHANGE_API_SECRET"
            )
        if not self.permission.addresses:
            raise NotPermittedError(f"{self.name}: cannot {action}: {self.permission.refusal}")

    def _ready(self, action: str, symbol: str | None) -> None:
        self._require_key(action)
        self._markets.at_hand()
        if symbol is not None:
            self._markets.known(symbol)
