"""A small engine that trades against the local exchange, in processes of their own that can be killed.

`python -m tests.order_process ADDRESS DATABASE BEGAN INTENTS VENUE` reads a line per life from stdin (how
many points to live, 0 for all; how many ms, 0 for any) and forks a child for it: a fork is as good a process
as any, and has everything imported. It answers with how the life ended.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from core.account.messages import MARKET, Terms
from core.account.orders import Approved, Intent, Purpose, Side
from core.errors import DatabaseError, HotCryptoError
from core.exchange.calls import RetryPolicy
from core.exchange_client import ExchangeClient
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET, AccountConfig
from core.exchange_sim.kraken_gate import Tier, kraken_secret
from core.exchange_sim.replay import replay_clock
from core.order_path.exchange_venue import ExchangeVenue
from core.order_path.opening import trading
from core.order_path.path import OrderPath
from core.order_path.states import TERMINAL, State
from core.order_path.venue import Venue
from core.utils import Clock
from db.journal import Journal

SPEED = 20.0
"""The exchange's clock, and the engine's, against the real one."""
START = 1_704_110_400_000
ACCOUNT, INSTANCE = "local-exchange", "kill-test"
SYMBOLS = {"binanceus": ("BTC/USDT", "ETH/USDT"), "kraken": ("BTC/USD", "ETH/USD")}
"""By venue."""
SECRETS = {"binanceus": TEST_SECRET, "kraken": kraken_secret(AccountConfig())}
ENDLESS = Tier(1e12, 1e12, 1e12, 1e12)
"""Kraken's counters, for engines whose clock runs too fast for them."""
LONGEST = 20.0
"""Seconds of a life."""
DONE, TIRED = 0, 7


class Life(NamedTuple):
    """How long a process is to live."""

    points: int
    """Killed at this one, 0 for none."""
    ms: int
    """Killed by its parent after so many ms, 0 for never."""


def clock_from(began: int) -> Clock:
    """Return the clock of exchange and engine, which began at this moment (ms UTC)."""
    return replay_clock(START, speed=SPEED, wall=_wall(began))


def _wall(began: int) -> Callable[[], int]:
    first = iter((began,))
    return lambda: next(first, None) or time.time_ns() // 1_000_000


def wanted(count: int, venue: str) -> Iterator[tuple[Approved, Terms]]:
    """Yield what two strategies decide, the same in every life."""
    symbols = SYMBOLS[venue]
    rng = random.Random(5)
    for number in range(count):
        symbol = rng.choice(symbols)
        purpose = rng.choice((Purpose.ENTRY, Purpose.ENTRY, Purpose.EXIT))
        side: Side = "buy" if purpose is Purpose.ENTRY else "sell"
        amount = Decimal(rng.randint(20, 400)) / (10_000 if symbol == symbols[0] else 1000)
        intent = Intent(
            *(rng.choice(("trend", "revert")), symbol, "1m", START + number * 60_000, purpose, "main", side),
            *(amount, Decimal(1), "a test", START, 2 * START),
        )
        high = Decimal(900_000) if symbol == symbols[0] else Decimal(90_000)
        yield (
            Approved(intent),
            rng.choice((MARKET, MARKET, Terms("limit", high))) if side == "buy" else MARKET,
        )


class Deadly:
    """The way of a venue or journal to the world: each step on it can be the last."""

    def __init__(self, points: int) -> None:
        self.left = points

    def point(self) -> None:
        """Be killed when the time has come."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function with a point before and one after it."""

        def called(*args: Any, **kwargs: Any) -> Any:
            self.point()
            found = function(*args, **kwargs)
            self.point()
            return found

        return called


def client_of(address: str, venue: str, clock: Clock, speed: float) -> ExchangeClient:
    """Return a client of the local exchange that lives as fast as it does."""
    client = ExchangeClient(
        *(venue, TEST_KEY, SECRETS[venue]),
        base_url=address,
        clock=clock,
        ticks=clock,
        sleep=lambda seconds: time.sleep(seconds / speed),
        timeout=2.0,
        retries=RetryPolicy(tries=3, base=0.2, jitter=lambda: 0.5),
        notify=lambda _: None,
    )
    if venue == "kraken":
        client._transport._limiter._windows.clear()
    return client


def live(address: str, database: str, clock: Clock, points: int, intents: int, venue_name: str) -> int:
    """Trade until everything that is wanted is done."""
    deadly = Deadly(points)
    Journal._run = deadly.around(Journal._run)  # type: ignore[method-assign]
    with client_of(address, venue_name, clock, SPEED) as client:
        client._transport.send = deadly.around(client._transport.send)  # type: ignore[method-assign]
        while True:
            try:
                venue: Venue = ExchangeVenue(client)
                break
            except HotCryptoError:
                time.sleep(0.01)
        with trading(database, ACCOUNT, INSTANCE, venue, clock) as path:
            return work(path, list(wanted(intents, venue_name)), SYMBOLS[venue_name])


def work(path: OrderPath, todo: list[tuple[Approved, Terms]], symbols: tuple[str, ...]) -> int:
    """Go round until everything is done or the time is up."""
    ends = time.monotonic() + LONGEST
    while time.monotonic() < ends:
        if not path.ready and not path.reconcile(symbols).done:
            time.sleep(0.01)
            continue
        fresh = 0
        for approved, terms in todo:
            order = path.order(approved.intent.key)
            fresh += order is None or State(order.state) not in TERMINAL
            if order is None:
                path.submit(approved, terms)
            if fresh >= 3:
                break
        path.step()
        for order in path.orders():
            if order.kind == "limit" and order.state == State.PARTIAL:
                path.cancel(order.intent_key)
        if not fresh and not path.orders() and path.reconcile(symbols).done:
            return DONE
    return TIRED


def child(address: str, database: str, clock: Clock, points: int, intents: int, venue: str) -> int:
    """Live in a process of its own and return how it ended."""
    try:
        return live(address, database, clock, points, intents, venue)
    except DatabaseError as error:
        sys.stderr.write(f"{error}\n")
        return 3


def main(argv: list[str]) -> int:
    """Give birth as asked."""
    address, database, began, intents, venue = argv
    clock = clock_from(int(began))
    for line in sys.stdin:
        life = Life(*json.loads(line))
        born = os.fork()
        if born == 0:
            os._exit(child(address, database, clock, life.points, int(intents), venue))
        killer = threading.Timer(life.ms / 1000, os.kill, (born, signal.SIGKILL)) if life.ms else None
        if killer:
            killer.start()
        _, status = os.waitpid(born, 0)
        if killer:
            killer.cancel()
            killer.join()
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
