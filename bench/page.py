"""What the live page costs: an update in bytes and time, and what pages that are open cost the loop."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from urllib.parse import urlsplit

from sqlalchemy import Engine

from bench.harness import Case
from bench.kernel import one_year
from bench.live import looped
from core.domain import Bars
from core.live.status import AccountStatus, FeedStatus, PositionStatus, to_document
from core.page.account import Watched, look
from core.page.server import event
from core.page.updates import changes
from db import live
from db.init_db import init_db

UPDATE_TARGET, MOST_BYTES = 0.005, 1_000
"""Seconds of the server's time, and bytes, of one update."""
POSITIONS = 10
BARS = 1_500
"""As many as take a few seconds: a page looks once a second."""
SLOWER = 1.1
"""So many times as long a bar of the loop may take while pages are open."""

CLOCKS = {"processor": process_time, "wall": perf_counter}
"""What a bar costs the loop's own process, which a busy machine changes little, and with its waits."""


def cases(folder: Path) -> list[Case]:
    """Return an update of ten positions whose prices all moved, and a bar of the loop beside pages."""
    engine = init_db(f"sqlite:///{folder / 'page.db'}")
    run = live.start_run(engine, "bench", "paper", pid=0, code_version="", settings={}, now=0)
    update = Update(engine, run)
    size = len(update.send())
    # Where it is too large no time keeps the target.
    target = UPDATE_TARGET if size <= MOST_BYTES else 0.0
    bars = one_year().until(BARS)
    beside = [
        Case(
            f"a bar of the loop beside {opened}, against none ({kind})",
            partial(bar, bars, folder, pages, clock),
            reference=partial(bar, bars, folder, 0, clock),
            target=SLOWER,
            repeat=3,
            is_wall=True,
            tells=True,
        )
        for kind, clock in CLOCKS.items()
        for pages, opened in ((1, "1 open page"), (20, "20 open pages"))
    ]
    name = f"update of {POSITIONS} positions on the page, {size} bytes of {MOST_BYTES} at most"
    return [Case(name, update.send, target=target, repeat=15, prepare=update.move), *beside]


class Update:
    """An account on which everything moves, and its page."""

    def __init__(self, engine: Engine, run: int) -> None:
        self._books, self._run, self._moved = Watched(engine, "bench"), run, 0
        self.move()
        self._seen = look(self._books)
        self.move()

    def move(self) -> None:
        """Let every price move, as the loop stores it."""
        self._moved += 1
        live.record(self._books.engine, self._run, status=to_document(status(self._moved)), now=self._moved)

    def send(self) -> bytes:
        """Return what a viewer is sent."""
        before, self._seen = self._seen, look(self._books, self._seen)
        return event("change", changes(before.document, self._seen.document))


def status(moved: int) -> AccountStatus:
    """Return how an account with ten positions stands after so many moves."""
    prices = [100.0 * (1 + i) + moved / 7 for i in range(POSITIONS)]
    positions = tuple(
        PositionStatus(
            "TREND_EMA", f"C{i}/USDT", "long", Decimal(1), 100.0, price, 90.0, 200.0, price - 100.0
        )
        for i, price in enumerate(prices)
    )
    feeds = tuple(FeedStatus(f"bench C{i}/USDT 1m", moved, 0, stale=False) for i in range(POSITIONS))
    equity = 10_000.0 + sum(prices)
    return AccountStatus(moved, equity, Decimal(9_000), positions, (), {}, "", {}, feeds)


def bar(bars: Bars, folder: Path, pages: int, clock: Callable[[], float]) -> float:
    """Return the seconds of a bar of the loop, by this clock, while so many pages are open."""
    file = folder / f"beside-{perf_counter()}.db"
    with ExitStack() as stack:
        stepped = stack.enter_context(looped(bars, {"atr_stop_mult": 1.5}, file))
        next(stepped)
        stack.enter_context(viewers(file, pages))
        began = clock()
        count = sum(1 for _ in stepped)
        return (clock() - began) / count


@contextmanager
def viewers(file: Path, pages: int) -> Iterator[None]:
    """Let so many look on at a page of a database in the block; none starts no page."""
    if not pages:
        yield
        return
    words = [
        "scripts/start_dashboard.py",
        "--port",
        "0",
        "--account",
        "bench",
        "--db-url",
        f"sqlite:///{file}",
    ]
    with (
        subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as process,
        ExitStack() as stack,
    ):
        try:
            address = re.search(r"http://\S+", next(iter(process.stdout or ())))
            port = urlsplit(address[0]).port if address else None
            for _ in range(pages):
                viewer = stack.enter_context(socket.create_connection(("127.0.0.1", port or 0)))
                viewer.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                viewer.recv(100)
            yield
        finally:
            process.terminate()
