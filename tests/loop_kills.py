"""Kill the loop of an account again and again, on paper and at the local exchange; see what it leaves."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import ccxt

from core.account.orders import PART, whole_key
from core.exchange_sim.accounts import TEST_KEY, AccountConfig
from core.exchange_sim.faults import TRADING_PATHS, FaultSchedule
from core.exchange_sim.server import BINANCEUS, KRAKEN, RunningSim, SimConfig, serve
from core.order_path.audit import AtExchange, check_books
from core.order_path.journal_view import Mirror
from core.utils import Clock, now_ms
from db import live
from db.base import open_engine
from db.init_db import init_db
from db.journal import Journal, open_journal
from tests import exchange_loop, loop_process
from tests.order_kills import KILLED, KINDS, fill_name, last_life
from tests.order_process import ENDLESS, SECRETS

ROOT = Path(__file__).resolve().parents[1]
TABLES = {
    "live_trades": "strategy, symbol, side, amount, entry_ts, exit_ts, entry_price, exit_price, gross, fees",
    "live_fills": "symbol, fill_id, strategy, side, amount, price, fee, ts, reason",
    "live_equity": "ts, equity, cash",
    "live_decisions": "symbol, bar_ts, strategy, action, outcome",
}
GiveBirth = Callable[..., int]


class Kills(NamedTuple):
    """What came of it."""

    wrong: list[str]
    ends: Counter[int]
    """Exit codes of the lives; -9 was killed."""
    orders: int
    fills: int
    closed_by_breakers: int = 0
    """Trades."""
    parts: Counter[str] = Counter()
    """Orders of algorithms, by kind."""


def kill_on_paper(folder: Path, kills: int, seed: int, bars: int) -> Kills:
    """Let a loop be killed so many times, then finish, and return what differs from a loop that was not."""
    rng = random.Random(seed)
    killed, whole = (fresh_database(folder, name) for name in ("killed", "whole"))
    ends: Counter[int] = Counter()
    with nursery("tests.loop_process", str(bars)) as give_birth:
        first = give_birth(whole, 0, 0)
        share, lives = 80 * bars // max(1, kills), 0
        while ends[KILLED] < kills and lives < 3 * kills:
            lives += 1
            points = rng.randint(1, 200) if rng.random() < 0.3 else rng.randint(200, 200 + share)
            ends[give_birth(killed, *((points, 0) if rng.random() < 0.8 else (0, rng.randint(20, 200))))] += 1
        last = give_birth(killed, 0, 0)
    failed = [f"{which} life ended with {code}" for which, code in (("whole", first), ("last", last)) if code]
    closed = [reason for (reason,) in _rows(killed, "live_trades", "reason") if reason == "breaker"]
    return Kills(failed + compare(killed, whole), ends, *counted(killed), len(closed))


def kill_at_exchange(
    folder: Path,
    kills: int,
    seed: int,
    rate: float = 0.15,
    venue: str = BINANCEUS,
    execution: str = exchange_loop.MARKET,
) -> Kills:
    """Let a loop that trades at the local exchange be killed so many times, and return what is wrong then."""
    rng, began, database = random.Random(seed), now_ms(), fresh_database(folder, "exchange")
    account = AccountConfig(balances={"USDT": exchange_loop.CASH, "USD": exchange_loop.CASH})
    faults = FaultSchedule(seed, rate, KINDS, 0.5, TRADING_PATHS)
    clock = exchange_loop.clock_from(began)
    config = SimConfig(clock=clock, account=account, trading_faults=faults, tier=ENDLESS)
    ends: Counter[int] = Counter()
    # An order that an algorithm executes takes more steps, and lives have to see several of them.
    span, last_seconds = (900, 2) if execution == exchange_loop.MARKET else (2_700, 4)
    with serve(config) as sim:
        words = str(began), sim.url, database, venue, execution
        with nursery("tests.exchange_loop", *words) as give_birth:
            lives = 0
            while ends[KILLED] < kills and lives < 3 * kills:
                lives += 1
                points = rng.randint(1, 80) if rng.random() < 0.2 else rng.randint(80, span)
                given = (points, 0, 20) if rng.random() < 0.8 else (0, rng.randint(50, 5 * span // 3), 20)
                ends[give_birth(*given)] += 1
            sim.set_faults(())
            last = last_life(lambda: give_birth(0, 0, last_seconds))
        wrong = [] if last == 0 else [f"the last life ended with {last}"]
        wrong += [*compare_with(sim, database, venue), *compare_with_ccxt(sim.url, database, venue, clock)]
    kinds = Counter(kind for (key, kind) in _rows(database, "orders", "intent_key, kind") if PART in key)
    return Kills(wrong, ends, *counted(database), parts=kinds)


@contextmanager
def nursery(module: str, *words: str) -> Iterator[GiveBirth]:
    """Run the process whose children are killed; yield what lets one live and returns how it ended."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-m", module, *words], cwd=ROOT, **pipes) as process:
        write, read = process.stdin, process.stdout
        if write is None or read is None:
            raise ValueError("the process has no pipes")

        def give_birth(*life: object) -> int:
            write.write(json.dumps(life) + "\n")
            write.flush()
            return int(read.readline())

        yield give_birth
        write.close()


def compare(killed: str, whole: str) -> list[str]:
    """Return where two accounts on paper differ, and what is wrong with either."""
    found = []
    for table, columns in TABLES.items():
        one, other = _rows(killed, table, columns), _rows(whole, table, columns)
        if one != other:
            first = next((pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]), "the end")
            found.append(f"{table}: {len(one)} and {len(other)} rows, differing at {first}")
    kept, wanted = _kept(killed, loop_process.ACCOUNT), _kept(whole, loop_process.ACCOUNT)
    found += [f"{name}: {kept[name]} and {wanted[name]}" for name in kept if kept[name] != wanted[name]]
    for url in (killed, whole):
        found += books(url, loop_process.ACCOUNT)
    fills = "id, amount, price, fee, time"
    if _rows(killed, "fills", fills) != _rows(whole, "fills", fills):
        found.append("the journals have other fills")
    return found


def compare_with(sim: RunningSim, database: str, venue: str) -> list[str]:
    """Return where an account and the exchange differ."""
    there = sim.books(venue)
    placed = [order.client_id for orders in there.orders.values() for order in orders.values()]
    found = [f"order {name} was placed {count} times" for name, count in Counter(placed).items() if count > 1]
    exchange = AtExchange(
        set(placed),
        {order.client_id for order in there.open_orders()},
        {asset: one.free + one.locked for asset, one in there.wallet.all().items()},
    )
    found += books(database, exchange_loop.ACCOUNT, exchange)
    executed = sorted(
        (symbol, fill_name(one, venue)) for symbol, all_of in there.trades.items() for one in all_of
    )
    booked = _rows(database, "fills", "symbol, id")
    if booked != sorted(executed, key=repr):
        found.append(f"{len(booked)} fills booked of {len(executed)}")
    told = _rows(database, "live_fills", "symbol, fill_id")
    if told != booked:
        found.append(f"{len(told)} fills told of {len(booked)} booked")
    bars = _rows(database, "live_equity", "ts")
    missed = {int(ts) for (ts,) in bars} ^ set(range(bars[0][0], bars[-1][0] + 1, exchange_loop.MINUTE))
    if missed or len(set(bars)) != len(bars):
        found.append(f"{len(bars)} bars decided on, {len(missed)} missed, {len(bars) - len(set(bars))} twice")
    return found


def compare_with_ccxt(address: str, database: str, venue: str, clock: Clock) -> list[str]:
    """Return where the books differ from what plain ccxt says, and what still rests there."""
    names = ("public", "private")
    urls = dict.fromkeys(names, address if venue == KRAKEN else f"{address}/api/v3")
    known = {"apiKey": TEST_KEY, "secret": SECRETS[venue], "enableRateLimit": False}
    exchange = getattr(ccxt, venue)({**known, "urls": {"api": urls}, "options": {"recvWindow": 60_000}})
    exchange.milliseconds = clock
    exchange.options["fetchOpenOrders"] = {"warnWithoutSymbol": False}
    # Kraken wants each nonce above all before it, whoever made those.
    nonces = count(10 * clock() * 1_000)
    exchange.nonce = (lambda: next(nonces)) if venue == KRAKEN else clock
    with closing(exchange.session):
        there = {name: Decimal(str(value)) for name, value in exchange.fetch_balance()["total"].items()}
        found = [f"{one['symbol']}: order {one['id']} still rests" for one in exchange.fetch_open_orders()]
    journal = open_journal(database, exchange_loop.ACCOUNT)
    try:
        here = Mirror(journal).books.totals()
        found += _too_much(journal)
    finally:
        journal.close()
    if _held(there) != _held(here):
        found.append(f"ccxt says {_held(there)}, the books {_held(here)}")
    return found


def _too_much(journal: Journal) -> list[str]:
    """Return what was executed of wishes beyond what was wanted, a line each."""
    wanted = {one.key: one.amount for one in journal.intents() if PART not in one.key}
    done: dict[str, Decimal] = {}
    for order in journal.orders():
        if PART in order.intent_key:
            key = whole_key(order.intent_key)
            done[key] = done.get(key, Decimal(0)) + order.filled
    return [f"{key}: {done[key]} of {wanted[key]}" for key in done if done[key] > wanted[key]]


def books(url: str, account: str, exchange: AtExchange | None = None) -> list[str]:
    """Return what is wrong in a journal, and where account and journal differ."""
    journal = open_journal(url, account)
    try:
        found = check_books(journal, exchange)
        held, kept = Mirror(journal).positions(), _kept(url, account)
        mine: dict[str, Decimal] = {}
        for one in kept["lots"]:
            for lot in one["lots"]:
                # What is too little for an order belongs to nobody in the account.
                amount = lot["side"] * Decimal(lot["amount"])
                mine[one["symbol"]] = mine.get(one["symbol"], Decimal(0)) + amount
        theirs: dict[str, Decimal] = {}
        for (_, symbol), amount in held.items():
            theirs[symbol] = theirs.get(symbol, Decimal(0)) + amount
        if _held(mine) != _held(theirs):
            found.append(f"the journal holds {_held(theirs)}, the account {_held(mine)}")
        if kept["fills"] != len(journal.fills()):
            found.append(f"{kept['fills']} of {len(journal.fills())} fills were told")
        found += [f"adjusted: {row.txn}" for row in journal.postings() if row.txn.startswith("adjust|")]
        return found
    finally:
        journal.close()


def _held(amounts: dict[str, Decimal]) -> dict[str, Decimal]:
    return {symbol: amount for symbol, amount in amounts.items() if amount}


def fresh_database(folder: Path, name: str) -> str:
    """Make a database in a folder and return its address."""
    url = f"sqlite:///{folder / name}.db"
    init_db(url).dispose()
    return url


def _rows(url: str, table: str, columns: str) -> list[tuple[Any, ...]]:
    """Return what a table holds, in a fixed order."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return sorted(connection.execute(f"SELECT {columns} FROM {table}").fetchall(), key=repr)


def counted(url: str) -> tuple[int, int]:
    """Return how many orders and fills a journal has."""
    return len(_rows(url, "orders", "client_order_id")), len(_rows(url, "fills", "id"))


def _kept(url: str, account: str) -> dict[str, Any]:
    """Return the account as it was kept last."""
    engine = open_engine(url)
    try:
        kept: dict[str, Any] = live.read_state(engine, account)["session"]
        return kept
    finally:
        engine.dispose()
