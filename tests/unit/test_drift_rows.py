"""What an algorithm executed part by part is one order beside the model's, with the fills of all parts."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from sqlalchemy import update

from core.account.messages import Terms
from core.account.orders import Approved, Purpose, whole_key
from core.cli.drift_command import _Candles, _order
from core.execution_algos.values import AlgoAction, NewChild, OrderGrid, Sight, Work, WorkEnd
from core.order_path.path import OrderPath
from core.order_path.working import Working, WorkTerms
from db.base import open_engine
from db.drift_rows import ordered
from db.init_db import init_db
from db.journal import Journal, open_journal
from db.order_models import StoredOrder
from tests.order_model import Line, Market
from tests.order_schedules import BALANCES, intent
from tests.stored import url_of

D = Decimal


class TwoHalves:
    """Half of it at the market, then what is left."""

    reads_book = False

    def step(self, work: Work, sight: Sight) -> tuple[AlgoAction, ...]:
        """Return what is to be done now."""
        del sight
        if work.live is not None:
            return ()
        if work.left <= 0:
            return (WorkEnd(""),)
        return (NewChild("market", work.amount / 2),)


def opened(folder: Path) -> tuple[str, Market, Journal, OrderPath]:
    """Return a database, a market that fills at once, a journal, and an order path that agrees with it."""
    url = url_of(folder / "live.db")
    init_db(url)
    market = Market(random.Random(1), refuses=0.0)
    market.totals.update(BALANCES)
    market.rng.random = lambda: 0.5  # type: ignore[method-assign]
    journal = open_journal(url, "mine")
    path = OrderPath(journal, Line(market, random.Random(2)), "test")
    while not path.reconcile(["BTC/USDT"]).done:
        market.advance(6000)
    return url, market, journal, path


def test_a_stop_that_was_cancelled_is_no_order_that_was_not_filled(tmp_path: Path) -> None:
    url, market, journal, path = opened(tmp_path)
    bought = intent(1, amount=D("0.5"), at=market.now)
    path.submit(bought)
    path.step()
    stop, exits = (
        Approved(
            replace(bought.intent, side="sell", purpose=purpose, leg=f"lot-{purpose.value}", amount=D("0.25"))
        )
        for purpose in (Purpose.STOP, Purpose.EXIT)
    )
    path.submit(stop, Terms("stop_limit", D(1), D(2)))
    path.cancel(stop.intent.key)
    path.submit(exits)
    path.cancel(exits.intent.key)
    journal.close()
    engine = open_engine(url)
    rows = ordered(engine, "mine")
    with engine.begin() as connection:
        connection.execute(update(StoredOrder).values(kind="stop_limit"))
    again = ordered(engine, "mine")
    # An exit that never was is one that was not filled, as it always was.
    found = {row.purpose: (len(row.fills), row.rested) for row in rows}
    assert found == {"entry": (1, False), "exit": (0, False)}
    # Of one that rested and was executed in part counts that part.
    assert [(row.purpose, row.rested) for row in again] == [("entry", True)]
    part = again[0]._replace(amount="0.75", purpose="stop")
    assert _order(part, _Candles(engine, "x")).amount == 0.5
    engine.dispose()


def test_the_parts_of_an_order_are_one_order_with_all_their_fills(tmp_path: Path) -> None:
    url, market, journal, path = opened(tmp_path)
    working = Working(path, WorkTerms(lambda _: TwoHalves(), lambda _: OrderGrid(step=D("0.00001"))))
    approved = intent(1, amount=D("0.5"), at=market.now)
    working.begin(approved)
    working.step(is_told=False)
    journal.close()
    engine = open_engine(url)
    (row,) = ordered(engine, "mine")
    engine.dispose()
    assert (row.key, row.amount) == (approved.intent.key, "0.5")
    assert [fill.amount for fill in row.fills] == ["0.25", "0.25"]
    assert whole_key(approved.intent.part(7).key) == row.key
