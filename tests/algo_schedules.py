"""Seeded lives of orders that algorithms execute: nothing too much, nothing twice, and soon over.

What is wrong is looked for at the market after each of its moves, whatever the process thinks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from core.account.messages import MARKET, OrderNews, OrderRequest
from core.account.orders import Intent, Purpose, whole_key
from core.errors import OrderRefusedError
from core.execution_algos.machines import AlgoTerms, machine_of
from core.execution_algos.values import BookOffer, LocalBook, Machine, OrderGrid
from core.order_path.intents import intent_of
from core.order_path.path import OrderPath
from core.order_path.working import Working, WorkTerms
from db.journal import Journal
from tests.kraken_model import KrakenLine, KrakenMarket
from tests.order_model import PRICES, SYMBOLS, Line, Market, Placed
from tests.order_schedules import ACCOUNT, Schedule, Wanted, intent, meddle

D = Decimal
TICKS = {"BTC/USDT": D("0.01"), "ETH/USDT": D("0.01"), "ETH/BTC": D("0.00001")}
STRATEGIES = {"trend": "limit_chase", "revert": "split", "grid": "twap", "dice": "market"}
TERMS = AlgoTerms(3_000, 10_000, D("0.001"), 2_000, 12_000, 4, 12_000)
MakeWorking = Callable[[OrderPath, WorkTerms], Working]


@dataclass
class AlgoMarket(Market):
    """It refuses a maker that would take, and executes at once what a limit reaches of its book."""

    on_change: Callable[[], None] = lambda: None
    refused_makers: int = 0

    def gap(self, symbol: str) -> Decimal:
        """Return how far its best prices are from the middle now."""
        return TICKS[symbol] * (1 + self.now // 700 % 3)

    def book(self, symbol: str) -> LocalBook | None:
        """Return what is offered, nothing at times."""
        if self.now // 900 % 7 == 0:
            return None
        sides = []
        for sign in (-1, 1):
            best = PRICES[symbol] + sign * self.gap(symbol)
            levels = ((best + sign * n * TICKS[symbol], D("0.02") * (n + 1)) for n in range(3))
            sides.append(tuple(BookOffer(price, amount) for price, amount in levels))
        return LocalBook(sides[0], sides[1], self.now)

    def place(self, request: OrderRequest, stamp: int) -> Placed:
        """Take an order, or refuse it."""
        sign, price = (1 if request.side == "buy" else -1), request.terms.price
        reaches = price is not None and sign * (price - PRICES[request.symbol]) >= self.gap(request.symbol)
        # Its book moved meanwhile, now and then.
        if request.terms.kind == "maker" and (reaches or self.rng.random() < 0.15):
            self.refused_makers += 1
            raise OrderRefusedError("Order would immediately match and take.")
        order = super().place(request, stamp)
        if request.terms.kind == "limit" and reaches:
            self.execute(order, self.part(request.amount))
        self.on_change()
        return order

    def advance(self, ms: int) -> None:
        """Let time pass."""
        super().advance(ms)
        self.on_change()


class KrakenAlgoMarket(AlgoMarket, KrakenMarket):
    """The same with Kraken's ways."""


@dataclass
class AlgoSchedule(Schedule):
    """One seed of it."""

    work_with: MakeWorking = Working
    wrong: list[str] = field(default_factory=list)
    working: Working | None = None
    handed_over: dict[str, Wanted] = field(default_factory=dict)
    """By key: what a snapshot keeps until somebody knows that it is over."""
    taken_back: dict[str, int] = field(default_factory=dict)
    """By key: how many parts there were then."""

    def __post_init__(self) -> None:
        super().__post_init__()
        market = self.market
        if not isinstance(market, AlgoMarket):
            raise TypeError("no market with a book")
        self.there = market
        self.wanted = self.wishes()
        self.amounts = {one.approved.intent.key: one.approved.intent.amount for one in self.wanted}
        self.keys: dict[str, str] = {}
        market.on_change = self.look

    def kinds(self) -> tuple[type[Market], type[Line]]:
        """Return the kinds of market and line that the venue has."""
        return (KrakenAlgoMarket, KrakenLine) if self.venue == "kraken" else (AlgoMarket, Line)

    def wishes(self) -> list[Wanted]:
        """Return entries and exits within a minute."""
        found = []
        for number in range(self.rng.randint(4, 9)):
            purpose = self.rng.choice((Purpose.ENTRY, Purpose.ENTRY, Purpose.EXIT))
            amount, at = (
                D(self.rng.randint(100, 30_000)) / 100_000,
                self.market.now + self.rng.randint(8000, 40_000),
            )
            approved = intent(
                number,
                "buy" if purpose is Purpose.ENTRY else "sell",
                amount,
                self.rng.choice(SYMBOLS),
                purpose,
                at,
                self.rng.choice((5000, 60_000, 300_000)),
                self.rng.choice(tuple(STRATEGIES)),
            )
            cancel_at = at + self.rng.randint(500, 15_000) if self.rng.random() < 0.2 else None
            found.append(Wanted(at, approved, MARKET, cancel_at))
        return found

    def machine(self, strategy: str) -> Machine:
        """Return how a strategy executes."""
        return machine_of(STRATEGIES[strategy], TERMS)

    def grid(self, symbol: str) -> OrderGrid:
        """Return what the market demands."""
        return OrderGrid(TICKS[symbol], D("0.00001"), D("0.00001"), None)

    def live(self, reconcile: bool = False) -> None:
        """Do what the loop does once, or die on the way."""
        before = self.path
        super().live(reconcile)
        if self.path is not before or self.path is None:
            self.working = None

    def work(self, path: OrderPath, reconcile: bool) -> None:
        """Reconcile, hand over what was decided, and let the algorithms look."""
        if reconcile or not path.ready:
            path.reconcile(SYMBOLS)
        if not path.ready:
            return
        if self.working is None:
            terms = WorkTerms(self.machine, self.grid, self.there.book)
            self.working = self.work_with(path, terms)
            self.resume(path, self.working)
        self.hand_over(path, self.working)
        path.step()
        self.working.step(is_told=True)
        path.take_fills()

    def resume(self, path: OrderPath, working: Working) -> None:
        """Go on with what a former process had, as the desk does."""
        for key, one in self.handed_over.items():
            if path.order(key) is None:
                working.begin(one.approved)
            else:
                working.drop_parts(key)

    def hand_over(self, path: OrderPath, working: Working) -> None:
        """Begin what is due, and take back what is not wanted any more."""
        for one in self.wanted:
            wanted = one.approved.intent
            is_new = wanted.key not in self.handed_over
            if is_new and one.at <= self.market.now <= wanted.valid_until:
                self.handed_over[wanted.key] = one
                working.begin(one.approved)
            if one.cancel_at is not None and one.cancel_at <= self.market.now and wanted.key in working:
                working.take_back(wanted.key, "taken back")
                self.taken_back.setdefault(wanted.key, self.parts(path, wanted))

    def parts(self, path: OrderPath, wanted: Intent) -> int:
        """Return how many parts there are."""
        number = 0
        while path.order(wanted.part(number + 1).key) is not None:
            number += 1
        return number

    def intents(self, journal: Journal) -> list[Intent]:
        """Return all that was ever wanted, parts too."""
        return [intent_of(one) for one in journal.intents()]

    def run(self) -> list[str]:
        """Run it to its quiet end and return what is wrong then."""
        for number in range(self.steps):
            if number % 9 == 5:
                self.line.skew += self.rng.choice(self.clock_steps)
            if self.meddling is not None and self.meddling.random() < 0.2:
                self.meddled += 1
                meddle(self.market, self.meddling)
            self.live(self.rng.random() < 0.15)
            self.market.advance(self.rng.randint(100, 2500))
        self.settle()
        return [*self.wrong, *self.end(), *self.over()]

    def settle(self) -> None:
        """Let the faults stop and every work have its time, and its attempts their pauses."""
        self.line.rate, self.dies_at = 0.0, set()
        for _ in range(60):
            self.live()
            self.market.advance(2000)
            if self.working is not None and not any(True for _ in self.working.works()):
                break

    def over(self) -> list[str]:
        """Return the works that are not over though nothing kept them, and those that went on."""
        journal = Journal(self.connection, ":memory:", ACCOUNT)
        path = OrderPath(journal, self.line, "test")
        found = []
        for key, one in self.handed_over.items():
            parts = [order for order in journal.orders() if whole_key(order.intent_key) == key]
            filled = sum((order.filled for order in parts), D(0))
            is_concluded = any(order.intent_key == key for order in parts)
            if not is_concluded and filled < one.approved.intent.amount:
                found.append(f"{key} has {filled} and is not over")
        left = (one.request for one in self.market.orders if one.standing is OrderNews.OPEN)
        names = [one.client_order_id for one in left if not one.client_order_id.startswith("web_")]
        found += [f"an order of {self.key_of(name)} rests though it is over" for name in names]
        for key, count in self.taken_back.items():
            if self.parts(path, self.handed_over[key].approved.intent) != count:
                found.append(f"{key} went on though it was taken back")
        return found

    def key_of(self, name: str) -> str:
        """Return what an order is a part of."""
        if name not in self.keys:
            order = Journal(self.connection, ":memory:", ACCOUNT).order(name)
            if order is None:
                return ""
            self.keys[name] = whole_key(order.intent_key)
        return self.keys[name]

    def look(self) -> None:
        """Look at the market: what is asked for of each work, with what it has."""
        asked: defaultdict[str, Decimal] = defaultdict(Decimal)
        count: defaultdict[str, int] = defaultdict(int)
        for order in self.market.orders:
            name = order.request.client_order_id
            if not name.startswith("web_"):
                key, is_open = self.key_of(name), order.standing is OrderNews.OPEN
                asked[key] += order.request.amount if is_open else order.filled
                count[key] += is_open
        for key, amount in asked.items():
            if amount > self.amounts.get(key, D(0)):
                self.note(f"{key}: {amount} is asked for or executed, {self.amounts.get(key)} was wanted")
            if count[key] > 1:
                self.note(f"{key}: {count[key]} orders are open")

    def note(self, text: str) -> None:
        if text not in self.wrong:
            self.wrong.append(text)
