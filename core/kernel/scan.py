"""A rule compiled as a search: the next bar on which it wants anything but what is held.

The one function that is compiled for a rule. Backtest, sweep, ensemble and account all drive it, through its
address and by one signature, so that each of them is compiled once, whatever the rules are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from core import domain
from core.domain import (
    NEVER,
    SAME_TARGET,
    Decision,
    FloatArray,
    IntArray,
    PositionView,
    Reason,
    changes,
    is_priced,
)
from core.fills import code
from core.kernel.addresses import floats_at, integers_at
from core.kernel.entries import code_of, is_at_hand
from core.kernel.fill_model import fill_model
from core.kernel.frames import CLOSE, COLUMNS, HIGH, LOW
from core.kernel.machine import Code, caller
from core.kernel.pieces import Piece, pieces_of, with_names
from core.sizing import brackets
from core.soundness import is_sound
from strategies.rule import StrategyRule, row
from strategies.rule_check import soundness_of
from strategies.rule_source import helpers

# The numbers of a search: the position at bar 0, the prices between which no lot closes (NaN for none), the
# close above which no entry is worth a lot, the spread; then what is wanted.
ENTRY, STOP, TAKE, TARGET, NEWEST, RESULT, NOTE, LOWER, UPPER, DEAR, SPREAD = range(11)
NEW_TARGET, NEW_STOP, NEW_TAKE, NEW_NOTE, LIMIT, TRIGGER = range(11, 17)
NUMBERS = 17
# Its integers: the position's, how it is driven; then why it ends, what is wanted, and how many entries it
# refused, as core.domain.Refusal counts them.
SIDE, BARS_HELD, RUNGS, SINCE, WAITING, DRIVEN = range(6)
WHY, REASON, NEW_RUNGS, VALID, NO_LOT, NO_BRACKET = range(6, 12)
CODES = 12
PASSED, REACHED, WANTS, UNSOUND = range(4)
"""Why it ends: at the end; before a bar that reaches a stop or a take; at one on which something else is
wanted than is held; at a decision that no rule may make."""

FOLLOWS, STOPS, TARGETS = range(3)
"""What it does with a stop or a take that the rule moves: follow it, and tell the last; end there; end there,
and wherever the target is another one, if only in its last bit."""

IS_LADDER = False
"""Stands for what the rule is, as the names below do for what it has."""


def decide(now: Any, prev: Any, held: PositionView, params: Any) -> Decision:  # noqa: ARG001
    """Stand for the rule's own."""
    raise TypeError("search belongs to no rule: take scan_of(rule)")


def columns_at(frame: IntArray, length: int) -> Any:  # noqa: ARG001
    """Stand for what makes the rule's columns of their addresses."""
    raise TypeError("search belongs to no rule: take scan_of(rule)")


def params_at(values: FloatArray) -> Any:  # noqa: ARG001
    """Stand for what makes the rule's parameters of numbers."""
    raise TypeError("search belongs to no rule: take scan_of(rule)")


SIZE, PARAMS = 0, 0
"""Stand for how many entries a frame of the rule has, and how many parameters."""


def search(frame_at: int, values_at: int, numbers_at: int, codes_at: int, start: int, stop: int) -> int:
    """Return the first bar from `start` on that fills something or is decided otherwise than held.

    `stop` when there is none; WHY says which. What is held is as at the close of `start`, which is filled
    already.
    """
    frame, params = integers_at(frame_at, SIZE), params_at(floats_at(values_at, PARAMS))
    numbers, codes = floats_at(numbers_at, NUMBERS), integers_at(codes_at, CODES)
    columns, first = columns_at(frame, stop), max(start, 1)
    codes[WHY] = PASSED
    if codes[SIDE] == 0:
        return find_entry(columns, params, floats_at(frame[CLOSE], stop), numbers, codes, first, stop)
    lows, highs = floats_at(frame[LOW], stop), floats_at(frame[HIGH], stop)
    return find_change(columns, params, lows, highs, numbers, codes, first, stop)


def find_entry(
    columns: Any,
    params: Any,
    closes: FloatArray,
    numbers: FloatArray,
    codes: IntArray,
    start: int,
    stop: int,
) -> int:
    """Return the first bar on which something is wanted, with nothing held."""
    since, result, dear, none = codes[SINCE], numbers[RESULT], numbers[DEAR], np.nan
    codes[NO_LOT] = codes[NO_BRACKET] = 0
    i = start
    waiting = codes[WAITING]
    while i < stop:
        ago = i + since if since != NEVER else NEVER
        held = PositionView(0, none, none, none, 0, 0, 0.0, none, ago, result, none, waiting)
        want = decide(row(columns, i), row(columns, i - 1), held, params)
        if not keeps(want, held):
            # An account too small for a lot is refused on every other bar.
            is_dear = closes[i] > dear and waiting == 0 and not is_priced(want)
            if IS_LADDER or not is_dear or abs(want.target) > 1 or not is_sound(want, held):
                tell(want, held, numbers, codes)
                break
            refuse_dear(want, closes[i], numbers, codes)
        i += 1
    return i


def find_change(
    columns: Any,
    params: Any,
    lows: FloatArray,
    highs: FloatArray,
    numbers: FloatArray,
    codes: IntArray,
    start: int,
    stop: int,
) -> int:
    """Return the first bar on which what is held is not kept, or before which a lot is closed."""
    held = PositionView(
        codes[SIDE],
        numbers[ENTRY],
        numbers[STOP],
        numbers[TAKE],
        codes[BARS_HELD] + start,
        codes[RUNGS],
        numbers[TARGET],
        numbers[NEWEST],
        codes[SINCE] + start if codes[SINCE] != NEVER else NEVER,
        numbers[RESULT],
        numbers[NOTE],
        codes[WAITING],
    )
    lower, upper, driven, i = numbers[LOWER], numbers[UPPER], codes[DRIVEN], start
    while True:
        want = decide(row(columns, i), row(columns, i - 1), held, params)
        if not keeps(want, held) or (driven != FOLLOWS and differs(want, held, driven)):
            tell(want, held, numbers, codes)
            break
        i += 1
        held = after_bar(held, want)
        if driven == FOLLOWS and not IS_LADDER:
            lower, upper = (want.stop, want.take) if held.side > 0 else (want.take, want.stop)
        if i >= stop:
            break
        if lows[i] <= lower or highs[i] >= upper:
            codes[WHY] = REACHED
            break
    numbers[STOP], numbers[TAKE], numbers[NOTE] = held.stop, held.take, held.note
    return i


def keeps(want: Decision, held: PositionView) -> bool:
    """Tell whether a decision is sound and asks for no entry and no exit, and withdraws none.

    It may move stops, unless it is a ladder's.
    """
    if held.waiting != 0 and code(want.reason) != code(Reason.HOLD):
        return False
    if IS_LADDER:
        return bool(want.rungs == held.rungs and is_sound(want, held))
    side = 1 if want.target > 0 else (-1 if want.target < 0 else 0)
    more = abs(want.target) - abs(held.target)
    return bool(side == held.side and abs(more) <= SAME_TARGET and is_sound(want, held))


def differs(want: Decision, held: PositionView, driven: int) -> bool:
    """Tell whether what is wanted is not, to the last bit, what is held."""
    return bool(changes(want, held, IS_LADDER) or (driven == TARGETS and want.target != held.target))


def after_bar(held: PositionView, want: Decision) -> PositionView:
    """Return the position at the next close."""
    stop, take = (held.stop, held.take) if IS_LADDER else (want.stop, want.take)
    return PositionView(
        held.side,
        held.entry_price,
        stop,
        take,
        held.bars_held + 1,
        held.rungs,
        held.target,
        held.newest_price,
        held.since_exit + 1 if held.since_exit < NEVER else NEVER,
        held.last_result,
        held.note if IS_LADDER else want.note,
        held.waiting,
    )


def refuse_dear(want: Decision, close: float, numbers: FloatArray, codes: IntArray) -> None:
    """Count the refusal of an entry at a close that no lot can be paid at (core.sizing.dear_from)."""
    side = 1.0 if want.target > 0 else -1.0
    is_bracket = brackets(want, side, close * (1 + side * numbers[SPREAD]))
    codes[NO_LOT if is_bracket else NO_BRACKET] += 1


def tell(want: Decision, held: PositionView, numbers: FloatArray, codes: IntArray) -> None:
    """Write down what is wanted, and whether a rule may."""
    numbers[NEW_TARGET], numbers[NEW_STOP], numbers[NEW_TAKE] = want.target, want.stop, want.take
    numbers[NEW_NOTE], numbers[LIMIT], numbers[TRIGGER] = want.note, want.limit, want.trigger
    codes[REASON], codes[NEW_RUNGS], codes[VALID] = code(want.reason), want.rungs, want.valid_bars
    codes[WHY] = WANTS if is_sound(want, held) else UNSOUND


def show(held: PositionView, numbers: FloatArray, codes: IntArray) -> None:
    """Tell a search what is held, as seen at bar 0."""
    numbers[ENTRY], numbers[STOP], numbers[TAKE] = held.entry_price, held.stop, held.take
    numbers[TARGET], numbers[NEWEST] = held.target, held.newest_price
    numbers[RESULT], numbers[NOTE] = held.last_result, held.note
    codes[SIDE], codes[BARS_HELD], codes[RUNGS] = held.side, held.bars_held, held.rungs
    codes[SINCE], codes[WAITING] = held.since_exit, held.waiting


def wanted(numbers: FloatArray, codes: IntArray) -> Decision:
    """Return what a search found wanted."""
    return Decision(
        numbers[NEW_TARGET],
        numbers[NEW_STOP],
        numbers[NEW_TAKE],
        codes[REASON],
        codes[NEW_RUNGS],
        numbers[NEW_NOTE],
        numbers[LIMIT],
        numbers[TRIGGER],
        codes[VALID],
    )


SHARED = (keeps, changes, differs, after_bar, refuse_dear, tell)
"""What knows of a rule whether it is a ladder and what is sound, each after what it calls."""
STEPS = (*SHARED, find_entry, find_change)
"""What is bound to a rule, each after what it calls."""


def scan_of(rule: StrategyRule, columns: Any, params: Any, *, is_ladder: bool | None = None) -> Code:
    """Return a rule's search, compiled or found on disk; `columns` and `params` are its named tuples' types.

    `is_ladder`: whether rungs count, where that is not what the rule says.
    """
    by_rungs = rule.is_ladder if is_ladder is None else is_ladder
    return _scan(*_search_of(rule, columns, params, by_rungs))


def is_scan_at_hand(rule: StrategyRule, columns: Any, params: Any) -> bool:
    """Tell whether a rule's search is on disk, so that `scan_of` compiles nothing."""
    return is_at_hand(*_search_of(rule, columns, params, rule.is_ladder))


def _search_of(rule: StrategyRule, columns: Any, params: Any, by_rungs: bool) -> tuple[str, Piece]:  # noqa: FBT001
    # Not by the rule itself: one that looks at a second symbol is bound anew to each, and decides the same.
    return _search(rule.decide, rule.name, columns, params, soundness_of(rule), by_rungs)


def plain_search(rule: StrategyRule, columns: Any, params: Any) -> Callable[..., int]:
    """Return a rule's search in plain Python, which shows what the compiled one does."""
    read, sizes = _readers(columns, params)
    own = {"decide": rule.decide, "is_sound": soundness_of(rule), "IS_LADDER": rule.is_ladder}
    scope: dict[str, Any] = {**own, **sizes}
    steps: list[Any] = [*read, *STEPS]
    for step in steps:
        scope[step.__name__] = with_names(step, dict(scope))
    return with_names(search, scope)


@cache
def compiled(decide: Callable[..., Any]) -> Callable[..., Any]:
    """Return a rule's `decide` compiled for Python to call, once per process."""
    from core.kernel.compiler import for_python

    return for_python(Piece(decide, _named_by(decide)))


def _named_by(decide: Callable[..., Any]) -> dict[str, Any]:
    """Return what a rule's `decide` may name, as compiled code takes it."""
    model = fill_model()
    scope = {**model, "Decision": model["decision"]}
    return {**scope, **_own_names(decide, scope)}


def _own_names(function: Callable[..., Any], scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a function names of its file as compiled code takes it: helpers, and tables of numbers."""
    found: dict[str, Any] = {}
    for name, helper in helpers(function).items():
        found[name] = Piece(helper, {**scope, **_own_names(helper, scope)})
    named = getattr(function, "__globals__", {})
    tables = {name: named[name] for name in function.__code__.co_names if isinstance(named.get(name), tuple)}
    return found | {name: _of_floats(table) for name, table in tables.items()}


def _of_floats(table: Any) -> Any:
    """Return a table with floats alone: compiled code goes through what is of one kind."""
    return tuple(map(_of_floats, table)) if isinstance(table, tuple) else float(table)


@cache
def _scan(name: str, part: Piece) -> Code:
    return code_of(name, part, 6)


@cache
def _search(
    decide: Callable[..., Any],
    name: str,
    columns: Any,
    params: Any,
    is_sound: Callable[..., bool],
    is_ladder: bool,  # noqa: FBT001
) -> tuple[str, Piece]:
    """Return the name of a rule's compiled search, and what it is made of."""
    read, sizes = _readers(columns, params)
    own = {**sizes, "decide": Piece(decide, _named_by(decide))}
    scope = pieces_of((*read, find_entry, find_change), {**_shared(is_sound, is_ladder), **own})
    return f"scan_{name}_{is_ladder}", Piece(search, scope)


@cache
def _shared(is_sound: Callable[..., bool], is_ladder: bool) -> dict[str, Any]:  # noqa: FBT001
    """Return SHARED as parts: a process that compiles several rules compiles these once."""
    scope = pieces_of((domain.side_of, domain.same), {**fill_model(), "IS_LADDER": is_ladder})
    # The model's own, so that what it calls is shared with every other kind of rule.
    scope["is_sound"] = scope[is_sound.__name__]
    return pieces_of(SHARED, scope)


def _readers(columns: Any, params: Any) -> tuple[list[Callable[..., Any]], dict[str, int]]:
    """Return what makes tuples of a rule's own kinds of addresses and numbers, and how many there are."""
    kinds = [type(params._field_defaults[name]).__name__ for name in params._fields]
    taken = [f"floats_at(frame[{COLUMNS + k}], length)" for k in range(len(columns._fields))]
    given = [f"{kind}(values[{k}])" for k, kind in enumerate(kinds)]
    scope: dict[str, Any] = {"Columns": columns, "Params": params, "floats_at": floats_at}
    # Tuples of other lengths need other functions: only text can say that.
    exec(f"def columns_at(frame, length):\n    return Columns({', '.join(taken)})", scope)  # noqa: S102
    exec(f"def params_at(values):\n    return Params({', '.join(given)})", scope)  # noqa: S102
    sizes = {"SIZE": COLUMNS + len(taken), "PARAMS": len(given)}
    return [scope["columns_at"], scope["params_at"]], sizes


def call_scan(
    scan: int, frame_at: int, values_at: int, numbers_at: int, codes_at: int, start: int, stop: int
) -> int:
    """Call the search at an address."""
    return caller(scan, 6)(frame_at, values_at, numbers_at, codes_at, start, stop)
