"""Finer candles tell what a bar hides; each case here is written by hand, with the way its price took."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.domain import Bars, Costs
from core.proof.explain import (
    EndCause,
    FineCandles,
    GuardedTrade,
    TradeTruth,
    explain,
    gained,
    total_sentence,
)
from core.results.runs import TradeRecord

MINUTE = 60_000
FREE, COSTS = Costs(0.0, 0.0), Costs(0.001, 0.0)
Path = list[tuple[float, float, float, float]]


def minutes(path: Path, start: int = 0) -> Bars:
    """Return one-minute candles of (open, high, low, close)."""
    opens, highs, lows, closes = (np.array(column, float) for column in zip(*path, strict=True))
    return Bars(start + MINUTE * np.arange(len(path)), opens, highs, lows, closes, np.ones(len(path)))


def record(
    side: str = "LONG", reason: str = "stop", exit_price: float = 95.0, entry_bar: int = 0, exit_bar: int = 1,
    entry: float = 100.0,
) -> TradeRecord:  # fmt: skip
    """Return a trade on bars of four minutes."""
    return TradeRecord(
        side=side,
        size=2.0,
        entry_ts=4 * MINUTE * entry_bar,
        exit_ts=4 * MINUTE * exit_bar,
        entry_price=entry,
        exit_price=exit_price,
        pnl=0.0,
        pnl_pct=0.0,
        fees=0.0,
        max_dd_pct=0.0,
        reason=reason,
    )


QUIET: Path = [(100, 101, 99, 100)] * 4


def truth(
    second: Path,
    trade: TradeRecord | None = None,
    *,
    stop: float = 95.0,
    take: float = 105.0,
    first: Path = QUIET,
    costs: Costs = FREE,
) -> TradeTruth:
    """Return what a quiet first bar of four minutes and this second one say of a trade."""
    fine = FineCandles(minutes([*first, *second]), MINUTE, 4 * MINUTE)
    guarded = GuardedTrade(trade or record(), stop, take)
    return explain([guarded], {0: 100.0, 4 * MINUTE: second[0][0]}, fine, costs)[0]


UP_THEN_DOWN: Path = [(100, 103, 100, 103), (103, 106, 102, 104), (104, 104, 94, 94), (94, 96, 93, 95)]
DOWN_THEN_UP: Path = [(100, 100, 97, 97), (97, 98, 94, 96), (96, 106, 96, 106), (106, 106, 104, 105)]


def test_a_take_that_came_before_the_stop_is_named_with_its_money() -> None:
    found = truth(UP_THEN_DOWN)
    assert (found.cause, found.reason, found.exit_price) == (EndCause.TAKE_FIRST, "take", 105.0)
    assert (found.exit_ts, found.take_at) == (5 * MINUTE, 5 * MINUTE)
    # Two units that leave at 105 instead of 95.
    assert found.difference == 20.0


def test_a_stop_that_did_come_first_is_as_it_was() -> None:
    found = truth(DOWN_THEN_UP)
    assert (found.cause, found.difference, found.stop_at) == (EndCause.SAME, 0.0, 5 * MINUTE)


def test_a_short_is_looked_at_the_other_way_round() -> None:
    short = record("SHORT", "stop", 105.0)
    taken = truth(DOWN_THEN_UP, short, stop=105.0, take=95.0)
    assert (taken.cause, taken.exit_price, taken.difference) == (EndCause.TAKE_FIRST, 95.0, 20.0)
    assert truth(UP_THEN_DOWN, short, stop=105.0, take=95.0).cause is EndCause.SAME


def test_commission_of_the_other_price_is_counted() -> None:
    assert truth(UP_THEN_DOWN, costs=COSTS).difference == pytest.approx(20 - 0.001 * 2 * 10)
    # By hand: sold at 105 for 210 less 0.21, instead of at 95 for 190 less 0.19.
    assert gained(record(), 105.0, COSTS) == pytest.approx((210 - 0.21) - (190 - 0.19))


def test_a_candle_that_opens_beyond_the_stop_fills_there() -> None:
    jump: Path = [(100, 101, 99, 100), (92, 93, 90, 91), (91, 92, 90, 91), (91, 92, 90, 91)]
    found = truth(jump)
    assert (found.cause, found.exit_price, found.reason) == (EndCause.PRICE, 92.0, "stop")
    assert found.difference == -6.0


def test_a_candle_that_opens_beyond_the_take_fills_there() -> None:
    jump: Path = [(100, 101, 99, 100), (108, 109, 90, 91), (91, 92, 90, 91), (91, 92, 90, 91)]
    found = truth(jump, record(reason="take", exit_price=105.0))
    assert (found.cause, found.exit_price, found.difference) == (EndCause.PRICE, 108.0, 6.0)
    # It opened beyond the take, so the stop in the same candle came later.
    assert truth(jump).cause is EndCause.TAKE_FIRST


def test_a_candle_that_opens_beyond_the_stop_had_it_first_whatever_else_it_reaches() -> None:
    jump: Path = [(100, 101, 99, 100), (92, 109, 90, 91), *QUIET[:2]]
    found = truth(jump, record(reason="take", exit_price=105.0))
    assert (found.cause, found.reason, found.exit_price) == (EndCause.STOP_FIRST, "stop", 92.0)
    assert found.difference == -26.0


def test_both_in_one_finer_candle_is_not_guessed() -> None:
    both: Path = [(100, 106, 94, 100), *QUIET[:3]]
    found = truth(both)
    assert (found.cause, found.difference, found.exit_price) == (EndCause.UNDECIDED, 0.0, 95.0)
    assert found.stop_at == found.take_at == 4 * MINUTE


def test_a_missing_candle_before_the_end_is_said_and_not_guessed() -> None:
    bars = minutes([*QUIET, *UP_THEN_DOWN])
    holes = [k for k in range(8) if k != 5]
    with_hole = Bars(bars.ts[holes], *(column[holes] for column in bars[1:]))
    guarded = GuardedTrade(record(), 95.0, 105.0)
    found = explain([guarded], {0: 100.0}, FineCandles(with_hole, MINUTE, 4 * MINUTE), FREE)[0]
    assert (found.cause, found.difference) == (EndCause.MISSING, 0.0)
    assert found.note == "1 of 4"


@pytest.mark.parametrize(("kept", "cause"), [(7, EndCause.SAME), (6, EndCause.SAME), (5, EndCause.MISSING)])
def test_what_is_missing_after_the_end_does_not_matter(kept: int, cause: EndCause) -> None:
    bars = minutes([*QUIET, *DOWN_THEN_UP]).until(kept)
    found = explain(
        [GuardedTrade(record(), 95.0, 105.0)], {0: 100.0}, FineCandles(bars, MINUTE, 4 * MINUTE), FREE
    )
    assert found[0].cause is cause


def test_no_finer_candles_at_all_are_said() -> None:
    fine = FineCandles(minutes(QUIET, start=40 * MINUTE), MINUTE, 4 * MINUTE)
    found = explain([GuardedTrade(record(), 95.0, 105.0)], {0: 100.0}, fine, FREE)[0]
    assert (found.cause, found.note) == (EndCause.MISSING, "4 of 4")


def test_candles_of_another_price_are_said() -> None:
    assert truth(QUIET).cause is EndCause.UNREACHED


def test_an_end_at_an_open_hides_nothing() -> None:
    found = truth(UP_THEN_DOWN, record(reason="rule", exit_price=100.0))
    assert (found.cause, found.difference) == (EndCause.OPEN, 0.0)


def test_a_stop_in_the_entry_bar_is_looked_at_from_the_open_on() -> None:
    found = truth(UP_THEN_DOWN, record(entry_bar=1, exit_bar=1))
    assert found.cause is EndCause.TAKE_FIRST


# Entries that wait for a price, in a bar that opens at 100.

DIP: Path = [(100, 107, 99, 100), (100, 100, 97, 98), (98, 106, 98, 105), (105, 105, 104, 105)]


def test_what_came_before_a_waiting_entry_is_not_its_own() -> None:
    # The high of 107 came before 98 was reached, that of 106 after it.
    waited = record(entry=98.0, entry_bar=1, exit_bar=2, reason="rule", exit_price=99.0)
    found = truth(DIP, waited)
    assert (found.cause, found.exit_price, found.take_at) == (EndCause.ENTRY_BAR, 105.0, 6 * MINUTE)
    assert found.difference == 12.0
    early: Path = [(100, 107, 99, 100), (100, 100, 97, 98), (98, 99, 97, 98), (98, 99, 97, 98)]
    assert truth(early, waited).cause is EndCause.OPEN


def test_a_stop_after_a_waiting_entry_is_as_it_was() -> None:
    fall: Path = [(100, 101, 99, 100), (100, 100, 94, 94), *QUIET[:2]]
    waited = record(entry=98.0, entry_bar=1, exit_bar=1)
    # From 100 down it passes 98 and then 95.
    assert truth(fall, waited).cause is EndCause.SAME


def test_a_stop_that_came_before_a_waiting_entry_was_none_of_its_own() -> None:
    # A buy above the market at 103: the low of 94 came first, and then the take.
    rise: Path = [(100, 100, 94, 96), (96, 101, 96, 101), (101, 104, 101, 104), (104, 106, 103, 105)]
    waited = record(entry=103.0, entry_bar=1, exit_bar=1)
    found = truth(rise, waited)
    assert (found.cause, found.exit_price, found.exit_ts) == (EndCause.TAKE_FIRST, 105.0, 7 * MINUTE)


def test_in_the_candle_that_fills_it_what_came_first_is_not_known() -> None:
    # A buy at 103 in a candle that rises from 96 to 104 and had 94 in it.
    unclear: Path = [(100, 100, 96, 96), (96, 104, 94, 104), *QUIET[:2]]
    found = truth(unclear, record(entry=103.0, entry_bar=1, exit_bar=1))
    assert found.cause is EndCause.UNDECIDED
    # Rising from below through 103 and on to 105, with no stop in it, is clear.
    clear: Path = [(100, 100, 96, 96), (96, 106, 96, 104), (104, 104, 94, 94), *QUIET[:1]]
    assert truth(clear, record(entry=103.0, entry_bar=1, exit_bar=1)).cause is EndCause.TAKE_FIRST


def test_a_spread_makes_no_entry_a_waiting_one() -> None:
    spread = Costs(0.0, 0.01)
    paid = record(entry=101.0, entry_bar=1, exit_bar=1)
    assert truth(UP_THEN_DOWN, paid, costs=spread).cause is EndCause.TAKE_FIRST


def test_a_trade_without_stop_or_take_has_nothing_to_reach() -> None:
    found = truth(UP_THEN_DOWN, record(reason="rule"), stop=math.nan, take=math.nan)
    assert found.cause is EndCause.OPEN


def test_a_moved_stop_is_a_stop() -> None:
    found = truth(UP_THEN_DOWN, record(reason="trail"))
    assert (found.cause, found.reason) == (EndCause.TAKE_FIRST, "take")
    jump: Path = [(100, 101, 99, 100), (92, 93, 90, 91), *QUIET[:2]]
    assert truth(jump, record(reason="trail")).reason == "trail"


def test_the_total_is_one_sentence() -> None:
    truths = [truth(UP_THEN_DOWN), truth(DOWN_THEN_UP), truth(QUIET)]
    said = total_sentence(truths, "USDT", "1m")
    assert said == ("of 3 trades 1 would have ended otherwise: +20.00 USDT; of 1 the 1m candles do not tell")
    assert total_sentence(truths[1:2], "USDT", "1m") == "of 1 trades 0 would have ended otherwise: +0.00 USDT"
