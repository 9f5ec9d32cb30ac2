"""What a bar of one strategy costs through the whole loop: decide, size, risk, journal, fill, records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.harness import Case, cpu_seconds
from bench.kernel import CASH, COSTS, one_year
from core.backtest.replay import ReplayFeed, add, groups
from core.domain import Bar, Bars, Series
from core.engine import Session
from core.execution import Executor
from core.live.feed import Feed as LiveFeed
from core.live.loop import Loop
from core.live.paper_desk import PaperDesk, paper_desk
from core.live.records import RunBook
from core.live.snapshot import snapshot
from core.order_path.path import OrderPath
from core.order_path.policy import Policy
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.risk.limits import Limits
from core.risk_manager import RiskManager
from db import live
from db.init_db import init_db
from db.journal import Journal, memory_journal, open_journal
from strategies.registry import load_strategy

NAME = "TREND_EMA"
BARS = 20_000
ON_DISK = 2_000
IN_MEMORY_TARGET, ON_DISK_TARGET = 1 / 20_000, 0.000_5
"""Seconds a bar."""


def cases(folder: Path) -> list[Case]:
    """Return a bar with the journal in memory, and one with everything on disk.

    What a bar costs depends on how often the strategy trades: an order through the journal costs as much as
    thirty bars without one. TREND_EMA as it is shipped orders every 15 bars here.
    """
    bars = one_year().until(BARS)
    often, seldom = {"atr_stop_mult": 1.5}, {"atr_stop_mult": 4.0}
    in_memory_cases = [
        Case(
            f"loop with a journal in memory, an order every {every} bars, a bar",
            partial(in_memory, bars, params),
            target=IN_MEMORY_TARGET,
            repeat=7,
            units=(BARS, 1),
        )
        for every, params in ((70, seldom), (15, often))
    ]
    return [
        *in_memory_cases,
        Case(
            "loop with journal and records on disk, a bar (median)",
            lambda: on_disk(bars.until(ON_DISK), often, folder),
            target=ON_DISK_TARGET,
            repeat=3,
            tells=True,
        ),
    ]


def opened(
    journal: Journal, bars: Bars, params: Mapping[str, float]
) -> tuple[Session, PaperDesk, ReplayFeed]:
    """Return an account with one strategy, its journal and its bars."""
    limits = Limits(None, 100, 100, 100, 20, 2, 0, 20, 500, 10, 5)
    risk = RiskManager(0.01, None, limits, COSTS)
    model = PaperFills(CASH, COSTS, keep_trades=False)
    desk = paper_desk(lambda venue: OrderPath(journal, venue, "bench", policy=Policy(settle_ms=0)), model)
    session = Session(Executor(Portfolio(CASH), risk, desk, COSTS))
    feed = ReplayFeed(NAME, load_strategy(NAME), params, "BTC/USDT", "1m", bars)
    add(session, feed)
    desk.at(int(bars.ts[0]))
    desk.open(session, ["BTC/USDT"], {"USDT": session.portfolio.cash}, None)
    return session, desk, feed


def in_memory(bars: Bars, params: Mapping[str, float]) -> int:
    """Take all bars with a journal in memory and without records; return how many orders it had."""
    journal = memory_journal("bench")
    session, desk, feed = opened(journal, bars, params)
    for group in groups([feed]):
        desk.at(group[0].end)
        session.on_bars(group)
        desk.send()
    return journal.length()


def on_disk(bars: Bars, params: Mapping[str, float], folder: Path) -> float:
    """Take all bars as the loop does, everything on disk; return the median seconds of a bar."""
    with looped(bars, params, folder / f"loop-{perf_counter()}.db") as stepped:
        return median(_timed(stepped) for _ in range(bars.ts.size))


@contextmanager
def looped(bars: Bars, params: Mapping[str, float], file: Path) -> Iterator[Iterator[None]]:
    """Yield what takes a bar at each `next`, as the loop does, everything on disk."""
    engine = init_db(f"sqlite:///{file}")
    journal = open_journal(f"sqlite:///{file}", "bench")
    try:
        session, desk, feed = opened(journal, bars, params)
        given = {"pid": 0, "code_version": "bench", "settings": {}, "now": 0}
        run = live.start_run(engine, "bench", "replay", **given)  # type: ignore[arg-type]
        book = RunBook(engine, "bench", run, lambda: snapshot(session, desk.applied))
        series = Series("bench", "BTC/USDT", "1m")
        since = {series: int(bars.ts[0]) - 60_000}
        source = LiveFeed(reader(bars), [series], since)
        loop = Loop("bench", session, source, book, lambda _: None, desk)
        yield _steps(loop, groups([feed]))
    finally:
        journal.close()
        engine.dispose()


def reader(bars: Bars) -> Callable[[Series, int, int], Bars]:
    """Return what reads these bars for a feed."""

    def read(_: Series, start: int, end: int) -> Bars:
        first, stop = bars.ts.searchsorted([start, end])
        return bars.until(int(stop)).since(int(first))

    return read


def _steps(loop: Loop, bars: Iterable[list[Bar]]) -> Iterator[None]:
    for group in bars:
        loop.step(group[0].end)
        yield


def _timed(stepped: Iterator[None]) -> float:
    # What the disk takes to be sure is the disk's.
    began = cpu_seconds()
    next(stepped)
    return cpu_seconds() - began
