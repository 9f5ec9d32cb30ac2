"""Works on an order path: what is read, placed, ended and stored."""

from __future__ import annotations

import random
from decimal import Decimal

from core.account.orders import Approved, Intent
from core.execution_algos.values import AlgoAction, NewChild, OrderGrid, Sight, Work, WorkEnd
from core.order_path.path import OrderPath
from core.order_path.working import ROUNDS, Working, WorkTerms
from db.journal import memory_journal
from tests.order_model import Line, Market
from tests.order_schedules import BALANCES, intent

D = Decimal


class Eighths:
    """An eighth at the market each time it looks."""

    reads_book = False

    def step(self, work: Work, sight: Sight) -> tuple[AlgoAction, ...]:
        """Return what is to be done now."""
        del sight
        return (NewChild("market", work.amount / 8),) if work.left else (WorkEnd(""),)


def begun() -> tuple[OrderPath, Working, Intent]:
    """Return a work that has begun."""
    market = Market(random.Random(1), refuses=0.0)
    market.totals.update(BALANCES)
    market.rng.random = lambda: 0.5  # type: ignore[method-assign]
    path = OrderPath(memory_journal("mine"), Line(market, random.Random(2)), "test")
    while not path.reconcile(["BTC/USDT"]).done:
        market.advance(6000)
    working = Working(path, WorkTerms(lambda _: Eighths()))
    approved = intent(1, amount=D("0.8"), at=market.now)
    working.begin(Approved(approved.intent, approved.reserve))
    return path, working, approved.intent


def test_one_look_places_so_many_orders_at_most_and_the_next_goes_on() -> None:
    path, working, wanted = begun()
    for looks, count in ((1, ROUNDS), (2, 2 * ROUNDS), (3, 8), (4, 8)):
        working.step(is_told=False)
        parts = [one for one in path.journal.orders() if one.intent_key != wanted.key]
        assert (looks, len(parts)) == (looks, count)
    assert working.is_whole(wanted)
    # It is over for this part of the program once the account knows the last fill.
    assert wanted.key in working
    working.forget(wanted.key)
    assert wanted.key not in working
    assert path.order(wanted.key) is None


def test_what_is_concluded_stays_as_it_was_said_first() -> None:
    path, working, wanted = begun()
    working.take_back(wanted.key, "taken back: by me")
    again = path.conclude(wanted, "another reason")
    assert (again.state, again.reason, again.sent_at) == ("denied", "taken back: by me", None)
    assert [one.reason for one in path.journal.orders()] == ["taken back: by me"]


def test_without_terms_there_is_no_grid_no_book_and_the_market() -> None:
    terms = WorkTerms()
    assert (terms.grid("BTC/USDT"), terms.book("BTC/USDT"), dict(terms.names)) == (OrderGrid(), None, {})
    path, _, wanted = begun()
    working = Working(path, terms)
    assert not working.takes(intent(2).intent)
    # What was begun goes on here, whatever the settings are now.
    assert working.takes(wanted)
