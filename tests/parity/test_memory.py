"""What a position remembers is the same in every driver, to the last bit, and after a restart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, cast

import pytest

from core import fills
from core.domain import Bar, Bars, Costs, Series
from core.engine import LiveDecider, Step
from core.execution import Plan
from core.order_path.audit import check_books
from core.proof.verify import verify
from core.results.runs import RunSpec
from db.journal import Journal, memory_journal
from strategies.registry import Strategy
from tests.desk_help import Account
from tests.judging import SERIES as SERIES_JUDGED
from tests.judging import verdict
from tests.markets import HOUR, random_bars
from tests.parity.test_three_ways import mutated
from tests.remembering import RECALLING, REMEMBERING
from tests.tiers import some, statistics, tries

pytestmark = pytest.mark.unmeasured

SERIES = Series("binanceus", "BTC/USDT", "1h")
COSTS = (Costs(0.0, 0.0), Costs(0.001, 0.0), Costs(0.0007, 0.0004))
RULES = {"REMEMBERING": REMEMBERING, "RECALLING": RECALLING}
ENDS = {
    "REMEMBERING": {"stop", "trail", "time", "reduce", "end"},
    "RECALLING": {"rule", "reduce", "end"},
}


def market(seed: int, length: int = 400) -> Bars:
    volatility, price = [0.002, 0.01, 0.03][seed % 3], [0.5, 100.0, 60_000.0][seed % 3]
    return random_bars(seed, length, volatility=volatility, price=price)


@statistics
@pytest.mark.parametrize("name", RULES)
def test_rules_that_remember_agree_three_ways_to_the_last_bit(name: str) -> None:
    trades, reasons, markets = 0, set(), tries(30, 3)
    for seed in range(markets):
        spec = RunSpec(SERIES, name, {}, COSTS[seed % 3], 10_000.0)
        verdict = verify(market(seed), spec, RULES[name], sampled=10)
        assert verdict.differences == ()
        trades += len(verdict.runs[0].trades)
        reasons |= {trade.reason for trade in verdict.runs[0].trades}
    assert trades > 40 * markets
    assert reasons == ENDS[name]


FAULTS = (
    ("view", "book[HELD + lots - 1, ENTRY_PRICE]", "book[HELD, ENTRY_PRICE]"),
    ("view", "float(book[HELD, NOTE])", "float(book[HELD, STOP])"),
    ("since_exit", "i - int(left)", "i - int(left) + 1"),
    ("since_exit", "i - int(left) if left == left else NEVER", "NEVER"),
    ("close_lot", "gain(side, entry, price, costs.commission)", "gain(1.0, entry, price, costs.commission)"),
    ("close_lot", "gain(side, entry, price, costs.commission)", "gain(side, entry, price, 0.0)"),
    ("ask", "book[k, NOTE] = want.note", "pass"),
    ("ask_entry", "book[k, NOTE] = want.note", "pass"),
)
"""One line each of the fill model that all drivers but Backtesting.py's share."""


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_a_mistake_in_what_is_remembered_is_noticed(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    name, right, wrong = FAULTS[number]
    changed = mutated(getattr(fills, name), right, wrong)
    monkeypatch.setattr(fills, name, changed)
    assert not all(verdict(rule, series).agrees for rule in RULES for series in SERIES_JUDGED)


def account_of(journal: Journal | None = None, rules: Mapping[str, Strategy] = RULES) -> Account:
    """Return an account on which two rules trade, each a symbol of its own."""
    account = Account(journal, costs=Costs(0.001))
    for name, symbol in zip(rules, ("BTC/USDT", "ETH/USDT"), strict=True):
        rule = rules[name].rule
        live = rules[name].live({"params": {"max_exposure": 0.45}})
        plan = Plan("1h", rule.sizing(live.params), rule.is_ladder)
        account.session.add(name, symbol, plan, LiveDecider(symbol, live))
    return account


def groups(bars: Bars) -> list[list[Bar]]:
    rows = zip(*(column.tolist() for column in bars), strict=True)
    return [
        [Bar(symbol, "1h", row[0], row[0] + HOUR, *row[1:]) for symbol in ("BTC/USDT", "ETH/USDT")]
        for row in rows
    ]


def run(account: Account, given: list[list[Bar]]) -> list[Step]:
    """Take bars as the loop does: the step first, then its orders."""
    steps = []
    for group in given:
        account.desk.at(group[0].end)
        steps.append(account.session.on_bars(group))
        account.desk.send()
    return steps


def brought(step: Step) -> tuple[Any, ...]:
    choices = [(one.strategy, repr(one.held), repr(one.decided.want)) for one in step.choices]
    fills = [(one.intent.key, one.fill.amount, one.fill.price, repr(one.intent.note)) for one in step.fills]
    return step.time, step.equity, choices, fills, step.trades


@pytest.mark.parametrize("seed", [1, 4])
def test_a_restart_of_a_journalled_account_forgets_nothing(seed: int) -> None:
    bars = market(seed, 160)
    assert restarted(bars, RULES, range(20, bars.close.size, 7)) > 30


def restarted(bars: Bars, rules: Mapping[str, Strategy], cuts: Iterable[int]) -> int:
    """Assert that an account restarted before each of these bars, in turn, goes on as one that was not.

    Return how many trades it closes.
    """
    whole = account_of(None, rules)
    whole.open()
    expected, given = run(whole, groups(bars)), groups(bars)
    journal = memory_journal("test")
    account = account_of(journal, rules)
    account.open()
    for start, stop in pairwise([0, *cuts, bars.close.size]):
        if start:
            kept, before = json.loads(json.dumps(account.snapshot(), allow_nan=False)), account
            account = account_of(journal, rules)
            account.open(kept, int(bars.ts[start - 1]) + HOUR)
            for slot, old in zip(account.session.slots, before.session.slots, strict=True):
                cast("Any", slot.decider).strategy.state = cast("Any", old.decider).strategy.state
            account.desk.send()
        found = run(account, given[start:stop])
        assert [brought(step) for step in found] == [brought(step) for step in expected[start:stop]]
        assert check_books(journal) == []
    return sum(len(step.trades) for step in expected)


@statistics
@pytest.mark.parametrize("lost", some(["exits", "note"], 1))
def test_a_snapshot_without_what_is_remembered_would_trade_otherwise(lost: str) -> None:
    bars = market(1, 160)
    whole = account_of()
    whole.open()
    expected = run(whole, groups(bars))
    differing = 0
    for cut in range(20, bars.close.size, 20):
        first = account_of()
        first.open()
        run(first, groups(bars.until(cut)))
        kept = first.snapshot()
        if lost == "exits":
            # As accounts of before have it: nothing was ever closed.
            del kept["exits"]
        for holding in kept["lots"] if lost == "note" else ():
            for lot in holding["lots"]:
                del lot["note"]
        again = account_of(first.journal)
        again.open(kept, int(bars.ts[cut - 1]) + HOUR)
        for slot, old in zip(again.session.slots, first.session.slots, strict=True):
            cast("Any", slot.decider).strategy.state = cast("Any", old.decider).strategy.state
        again.desk.send()
        found = run(again, groups(bars.since(cut)))
        differing += [step.trades for step in found] != [step.trades for step in expected[cut:]]
    assert differing > 0
