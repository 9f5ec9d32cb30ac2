"""Trades are paired by the bar that they entered in, and the first thing that differs is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from core.proof.trade_pairs import (
    EQUAL,
    TradeList,
    apart_sentences,
    first_difference,
    in_common,
    paired,
    pairs_sentence,
)
from core.results.runs import TradeRecord

HOUR = 3_600_000


def trade(entry: int, end: int, **changes: Any) -> TradeRecord:
    """Return a trade from one hour to another that made 5."""
    plain = TradeRecord(
        side="LONG",
        size=2.0,
        entry_ts=entry * HOUR,
        exit_ts=end * HOUR,
        entry_price=100.0,
        exit_price=103.0,
        pnl=5.0,
        pnl_pct=2.5,
        fees=1.0,
        max_dd_pct=0.0,
        reason="take",
    )
    return plain._replace(**changes)


def trades(name: str, *records: TradeRecord, start: int = 0, end: int = 100, **refused: str) -> TradeList:
    """Return a list whose bars `hN` were refused."""
    why = {int(bar[1:]) * HOUR: text for bar, text in refused.items()}
    return TradeList(name, records, start * HOUR, end * HOUR, why.get)


def causes(one: TradeList, other: TradeList) -> Sequence[tuple[str, float]]:
    return [(pair.cause, pair.difference) for pair in paired(one, other, HOUR)]


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({}, EQUAL),
        ({"size": 2.0000001}, EQUAL),
        ({"entry_price": 100.1, "size": 1.0, "reason": "stop"}, "entered at another price"),
        ({"size": 1.0, "reason": "stop"}, "another size"),
        ({"reason": "stop", "exit_ts": 9 * HOUR}, "ended by take and by stop"),
        ({"exit_ts": 9 * HOUR, "exit_price": 104.0}, "ended in another bar"),
        ({"exit_ts": 3 * HOUR + 5_000}, EQUAL),
        ({"exit_price": 104.0, "fees": 2.0}, "ended at another price"),
        ({"fees": 1.1}, "other fees"),
    ],
)
def test_the_first_difference_is_the_cause(changes: dict[str, Any], cause: str) -> None:
    assert first_difference(trade(1, 3), trade(1, 3, **changes), HOUR) == cause


def test_trades_that_entered_within_one_bar_are_a_pair() -> None:
    later = trade(1, 3, entry_ts=HOUR + 59_000, pnl=4.0)
    assert causes(trades("run 1", trade(1, 3)), trades("run 2", later)) == [(EQUAL, -1.0)]


def test_several_of_one_bar_are_paired_in_order() -> None:
    lots = [trade(1, 3, size=1.0), trade(1, 4, size=3.0)]
    assert causes(trades("run 1", *lots), trades("run 2", *reversed(lots))) == [(EQUAL, 0.0)] * 2


def test_the_other_side_is_no_pair() -> None:
    found = causes(trades("run 1", trade(1, 3)), trades("run 2", trade(1, 3, side="SHORT")))
    assert found == [("run 2 entered nothing", -5.0), ("run 1 entered nothing", 5.0)]


def test_why_a_trade_is_missing_is_named() -> None:
    one = trades("run 1", *(trade(hour, hour + 1) for hour in (1, 10, 20, 60)), trade(30, 31))
    other = trades(
        "account paper", trade(28, 40, entry_price=90.0), start=5, end=50, h10="refused: daily loss"
    )
    assert causes(one, other) == [
        ("before account paper began", -5.0),
        ("refused: daily loss", -5.0),
        ("account paper entered nothing", -5.0),
        ("run 1 entered nothing", 5.0),
        ("account paper held another trade", -5.0),
        ("after account paper ended", -5.0),
    ]


def test_where_a_run_was_warming_up_it_did_not_choose_to_enter_nothing() -> None:
    account = trades("account paper", *(trade(hour, hour + 1) for hour in (4, 5, 11, 12)))
    run = trades("run 1", start=5)._replace(ready=12 * HOUR)
    assert [cause for cause, _ in causes(account, run)] == [
        "before run 1 began",
        *["run 1 was still warming up"] * 2,
        "run 1 entered nothing",
    ]


def test_what_one_alone_was_there_for_is_counted_apart() -> None:
    early, late = trade(2, 4, pnl=1061.0), trade(95, 97)
    one = trades("run 1", early, trade(20, 22), trade(30, 32), late)
    other = trades("account paper", trade(20, 22), trade(101, 103), start=10, end=90)
    pairs, apart = in_common(paired(one, other, HOUR), one, other, HOUR)
    assert [(pair.one, pair.cause) for pair in pairs] == [
        (trade(20, 22), EQUAL),
        (trade(30, 32), "account paper entered nothing"),
    ]
    assert pairs_sentence(pairs, "run 1", "account paper", "USDT").endswith("made 5.00 USDT less than run 1")
    assert apart_sentences(apart, "run 1", "account paper", "USDT") == [
        "not compared: 2 trades of run 1, +1,066.00 USDT, from a time that account paper is not of",
        "not compared: 1 trade of account paper, +5.00 USDT, from a time that run 1 is not of",
    ]
    assert in_common(paired(one, one, HOUR), one, one, HOUR)[1] == []


def test_the_sentence_adds_up() -> None:
    pairs = paired(trades("run 1", trade(1, 3), trade(5, 6)), trades("run 2", trade(1, 3)), HOUR)
    assert pairs_sentence(pairs, "run 1", "run 2", "USDT") == (
        "1 of 2 trades are equal; run 2 made 5.00 USDT less than run 1"
    )
