"""The loop of an account at the local exchange, through real ccxt, in processes that can be killed.

`python -m tests.exchange_loop BEGAN ADDRESS DATABASE VENUE EXECUTION` reads a line per life from stdin: how
many points to live (0 for all), how many ms (0 for any), and for how many seconds to trade before it ends by
itself. EXECUTION is `market`, or `algorithms`: then each strategy has another one of these.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from signal import SIGKILL
from typing import Any, Generic, NamedTuple

import numpy as np
from sqlalchemy import Engine, event

from core.candles.frames import empty_bars, frame_from_bars
from core.domain import (
    FLAT,
    Bars,
    Costs,
    Decision,
    FloatArray,
    PositionView,
    Reason,
    Series,
    enter,
    flat,
    hold,
)
from core.engine import LiveDecider, Session
from core.errors import ExchangeError, HotCryptoError
from core.exchange.pages import concat
from core.exchange_client import ExchangeClient
from core.exchange_sim.replay import replay_clock
from core.execution import Executor, Plan
from core.execution_algos.machines import AlgoTerms, machine_of
from core.execution_algos.values import LocalBook, OrderGrid
from core.live.exchange_desk import ExchangeDesk
from core.live.feed import Feed
from core.live.loop import Loop
from core.live.records import RunBook
from core.live.snapshot import restore, snapshot
from core.order_path.exchange_venue import ExchangeVenue
from core.order_path.opening import trading
from core.order_path.protecting import StopTerms
from core.order_path.working import WorkTerms
from core.portfolio import Portfolio
from core.risk.limits import Limits, MarketDemands
from core.risk_manager import RiskManager
from core.utils import Clock
from db import live
from db.base import open_engine
from db.driver import WritingStatements
from db.journal import Journal
from strategies.base import BaseStrategy
from strategies.rule import StrategyRule, T
from tests.order_process import DONE, START, SYMBOLS, TIRED, Deadly, _wall, client_of

ACCOUNT, SPEED = "local", 240.0
MINUTE = 60_000
CASH = Decimal(50_000)
MARKET, ALGORITHMS = "market", "algorithms"
FINISH = 10
"""Seconds in which a life that was long may bring to an end what is under way."""
AWAY = {"NEAR": 0.0003, "FAR": 0.002}
"""How far away the stop of each strategy is, as a fraction of the price."""
BY_ALGORITHM = {"CHASE": "limit_chase", "SPLIT": "split", "TWAP": "twap"}
"""Strategies of a life in which algorithms execute orders; their stops are as far away as that of NEAR."""
PATIENCE = AlgoTerms(4_000, 12_000, Decimal("0.0005"), 3_000, 15_000, 3, 12_000)
"""A bar is a quarter of a second: what takes longer than a few looks would never end by itself."""


class Where(NamedTuple):
    """What a life trades on."""

    address: str
    database: str
    venue: str
    execution: str


class Params(NamedTuple):
    """How far away stop and take are, as fractions of the price."""

    away: float = 0.0006
    risk_per_trade: float = 0.01
    max_exposure: float = 0.1


class Columns(NamedTuple, Generic[T]):
    """The close, and a number made of it that is as good as chance."""

    close: T
    dice: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Throw the dice."""
    return Columns(bars.close, np.floor(bars.close * 1000 % 6))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Enter, leave or hold, as the dice say."""
    if now.dice in (1.0, 2.0, 3.0):
        return enter(1.0, now.close * (1 - p.away), now.close * (1 + p.away))
    return flat(Reason.RULE) if now.dice == 4.0 else hold(held)


RULE = StrategyRule("DICE", Params, columns, decide, lambda p: 1, {"away": (0.0, 1.0)})


class DiceLive(BaseStrategy):
    """It trades every few minutes."""

    rule = RULE


class Process:
    """One life of the loop."""

    def __init__(
        self, client: ExchangeClient, database: str, clock: Clock, opened: ExitStack, execution: str
    ) -> None:
        self.client, self.ends = client, time.monotonic() + 20
        self.symbols = SYMBOLS[client.name]
        self.engine = open_engine(database)
        opened.callback(self.engine.dispose)
        path = opened.enter_context(trading(database, ACCOUNT, "kills", self.patiently(self._venue), clock))
        while not path.reconcile(self.symbols).done:
            time.sleep(0.005)
        risk = RiskManager(0.01, None, Limits(), Costs(0.001), self.patiently(self._markets))
        works = _works(client, risk) if execution == ALGORITHMS else None
        self.desk = ExchangeDesk(path, None, StopTerms(lambda symbol: risk.markets[symbol].stops), works)
        self.desk.at(self.patiently(client.exchange_now))
        steps = {symbol: market.step or Decimal(0) for symbol, market in risk.markets.items()}
        self.session = Session(Executor(Portfolio(CASH, steps), risk, self.desk, Costs(0.001)))
        stored = live.read_state(self.engine, ACCOUNT).get("session")
        since = {}
        for symbol in self.symbols:
            bars = self.patiently(lambda: self._warm(symbol, stored))  # noqa: B023 - called at once
            since[Series("x", symbol, "1m")] = int(bars.ts[-1])
            members = dict.fromkeys(BY_ALGORITHM, AWAY["NEAR"]) if works else AWAY
            for name, away in members.items():
                self._add(name, symbol, away, bars)
        kept = None if stored is None else restore(self.session, stored, "exchange")
        self.desk.open(self.session, kept)
        given: dict[str, Any] = {"pid": os.getpid(), "code_version": "test", "settings": {}, "now": 0}
        run = live.start_run(self.engine, ACCOUNT, "live", **given)
        book = RunBook(
            self.engine, ACCOUNT, run, lambda: snapshot(self.session, self.desk.applied, "exchange")
        )
        feed = Feed(self.read, list(since), since)
        self.loop = Loop("x", self.session, feed, book, lambda _: None, self.desk, self.price)

    def read(self, series: Series, start: int, end: int) -> Bars:
        """Return closed candles."""
        pages = list(self.client.ohlcv_pages(series.symbol, series.timeframe, start, end))
        return concat(pages) if pages else empty_bars()

    def price(self, symbol: str) -> float | None:
        """Return the last price."""
        try:
            return self.client.last_price(symbol)
        except ExchangeError:
            return None

    def patiently(self, ask: Callable[[], Any]) -> Any:
        """Ask again until there is an answer."""
        while True:
            try:
                return ask()
            except ExchangeError:
                time.sleep(0.01)

    def work(self, seconds: float) -> int:
        """Trade for a while, then close everything and end when nothing is left to be done."""
        stops = time.monotonic() + seconds
        self.ends = max(self.ends, stops + FINISH)
        while time.monotonic() < stops:
            self._step()
        if seconds > 0:
            live.give_command(self.engine, ACCOUNT, "flatten", "", "test", 0)
        while time.monotonic() < self.ends:
            self._step()
            path, portfolio = self.desk.path, self.session.portfolio
            idle = not path.orders() and not portfolio.pending and not self.desk.waiting
            if idle and path.reconcile(self.symbols).done and not path.take_fills():
                wrong = self.desk.disagreements()
                sys.stderr.write("".join(f"{line}\n" for line in wrong))
                return 1 if wrong else DONE
        return TIRED

    def _step(self) -> None:
        try:
            self.loop.step(self.client.exchange_now())
        except ExchangeError:
            time.sleep(0.01)
        time.sleep(0.01)

    def _venue(self) -> ExchangeVenue:
        return ExchangeVenue(self.client)

    def _markets(self) -> dict[str, MarketDemands]:
        rules = {symbol: self.client.rules(symbol) for symbol in self.symbols}
        stops = self.client.orders.stop_rules
        return {
            name: MarketDemands(one.lot, one.amount.least, one.cost.least, True, stops(name), one.tick)
            for name, one in rules.items()
        }

    def _warm(self, symbol: str, stored: dict[str, Any] | None) -> Bars:
        end = self.client.exchange_now() // MINUTE * MINUTE
        # A life may have ended before it saw a candle of every symbol.
        seen = [newest for of, _, newest, _ in (stored or {"bars": []})["bars"] if of == symbol]
        if seen:
            end = seen[0] + MINUTE
        return self.read(Series("x", symbol, "1m"), end - 5 * MINUTE, end)

    def _add(self, name: str, symbol: str, away: float, bars: Bars) -> None:
        deciding = DiceLive({"params": {"away": away}})
        deciding.set_position(symbol, FLAT)
        deciding.state[symbol]["df"] = frame_from_bars(bars)
        self.session.add(
            name, symbol, Plan("1m", RULE.sizing(deciding.params)), LiveDecider(symbol, deciding)
        )
        self.session.portfolio.mark(symbol, float(bars.close[-1]))


def _works(client: ExchangeClient, risk: RiskManager) -> WorkTerms:
    """Return how each strategy's orders are executed where it is by its algorithm."""

    def grid(symbol: str) -> OrderGrid:
        market = risk.markets[symbol]
        return OrderGrid(market.tick, market.step, market.min_amount, market.min_notional)

    def book(symbol: str) -> LocalBook | None:
        try:
            return client.books.read(symbol)
        except ExchangeError:
            return None

    return WorkTerms(lambda name: machine_of(BY_ALGORITHM[name], PATIENCE), grid, book, BY_ALGORITHM)


def clock_from(began: int) -> Clock:
    """Return the clock of exchange and engine, which began at this moment (ms UTC)."""
    return replay_clock(START, speed=SPEED, wall=_wall(began))


def child(where: Where, clock: Clock, points: int, seconds: float) -> int:
    """Live in a process of its own and return how it ended."""
    deadly = Deadly(points)
    Journal._run = deadly.around(Journal._run)  # type: ignore[method-assign]
    live.record = deadly.around(live.record)
    event.listen(Engine, "commit", lambda _: deadly.point())
    end = WritingStatements.commit

    def commit(transaction: WritingStatements) -> None:
        deadly.point()
        end(transaction)

    WritingStatements.commit = commit  # type: ignore[method-assign, assignment]
    client = client_of(where.address, where.venue, clock, SPEED)
    client._transport.send = deadly.around(client._transport.send)  # type: ignore[method-assign]
    try:
        with ExitStack() as opened:
            opened.enter_context(client)
            return Process(client, where.database, clock, opened, where.execution).work(seconds)
    except HotCryptoError as error:
        sys.stderr.write(f"{error}\n")
        return 3


def main(argv: list[str]) -> int:
    """Give birth as asked."""
    began, *named = argv
    where, clock = Where(*named), clock_from(int(began))
    for line in sys.stdin:
        points, ms, seconds = json.loads(line)
        born = os.fork()
        if born == 0:
            os._exit(child(where, clock, points, seconds))
        killer = threading.Timer(ms / 1000, os.kill, (born, SIGKILL)) if ms else None
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
