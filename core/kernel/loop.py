"""The compiled bar loop: any rule's `decide` and the fill model, with no Python object inside.

What is compiled is the source that the paper account runs as plain Python: `core.fills`, `core.sizing`, the
rule itself, and `run_bars` below. Compiled once per process, or found on disk (core.kernel.disk_cache);
docs/decisions/0010 says how and what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from core import domain, fills, sizing, soundness
from core.domain import Bars, Costs, Decision, FloatArray, PositionView
from core.fills import (
    ASKED,
    LOTS,
    TRADES,
    OneBar,
    ask,
    equity,
    fill,
    grown,
    has_room,
    make_trades,
    open_book,
    view,
)
from core.kernel import equity as kernel_equity
from core.kernel import quiet
from core.kernel.borrowing import borrowed
from core.kernel.compiler import compile_copy, compiling, with_names
from core.kernel.disk_cache import keep
from core.kernel.equity import finish, note, ruin
from core.kernel.quiet import pass_quiet
from core.regime.conditions import short_gauges
from core.sizing import PLAIN, Choices, Gauges, Sizing, at_bar
from core.soundness import is_sound
from strategies.rule import StrategyRule, first_decision, row
from strategies.rule_check import check_decision, soundness_of
from strategies.rule_source import helpers

FIRST_TRADES = 1024


class Simulated(NamedTuple):
    """What a run leaves behind."""

    book: FloatArray
    """The account at the end, as core.fills lays it out."""
    trades: FloatArray
    """(trades, 12), columns as in core.fills, in the order they were closed."""
    curve: FloatArray
    """Equity at each close, shape (bars,)."""


def simulate(
    bars: Bars,
    rule: StrategyRule,
    params: Any,
    cash: float,
    costs: Costs,
    columns: Any = None,
    choices: Choices = PLAIN,
) -> Simulated:
    """Run a rule over the bars, compiled; the arrays may be read-only. `columns`, if they are at hand.

    Raises UsageError for a decision that no rule may make.
    """
    columns = rule.columns(bars, params) if columns is None else columns
    run = kernel(rule)
    sizes, measured = rule.sizing(params, choices), short_gauges(bars, choices)
    book, trades = open_book(cash), make_trades(FIRST_TRADES)
    curve = np.full(bars.close.size, cash)
    i = first_decision(columns)
    while i < bars.close.size:
        # The first call compiles.
        with compiling():
            i = run(bars, columns, params, i, bars.close.size, book, trades, curve, sizes, costs, measured)
        if i < 0:
            refuse(rule, bars, columns, params, book, -1 - i)
        if not has_room(book, trades):
            trades = grown(book, trades)
    return Simulated(book, trades[: int(book[0, TRADES])], curve)


def refuse(rule: StrategyRule, bars: Bars, columns: Any, params: Any, book: FloatArray, i: int) -> None:
    """Raise UsageError for what the rule decides at bar i, where the compiled loop stopped."""
    held = steps_of(rule)["view"](book, i)
    check_decision(
        rule, rule.decide(row(columns, i), row(columns, i - 1), held, params), held, int(bars.ts[i])
    )


def decide(now: Any, prev: Any, held: PositionView, params: Any) -> Decision:  # noqa: ARG001
    """Stand for the rule's own; `loop_of` puts that, and the steps of a ladder, in place of these names."""
    raise TypeError("run_bars belongs to no rule: take loop_of(rule)")


def run_bars(
    bars: Bars,
    columns: Any,
    params: Any,
    start: int,
    stop: int,
    book: FloatArray,
    trades: FloatArray,
    curve: FloatArray,
    sizes: Sizing,
    costs: Costs,
    measured: Gauges,
) -> int:
    """Run a rule's steps over the bars from `start` to before `stop`; return the first bar not run.

    That is before `stop` when `trades` is full; below 0, it is -1 less the bar whose decision is none. What
    is open after the last bar of all is closed. `curve` gets equity at each close, unless it is empty.
    """
    bars, columns, measured = borrowed(bars), borrowed(columns), borrowed(measured)
    book, trades, curve = borrowed(book), borrowed(trades), borrowed(curve)
    length = bars.close.size
    # What cannot be negative is not looked at from behind: the compiler leaves that out.
    i = max(start, 1)
    while i < stop:
        i = pass_quiet(bars, columns, params, i, stop, book, curve, sizes, costs, measured)
        if i >= stop:
            break
        if not has_room(book, trades):
            return i
        close = bars.close[i]
        if book[0, LOTS] + book[0, ASKED] > 0.0:
            fill(book, trades, i, OneBar(bars.open[i], bars.high[i], bars.low[i], close), costs)
        worth = equity(book, close)
        if worth <= 0:
            ruin(book, trades, curve, i, close, costs)
            return int(length)
        note(book, curve, i, worth, length)
        held = view(book, i)
        want = decide(row(columns, i), row(columns, i - 1), held, params)
        if not is_sound(want, held):
            return -1 - i
        ask(book, want, held, close, at_bar(sizes, measured, i), costs)
        i += 1
    if stop == length:
        finish(book, trades, curve, length, bars.close[length - 1], costs)
    return stop


def loop_of(rule: StrategyRule) -> Callable[..., int]:
    """Return `run_bars` for a rule in plain Python, which shows what the compiled one does."""
    loop: Callable[..., int] = with_names(run_bars, steps_of(rule))
    return loop


def steps_of(rule: StrategyRule) -> dict[str, Any]:
    """Return a rule's own steps in plain Python, by the names that the loop has for them."""
    ladder = {"view": fills.view_ladder, "ask": fills.ask_ladder} if rule.is_ladder else {}
    own = {"decide": rule.decide, "is_sound": soundness_of(rule), "IS_LADDER": rule.is_ladder}
    steps = {"view": fills.view, "ask": fills.ask, **ladder, **own}
    for function in (*kernel_equity.STEPS, *quiet.STEPS):
        steps[function.__name__] = with_names(function, dict(steps))
    return steps


def kernel(rule: StrategyRule) -> Callable[..., int]:
    """Return `run_bars` for a rule, compiled or found on disk when first called."""
    # Not by the rule itself: one that looks at a second symbol is bound anew to each, and decides the same.
    return _kernel(rule.decide, rule.name, rule.is_ladder, soundness_of(rule).__name__)


@cache
def _kernel(decide: Callable[..., Any], name: str, is_ladder: bool, sound: str) -> Callable[..., int]:  # noqa: FBT001
    run = compile_copy(run_bars, compiled_steps(decide, sound, is_ladder=is_ladder))
    kept: Callable[..., int] = keep(run, name, compiled_row, compiled_code)
    return kept


def compiled_steps(decide: Callable[..., Any], sound: str, *, is_ladder: bool) -> dict[str, Any]:
    """Return the fill model and a rule's own steps, compiled; `sound` names what tells a sound decision."""
    scope = fill_model()
    ladder = {"view": scope["view_ladder"], "ask": scope["ask_ladder"]} if is_ladder else {}
    own = {"decide": compiled(decide), "is_sound": scope[sound], "IS_LADDER": is_ladder}
    steps = {**scope, **ladder, **own}
    for function in (*kernel_equity.STEPS, *quiet.STEPS):
        steps[function.__name__] = compile_copy(function, dict(steps), from_python=False)
    return steps


@cache
def compiled(decide: Callable[..., Any]) -> Callable[..., Any]:
    """Return a rule's `decide` compiled, once per process."""
    model = fill_model()
    scope = {**model, "Decision": model["decision"]}
    return compile_copy(decide, {**scope, **_compiled_names(decide, scope)})


def _compiled_names(function: Callable[..., Any], scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a function names of its file as compiled code takes it: helpers, and tables of numbers."""
    found: dict[str, Any] = {}
    for name, helper in helpers(function).items():
        found[name] = compile_copy(helper, {**scope, **_compiled_names(helper, scope)}, from_python=False)
    named = getattr(function, "__globals__", {})
    tables = {name: named[name] for name in function.__code__.co_names if isinstance(named.get(name), tuple)}
    return found | {name: _of_floats(table) for name, table in tables.items()}


def _of_floats(table: Any) -> Any:
    """Return a table with floats alone: compiled code goes through what is of one kind."""
    return tuple(map(_of_floats, table)) if isinstance(table, tuple) else float(table)


@cache
def fill_model(*, inline: bool = True) -> dict[str, Any]:
    """Return the compiled functions by the names under which their source calls them.

    `inline`: made part of what calls them, which is faster and compiles longer.
    """
    scope: dict[str, Any] = {"code": fills.code}
    for function in (
        *(domain.enter, domain.hold, domain.move, domain.flat, domain.ladder, domain.decision),
        *(sizing.round_down, sizing.brackets, sizing.steadied, sizing.is_kelly, sizing.risk_of),
        *(
            sizing.multiple,
            sizing.gain,
            sizing.dear_from,
            sizing.at_close,
            sizing.at_bar,
            sizing.size_entry,
            fills.count_trade,
        ),
        *(fills.has_room, fills.equity, fills.free_cash),
        *(fills.after_exits, fills.since_exit, fills.view, fills.with_rungs, fills.view_ladder),
        *(fills.close_lot, fills.close_part, fills.drop_closed, fills.exit_asked, fills.stop_reason),
        *(fills.protect, fills.open_lot, fills.fill, fills.close_all),
        *(
            fills.exit_reason,
            fills.ask_exit,
            fills.ask_exits,
            fills.part_of,
            fills.ask_less,
            fills.ask_entry,
        ),
        *(fills.ask_rungs, fills.ask, fills.ask_ladder),
        *(soundness.is_sound, soundness.is_sound_ladder, soundness.is_sound_stopless),
    ):
        scope[function.__name__] = compile_copy(
            function, scope, inline=inline, from_python=False, counts=inline
        )
    return scope


@overload(row)
def compiled_row(columns, i):  # type: ignore[no-untyped-def] # noqa: ARG001 - numba compares signatures
    """Tell numba how a row is taken from columns."""
    if not isinstance(columns, types.BaseNamedTuple):
        return None
    taken = ", ".join(f"columns[{k}][i]" for k in range(len(columns)))
    scope: dict[str, Any] = {"make": getattr(columns, "instance_class")}  # noqa: B009 - numba sets it untyped
    # A tuple of another length needs another function: only text can say that.
    exec(f"def take(columns, i):\n    return make({taken})", scope)  # noqa: S102
    return scope["take"]


@overload(fills.code)
def compiled_code(member):  # type: ignore[no-untyped-def]
    """Tell numba what an enum's number is."""
    if isinstance(member, types.IntEnumMember):
        return lambda member: member.value
    return lambda member: member
