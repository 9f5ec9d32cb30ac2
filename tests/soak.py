"""A month of one account at full speed: `python -m tests.soak --days 30`.

Minutes of four symbols, every strategy on each, through the loop with its journal and records on disk. What
must stay bounded is watched, and no bar may be skipped or decided on twice.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from core.backtest.partners import looked_at, partners_of
from core.backtest.replay import ReplayFeed, add
from core.domain import Bars, Costs, Series
from core.engine import Session
from core.exchange_sim.synthetic import SyntheticSource
from core.execution import Executor
from core.live.feed import Feed as LiveFeed
from core.live.feed import Read
from core.live.loop import Loop
from core.live.paper_desk import paper_desk
from core.live.records import RunBook
from core.live.snapshot import snapshot
from core.order_path.audit import check_books
from core.order_path.path import OrderPath
from core.order_path.policy import Policy
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.risk_manager import wide_open
from core.utils import parse_time, timeframe_ms
from db import live
from db.init_db import init_db
from db.journal import open_journal
from strategies.pairing import bind
from strategies.registry import REGISTRY, load_strategy

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "DOGE/USDT")
MINUTE = 60_000
DAY = 1440 * MINUTE
START = parse_time("2024-01-01")
CASH = 1_000_000.0
MEMORY = "/dev/shm"
"""Where a commit costs no disk: what is watched here is growth, not power cuts."""
SETTLED = 2
"""Days after which memory and handles have to stay where they are."""
MOST_MEGABYTES_A_DAY = 1.0
MOST_WAL = 64


class Sample(NamedTuple):
    """What a day left behind."""

    day: int
    megabytes: float
    """Memory in use."""
    handles: int
    wal: float
    """Size of the write-ahead log, megabytes."""
    database: float
    fills: int


def main(argv: list[str] | None = None) -> int:
    """Run, print a line a day, and return 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--symbols", type=int, default=4, choices=(1, 2, 3, 4))
    parser.add_argument("--folder", default=MEMORY if Path(MEMORY).is_dir() else None, help="to work in")
    args = parser.parse_args(argv)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-", dir=args.folder) as folder:
        wrong, count = soak(Path(folder), args.days, SYMBOLS[: args.symbols])
    took = time.monotonic() - began
    print(f"{args.days} days, {count:,} decisions in {took:.0f} s, {count / took:,.0f} a second")
    print(*(wrong or ["nothing skipped, nothing twice, nothing grew"]), sep="\n")
    return 1 if wrong else 0


def soak(folder: Path, days: int, symbols: tuple[str, ...]) -> tuple[list[str], int]:
    """Run an account for some days and return what is wrong, and how many decisions were made."""
    file = folder / "soak.db"
    url = f"sqlite:///{file}"
    with ExitStack() as opened:
        engine = init_db(url)
        opened.callback(engine.dispose)
        journal = open_journal(url, "soak")
        opened.callback(journal.close)
        costs, risk = Costs(0.001), wide_open(Costs(0.001))
        model = PaperFills(CASH, costs, keep_trades=False)
        desk = paper_desk(lambda venue: OrderPath(journal, venue, "soak", policy=Policy(settle_ms=0)), model)
        session = Session(Executor(Portfolio(CASH), risk, desk, costs))
        source = SyntheticSource(7)
        bars = {symbol: candles(source, symbol, days) for symbol in symbols}
        for feed in feeds(bars):
            add(session, feed)
        desk.at(START)
        desk.open(session, symbols, {"USDT": session.portfolio.cash}, None)
        run = live.start_run(engine, "soak", "paper", pid=0, code_version="soak", settings={}, now=START)
        book = RunBook(engine, "soak", run, lambda: snapshot(session, desk.applied))
        since = {Series("x", symbol, "1m"): START - MINUTE for symbol in symbols}
        loop = Loop("x", session, LiveFeed(reader(bars), since, since), book, print, desk)
        samples = []
        for day in range(days):
            for minute in range(START + day * DAY, START + (day + 1) * DAY, MINUTE):
                loop.step(minute + MINUTE)
            samples.append(sample(day + 1, file, desk.applied))
            print(told(samples[-1]), flush=True)
        wrong = [*grown(samples), *check_books(journal), *desk.disagreements()]
        wrong += skipped(file, session, bars)
        return wrong, sum(bars[slot.symbol].ts.size for slot in session.slots)


def candles(source: SyntheticSource, symbol: str, days: int) -> Bars:
    """Return minutes of a symbol."""
    return source.candles(symbol, timeframe_ms("1m"), START, START + days * DAY).bars()


def feeds(bars: dict[str, Bars]) -> Iterator[ReplayFeed]:
    """Yield every strategy on every symbol whose partner is there, with a small part of the account."""
    for name in REGISTRY:
        strategy = load_strategy(name)
        for symbol, found in bars.items():
            series = Series("soak", symbol, "1m")
            others = looked_at(strategy.rule, series)
            if all(other.symbol in bars for other in others.each):
                there = {other: bars[other.symbol] for other in others.each}
                bound = bind(strategy, partners_of(series, others, there))
                yield ReplayFeed(name, bound, {"max_exposure": 0.01}, symbol, "1m", found)


def reader(bars: dict[str, Bars]) -> Read:
    """Return what reads these bars for a feed."""

    def read(series: Series, start: int, end: int) -> Bars:
        found = bars[series.symbol]
        first, stop = found.ts.searchsorted([start, end])
        return found.until(int(stop)).since(int(first))

    return read


def sample(day: int, file: Path, fills: int, process: str = "self") -> Sample:
    """Measure a process and its files."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    wal = file.with_name(file.name + "-wal")
    return Sample(
        day,
        pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        sum(1 for _ in Path(f"/proc/{process}/fd").iterdir()),
        wal.stat().st_size / 2**20 if wal.exists() else 0.0,
        file.stat().st_size / 2**20,
        fills,
    )


def told(one: Sample) -> str:
    """Return a sample as a line."""
    return (
        f"day {one.day}: {one.megabytes:.0f} MB in memory, {one.handles} handles, log {one.wal:.1f} MB, "
        f"database {one.database:.0f} MB, {one.fills:,} fills"
    )


def grown(samples: list[Sample]) -> list[str]:
    """Return what grew that should not."""
    found = []
    first, last = samples[min(SETTLED, len(samples) - 1)], samples[-1]
    allowed = MOST_MEGABYTES_A_DAY * max(1, last.day - first.day)
    if last.megabytes - first.megabytes > allowed:
        found.append(f"memory grew from {first.megabytes:.0f} to {last.megabytes:.0f} MB")
    if last.handles > first.handles:
        found.append(f"open files grew from {first.handles} to {last.handles}")
    if (most := max(one.wal for one in samples)) > MOST_WAL:
        found.append(f"the write-ahead log grew to {most:.0f} MB")
    return found


def skipped(file: Path, session: Session, bars: dict[str, Bars]) -> list[str]:
    """Return the series of which not every bar was decided on once."""
    found = []
    for symbol, _, newest, count in session.counted():
        if (count, newest) != (bars[symbol].ts.size, int(bars[symbol].ts[-1])):
            found.append(f"{symbol}: {count} of {bars[symbol].ts.size} bars")
    with closing(sqlite3.connect(file)) as connection:
        (rows, times) = connection.execute("SELECT count(*), count(DISTINCT ts) FROM live_equity").fetchone()
    ends = {int(ts) for one in bars.values() for ts in one.ts}
    if (rows, times) != (len(ends), len(ends)):
        found.append(f"{rows} steps at {times} times, {len(ends)} were due")
    if session.risk.state.quarantined:
        found.append(f"failed: {dict(session.risk.state.quarantined)}")
    return found


if __name__ == "__main__":
    sys.exit(main())
