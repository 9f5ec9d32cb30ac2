"""What a strategy would want if it traded alone: its virtual position, as a causal column that forgets.

A rule's position depends on all it did before, so that no bounded window could tell it. Here it starts flat
at fixed times: for the bars of one stretch, where the stretch before begins. Stretches are counted from 1970
on, so a window that reaches back that far gives the same to the last bit (docs/decisions/0015).

The steps are the backtest's, compiled from the same source: decide, ask, and core.fills on an account of its
own, without costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.domain import FLAT, MOST_LOTS, Bars, Decision, FloatArray
from core.fills import make_trades, open_book
from core.soundness import MOST
from strategies.indicators_more import stretches
from strategies.rule import first_decision
from strategies.rule_check import check_decision

if TYPE_CHECKING:
    from strategies.rule import StrategyRule

VIRTUAL_CASH = 1e6
"""Quote currency, anew for each stretch; what matters is the side, hardly the size."""


def wanted(
    bars: Bars, rule: StrategyRule, params: Any, restart: int, newest: int | None = None
) -> FloatArray:
    """Return the target, -1 to 1, that a rule wants at each close; NaN while it warms up.

    Its position starts flat `restart` to twice as many bars before. A ladder's target counts as any other.
    With `newest` it is told of the stretches with so many last closes alone. Raises UsageError for a target
    beyond that.
    """
    columns = rule.columns_of(bars, params)
    target = np.full(bars.ts.size, np.nan)
    first = first_decision(columns)
    if first < bars.ts.size:
        # The compiler takes a second to import: only who follows a rule pays it.
        from core.kernel.follow import Stretches, follow

        room = open_book(VIRTUAL_CASH), make_trades(2 * MOST_LOTS)
        pieces = Stretches(*stretches(bars.ts, restart, first))
        if newest is not None:
            pieces = Stretches(*(one[pieces.stops > bars.ts.size - newest] for one in pieces))
            first = int(pieces.firsts.min(initial=bars.ts.size))
        target = follow(bars, rule, columns, params, pieces, VIRTUAL_CASH, room)
        _check(rule, bars, target, first)
    return target


def _check(rule: StrategyRule, bars: Bars, target: FloatArray, first: int) -> None:
    """Raise UsageError for a target that no rule may want; what is entered without a stop trades nothing."""
    wrong = np.flatnonzero(~(np.abs(target[first:]) <= MOST))
    if wrong.size:
        i = first + int(wrong[0])
        check_decision(rule, Decision(target.item(i)), FLAT, int(bars.ts[i]))
