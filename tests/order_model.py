"""An exchange in memory whose line breaks in every way, for the order path; its books are the truth."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, Decimal
from typing import Literal

from core.account.messages import (
    MARKET,
    Balance,
    Execution,
    OrderNews,
    OrderReport,
    OrderRequest,
    Terms,
    Transfer,
    TransferKind,
)
from core.account.orders import Fill
from core.errors import (
    AuthenticationError,
    ExchangeUnreachableError,
    InsufficientFundsError,
    OrderRefusedError,
    OrderUnknownError,
    RateLimitedError,
)
from core.exchange.clock import ExchangeClock
from core.order_path.ledger import assets_of

D = Decimal
NOTHING = D(0)
START = 1_700_000_000_000
WINDOW, AHEAD, MARGIN = 5000, 1000, 4000
PRICES = {"BTC/USDT": D("40000.01"), "ETH/USDT": D("2500.03"), "ETH/BTC": D("0.06251")}
SYMBOLS = tuple(PRICES)
FEE = D("0.001")
PLACE_FAULTS = ("drop", "lost", "late", "busy", "unsent", "foreign", "blank")
Point = Callable[[str], None]


class Crash(BaseException):
    """The process is killed here."""


@dataclass
class Placed:
    """An order at the exchange."""

    id: str
    request: OrderRequest
    seen_from: int
    standing: OrderNews = OrderNews.OPEN
    filled: Decimal = NOTHING


@dataclass
class Market:
    """One account at one exchange: it does what it is asked, exactly once each."""

    rng: random.Random
    now: int = START
    orders: list[Placed] = field(default_factory=list)
    trades: list[tuple[int, Execution]] = field(default_factory=list)
    """With the moment from which each is shown."""
    totals: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    fee_asset: str = ""
    """The asset that fees are taken from; blank: what is received."""
    transfers: list[Transfer] = field(default_factory=list)
    """What came and what went; each is listed at once."""
    lag: int = 0
    """An order or trade can take so many ms to show."""
    refuses: float = 0.04
    """Share of orders that a filter refuses."""
    frozen: bool = False
    """Resting orders stay as they are."""
    on_the_way: list[tuple[int, Callable[[], object]]] = field(default_factory=list)
    crowded: dict[str, str] = field(default_factory=dict)
    """By symbol: why entries should wait."""
    mode: str = ""
    """In which it takes no market order."""

    def advance(self, ms: int) -> None:
        """Let time pass: late requests arrive, resting orders are executed."""
        self.now += ms
        due = sorted((one for one in self.on_the_way if one[0] <= self.now), key=lambda one: one[0])
        self.on_the_way = [one for one in self.on_the_way if one not in due]
        for _, act in due:
            with suppress(OrderRefusedError, AuthenticationError):
                act()
        for order in self.orders:
            is_open = order.standing is OrderNews.OPEN
            if is_open and not self.frozen and self.rng.random() < self.chance(order):
                self.execute(order, self.part(order.request.amount - order.filled))

    def chance(self, order: Placed) -> float:
        """Return how likely an order that rests is executed now."""
        far = order.request.terms.price not in (None, PRICES[order.request.symbol])
        return 0.02 if far else 0.25

    def part(self, left: Decimal) -> Decimal:
        """Return all or a part of an amount."""
        if self.rng.random() < 0.5:
            return left
        part = (left * D(str(self.rng.random()))).quantize(D("0.00001"), ROUND_DOWN)
        return min(max(part, D("0.00001")), left)

    def place(self, request: OrderRequest, stamp: int) -> Placed:
        """Take an order, or refuse it."""
        if self.now - stamp > WINDOW or stamp >= self.now + AHEAD:
            raise AuthenticationError("outside of the window")
        name = request.client_order_id
        if any(one.request.client_order_id == name and one.standing is OrderNews.OPEN for one in self.orders):
            raise OrderRefusedError("Duplicate order sent.")
        if self.rng.random() < self.refuses:
            raise OrderRefusedError("a filter says no")
        asset, needed = self.needs(request, request.amount)
        if needed > self.free(asset):
            raise InsufficientFundsError("insufficient balance")
        order = Placed(str(len(self.orders) + 1), request, self.now + self.hidden())
        self.orders.append(order)
        if request.terms.kind == "market":
            dry = self.rng.random() < 0.1
            self.execute(order, self.part(request.amount) if dry else request.amount)
            if order.standing is OrderNews.OPEN:
                order.standing = OrderNews.EXPIRED
        return order

    def needs(self, request: OrderRequest, amount: Decimal) -> tuple[str, Decimal]:
        """Return what an order pays with, and how much of it."""
        base, quote = assets_of(request.symbol)
        price = request.terms.price or PRICES[request.symbol]
        return (quote, amount * price) if request.side == "buy" else (base, amount)

    def locked(self, order: Placed, asset: str) -> Decimal:
        """Return how much of an asset an order keeps."""
        if order.standing is not OrderNews.OPEN:
            return D(0)
        of, amount = self.needs(order.request, order.request.amount - order.filled)
        return amount if of == asset else D(0)

    def execute(self, order: Placed, amount: Decimal) -> None:
        """Execute an order in part."""
        request = order.request
        base, quote = assets_of(request.symbol)
        price = request.terms.price or PRICES[request.symbol]
        sign = 1 if request.side == "buy" else -1
        fee_asset, fee = self.fee_of(request, amount, price)
        self.totals[base] += sign * amount
        self.totals[quote] -= sign * amount * price
        self.totals[fee_asset] -= fee
        order.filled += amount
        if order.filled >= request.amount:
            order.standing = OrderNews.FILLED
        names = ("model", request.symbol, self.trade_id(), "", request.side)
        fill = Fill(*names, amount, price, fee, fee_asset, self.now)
        self.trades.append((self.now + self.hidden(), Execution(order.id, fill)))

    def trade_id(self) -> str:
        """Return the name of the next execution."""
        return str(len(self.trades) + 101)

    def fee_of(self, request: OrderRequest, amount: Decimal, price: Decimal) -> tuple[str, Decimal]:
        """Return what an execution is charged, and in what."""
        base, quote = assets_of(request.symbol)
        got, value = (base, amount) if request.side == "buy" else (quote, amount * price)
        if self.fee_asset in ("", got):
            return got, (value * FEE).quantize(D("0.00000001"), ROUND_DOWN)
        return self.fee_asset, D("0.00001234")

    def hidden(self) -> int:
        """Return for how many ms something new is not shown."""
        return self.rng.randint(0, self.lag) if self.lag and self.rng.random() < 0.2 else 0

    def find(self, symbol: str, name: str) -> Placed | None:
        """Return the newest order of a name that is shown."""
        for order in reversed(self.orders):
            shown = order.seen_from <= self.now
            if shown and (order.request.client_order_id, order.request.symbol) == (name, symbol):
                return order
        return None

    def cancel(self, symbol: str, name: str) -> Placed:
        """Cancel an open order."""
        for order in self.orders:
            if order.request.client_order_id == name and order.standing is OrderNews.OPEN:
                order.standing = OrderNews.CANCELED
                return order
        raise OrderRefusedError("Unknown order sent.")

    def change(self, symbol: str, name: str, amount: Decimal, terms: Terms) -> Placed:
        """Give an open order another amount and other prices."""
        for order in self.orders:
            if order.request.client_order_id == name and order.standing is OrderNews.OPEN:
                more = amount - order.request.amount
                if amount <= order.filled or more > self.free(assets_of(symbol)[0]):
                    raise InsufficientFundsError("insufficient balance")
                order.request = replace(order.request, amount=amount, terms=terms)
                return order
        raise OrderRefusedError("Unknown order sent.")

    def by_hand(
        self, symbol: str, side: Literal["buy", "sell"], amount: Decimal, terms: Terms = MARKET
    ) -> None:
        """Trade as a person would, beside every program."""
        request = OrderRequest(f"web_{len(self.orders)}", symbol, side, amount, terms)
        with suppress(OrderRefusedError):
            self.place(request, self.now)

    def free(self, asset: str) -> Decimal:
        """Return how much of an asset no order keeps."""
        return self.totals[asset] - sum((self.locked(one, asset) for one in self.orders), D(0))

    def transfer(self, asset: str, amount: Decimal) -> None:
        """Let something come, or go if it is negative and not kept by an order."""
        if self.free(asset) + amount >= 0:
            self.totals[asset] += amount
            kind: Literal["deposit", "withdrawal"] = "deposit" if amount > 0 else "withdrawal"
            self.transfers.append(Transfer(kind, str(len(self.transfers)), asset, amount, self.now))

    def convert(self, kind: TransferKind, gone: tuple[str, Decimal], came: tuple[str, Decimal]) -> None:
        """Let a person turn what no order keeps of a coin into another."""
        if self.free(gone[0]) >= gone[1]:
            name = str(len(self.transfers))
            for asset, amount in ((gone[0], -gone[1]), came):
                self.totals[asset] += amount
                self.transfers.append(Transfer(kind, name, asset, amount, self.now))


class Line:
    """The way of one process to the market, with faults on the way; it measures the market's time."""

    exchange = "model"

    def __init__(self, market: Market, rng: random.Random, point: Point = lambda _: None) -> None:
        self.market = market
        self.rng = rng
        self.rate = 0.0
        """Share of calls that go wrong."""
        self.skew = 0
        """The local clock is so much ahead of the market's time."""
        self.ppm: int | None = None
        """The steady clock runs so much faster, in millionths; None: there is none, no step is noticed."""
        self.slept = 0
        """Milliseconds for which the machine slept and its steady clock stood still."""
        self.lists = True
        """Whether the exchange lists deposits and withdrawals."""
        self.point = point
        self.next_fault = ""
        self.faults: defaultdict[str, int] = defaultdict(int)
        self.restart()

    def restart(self) -> None:
        """Forget what a process knew."""
        self._offset: int | None = None
        self._clock = ExchangeClock(self._local, self._ticks, self._measured)

    def sleep(self, ms: int) -> None:
        """Suspend the machine."""
        self.slept += ms
        self.market.advance(ms)

    def _local(self) -> int:
        return self.market.now + self.skew

    def _ticks(self) -> int:
        counted = self.market.now - START - self.slept
        return counted + counted * (self.ppm or 0) // 1_000_000

    def now(self) -> int:
        if self.ppm is not None:
            return self._clock.now()
        return self._local() + (self._measured() if self._offset is None else self._offset)

    def ask_time(self) -> int:
        self._forget()
        return self.now()

    def _forget(self) -> None:
        self._offset = None
        self._clock.forget()

    def _measured(self) -> int:
        self._travel("time", 20)
        self._offset = self.market.now - self._local()
        return self._offset if self.ppm is None else self.market.now

    def absence_is_final_at(self, sent_at: int) -> int:
        return sent_at + AHEAD + WINDOW + MARGIN

    def place(self, request: OrderRequest) -> OrderReport:
        stamp = self.now()
        fault = self._fault(PLACE_FAULTS)
        self._point(f"place {fault}")
        if fault in ("busy", "unsent"):
            raise RateLimitedError("busy", 1.0) if fault == "busy" else ExchangeUnreachableError("no route")
        if fault in ("drop", "late"):
            if fault == "late":
                arrives = self.market.now + self.rng.randint(500, 12_000)
                self.market.on_the_way.append((arrives, lambda: self.market.place(request, stamp)))
            self.market.advance(1000)
            raise OrderUnknownError("no answer")
        self.market.advance(30)
        order = self._processed(fault, lambda: self.market.place(request, stamp))
        self._point("placed")
        return self._answer(order, fault)

    def find(self, symbol: str, client_order_id: str) -> OrderReport | None:
        fault = self._travel("find", 40, ("fail", "foreign"))
        order = self.market.find(symbol, client_order_id)
        return None if order is None else self._answer(order, fault)

    def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        fault = self._fault(("drop", "lost", "unsent", "foreign"))
        self._point(f"cancel {fault}")
        if fault == "unsent":
            raise ExchangeUnreachableError("no route")
        self.market.advance(500 if fault == "drop" else 30)
        if fault == "drop":
            raise OrderUnknownError("no answer")
        order = self._processed(fault, lambda: self.market.cancel(symbol, client_order_id))
        self._point("cancelled")
        return self._answer(order, fault)

    def change(self, symbol: str, client_order_id: str, amount: Decimal, terms: Terms) -> None:
        fault = self._fault(("drop", "lost", "unsent"))
        self._point(f"change {fault}")
        if fault == "unsent":
            raise ExchangeUnreachableError("no route")
        self.market.advance(500 if fault == "drop" else 30)
        if fault == "drop":
            raise OrderUnknownError("no answer")
        self._processed(fault, lambda: self.market.change(symbol, client_order_id, amount, terms))
        self._point("changed")

    def crowded(self, symbol: str) -> str:
        return self.market.crowded.get(symbol, "")

    def shut(self) -> str:
        return self.market.mode

    def open_orders(self) -> list[OrderReport]:
        self._travel("open orders")
        found = [one for one in self.market.orders if one.standing is OrderNews.OPEN]
        return [report_of(one) for one in found if one.seen_from <= self.market.now]

    def fills(self, symbol: str, after: str | None) -> list[Execution]:
        fault = self._travel("fills", 40, ("fail", "doubled", "short"))
        names = [one.fill.id for _, one in self.market.trades]
        later = self.market.trades[names.index(after) + 1 if after in names else 0 :]
        shown = [
            one for seen_from, one in later if seen_from <= self.market.now and one.fill.symbol == symbol
        ]
        if fault == "short":
            return shown[: len(shown) // 2]
        return [one for one in shown for _ in range(2 if fault == "doubled" else 1)]

    def newest_fill(self, symbol: str) -> str:
        found = self.fills(symbol, None)
        return found[-1].fill.id if found else ""

    def balances(self) -> dict[str, Balance]:
        self._travel("balances")
        return {asset: Balance(total, D(0)) for asset, total in self.market.totals.items() if total}

    def transfers(self) -> list[Transfer] | None:
        if not self.lists:
            return None
        self._travel("transfers")
        return list(self.market.transfers)

    def _processed(self, fault: str, act: Callable[[], Placed]) -> Placed:
        try:
            order = act()
        except AuthenticationError:
            self._forget()
            raise
        if fault == "lost":
            self.market.advance(1000)
            raise OrderUnknownError("the answer was lost")
        return order

    def _answer(self, order: Placed, fault: str) -> OrderReport:
        report = report_of(order)
        if fault == "blank":
            return OrderReport("", report.client_order_id, report.symbol, report.side, *_rest(report))
        if fault == "foreign":
            return OrderReport(
                "999999", "somebody-elses", report.symbol, report.side, OrderNews.FILLED, D(1), D(1)
            )
        return report

    def _travel(self, what: str, ms: int = 40, faults: tuple[str, ...] = ("fail",)) -> str:
        self._point(what)
        self.market.advance(ms)
        fault = self._fault(faults, 0.4)
        if fault == "fail":
            raise ExchangeUnreachableError(f"{what}: no usable answer")
        self._point(f"{what} answered")
        return fault

    def _fault(self, kinds: tuple[str, ...], share: float = 1.0) -> str:
        fault = ""
        if self.next_fault in kinds:
            fault, self.next_fault = self.next_fault, ""
        elif self.rng.random() < self.rate * share:
            fault = self.rng.choice(kinds)
        if fault:
            self.faults[fault] += 1
        return fault

    def _point(self, what: str) -> None:
        self.point(what)


def _rest(report: OrderReport) -> tuple[OrderNews, Decimal, Decimal]:
    return report.standing, report.amount, report.filled


def report_of(order: Placed) -> OrderReport:
    """Return an order as the market tells it."""
    request = order.request
    names = (order.id, request.client_order_id, request.symbol, request.side)
    return OrderReport(*names, order.standing, request.amount, order.filled, (), request.terms.stop)
