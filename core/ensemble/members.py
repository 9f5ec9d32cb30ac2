"""What a strategy would want if it traded alone: its virtual position, as a causal column that forgets.

A rule's position depends on all it did before, so that no bounded window could tell it. Here it starts flat
at fixed times: for the bars of one stretch, where the stretch before begins. Stretches are counted from 1970
on, so a window that reaches back that far gives the same to the last bit (docs/decisions/0015).

The steps are the backtest's, compiled from the same source: decide, ask, and core.fills on an account of its
own, without costs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from core.domain import FLAT, MOST_LOTS, Bars, Costs, Decision, FloatArray, IntArray, PositionView
from core.fills import CASH, LEFT_BAR, LEFT_WITH, TRADES, OneBar, ask, fill, make_trades, open_book, view
from core.sizing import Sizing
from core.soundness import MOST
from strategies.indicators_more import stretches
from strategies.rule import first_decision, row
from strategies.rule_check import check_decision

if TYPE_CHECKING:
    from strategies.rule import StrategyRule

VIRTUAL_CASH = 1e6
"""Quote currency, anew for each stretch; what matters is the side, hardly the size."""


def wanted(bars: Bars, rule: StrategyRule, params: Any, restart: int) -> FloatArray:
    """Return the target, -1 to 1, that a rule wants at each close; NaN while it warms up.

    Its position starts flat `restart` to twice as many bars before. A ladder's target counts as any other.
    Raises UsageError for a target beyond that.
    """
    columns = rule.columns(bars, params)
    target = np.full(bars.ts.size, np.nan)
    first = first_decision(columns)
    if first < bars.ts.size:
        book, trades = open_book(VIRTUAL_CASH), make_trades(2 * MOST_LOTS)
        run, given = compiled_loop(rule), stretches(bars.ts, restart, first)
        # One kind of array, however the bars came: for each kind the loop would be compiled again.
        bars, columns = (
            type(table)._make(_writable(column) for column in table) for table in (bars, columns)
        )
        run(bars, columns, params, *given, book, trades, target, rule.sizing(params), Costs(0.0, 0.0))
        _check(rule, bars, target, first)
    return target


def _check(rule: StrategyRule, bars: Bars, target: FloatArray, first: int) -> None:
    """Raise UsageError for a target that no rule may want; what is entered without a stop trades nothing."""
    wrong = np.flatnonzero(~(np.abs(target[first:]) <= MOST))
    if wrong.size:
        i = first + int(wrong[0])
        check_decision(rule, Decision(target.item(i)), FLAT, int(bars.ts[i]))


def _writable(column: Any) -> Any:
    return column if column.flags.writeable and column.flags.c_contiguous else column.copy()


def decide(now: Any, prev: Any, held: PositionView, params: Any) -> Decision:  # noqa: ARG001
    """Stand for the rule's own, as in core.kernel.loop."""
    raise TypeError("follow_bars belongs to no rule: take loop_of(follow_bars, rule)")


def follow_bars(
    bars: Bars,
    columns: Any,
    params: Any,
    begins: IntArray,
    firsts: IntArray,
    stops: IntArray,
    book: FloatArray,
    trades: FloatArray,
    target: FloatArray,
    sizes: Sizing,
    costs: Costs,
) -> None:
    """Run a rule's steps from each of `begins` to before `stops`, and note its targets from `firsts` on."""
    cash = book[0, CASH]
    for k in range(begins.size):
        for line in range(book.shape[0]):
            for column in range(book.shape[1]):
                book[line, column] = 0.0
        book[0, CASH] = cash
        book[0, LEFT_BAR] = book[0, LEFT_WITH] = np.nan
        for i in range(begins[k], stops[k]):
            # Nobody asks what was closed: there is always room for more.
            book[0, TRADES] = 0.0
            bar = OneBar(bars.open[i], bars.high[i], bars.low[i], bars.close[i])
            fill(book, trades, i, bar, costs)
            held = view(book, i)
            want = decide(row(columns, i), row(columns, i - 1), held, params)
            ask(book, want, held, bar.close, sizes, costs)
            if i >= firsts[k]:
                target[i] = want.target


@cache
def compiled_loop(rule: StrategyRule) -> Callable[..., None]:
    """Return `follow_bars` for a rule, compiled or found on disk when first called."""
    # The compiler takes a second to import: only who follows a rule pays it.
    from core.kernel import loop
    from core.kernel.compiler import compile_copy, compiling
    from core.kernel.disk_cache import keep

    run = compile_copy(follow_bars, {**loop.fill_model(), "decide": loop.compiled(rule.decide)})
    run = keep(run, f"{rule.name} followed", loop.compiled_row, loop.compiled_code)

    def quietly(*given: Any) -> None:
        with compiling():
            run(*given)

    return quietly
