"""qtpylib's indicators, which freqtrade brings along, as formulas."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.errors import UsageError
from core.foreign.formulas import Formula, Several, joined

if TYPE_CHECKING:
    from core.foreign.translation import Translation

TYPICAL = Formula("((bars.high + bars.low + bars.close) / 3)")
MIDDLE = Formula("((bars.high + bars.low) / 2)")
MOVING = ("rolling_mean", "sma", "rolling_max", "rolling_min", "rolling_std")


def indicator(t: Translation, name: str, node: ast.Call) -> Formula | Several:
    """Return the formula of a call of qtpylib's function of this name. Raises UsageError."""
    if name in MOVING:
        what = {"sma": "mean"}.get(name, name.rpartition("_")[2])
        return t.rolled(what, t.formula(node.args[0]), t.argument(node, 1, "window", "200"))
    known: dict[str, Callable[[], Formula | Several]] = {
        "crossed_above": lambda: _crossed(t, node, ">"),
        "crossed_below": lambda: _crossed(t, node, "<"),
        "typical_price": lambda: TYPICAL,
        "mid_price": lambda: MIDDLE,
        "heikinashi": lambda: _heikin_ashi(t),
        "bollinger_bands": lambda: _bollinger(t, node),
        "keltner_channel": lambda: _keltner(t, node),
        "awesome_oscillator": lambda: _awesome(t, node),
    }
    if name not in known:
        raise UsageError(f"qtpylib.{name} is not understood")
    return known[name]()


def is_number(one: Formula) -> bool:
    """Tell whether a formula is one number for all bars."""
    return not one.reads and "bars" not in one.text


def _crossed(t: Translation, node: ast.Call, sign: str) -> Formula:
    one, other = (t.formula(arg) for arg in node.args[:2])
    past = [part if is_number(part) else t.before(part, "1") for part in (one, other)]
    back = {">": "<=", "<": ">="}[sign]
    text = f"(({one.text} {sign} {other.text}) & ({past[0].text} {back} {past[1].text}))"
    return joined(text, one, other, *past)


def _heikin_ashi(t: Translation) -> Several:
    t.imports.add("strategies.indicators_talib.ta")
    return Several(("open", "high", "low", "close"), Formula('ta("HA", bars)', memory="40"))


def _bollinger(t: Translation, node: ast.Call) -> Several:
    one = t.formula(node.args[0])
    size, width = t.argument(node, 1, "window", "20"), t.argument(node, 2, "stds", "2")
    return _band(t.rolled("mean", one, size), t.rolled("std", one, size), width)


def _keltner(t: Translation, node: ast.Call) -> Several:
    """Return the mean of the typical price, and so many mean true ranges beside it."""
    size, width = t.argument(node, 1, "window", "14"), t.argument(node, 2, "atrs", "2")
    t.imports.add("strategies.indicators_talib.ta")
    reach = Formula('ta("TRANGE", bars)', window="1")
    return _band(t.rolled("mean", TYPICAL, size), t.rolled("mean", reach, size), width)


def _band(mean: Formula, spread: Formula, width: str) -> Several:
    low, high = (f"{mean.text} {sign} {width} * {spread.text}" for sign in "-+")
    return Several(("lower", "mid", "upper"), joined(f"({low}, {mean.text}, {high})", mean, spread))


def _awesome(t: Translation, node: ast.Call) -> Formula:
    if t.argument(node, 1, "weighted", "False") != "False":
        raise UsageError("a weighted awesome_oscillator is not understood")
    sizes = t.argument(node, 2, "fast", "5"), t.argument(node, 3, "slow", "34")
    fast, slow = (t.rolled("mean", MIDDLE, size) for size in sizes)
    return joined(f"({fast.text} - {slow.text})", fast, slow)
