"""Entries that wait for a price are the same in every driver, to the last bit, and after a restart."""

from __future__ import annotations

import numpy as np
import pytest

from core import backtester, fills
from core.backtest import fast_backtester
from core.backtest.account import run_account
from core.backtest.compiled_account import CompiledAccount
from core.backtest.replay import ReplayAccount, ReplayFeed
from core.domain import NAN, Costs, Decision, enter
from core.fills import OneBar, ask, fill, make_trades, open_book, view
from core.proof.verify import verify
from core.results.runs import RunSpec
from core.sizing import Sizing
from tests.judging import SERIES as SERIES_JUDGED
from tests.judging import verdict
from tests.parity.test_memory import COSTS, SERIES, market, restarted
from tests.parity.test_three_ways import mutated
from tests.tiers import some, statistics, tries
from tests.waiting import PATIENT, RUNGS

RULES = {"PATIENT": PATIENT, "RUNGS": RUNGS}
ENDS = {"PATIENT": {"stop", "trail", "take", "time", "end"}, "RUNGS": {"take", "time", "end"}}
FREE = Costs(0.0, 0.0)
WHOLE = OneBar(100.0, 100.0, 100.0, 100.0)


@pytest.mark.unmeasured
@statistics
@pytest.mark.parametrize("name", RULES)
def test_three_ways_agree_on_entries_at_a_price(name: str) -> None:
    trades, reasons, refused, markets = 0, set(), set(), tries(30, 3)
    for seed in range(markets):
        spec = RunSpec(SERIES, name, {}, COSTS[seed % 3], 10_000.0)
        verdict = verify(market(seed), spec, RULES[name], sampled=10)
        assert verdict.differences == ()
        fast = fast_backtester.simulate_fast(market(seed), spec, RULES[name])
        assert fast.refusals == backtester.simulate(market(seed), spec, RULES[name]).refusals
        trades += len(verdict.runs[0].trades)
        reasons |= {trade.reason for trade in verdict.runs[0].trades}
        refused |= set(fast.refusals)
    assert trades > 30 * markets
    assert reasons == ENDS[name]
    assert "expired" in refused


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", some([1, 2], 1))
def test_a_restart_while_entries_wait_changes_nothing(seed: int) -> None:
    assert restarted(market(seed, 110), RULES, range(12, 110, 3)) > 50


def test_a_compiled_account_leaves_them_to_the_replay_step_by_step() -> None:
    feeds = [ReplayFeed("PATIENT", PATIENT, {}, "BTC/USDT", "1h", market(1))]
    account = ReplayAccount(10_000.0, FREE)
    assert CompiledAccount(feeds, account).run() == "an entry waits for a price"
    assert len(run_account(feeds, account).replay.trades["PATIENT"]) > 30


LONG_LIMIT = enter(1.0, 90.0, 120.0, limit=95.0, valid_bars=2)
SHORT_LIMIT = enter(-1.0, 110.0, 80.0, limit=105.0, valid_bars=2)
LONG_TRIGGER = enter(1.0, 98.0, 112.0, trigger=105.0, valid_bars=2)
SHORT_TRIGGER = enter(-1.0, 102.0, 88.0, trigger=95.0, valid_bars=2)
TOUCHES: list[tuple[str, Decision, OneBar, float, float]] = [
    # What it is, the decision, the next bar, the entry's price, the exit's; NaN for none.
    ("not reached", LONG_LIMIT, OneBar(100.0, 104.0, 95.1, 99.0), NAN, NAN),
    ("touched", LONG_LIMIT, OneBar(100.0, 104.0, 95.0, 99.0), 95.0, NAN),
    ("better open", LONG_LIMIT, OneBar(93.0, 104.0, 92.0, 99.0), 93.0, NAN),
    ("its stop lives in that bar", LONG_LIMIT, OneBar(100.0, 104.0, 89.0, 99.0), 95.0, 90.0),
    ("opens beyond its stop", LONG_LIMIT, OneBar(85.0, 104.0, 84.0, 99.0), 85.0, 85.0),
    ("its take may have come before", LONG_LIMIT, OneBar(100.0, 125.0, 94.0, 99.0), 95.0, NAN),
    ("its take came after the open", LONG_LIMIT, OneBar(94.0, 125.0, 94.0, 99.0), 94.0, 120.0),
    ("short, touched", SHORT_LIMIT, OneBar(100.0, 105.0, 96.0, 99.0), 105.0, NAN),
    ("short, better open", SHORT_LIMIT, OneBar(107.0, 108.0, 96.0, 99.0), 107.0, NAN),
    ("short, stopped", SHORT_LIMIT, OneBar(100.0, 111.0, 96.0, 99.0), 105.0, 110.0),
    ("short, taken before perhaps", SHORT_LIMIT, OneBar(100.0, 106.0, 79.0, 99.0), 105.0, NAN),
    ("trigger not reached", LONG_TRIGGER, OneBar(100.0, 104.9, 97.0, 99.0), NAN, NAN),
    ("triggered", LONG_TRIGGER, OneBar(100.0, 106.0, 99.0, 106.0), 105.0, NAN),
    ("worse open", LONG_TRIGGER, OneBar(107.0, 108.0, 106.0, 107.0), 107.0, NAN),
    ("its stop counts whenever it came", LONG_TRIGGER, OneBar(97.0, 106.0, 96.0, 106.0), 105.0, 98.0),
    ("its take came after for sure", LONG_TRIGGER, OneBar(100.0, 113.0, 99.0, 106.0), 105.0, 112.0),
    ("stop before take", LONG_TRIGGER, OneBar(100.0, 113.0, 97.0, 106.0), 105.0, 98.0),
    ("short, triggered", SHORT_TRIGGER, OneBar(100.0, 101.0, 94.0, 96.0), 95.0, NAN),
    ("short, worse open", SHORT_TRIGGER, OneBar(93.0, 94.0, 92.0, 93.0), 93.0, NAN),
    ("short, stop first", SHORT_TRIGGER, OneBar(100.0, 103.0, 87.0, 96.0), 95.0, 102.0),
    ("short, taken", SHORT_TRIGGER, OneBar(100.0, 101.0, 87.0, 96.0), 95.0, 88.0),
]


@pytest.mark.parametrize("case", TOUCHES, ids=[case[0] for case in TOUCHES])
def test_a_bar_fills_what_it_touches(case: tuple[str, Decision, OneBar, float, float]) -> None:
    _, want, bar, entered, left = case
    book, trades = open_book(10_000.0), make_trades(200)
    ask(book, want, view(book, 0), 100.0, Sizing(), FREE)
    assert view(book, 0).waiting == 1
    fill(book, trades, 1, bar, FREE)
    closed, held = trades[: int(book[0, fills.TRADES])], int(book[0, fills.LOTS])
    prices = closed[0] if closed.size else book[fills.HELD]
    got = prices[fills.ENTRY_PRICE] if closed.size or held else NAN
    gone = closed[0, fills.EXIT_PRICE] if closed.size else NAN
    assert np.array_equal([got, gone], [entered, left], equal_nan=True)
    assert view(book, 1).waiting == (1 if got != got else 0)


def test_an_entry_waits_as_many_bars_as_it_may_and_is_then_counted_as_expired() -> None:
    book, trades = open_book(10_000.0), make_trades(200)
    ask(book, LONG_LIMIT, view(book, 0), 100.0, Sizing(), FREE)
    fill(book, trades, 1, WHOLE, FREE)
    assert view(book, 1).waiting == 1
    fill(book, trades, 2, WHOLE, FREE)
    assert view(book, 2).waiting == 0
    assert book[0, fills.REFUSED + 5] == 1


FAULTS = (
    ("from_touch", "price = min(bar.open, limit)", "price = limit"),
    ("from_touch", "OneBar(max(bar.open, trigger), bar.high", "OneBar(trigger, bar.high"),
    ("from_touch", "bar.high if price == bar.open else price", "bar.high"),
    ("from_touch", "bar.low <= limit", "bar.close <= limit"),
    ("wait_on", "book[k, BARS] -= 1", "book[k, BARS] -= 2"),
    ("fill", "open_lot(book, k, i, reached, costs)", "open_lot(book, k, i, bar, costs)"),
    ("fill", "            protect(book, trades, i, reached, costs)", "            pass"),
    ("withdraw", "book[0, ASKED] = 0.0", "pass"),
    ("ask_entry", "entry_price(want, close)", "close"),
)
"""One line each of the fill model that all drivers but Backtesting.py's share."""


@pytest.mark.unmeasured
@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_a_mistake_about_an_entry_at_a_price_is_noticed(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    name, right, wrong = FAULTS[number]
    changed = mutated(getattr(fills, name), right, wrong)
    monkeypatch.setattr(fills, name, changed)
    assert not all(verdict(rule, series).agrees for rule in RULES for series in SERIES_JUDGED)
