"""Parameter sets run by their rule's search: one as a backtest, many as a sweep, in one compiled call.

What the sets run over is told by address: columns that several sets share are not copied, and one compiled
function does for all kinds of arrays.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from core.domain import Bars, Costs, FloatArray, IntArray
from core.fills import TRADES, WIDTH, make_trades, open_book, view, view_ladder
from core.kernel.addresses import address_of
from core.kernel.frames import Group, frames_of
from core.kernel.loop import BAR, NEEDS_ROOM, SET, STOPPED, Ran, RunMemory, SetTable, compiled_run, plain_run
from core.kernel.machine import Code, compiler_name
from core.kernel.pairwise import make_halves
from core.kernel.scan import CODES, NUMBERS, SPREAD, is_scan_at_hand, plain_search, scan_of
from core.regime.conditions import short_gauges
from core.sizing import PLAIN, Choices, Gauges, Sizing
from strategies.rule import StrategyRule, row
from strategies.rule_check import check_decision

BRIEF = ("final_equity", "return_pct", "max_drawdown_pct", "win_rate_pct", "profit_factor", "trades_count")
"""The figures that need no equity curve, as core.results.measures.Summary has them."""

SIZED_BY = tuple(name for name in Sizing._fields if name not in Gauges._fields)
"""The fields of Sizing that a parameter set says."""

FIRST_TRADES = 4096

FEW = 10_000
"""Bars that plain Python runs in a quarter of a second; the compiler takes ten seconds at its very first."""


class Sets(NamedTuple):
    """Parameter sets, a row or a number for each."""

    groups: IntArray
    """Which Group it belongs to."""
    values: FloatArray
    """The rule's own parameters."""
    sizings: FloatArray
    """The fields of Sizing but for what is measured."""


class Simulated(NamedTuple):
    """What a run leaves behind."""

    book: FloatArray
    """The first row of the account at the end, as core.fills lays it out; shape (1, …)."""
    trades: FloatArray
    """(trades, 12), columns as in core.fills, in the order they were closed."""
    curve: FloatArray
    """Equity at each close, shape (bars,)."""
    by: str
    """What ran it, as RuleCode says."""


class RuleCode(NamedTuple):
    """What runs sets of one rule: `run_sets`, and the search that it calls."""

    run: Callable[..., int]
    scan: Code
    by: str
    """The compiler's name and version, or plain Python's: what a record of a run says."""


def compiled_code_of(rule: StrategyRule, columns: Any) -> RuleCode:
    """Return the compiled code, or what is found on disk of it."""
    return RuleCode(compiled_run(), scan_of(rule, columns, rule.params), compiler_name())


def soonest_code_of(bars: int) -> Callable[[StrategyRule, Any], RuleCode]:
    """Return what gives the code by which a single run over so many bars is over soonest.

    Compiled where it is at hand; where it is not, and the bars are few, plain Python: it does the same to the
    last bit (tests/parity), before the compiler would be imported and done.
    """

    def code_of(rule: StrategyRule, columns: Any) -> RuleCode:
        if bars > FEW or is_scan_at_hand(rule, columns, rule.params):
            return compiled_code_of(rule, columns)
        return plain_code_of(rule, columns)

    return code_of


def plain_code_of(rule: StrategyRule, columns: Any) -> RuleCode:
    """Return the same in plain Python, which shows what the compiled code does."""
    run = plain_run(plain_search(rule, columns, rule.params))
    return RuleCode(run, Code(0, None), f"plain Python {platform.python_version()}")


def simulate(
    bars: Bars,
    rule: StrategyRule,
    params: Any,
    cash: float,
    costs: Costs,
    columns: Any = None,
    choices: Choices = PLAIN,
    code_of: Callable[[StrategyRule, Any], RuleCode] = compiled_code_of,
) -> Simulated:
    """Run a rule over the bars, compiled; the arrays may be read-only. `columns`, if they are at hand.

    Raises UsageError for a decision that no rule may make.
    """
    columns = rule.columns_of(bars, params) if columns is None else columns
    sizing, curves = rule.sizing(params, choices), np.empty((1, bars.close.size))
    one = Sets(
        np.zeros(1, np.int64),
        np.array([params], np.float64),
        np.array([[float(getattr(sizing, name)) for name in SIZED_BY]]),
    )
    code = code_of(rule, type(columns))
    runner = SetRunner(rule, costs, cash, lambda *_: code)
    found, trades = runner.run(bars, [Group(columns, short_gauges(bars, choices))], one, curves)
    return Simulated(found.heads, trades[: int(found.ends[0])], curves[0], code.by)


class SetRunner:
    """Runs a rule's parameter sets in memory that it keeps; for one thread at a time."""

    def __init__(
        self,
        rule: StrategyRule,
        costs: Costs,
        cash: float,
        code_of: Callable[[StrategyRule, Any], RuleCode] = compiled_code_of,
    ) -> None:
        self._rule, self._cash, self._code_of = rule, float(cash), code_of
        # Of floats alone: for others the code would be compiled once more.
        self._costs = Costs(*map(float, costs))
        self._book, self._trades = open_book(cash), make_trades(FIRST_TRADES)
        self._halves = make_halves()
        self._numbers, self._codes = np.zeros(NUMBERS), np.zeros(CODES, np.int64)
        self._numbers[SPREAD] = costs.spread

    def run(
        self, bars: Bars, groups: Sequence[Group], sets: Sets, curves: FloatArray
    ) -> tuple[Ran, FloatArray]:
        """Run all sets; return what they come to, and the trades of all, which the next run overwrites.

        `curves` gets equity at each close, shape (sets, bars); with no bars there are no trades either.
        Raises UsageError for a decision that no rule may make.
        """
        code = self._code_of(self._rule, type(groups[0].columns))
        frames, held = frames_of(bars, groups)
        values = np.ascontiguousarray(sets.values)
        places = address_of(values) + values.strides[0] * np.arange(len(values))
        table = SetTable(sets.groups, places, np.ascontiguousarray(sets.sizings))
        found, place = _unknown(sets.groups.size), np.array([0, -1])
        given = code.scan.address, int(self._rule.is_ladder), bars.close.size, frames, table
        while True:
            room = self._room(curves, place)
            why = code.run(*given, self._costs, self._cash, room, found)
            if why != NEEDS_ROOM:
                break
            used, more = int(self._book[0, TRADES]), make_trades(2 * len(self._trades) + 256)
            more[:used] = self._trades[:used]
            self._trades = more
        del held
        if why == STOPPED:
            at = int(place[SET])
            self._refuse(bars, groups[sets.groups[at]].columns, sets.values[at], int(place[BAR]))
        return found, self._trades

    def _room(self, curves: FloatArray, place: IntArray) -> RunMemory:
        spare = np.empty((2, len(self._trades)))
        return RunMemory(
            book=self._book,
            trades=self._trades,
            spare=spare,
            halves=self._halves,
            curves=curves,
            numbers=self._numbers,
            codes=self._codes,
            place=place,
        )

    def _refuse(self, bars: Bars, columns: Any, values: FloatArray, i: int) -> None:
        """Raise UsageError for what the rule decides at bar i, where the run stopped."""
        rule = self._rule
        params = rule.make_params(dict(zip(rule.params._fields, values.tolist(), strict=True)))
        held = (view_ladder if rule.is_ladder else view)(self._book, i)
        wrong = rule.decide(row(columns, i), row(columns, i - 1), held, params)
        check_decision(rule, wrong, held, int(bars.ts[i]))


def _unknown(count: int) -> Ran:
    return Ran(
        np.zeros((count, WIDTH)),
        np.zeros(count, np.int64),
        np.full((count, len(BRIEF)), np.nan),
        np.zeros(count, np.int64),
    )
