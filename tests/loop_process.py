"""The loop of a paper account over stored candles, in processes of their own that can be killed.

`python -m tests.loop_process DATABASE BARS` reads a line per life from stdin (how many points to live, 0 for
all; how many ms, 0 for any), forks a child for it, and answers with how the life ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
from sqlalchemy import Engine, event, func, select

from core.candles.frames import frame_from_bars
from core.domain import FLAT, Bars, Costs, Series
from core.engine import LiveDecider, Session
from core.errors import HotCryptoError
from core.execution import Executor, Plan
from core.live.feed import Feed
from core.live.loop import Loop
from core.live.paper_desk import PaperDesk, paper_desk
from core.live.records import RunBook
from core.live.snapshot import restore, snapshot
from core.order_path.opening import trading
from core.order_path.policy import Policy
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.risk.limits import Limits
from core.risk_manager import RiskManager
from db import live
from db.base import open_engine
from db.driver import WritingStatements
from db.journal import Journal
from db.live_models import LiveCommand
from strategies.registry import Strategy, load_strategy
from tests.desk_help import CASH
from tests.markets import HOUR, START, random_bars
from tests.order_process import DONE, Deadly, Life
from tests.scripted import SCRIPTED

ACCOUNT = "paper"
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
WARM = 120
"""Bars that were there before the account began."""
COMMANDS = {
    21: ("reset-breaker", "weekly_loss"),
    60: ("flatten", ""),
    64: ("resume", ""),
    70: ("reset-breaker", "weekly_loss"),
    150: ("pause", ""),
    153: ("resume", ""),
}
"""By the number of the bar before which they are given."""
EVERYTHING = Limits(
    allow_short=True,
    cool_down_minutes=120,
    max_drawdown_pct=60,
    max_orders_per_day=60,
    # Trips and closes at bars 19, 65 and 157.
    max_weekly_loss_pct=3,
)


def market(symbol: str, count: int) -> Bars:
    """Return the candles of a symbol; their volume says what the scripted strategy does."""
    seed = SYMBOLS.index(symbol)
    bars = random_bars(seed, WARM + count, volatility=0.02, price=100.0)
    orders = np.random.default_rng(seed).choice(
        10, bars.close.size, p=[0.4, 0.1, 0.1, 0.08, 0.02, 0.1, 0.08, 0.05, 0.05, 0.02]
    )
    return bars._replace(volume=orders.astype(float))


def members() -> Iterator[tuple[str, Strategy, str, dict[str, float]]]:
    """Yield name, strategy, symbol and parameters of everybody on the account."""
    for symbol in SYMBOLS:
        yield "NEAR", SCRIPTED, symbol, {"stop_away": 2.0, "take_away": 3.0, "max_exposure": 0.3}
        yield "FAR", SCRIPTED, symbol, {"stop_away": 9.0, "take_away": 20.0, "max_exposure": 0.2}
    yield "GRID_LR", load_strategy("GRID_LR"), "BTC/USDT", {}


class Process:
    """One life of an account's loop."""

    def __init__(self, database: str, count: int, opened: ExitStack) -> None:
        self.markets = {symbol: market(symbol, count) for symbol in SYMBOLS}
        self.engine: Engine = open_engine(database)
        opened.callback(self.engine.dispose)
        costs = Costs(0.001, 0.0005)
        risk = RiskManager(1.0, 20.0, EVERYTHING, costs)
        model = PaperFills(float(CASH), costs, keep_trades=False)
        self.desk: PaperDesk = paper_desk(
            lambda exchange: opened.enter_context(
                trading(database, ACCOUNT, "kills", exchange, lambda: 0, policy=Policy(settle_ms=0))
            ),
            model,
        )
        self.session = Session(Executor(Portfolio(CASH), risk, self.desk, costs))
        stored = live.read_state(self.engine, ACCOUNT).get("session")
        self.next = WARM if stored is None else self._next(stored)
        for name, strategy, symbol, params in members():
            self._add(name, strategy, symbol, params)
        kept = None if stored is None else restore(self.session, stored)
        self.desk.at(START + self.next * HOUR)
        self.desk.open(self.session, SYMBOLS, {"USDT": CASH}, kept)
        given: dict[str, Any] = {"pid": os.getpid(), "code_version": "test", "settings": {}, "now": 0}
        run = live.start_run(self.engine, ACCOUNT, "paper", **given)
        book = RunBook(self.engine, ACCOUNT, run, lambda: snapshot(self.session, self.desk.applied))
        series = [Series("x", symbol, "1h") for symbol in SYMBOLS]
        newest = {one: int(self._seen(one.symbol).ts[-1]) for one in series}
        feed = Feed(self.read, series, newest)
        self.loop = Loop("x", self.session, feed, book, lambda _: None, self.desk)

    def read(self, series: Series, start: int, end: int) -> Bars:
        """Return the candles of a series."""
        bars = self.markets[series.symbol]
        first, stop = np.searchsorted(bars.ts, [start, end])
        return bars.until(int(stop)).since(int(first))

    def work(self, count: int) -> int:
        """Take every bar that is left."""
        for number in range(self.next, WARM + count):
            self._command(number - WARM)
            self.loop.step(START + (number + 1) * HOUR)
        return DONE

    def _next(self, stored: dict[str, Any]) -> int:
        """Return the number of the first hour that was not decided on."""
        return 1 + max((int(newest) - START) // HOUR for _, _, newest, _ in stored["bars"])

    def _seen(self, symbol: str) -> Bars:
        bars = self.markets[symbol]
        return bars.until(int(np.searchsorted(bars.ts, START + self.next * HOUR)))

    def _add(self, name: str, strategy: Strategy, symbol: str, params: dict[str, float]) -> None:
        deciding = strategy.live({"params": params})
        seen = self._seen(symbol)
        deciding.set_position(symbol, FLAT)
        deciding.state[symbol]["df"] = frame_from_bars(seen.since(max(0, seen.close.size - deciding.window)))
        plan = Plan("1h", strategy.rule.sizing(deciding.params), strategy.rule.is_ladder)
        self.session.add(name, symbol, plan, LiveDecider(symbol, deciding))
        self.session.portfolio.mark(symbol, float(seen.close[-1]))

    def _command(self, number: int) -> None:
        """Give the commands that are due, each once."""
        with self.engine.connect() as connection:
            given = connection.execute(select(func.count()).select_from(LiveCommand)).scalar_one()
        for at, (name, argument) in list(COMMANDS.items())[given:]:
            if at <= number:
                live.give_command(self.engine, ACCOUNT, name, argument, "test", number)


def child(database: str, count: int, points: int) -> int:
    """Live in a process of its own and return how it ended."""
    deadly = Deadly(points)
    Journal._run = deadly.around(Journal._run)  # type: ignore[method-assign]
    live.record = deadly.around(live.record)
    event.listen(Engine, "commit", lambda _: deadly.point())
    event.listen(Engine, "after_cursor_execute", lambda *_: deadly.point())
    for name in ("run", "commit"):
        setattr(WritingStatements, name, deadly.around(getattr(WritingStatements, name)))
    try:
        with ExitStack() as opened:
            return Process(database, count, opened).work(count)
    except HotCryptoError as error:
        sys.stderr.write(f"{error}\n")
        return 3


def main(argv: list[str]) -> int:
    """Give birth as asked."""
    for line in sys.stdin:
        database, points, ms = json.loads(line)
        life = Life(points, ms)
        born = os.fork()
        if born == 0:
            os._exit(child(database, int(argv[0]), life.points))
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
