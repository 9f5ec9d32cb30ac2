"""A paper account that traded as the loop does, with everything on the disk."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np

from core.domain import Bars, Series
from core.engine import LiveDecider
from core.execution import Plan
from core.live.feed import Feed
from core.live.loop import Loop
from core.live.records import RunBook
from core.order_path.lock import AccountLock
from db import live
from db.journal import open_journal
from tests.desk_help import Account
from tests.markets import HOUR, START
from tests.scripted import SCRIPTED
from tests.stored import new_database, url_of

BTC = Series("x", "BTC/USDT", "1h")
LONG, FLAT = 1.0, 3.0
ORDERS = {3: LONG, 6: FLAT, 8: LONG, 11: FLAT, 14: LONG}
"""By bar: two closed trades and one position; the price is 100 and 102 from bar 10 on."""


def trade(database: Path, name: str = "paper", mode: str = "paper") -> None:
    """Let an account trade as the loop does, with everything on the disk."""
    engine = new_database(database)
    price = np.where(np.arange(18) >= 10, 102.0, 100.0)
    volume = np.array([ORDERS.get(bar, 0.0) for bar in range(18)])
    bars = Bars(START + HOUR * np.arange(18), price, price + 1, price - 1, price, volume)
    with AccountLock(database, name) as lock, closing(open_journal(url_of(database), name)) as journal:
        journal.claim(f"{name}-1", 1)
        lock.sign(f"{name}-1", 1)
        journal.anchor = lock.anchor
        account = Account(journal)
        deciding = SCRIPTED.live({"params": {"stop_away": 50.0, "take_away": 50.0}})
        plan = Plan("1h", SCRIPTED.rule.sizing(deciding.params))
        account.session.add("SCRIPTED", BTC.symbol, plan, LiveDecider(BTC.symbol, deciding))
        account.session.portfolio.mark(BTC.symbol, 100.0)
        account.open()
        run = live.start_run(engine, name, mode, pid=1, code_version="x", settings={}, now=1)
        book = RunBook(engine, name, run, account.snapshot)

        def read(series: Series, start: int, end: int) -> Bars:
            first, stop = np.searchsorted(bars.ts, [start, end])
            return bars.until(int(stop)).since(int(first))

        loop = Loop("x", account.session, Feed(read, [BTC], {BTC: START + HOUR}), book, str, account.desk)
        for bar in range(2, 18):
            loop.step(START + (bar + 1) * HOUR)
        live.end_run(engine, run, "told to stop", 5)
    engine.dispose()
