"""Seeded lives of the order path: what is wanted, when it is killed, how the line breaks, and the oracle."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from sqlite3 import Cursor
from typing import NamedTuple

from core.account.messages import MARKET, OrderNews, Terms, TransferKind
from core.account.orders import Approved, Intent, Purpose, Side
from core.order_path.alerts import Alert
from core.order_path.audit import AtExchange, check_books
from core.order_path.client_ids import client_order_id
from core.order_path.path import OrderPath
from core.order_path.transfers import CONVERSIONS, KINDS, TRANSFERS
from db.journal import Journal, memory_journal
from tests.kraken_model import KrakenLine, KrakenMarket
from tests.order_model import PRICES, START, SYMBOLS, Crash, Line, Market

D = Decimal
SMALL = D("0.01")
ACCOUNT, INSTANCE = "model-account", "first"
BALANCES = {"USDT": D("100000"), "BTC": D("0.5"), "ETH": D("3"), "BNB": D("1")}
STRATEGIES = ("trend", "revert")
CLOCK_STEPS = tuple(sign * ms for ms in (1000, 20_000, 58_000, 3_600_000, 86_400_000) for sign in (1, -1))
SLEEPS = (400, 3000, 20_000, 120_000, 3_600_000)
"""Milliseconds."""
MakePath = Callable[[Journal, Line, Callable[[Alert], None]], OrderPath]


class Wanted(NamedTuple):
    """A decision, and when it is made."""

    at: int
    approved: Approved
    terms: Terms
    cancel_at: int | None


class CrashingJournal(Journal):
    """A journal that is killed before and after every statement when its time has come."""

    point: Callable[[str], None] = staticmethod(lambda _: None)

    def _run(self, statement: str, *given: object) -> Cursor:
        self.point(f"before {statement[:20]}")
        cursor = super()._run(statement, *given)
        self.point(f"after {statement[:20]}")
        return cursor


def full_design(journal: Journal, line: Line, notify: Callable[[Alert], None]) -> OrderPath:
    """Return the order path as it is."""
    return OrderPath(journal, line, INSTANCE, notify=notify)


def intent(
    number: int,
    side: Side = "buy",
    amount: Decimal = SMALL,
    symbol: str = "BTC/USDT",
    purpose: Purpose = Purpose.ENTRY,
    at: int = START,
    ttl: int = 60_000,
    strategy: str = "trend",
) -> Approved:
    """Return an approved intent."""
    price = PRICES[symbol]
    wanted = Intent(
        *(strategy, symbol, "1m", START + number * 60_000, purpose, "main", side),
        *(amount, price, "a test", at, at + ttl),
    )
    return Approved(wanted, amount * price if purpose is Purpose.ENTRY else D(0))


def wanted_at_random(rng: random.Random) -> list[Wanted]:
    """Return entries and exits of two strategies in three symbols within twenty seconds."""
    found = []
    for number in range(rng.randint(4, 9)):
        symbol = rng.choice(SYMBOLS)
        purpose = rng.choice((Purpose.ENTRY, Purpose.ENTRY, Purpose.EXIT))
        side: Side = "buy" if purpose is Purpose.ENTRY else "sell"
        amount = D(rng.randint(100, 30_000)) / 100_000
        at, ttl = START + rng.randint(8000, 30_000), rng.choice((3000, 30_000, 300_000))
        approved = intent(number, side, amount, symbol, purpose, at, ttl, rng.choice(STRATEGIES))
        price = PRICES[symbol]
        far = price - D("0.0001") if side == "buy" else price + D("0.0001")
        terms = rng.choice((MARKET, Terms("limit", price), Terms("limit", far)))
        cancel_at = at + rng.randint(500, 20_000) if rng.random() < 0.3 else None
        found.append(Wanted(at, approved, terms, cancel_at))
    return found


@dataclass
class Schedule:
    """One seed: its market, its line, its kills."""

    seed: int
    make: MakePath = full_design
    rate: float = 0.45
    crashes: int = 6
    steps: int = 34
    clock_steps: tuple[int, ...] = (-20_000, 20_000)
    thorough: bool = False
    """Check all books after every step."""
    venue: str = "binanceus"
    """Whose ways market and line have."""
    events: list[Alert] = field(default_factory=list)
    crashed: int = 0
    disturbed: int = 0
    meddled: int = 0
    """What others did on the account."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        market, line = self.kinds()
        self.market = market(random.Random(self.seed + 1))
        self.market.totals.update(BALANCES)
        self.market.lag = self.rng.choice((0, 2000))
        self.market.fee_asset = self.rng.choice(("", "", "BNB"))
        self.line = line(self.market, random.Random(self.seed + 2), self.point)
        self.line.rate = self.rate
        self.thorough = self.thorough or self.seed % 10 == 0
        self.connection = memory_journal(ACCOUNT)._connection
        self.wanted = wanted_at_random(self.rng)
        self.path: OrderPath | None = None
        self.points = 0
        if self.seed % 2 and self.clock_steps != (0,):
            self.line.ppm = self.rng.choice((-500, 0, 500))
        self.meddling = random.Random(self.seed + 3) if self.seed % 3 == 1 else None
        """Others sell, buy, cancel, deposit and withdraw in every third schedule."""
        # Where nothing comes or goes there need be no lists of it.
        self.line.lists = self.meddling is not None
        self.wakes_at = {self.rng.randint(20, 2200) for _ in range(4 if self.line.ppm is not None else 0)}
        self.dies_at = {self.rng.randint(20, 2200) for _ in range(self.crashes)}

    def kinds(self) -> tuple[type[Market], type[Line]]:
        """Return the kinds of market and line that the venue has."""
        return (KrakenMarket, KrakenLine) if self.venue == "kraken" else (Market, Line)

    def point(self, _: str) -> None:
        """Be a place where the process can be killed."""
        self.points += 1
        if self.points in self.wakes_at:
            self.disturb()
        if self.points in self.dies_at:
            self.crashed += 1
            raise Crash

    def disturb(self) -> None:
        """Set the machine's clock, or let it sleep, or do both so that nothing shows."""
        self.disturbed += 1
        slept = self.rng.choice((0, *SLEEPS))
        self.line.sleep(slept)
        self.line.skew += self.rng.choice((0, -slept, *CLOCK_STEPS))

    def journal(self) -> CrashingJournal:
        """Return the journal as a new process opens it."""
        journal = CrashingJournal(self.connection, ":memory:", ACCOUNT)
        journal.point = self.point
        return journal

    def run(self) -> list[str]:
        """Run it to its quiet end and return what is wrong then."""
        steps_at = set(self.rng.sample(range(self.steps), min(4, self.steps)))
        found: list[str] = []
        for number in range(self.steps):
            if number in steps_at:
                self.line.skew += self.rng.choice(self.clock_steps)
            if self.rng.random() < 0.03:
                self.market.by_hand(self.rng.choice(SYMBOLS), self.rng.choice(("buy", "sell")), D("0.001"))
            if self.meddling is not None and self.meddling.random() < 0.2:
                self.meddled += 1
                meddle(self.market, self.meddling)
            late = self.line.faults["late"]
            self.live(self.rng.random() < 0.15)
            if self.line.faults["late"] > late:
                # As when a machine sleeps and wakes up again.
                self.line.skew += self.rng.choice((0, *self.clock_steps))
            if self.thorough and self.path is not None:
                found += check_books(memory_view(self))
            self.market.advance(self.rng.randint(100, 2500))
        return found + self.end()

    def live(self, reconcile: bool = False) -> None:
        """Do what the loop does once, or die on the way."""
        try:
            if self.path is None:
                self.line.restart()
                self.path = self.make(self.journal(), self.line, self.events.append)
            self.work(self.path, reconcile)
        except Crash:
            self.path = None
            if self.connection.in_transaction:
                self.connection.rollback()

    def work(self, path: OrderPath, reconcile: bool) -> None:
        """Reconcile, decide as a strategy does after every restart anew, and step."""
        if reconcile or not path.ready:
            path.reconcile(SYMBOLS)
        if not path.ready:
            return
        for one in self.wanted:
            key = one.approved.intent.key
            if one.at <= self.market.now <= one.approved.intent.valid_until:
                path.submit(one.approved, one.terms)
            if one.cancel_at is not None and one.cancel_at <= self.market.now and path.order(key):
                path.cancel(key)
        path.step()

    def end(self) -> list[str]:
        """Let the faults stop, everything come to rest, and ask the oracle."""
        self.line.rate, self.dies_at, self.market.frozen = 0.0, set(), True
        done = 0
        for _ in range(40):
            self.market.advance(3000)
            self.live(True)
            if self.path is not None and self.path.ready and self.path.reconcile(SYMBOLS).done:
                done += 1
            if done > 8:
                break
        else:
            return [f"it did not come to rest: {self.path and self.path.reconcile()}"]
        return self.verdict()

    def expected(self) -> tuple[str, ...]:
        """Return the kinds of what a person may be told."""
        # An entry that was certainly not placed four times is given up.
        return ("failed",) if self.meddling is None else ("failed", "adjusted", "taken")

    def intents(self, journal: Journal) -> list[Intent]:
        """Return all that was ever wanted."""
        del journal
        return [one.approved.intent for one in self.wanted]

    def verdict(self) -> list[str]:
        """Return what the exchange and the books disagree on."""
        journal = Journal(self.connection, ":memory:", ACCOUNT)
        names = {client_order_id(ACCOUNT, INSTANCE, one.key, n): one
                 for one in self.intents(journal) for n in range(60)}  # fmt: skip
        ours = [one for one in self.market.orders if not one.request.client_order_id.startswith("web_")]
        per: defaultdict[str, int] = defaultdict(int)
        found = []
        for order in ours:
            if order.request.client_order_id not in names:
                found.append(f"nobody wanted order {order.request}")
                continue
            per[names[order.request.client_order_id].key] += 1
        found += [f"{key} has {count} orders" for key, count in per.items() if count > 1]
        there = AtExchange(
            {one.request.client_order_id for one in ours},
            {one.request.client_order_id for one in ours if one.standing is OrderNews.OPEN},
            dict(self.market.totals),
        )
        found += check_books(journal, there)
        booked = [one.id for one in journal.fills() if one.client_order_id is not None]
        mine = {one.id for one in ours}
        executed = [one.fill.id for _, one in self.market.trades if one.order_id in mine]
        if sorted(booked) != sorted(executed):
            found.append(f"fills {booked} booked of {executed}")
        found += [f"adjusted: {row.txn}" for row in journal.postings() if row.txn.startswith("adjust|")]
        told = (event for event in self.events if event.critical and event.kind not in self.expected())
        found += [f"told: {event.text}" for event in told]
        return [*found, *self._positions(journal, names), *self._transfers(journal)]

    def _positions(self, journal: Journal, names: dict[str, Intent]) -> list[str]:
        """Return the positions that differ from what the exchange executed for each strategy."""
        held: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        owners = {one.id: names.get(one.request.client_order_id) for one in self.market.orders}
        for _, (order_id, fill) in self.market.trades:
            owner = owners[order_id]
            if owner is not None:
                base = fill.symbol.partition("/")[0]
                amount = fill.amount if fill.side == "buy" else -fill.amount
                held[owner.strategy, owner.symbol] += amount - (fill.fee if fill.fee_asset == base else 0)
        path, gone = OrderPath(journal, self.line, INSTANCE), defaultdict[str, Decimal](Decimal)
        for one in path.taken():
            held[one.strategy, one.symbol] -= one.amount
            gone[one.symbol.partition("/")[0]] += one.amount
        told = {key: amount for key, amount in held.items() if amount}
        found = [] if path.positions() == told else [f"positions are {path.positions()}, not {told}"]
        mine = {name for name, owner in owners.items() if owner is not None}
        for asset, amount in gone.items():
            most = most_taken(self.market, mine, asset)
            if amount > most:
                found.append(f"{amount} {asset} was taken from claims, not more than {most} was missing")
        return found

    def _transfers(self, journal: Journal) -> list[str]:
        """Return the assets of which other deposits and withdrawals are booked than there were."""
        booked: defaultdict[str, Decimal] = defaultdict(Decimal)
        for row in journal.postings():
            if row.name.partition(":")[0] in KINDS:
                booked[row.asset] -= row.amount
        # What was there at the opening is part of it.
        cursors = journal.cursors()
        before = {name for one in (TRANSFERS, CONVERSIONS) for name in json.loads(cursors.get(one, "{}"))}
        for one in self.market.transfers:
            if f"{one.kind}|{one.asset}|{one.id}" not in before:
                booked[one.asset] -= one.amount
        return [f"{asset}: transfers are off by {amount}" for asset, amount in booked.items() if amount]


def meddle(market: Market, rng: random.Random) -> None:
    """Do what a person does on the account by hand."""
    symbol, share = rng.choice(SYMBOLS), D(rng.choice((10, 50, 100))) / 100
    base, price = symbol.partition("/")[0], PRICES[symbol]
    kind = rng.choice(("sell", "buy", "limit", "cancel", "deposit", "withdraw", "convert", "dust"))
    part = (market.free(base) * share).quantize(D("0.00001"), ROUND_DOWN)
    if kind == "cancel":
        for order in market.orders:
            if order.standing is OrderNews.OPEN:
                order.standing = OrderNews.CANCELED
    elif kind == "deposit":
        market.transfer(rng.choice((*BALANCES, "DOGE")), D(rng.randint(1, 99_999)) / 100_000)
    elif part > 0 and kind == "withdraw":
        market.transfer(base, -part)
    elif part > 0 and kind in ("convert", "dust"):
        what: TransferKind = "dust" if kind == "dust" else "convert"
        market.convert(what, (base, part), (rng.choice(("USDT", "DOGE")), part))
    elif part > 0:
        side: Side = "buy" if kind == "buy" else "sell"
        away = Terms("limit", price + rng.choice((0, 1)) * D("0.0001"))
        market.by_hand(symbol, side, part if side == "sell" else SMALL, away if kind == "limit" else MARKET)


def most_taken(market: Market, ours: Collection[str], asset: str) -> Decimal:
    """Return how much of an asset claims can have lost at most: each time others left too little for them."""
    moved: list[tuple[int, Decimal, Decimal]] = [(one.time, one.amount, D(0))
        for one in market.transfers if one.asset == asset]  # fmt: skip
    for _, (order_id, fill) in market.trades:
        base, quote = fill.symbol.split("/")
        sign = 1 if fill.side == "buy" else -1
        amount = sign * fill.amount if base == asset else D(0)
        amount -= fill.fee if fill.fee_asset == asset else 0
        claimed = amount if base == asset and order_id in ours else D(0)
        amount -= sign * fill.amount * fill.price if quote == asset else 0
        moved.append((fill.time, amount, claimed))
    free, taken = BALANCES.get(asset, D(0)), D(0)
    for _, amount, claimed in sorted(moved, key=lambda one: one[0]):
        before, free = min(free, D(0)), free + amount - claimed
        taken += max(before - min(free, D(0)), D(0))
    return taken


def memory_view(schedule: Schedule) -> Journal:
    """Return the journal for looking at, without kills."""
    return Journal(schedule.connection, ":memory:", ACCOUNT)
