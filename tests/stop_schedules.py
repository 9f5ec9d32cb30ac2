"""Seeded lives with stops that rest: nothing oversold, nothing doubled, nothing unprotected for long.

What is wrong is looked for at the market after each of its moves, whatever the process thinks. That something
is unprotected counts where the process can help it: in quiet stretches, without faults, kills and refusals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from core.account.messages import MARKET, OrderNews, Terms
from core.account.orders import Approved, Intent, Purpose
from core.account.values import Held
from core.order_path.intents import intent_of
from core.order_path.ledger import assets_of
from core.order_path.path import OrderPath
from core.order_path.protecting import Protecting, StopTerms
from core.order_path.protection import Cover, Stop, stop_of
from db.journal import Journal
from tests.kraken_model import KrakenLine
from tests.order_model import PRICES, SYMBOLS, Line, Market
from tests.order_schedules import ACCOUNT, Schedule, Wanted, intent, meddle
from tests.stop_model import AT_MARKET, LIMITED, KrakenStopMarket, StopMarket

D = Decimal
STRATEGIES = ("trend", "revert", "grid", "dice")
LONGEST = 5000
"""Milliseconds that a position may be unprotected while the venue answers."""
SETTLES = 25_000
"""Milliseconds after which what faults left behind is known."""
PATIENCE = 3000
MakeProtecting = Callable[[OrderPath, StopTerms], Protecting]


@dataclass
class StopSchedule(Schedule):
    """One seed of it."""

    protect: MakeProtecting = Protecting
    wrong: list[str] = field(default_factory=list)
    replaced: int = 0
    longest: int = 0
    """Milliseconds for which a position was unprotected at most, in quiet stretches."""

    def __post_init__(self) -> None:
        super().__post_init__()
        market = self.market
        if not isinstance(market, StopMarket):
            raise TypeError("no market with stops")
        self.stops = market
        self.terms = StopTerms((AT_MARKET if self.venue == "kraken" else LIMITED).get, patience_ms=PATIENCE)
        self.wanted = self.wishes()
        self.levels = {
            (name, symbol): D(str(self.rng.uniform(0.85, 0.97))) for name in STRATEGIES for symbol in SYMBOLS
        }
        """How far below the price each stop lies."""
        self.sales: list[Intent] = []
        """What a stop that was refused or jumped over made the program sell at the market."""
        self.owners: dict[str, Held] = {}
        self.naked: dict[Held, int] = {}
        self.has: defaultdict[Held, Decimal] = defaultdict(Decimal)
        self.counted = 0
        """So many of the market's executions are in `has`."""
        self.quiet_since: int | None = None
        self.protecting: Protecting | None = None
        market.on_change = self.look

    def kinds(self) -> tuple[type[Market], type[Line]]:
        """Return the kinds of market and line that the venue has."""
        return (KrakenStopMarket, KrakenLine) if self.venue == "kraken" else (StopMarket, Line)

    def wishes(self) -> list[Wanted]:
        """Return entries and exits within two minutes."""
        found = []
        for number in range(self.rng.randint(8, 18)):
            symbol = self.rng.choice(("BTC/USDT", "BTC/USDT", *SYMBOLS))
            purpose = self.rng.choice((Purpose.ENTRY, Purpose.ENTRY, Purpose.EXIT))
            amount, at = (
                D(self.rng.randint(100, 20_000)) / 100_000,
                self.market.now + self.rng.randint(8000, 110_000),
            )
            approved = intent(
                number,
                "buy" if purpose is Purpose.ENTRY else "sell",
                amount,
                symbol,
                purpose,
                at,
                self.rng.choice((3000, 30_000, 60_000)),
                self.rng.choice(STRATEGIES),
            )
            cancel_at = at + self.rng.randint(500, 20_000) if self.rng.random() < 0.2 else None
            found.append(
                Wanted(
                    at, approved, self.rng.choice((MARKET, MARKET, Terms("limit", PRICES[symbol]))), cancel_at
                )
            )
        return found

    def intents(self, journal: Journal) -> list[Intent]:
        """Return all that was ever wanted, stops too."""
        rests = [intent_of(one) for one in journal.intents() if one.leg.startswith("rest")]
        return [*super().intents(journal), *rests, *self.sales]

    def expected(self) -> tuple[str, ...]:
        """Return the kinds of what a person may be told."""
        return (*super().expected(), "stop")

    def run(self) -> list[str]:
        """Run it to its quiet end and return what is wrong then."""
        for _ in range(2):
            self.rough(self.rng.randint(6, 14))
            self.calm()
        self.rough(6)
        self.quiet_since = None
        return [*self.wrong, *self.end()]

    def rough(self, steps: int) -> None:
        """Live through faults, kills, clock steps and what others do."""
        self.line.rate, self.market.refuses, self.quiet_since = self.rate, 0.04, None
        for _ in range(steps):
            if self.rng.random() < 0.1:
                self.line.skew += self.rng.choice(self.clock_steps)
            if self.meddling is not None and self.meddling.random() < 0.2:
                self.meddled += 1
                meddle(self.market, self.meddling)
            self.happen()
            self.live(self.rng.random() < 0.15)
            self.market.advance(self.rng.randint(100, 2500))

    def calm(self) -> None:
        """Live without faults: now nothing may be unprotected for long."""
        self.line.rate, self.market.refuses = 0.0, 0.0
        dies_at, self.dies_at, wakes_at, self.wakes_at = self.dies_at, set(), self.wakes_at, set()
        self.quiet_since = self.market.now
        for _ in range(60):
            self.happen()
            self.live(self.rng.random() < 0.1)
            self.market.advance(self.rng.randint(100, 900))
        later = self.points
        self.dies_at = {later + self.rng.randint(20, 900) for _ in dies_at}
        self.wakes_at = {later + self.rng.randint(20, 900) for _ in wakes_at}
        self.quiet_since = None

    def happen(self) -> None:
        """Let a stop be moved, all of them expire, or a person cancel them."""
        if self.rng.random() < 0.15:
            held = self.rng.choice(list(self.levels))
            self.levels[held] = min(self.levels[held] * D("1.01"), D("0.99"))
        if self.rng.random() < 0.02:
            self.stops.expire()
        if self.rng.random() < 0.02:
            for order in self.stops.stops():
                order.standing = OrderNews.CANCELED
        if self.rng.random() < 0.01:
            # A price that falls below a stop before the stop is moved there.
            self.levels[self.rng.choice(list(self.levels))] = D("1.01")

    def live(self, reconcile: bool = False) -> None:
        """Do what the loop does once, or die on the way."""
        super().live(reconcile)
        if self.path is None:
            self.protecting = None

    def work(self, path: OrderPath, reconcile: bool) -> None:
        """Reconcile, protect, and trade as the desk does: what is sold is not protected any more before."""
        if reconcile or not path.ready:
            path.reconcile(SYMBOLS)
        if not path.ready:
            return
        if self.protecting is None:
            self.protecting = self.protect(path, self.terms)
        exits = self.submit_entries(path)
        self.guard(path, self.protecting, exits)
        for one in exits:
            if self.protecting.of((one.strategy, one.symbol)) is None:
                path.submit(Approved(one))
        for wish in self.wanted:
            if (
                wish.cancel_at is not None
                and wish.cancel_at <= self.market.now
                and path.order(wish.approved.intent.key)
            ):
                path.cancel(wish.approved.intent.key)
        path.step()
        self.guard(path, self.protecting, [one for one in exits if path.order(one.key) is None])

    def submit_entries(self, path: OrderPath) -> list[Intent]:
        """Submit what is to be entered, and return what is to be left and was not ordered yet."""
        exits = [
            one for one in self.sales if path.order(one.key) is None and self.market.now <= one.valid_until
        ]
        for one in self.wanted:
            wish = one.approved.intent
            if not one.at <= self.market.now <= wish.valid_until:
                continue
            if wish.purpose is Purpose.ENTRY:
                path.submit(one.approved, one.terms)
            elif path.order(wish.key) is None:
                exits.append(wish)
        return exits

    def guard(self, path: OrderPath, protecting: Protecting, exits: Collection[Intent]) -> None:
        """Let stops rest, and sell what they cannot any more."""
        now = self.market.now
        for order in protecting.resting():
            placed = self.market.find(order.symbol, order.client_order_id)
            if placed is not None and placed.id in self.stops.reached:
                held = self.owner(order.client_order_id)
                protecting.waits(held, float(order.stop or 0), now)
        sold = [self.owner(order.client_order_id) for order in protecting.overdue(now)]
        leaving = {(one.strategy, one.symbol) for one in exits} | set(sold)
        at_once = protecting.step(lambda: self.guards(path), leaving, now)
        for held in {*sold, *(one.held for one in at_once)}:
            if not any((one.strategy, one.symbol) == held and now <= one.valid_until for one in self.sales):
                # A price of a moment.
                self.levels[held] = min(self.levels[held], D("0.95"))
                self.sales.append(self.sale(path, held))

    def sale(self, path: OrderPath, held: Held) -> Intent:
        """Return what sells a position at the market."""
        amount = max(path.position(held[1], held[0]), D("0.00001"))
        one = intent(
            1000 + len(self.sales), "sell", amount, held[1], Purpose.STOP, self.market.now, 20_000, held[0]
        )
        return one.intent

    def guards(self, path: OrderPath) -> list[Cover]:
        """Return what is held, with its stop."""
        return [
            Cover(*held, "1m", amount, PRICES[held[1]] * self.levels[held])
            for held, amount in path.positions().items()
            if amount > 0
        ]

    def owner(self, name: str) -> Held:
        """Return whose an order is."""
        if name not in self.owners:
            journal = Journal(self.connection, ":memory:", ACCOUNT)
            order = journal.order(name)
            if order is None:
                return ("nobody", "")
            wish = journal.intent(order.intent_key)
            self.owners[name] = wish.strategy, wish.symbol
        return self.owners[name]

    def look(self) -> None:
        """Look at the market: what is for sale, doubled or unprotected."""
        selling: defaultdict[Held, Decimal] = defaultdict(Decimal)
        count: defaultdict[Held, int] = defaultdict(int)
        for order in self.market.orders:
            name = order.request.client_order_id
            if (
                order.standing is OrderNews.OPEN
                and order.request.side == "sell"
                and not name.startswith("web_")
            ):
                held = self.owner(name)
                selling[held] += order.request.amount - order.filled
                count[held] += order in self.stops.stops()
        has = self.executed()
        for held, amount in selling.items():
            if amount > has[held]:
                self.note(f"{held}: {amount} is for sale, {has[held]} is held")
        self.note_all(f"{held}: {number} stops rest" for held, number in count.items() if number > 1)
        if self.stops.too_many:
            self.note("more stops were asked for than the venue takes")
        self.look_for_naked()

    def rests(self, held: Held, stop: Stop) -> bool:
        """Return whether a stop as it should be rests at the market, or one whose price was reached."""
        return any(
            self.owner(one.request.client_order_id) == held
            and one.request.amount - one.filled >= stop.amount
            and (one.id in self.stops.reached or one.request.terms.stop == stop.trigger)
            for one in self.stops.stops()
        )

    def note_all(self, found: Iterable[str]) -> None:
        for text in found:
            self.note(text)

    def note(self, text: str) -> None:
        if text not in self.wrong:
            self.wrong.append(text)

    def executed(self) -> dict[Held, Decimal]:
        """Return what the market executed for each strategy, less fees in the coin."""
        names = {one.id: one.request.client_order_id for one in self.market.orders}
        for _, (order_id, fill) in self.market.trades[self.counted :]:
            if not names[order_id].startswith("web_"):
                fee = fill.fee if fill.fee_asset == assets_of(fill.symbol)[0] else D(0)
                moved = (fill.amount if fill.side == "buy" else -fill.amount) - fee
                self.has[self.owner(names[order_id])] += moved
        self.counted = len(self.market.trades)
        return self.has

    def look_for_naked(self) -> None:
        """Note what is unprotected for too long while the process can help it."""
        path, quiet = self.path, self.quiet_since
        if path is None or quiet is None or not path.ready or self.meddling is not None:
            self.naked.clear()
            return
        now = self.market.now
        for guard in self.guards(path):
            held = guard.held
            rules = self.terms.rules(guard.symbol)
            stop = "none" if rules is None else stop_of(guard, rules, self.terms.gap)
            of_symbol = [one for one in self.stops.stops() if one.request.symbol == guard.symbol]
            full = self.stops.most is not None and len(of_symbol) >= self.stops.most
            leaving = any(
                (one.strategy, one.symbol) == held and now <= one.valid_until + LONGEST for one in self.sales
            )
            wishes = [one.approved.intent for one in self.wanted]
            leaving = leaving or any(
                (one.strategy, one.symbol) == held
                and one.purpose is not Purpose.ENTRY
                and one.created_at <= now <= one.valid_until
                for one in wishes
            )
            if isinstance(stop, str) or full or leaving or self.rests(held, stop):
                self.naked.pop(held, None)
                continue
            since = max(self.naked.setdefault(held, now), quiet + SETTLES)
            self.longest = max(self.longest, now - since)
            if now - since > LONGEST:
                self.note(f"{held}: {guard.amount} was unprotected for {now - since} ms")
        for held in self.naked.keys() - {one.held for one in self.guards(path)}:
            del self.naked[held]
