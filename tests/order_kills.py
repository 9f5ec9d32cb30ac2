"""Kill the engine again and again while it trades, and compare its books with the exchange's."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from core.exchange_sim.accounts import AccountConfig
from core.exchange_sim.faults import TRADING_KINDS, TRADING_PATHS, FaultSchedule
from core.exchange_sim.kraken_names import trade_txid
from core.exchange_sim.orders import OwnTrade
from core.exchange_sim.server import BINANCEUS, KRAKEN, RunningSim, SimConfig, serve
from core.order_path.audit import AtExchange, check_books
from core.order_path.client_ids import client_order_id
from core.utils import now_ms
from db.init_db import init_db
from db.journal import open_journal
from tests.order_process import ACCOUNT, ENDLESS, INSTANCE, TIRED, Life, clock_from, wanted

ROOT = Path(__file__).resolve().parents[1]
KINDS = tuple(kind for kind in TRADING_KINDS if kind not in ("delay", "late_answer"))
KILLED = -9
LAST_LIVES = 20
"""That nobody kills: in so many all has to be done."""


class Kills(NamedTuple):
    """What came of it."""

    wrong: list[str]
    ends: Counter[int]
    """Exit codes of the lives; -9 was killed."""
    orders: int
    fills: int
    faults: int


def kill_often(folder: Path, kills: int, seed: int, rate: float = 0.25, venue: str = BINANCEUS) -> Kills:
    """Let an engine be killed so many times, then finish, and return what is wrong."""
    intents = 40 + 2 * kills
    rng, began = random.Random(seed), now_ms()
    database = f"sqlite:///{folder / 'orders.db'}"
    init_db(database).dispose()
    account = AccountConfig(balances={"USDT": Decimal(1_000_000), "USD": Decimal(1_000_000)})
    faults = FaultSchedule(seed, rate, KINDS, 0.5, TRADING_PATHS)
    ends: Counter[int] = Counter()
    config = SimConfig(clock=clock_from(began), account=account, trading_faults=faults, tier=ENDLESS)
    with serve(config) as sim:
        with nursery(sim, database, began, intents, venue) as process:
            lives = 0
            while ends[KILLED] < kills and lives < 3 * kills:
                lives += 1
                points = rng.randint(1, 60) if rng.random() < 0.3 else rng.randint(60, 400)
                ends[give_birth(process, Life(points, 0) if rng.random() < 0.8 else Life(0, points))] += 1
            met = len(sim.faults_met)
            sim.set_faults(())
            last = last_life(lambda: give_birth(process, Life(0, 0)))
        wrong = [] if last == 0 else [f"the last life ended with {last}"]
        wrong += compare(sim, database, intents, venue)
        orders = sum(len(found) for found in sim.books(venue).orders.values())
        fills = sum(len(found) for found in sim.books(venue).trades.values())
        return Kills(wrong, ends, orders, fills, met)


def last_life(live: Callable[[], int]) -> int:
    """Let lives follow each other that nobody kills until all is done; return how the last one ended.

    A life is short, and a busy machine does little in it.
    """
    ends = (live() for _ in range(LAST_LIVES))
    return next((end for end in ends if end != TIRED), TIRED)


@contextmanager
def nursery(
    sim: RunningSim, database: str, began: int, intents: int, venue: str
) -> Iterator[subprocess.Popen[str]]:
    """Run the process whose children are killed."""
    words = (sim.url, database, str(began), str(intents), venue)
    command = [sys.executable, "-m", "tests.order_process", *words]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        if process.stdin:
            process.stdin.close()


def give_birth(process: subprocess.Popen[str], life: Life) -> int:
    """Let a process live, and return how it ended."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("the process has no pipes")
    process.stdin.write(json.dumps(life) + "\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def fill_name(trade: OwnTrade, venue: str) -> str:
    """Return the id that a venue tells of an execution."""
    return trade_txid(trade) if venue == KRAKEN else str(trade.id)


def compare(sim: RunningSim, database: str, intents: int, venue: str) -> list[str]:
    """Return what the books and the exchange disagree on."""
    books = sim.books(venue)
    placed = [order for orders in books.orders.values() for order in orders.values()]
    names = [order.client_id for order in placed]
    found = [f"order {name} was placed {count} times" for name, count in Counter(names).items() if count > 1]
    keys = {
        client_order_id(ACCOUNT, INSTANCE, approved.intent.key, attempt): approved.intent.key
        for approved, _ in wanted(intents, venue)
        for attempt in range(100)
    }
    per = Counter(keys.get(name, f"nobody wanted {name}") for name in names)
    found += [
        f"{key} has {count} orders" for key, count in per.items() if count > 1 or key.startswith("nobody")
    ]
    journal = open_journal(database, ACCOUNT)
    there = AtExchange(
        set(names),
        {order.client_id for order in books.open_orders()},
        {asset: one.free + one.locked for asset, one in books.wallet.all().items()},
    )
    found += check_books(journal, there)
    booked = sorted((fill.symbol, fill.id, fill.amount, fill.price) for fill in journal.fills())
    executed = sorted(
        (symbol, fill_name(one, venue), one.amount, one.price)
        for symbol, trades in books.trades.items()
        for one in trades
    )
    if booked != executed:
        found.append(f"{len(booked)} fills booked of {len(executed)}")
    found += [f"adjusted: {row.txn}" for row in journal.postings() if row.txn.startswith("adjust|")]
    journal.close()
    return found
