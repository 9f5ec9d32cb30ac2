from __future__ import annotations

import numpy as np
import pytest

from core.domain import MOST_LOTS, Costs, Decision, PositionView, Reason, enter, flat, hold
from core.engine import decision_of
from core.errors import UsageError
from core.fills import EXIT_PRICE, REASON, SIZE, OneBar, grown, has_room, make_trades, open_book
from core.multi_backtester import runner
from core.paper import PaperAccount
from core.sizing import Sizing
from strategies.base import StrategySignal

QUIET = OneBar(100.0, 101.0, 99.0, 100.0)


def account(is_ladder: bool = False) -> PaperAccount:
    return PaperAccount(10_000.0, Sizing(0.01, 0.95, 1.0), Costs(0.0, 0.0), is_ladder=is_ladder)


def test_an_entry_fills_at_the_next_open_and_the_position_shows_it() -> None:
    paper = account()
    assert paper.on_bar(QUIET).side == 0
    paper.submit(enter(1.0, 90.0, 120.0), 100.0)
    held = paper.on_bar(QUIET._replace(open=102.0, high=103.0))
    assert held == PositionView(1, 102.0, 90.0, 120.0, 0, 0, 1.0)
    assert paper.curve[-1] == 10_000.0 + 10 * (100.0 - 102.0)


def test_a_stop_closes_it_at_its_price_and_the_trade_says_so() -> None:
    paper = account()
    paper.on_bar(QUIET)
    paper.submit(enter(1.0, 90.0, 120.0), 100.0)
    paper.on_bar(QUIET)
    position = paper.on_bar(OneBar(95.0, 96.0, 85.0, 88.0))
    assert position.side == 0
    (trade,) = paper.trades
    assert (trade[SIZE], trade[EXIT_PRICE], trade[REASON]) == (10.0, 90.0, Reason.STOP)


def test_more_trades_than_there_was_room_for_are_all_kept() -> None:
    paper = account()
    for _ in range(200):
        paper.on_bar(QUIET)
        paper.submit(enter(1.0, 90.0, 120.0), 100.0)
        paper.on_bar(QUIET)
        paper.submit(flat(Reason.RULE), 100.0)
    assert len(paper.trades) == 199
    assert (paper.trades[:, EXIT_PRICE] == 100.0).all()


def test_a_ruined_account_stays_where_it_ended() -> None:
    paper = account()
    paper.on_bar(QUIET)
    paper.submit(enter(-1.0), 100.0)
    paper.on_bar(QUIET)
    paper.on_bar(OneBar(100.0, 400.0, 100.0, 400.0))
    assert paper.is_ruined
    paper.submit(enter(1.0, 90.0, 500.0), 400.0)
    paper.on_bar(QUIET)
    paper.close_at_the_end(100.0)
    assert paper.curve[2:] == [0.0, 0.0]
    assert [trade[REASON] for trade in paper.trades] == [Reason.RUIN]


def test_trades_grow_without_losing_any() -> None:
    book, trades = open_book(1.0), make_trades(2 * MOST_LOTS)
    trades[:] = 7.0
    assert has_room(book, trades)
    book[0, 4] = 1
    assert not has_room(book, trades)
    more = grown(book, trades)
    assert has_room(book, more)
    assert (more[0] == 7.0).all()


def test_signals_stand_for_the_decision_they_came_from() -> None:
    held = PositionView(1, 100.0, 90.0, 120.0, 2, 0b10, 1.0)
    assert decision_of([StrategySignal("X", "HOLD", extra={"reason": "warm-up"})], held) == hold(held)
    opened = [StrategySignal("X", "OPEN_LONG", extra={"target": 0.4, "take": 9.0, "stop": None, "level": 2})]
    want = decision_of(opened, held)
    assert (want.target, want.take, want.rungs) == (0.4, 9.0, 0b110)
    assert np.isnan(want.stop)
    closed = [StrategySignal("X", "CLOSE_LONG", extra={"target": 0.0, "reason": "rule", "level": 1})]
    assert decision_of(closed, held)[3:] == Decision(0.0, reason=Reason.RULE, rungs=0)[3:]


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean fast"):
        runner("fats")
