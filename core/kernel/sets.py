"""Many parameter sets in one compiled call, which looks at no Python object while it runs.

What the sets run over is told by address: columns that several sets share are not copied, and one compiled
function does for all kinds of arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from core.domain import Bars, Costs, FloatArray, IntArray
from core.fills import CASH, PNL, TRADES, WIDTH, has_room, make_trades, open_book
from core.kernel.borrowing import compiled_borrowed
from core.kernel.compiler import compile_copy, compiling
from core.kernel.disk_cache import keep
from core.kernel.equity import drawdown, reopen
from core.kernel.loop import FIRST_TRADES, compiled_code, compiled_row, compiled_steps, refuse, run_bars
from core.kernel.pairwise import block_sum, pairwise_sum
from core.sizing import Gauges, Sizing
from core.utils import over
from strategies.rule import StrategyRule, can_trade, row
from strategies.rule_check import soundness_of

BRIEF = ("final_equity", "return_pct", "max_drawdown_pct", "win_rate_pct", "profit_factor", "trades_count")
"""The figures that need no equity curve, as core.results.measures.Summary has them."""

_FIXED = 8
"""Entries of a frame before the columns' addresses: four prices, two gauges and their lengths."""
SIZED_BY = tuple(name for name in Sizing._fields if name not in Gauges._fields)
"""The fields of Sizing that a parameter set says."""


class Prices(NamedTuple):
    """What the loop looks at of the bars."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray


class Ran(NamedTuple):
    """What parameter sets leave behind, a row or a number for each."""

    heads: FloatArray
    """The first row of each account, as core.fills lays it out."""
    firsts: IntArray
    """The first bar on which all columns have a value; the number of bars for none."""
    brief: FloatArray
    """The figures of BRIEF; NaN for a set that never warms up."""
    ends: IntArray
    """Where a set's trades end among all; they begin where those of the set before end."""


class Group(NamedTuple):
    """What sets with the same columns look at."""

    columns: Any
    measured: Gauges


class SetTable(NamedTuple):
    """Parameter sets as the compiled loop reads them, a row or a number for each."""

    groups: IntArray
    """Which Group it belongs to."""
    values: FloatArray
    """The rule's own parameters."""
    sizings: FloatArray
    """The fields of Sizing but for what is measured."""


class SetRunner:
    """Runs a rule's parameter sets in memory that it keeps; for one thread at a time."""

    def __init__(self, rule: StrategyRule, costs: Costs, cash: float) -> None:
        self._rule, self._costs, self._cash = rule, costs, float(cash)
        self._book, self._trades = open_book(cash), make_trades(FIRST_TRADES)

    def run(
        self, bars: Bars, groups: Sequence[Group], sets: SetTable, curves: FloatArray
    ) -> tuple[Ran, FloatArray]:
        """Run all sets; return what they come to, and the trades of all, which the next run overwrites.

        `curves` gets equity at each close, shape (sets, bars); if it is empty, there are no trades either.
        Raises UsageError for a decision that no rule may make.
        """
        count = sets.groups.size
        kinds: Any = type(groups[0].columns), self._rule.params
        sound, rule = soundness_of(self._rule).__name__, self._rule
        run = _compiled_sets(rule.decide, rule.name, rule.is_ladder, sound, *kinds)
        found = Ran(
            np.zeros((count, WIDTH)),
            np.zeros(count, np.int64),
            np.full((count, len(BRIEF)), np.nan),
            np.zeros(count, np.int64),
        )
        frames, held = _frames(bars, groups)
        given = (*sets, bars.close.size, self._costs, self._cash, self._book, self._trades, curves, found)
        # The first call compiles.
        with compiling():
            self._trades = run(frames, *given)
        del held
        if (wrong := found.firsts < 0).any():
            first = int(wrong.argmax())
            values = zip(self._rule.params._fields, sets.values[first].tolist(), strict=True)
            columns, at = groups[sets.groups[first]].columns, -1 - int(found.firsts[first])
            refuse(self._rule, bars, columns, self._rule.make_params(dict(values)), self._book, at)
        return found, self._trades


def _frames(bars: Bars, groups: Sequence[Group]) -> tuple[IntArray, list[FloatArray]]:
    """Return the addresses that `run_sets` takes, and the arrays that lie there, to be held meanwhile."""
    length, found = bars.close.size, []
    held: list[FloatArray] = []
    known: dict[int, int] = {}

    def address(column: Any, wanted: int) -> int:
        if id(column) not in known:
            plain = np.ascontiguousarray(column, np.float64)
            if plain.shape != (wanted,):
                raise ValueError(f"a column has the shape {plain.shape}, there are {wanted} bars")
            held.extend((column, plain))
            known[id(column)] = int(plain.__array_interface__["data"][0])
        return known[id(column)]

    prices = [address(column, length) for column in bars[1:5]]
    for columns, measured in groups:
        sizes = [gauge.size if gauge.size == 1 else length for gauge in measured]
        gauges = [address(gauge, size) for gauge, size in zip(measured, sizes, strict=True)]
        found.append([*prices, *gauges, *sizes, *(address(column, length) for column in columns)])
    return np.array(found, np.int64), held


def _read(*given: Any) -> Any:  # noqa: ARG001
    """Stand for what `_readers` makes, as `decide` does for a rule's own."""
    raise TypeError("run_sets belongs to no rule: take SetRunner")


prices_at = gauges_at = columns_at = params_at = sizing_at = _read


def run_sets(
    frames: IntArray,
    groups: IntArray,
    values: FloatArray,
    sizings: FloatArray,
    length: int,
    costs: Costs,
    cash: float,
    book: FloatArray,
    trades: FloatArray,
    curves: FloatArray,
    found: Ran,
) -> FloatArray:
    """Run set after set and fill `found`; return the trades of all, in a larger table if need be.

    `frames` holds, for each group of sets with the same columns, the addresses of prices, gauges and columns,
    and how many values each gauge has. With `curves` empty the trades of one set overwrite the last one's.
    At a decision that no rule may make it stops; what `run_bars` returned for it stands in `found.firsts`.
    """
    none, used, is_kept = np.empty(0), 0, curves.size > 0
    for s in range(groups.size):
        frame = frames[groups[s]]
        prices, columns, measured = prices_at(frame, length), columns_at(frame, length), gauges_at(frame)
        curve = curves[s] if is_kept else none
        reopen(book, cash)
        book[0, TRADES] = used
        first = 0
        while first < length and not is_warm(row(columns, first)):
            first += 1
        i = min(first + 1, length)
        if is_kept:
            for k in range(i):
                curve[k] = cash
        while i < length:
            given = params_at(values[s]), i, length, book, trades, curve, sizing_at(sizings[s]), costs
            i = run_bars(prices, columns, *given, measured)
            if i < 0:
                found.firsts[s] = i
                return trades
            if not has_room(book, trades):
                trades = roomier(book, trades)
        found.firsts[s] = first
        if can_trade(length, first):
            sum_up(book, trades, used, cash, found.brief[s])
        for column in range(book.shape[1]):
            found.heads[s, column] = book[0, column]
        used = int(book[0, TRADES]) if is_kept else 0
        found.ends[s] = used
    return trades


def is_warm(values: tuple[float, ...]) -> bool:
    """Tell whether all values of a row are there."""
    for value in values:  # noqa: SIM110 - the compiler knows no generators
        if math.isnan(value):
            return False
    return True


def roomier(book: FloatArray, trades: FloatArray) -> FloatArray:
    """Return the trades in a table of twice the size."""
    larger = np.empty((2 * trades.shape[0] + 256, trades.shape[1]))
    for k in range(int(book[0, TRADES])):
        for column in range(trades.shape[1]):
            larger[k, column] = trades[k, column]
    return larger


def sum_up(book: FloatArray, trades: FloatArray, begin: int, cash: float, brief: FloatArray) -> None:
    """Fill in the figures of BRIEF from the account at the end and the trades from row `begin` on."""
    end, final = int(book[0, TRADES]), book[0, CASH]
    won, lost, wins, losses = np.empty(end - begin), np.empty(end - begin), 0, 0
    for k in range(begin, end):
        pnl = trades[k, PNL]
        if pnl > 0:
            won[wins] = pnl
            wins += 1
        elif pnl < 0:
            lost[losses] = pnl
            losses += 1
    brief[0] = final
    brief[1] = (final - cash) / cash * 100
    brief[2] = drawdown(book) * 100
    brief[3] = wins / (end - begin) * 100 if end > begin else np.nan
    brief[5] = end - begin
    brief[4] = over(pairwise_sum(won, 0, wins), -pairwise_sum(lost, 0, losses))


@intrinsic  # type: ignore[untyped-decorator]
def floats_at(typing: Any, address: Any, length: Any) -> Any:  # noqa: ARG001
    """Return the numbers that lie at an address, without an owner; who calls holds them."""
    array = types.Array(types.float64, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        made = make_array(array)(context, builder)
        data = builder.inttoptr(args[0], made.data.type)
        width = context.get_constant(types.intp, 8)
        populate_array(made, data, [args[1]], [width], width, None)
        return made._getvalue()

    return array(types.int64, types.int64), generate


def _readers(columns: Any, params: Any) -> dict[str, Callable[..., Any]]:
    """Return what makes tuples of a rule's own kinds from addresses and from rows of numbers."""
    kinds = [type(params._field_defaults[name]).__name__ for name in params._fields]
    lines = {
        "prices_at(frame, length)": ("Prices", [f"floats_at(frame[{k}], length)" for k in range(4)]),
        "gauges_at(frame)": ("Gauges", [f"floats_at(frame[{k + 4}], frame[{k + 6}])" for k in range(2)]),
        "columns_at(frame, length)": (
            "Columns",
            [f"floats_at(frame[{k + _FIXED}], length)" for k in range(len(columns._fields))],
        ),
        "params_at(values)": ("Params", [f"{kind}(values[{k}])" for k, kind in enumerate(kinds)]),
        "sizing_at(values)": ("Sizing", [*(f"values[{k}]" for k in range(len(SIZED_BY))), "0.0", "0.0"]),
    }
    scope = {"Prices": Prices, "Gauges": Gauges, "Columns": columns, "Params": params, "Sizing": Sizing}
    made: dict[str, Any] = {**scope, "floats_at": floats_at}
    for head, (kind, parts) in lines.items():
        # Tuples of other lengths need other functions: only text can say that.
        exec(f"def {head}:\n    return {kind}({', '.join(parts)})", made)  # noqa: S102
    return {
        name: compile_copy(made[name], {}, from_python=False)
        for name in made
        if name.endswith("_at") and name != "floats_at"
    }


@cache
def _compiled_sets(
    decide: Callable[..., Any],
    name: str,
    is_ladder: bool,  # noqa: FBT001
    sound: str,
    columns: Any,
    params: Any,
) -> Callable[..., FloatArray]:
    scope = compiled_steps(decide, sound, is_ladder=is_ladder)
    scope.update(_readers(columns, params))
    scope["run_bars"] = compile_copy(run_bars, scope, from_python=False)
    for function in (can_trade, is_warm, roomier, over, block_sum, pairwise_sum, sum_up):
        scope[function.__name__] = compile_copy(function, dict(scope), from_python=False)
    run = compile_copy(run_sets, scope)
    kept: Callable[..., FloatArray] = keep(
        run, f"{name} sets", compiled_row, compiled_code, compiled_borrowed
    )
    return kept
