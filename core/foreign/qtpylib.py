"""qtpylib's indicators, which freqtrade brings along, as formulas."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.errors import UsageError
from core.foreign.arguments import Arguments
from core.foreign.formulas import Formula, Several, joined, shown
from core.foreign.series import before, rolled, take_fewest

if TYPE_CHECKING:
    from core.foreign.translation import Translation

TYPICAL = Formula("((bars.high + bars.low + bars.close) / 3)")
MIDDLE = Formula("((bars.high + bars.low) / 2)")
MOVING = {
    "rolling_mean": ("mean", "200"),
    "sma": ("mean", "200"),
    "rolling_std": ("std", "200"),
    "rolling_max": ("max", "14"),
    "rolling_min": ("min", "14"),
}
"""What each is of how many values, where nobody says."""


def indicator(t: Translation, name: str, node: ast.Call) -> Formula | Several:
    """Return the formula of a call of qtpylib's function of this name. Raises UsageError."""
    known: dict[str, Callable[[], Formula | Several]] = {
        "crossed_above": lambda: _crossed(t, node, ">"),
        "crossed_below": lambda: _crossed(t, node, "<"),
        "typical_price": lambda: _price(t, node, TYPICAL),
        "mid_price": lambda: _price(t, node, MIDDLE),
        "heikinashi": lambda: _heikin_ashi(t, node),
        "bollinger_bands": lambda: _bollinger(t, node),
        "keltner_channel": lambda: _keltner(t, node),
        "awesome_oscillator": lambda: _awesome(t, node),
        **dict.fromkeys(MOVING, lambda: _moving(t, name, node)),
    }
    if name not in known:
        raise UsageError(f"qtpylib.{name} is not understood")
    return known[name]()


def is_number(one: Formula) -> bool:
    """Tell whether a formula is one number for all bars."""
    return not one.reads and "bars" not in one.text


def _number(t: Translation, given: Arguments, name: str, otherwise: str) -> str:
    found = given.take(name)
    return otherwise if found is None else t.formula(found).text


def _end_of_frame(t: Translation, given: Arguments, name: str) -> None:
    """Take the data frame by its name, and nothing else. Raises UsageError for another thing."""
    frame = given.needed(name)
    if not t.is_frame(frame):
        raise UsageError(f"{shown(frame)} is not the data frame")
    given.end()


def _moving(t: Translation, name: str, node: ast.Call) -> Formula:
    what, usual = MOVING[name]
    given = Arguments(node, "series", "window", "min_periods")
    one, size = t.formula(given.needed("series")), _number(t, given, "window", usual)
    take_fewest(t, given, node, size)
    given.end()
    return rolled(t, what, one, size)


def _price(t: Translation, node: ast.Call, price: Formula) -> Formula:
    _end_of_frame(t, Arguments(node, "bars"), "bars")
    return price


def _crossed(t: Translation, node: ast.Call, sign: str) -> Formula:
    given = Arguments(node, "series1", "series2")
    one, other = (t.formula(given.needed(name)) for name in ("series1", "series2"))
    given.end()
    past = [part if is_number(part) else before(t, part, "1") for part in (one, other)]
    back = {">": "<=", "<": ">="}[sign]
    text = f"(({one.text} {sign} {other.text}) & ({past[0].text} {back} {past[1].text}))"
    return joined(text, one, other, *past)


def _heikin_ashi(t: Translation, node: ast.Call) -> Several:
    _end_of_frame(t, Arguments(node, "bars"), "bars")
    t.imports.add("strategies.indicators_talib.ta")
    return Several(("open", "high", "low", "close"), Formula('ta("HA", bars)', memory="40"))


def _bollinger(t: Translation, node: ast.Call) -> Several:
    given = Arguments(node, "series", "window", "stds")
    one = t.formula(given.needed("series"))
    size, width = _number(t, given, "window", "20"), _number(t, given, "stds", "2")
    given.end()
    return _band(rolled(t, "mean", one, size), rolled(t, "std", one, size), width)


def _keltner(t: Translation, node: ast.Call) -> Several:
    """Return the mean of the typical price, and so many mean true ranges beside it."""
    given = Arguments(node, "bars", "window", "atrs")
    size, width = _number(t, given, "window", "14"), _number(t, given, "atrs", "2")
    _end_of_frame(t, given, "bars")
    t.imports.add("strategies.indicators_talib.ta")
    reach = Formula('ta("TRANGE", bars)', window="1")
    return _band(rolled(t, "mean", TYPICAL, size), rolled(t, "mean", reach, size), width)


def _band(mean: Formula, spread: Formula, width: str) -> Several:
    low, high = (f"{mean.text} {sign} {width} * {spread.text}" for sign in "-+")
    return Several(("lower", "mid", "upper"), joined(f"({low}, {mean.text}, {high})", mean, spread))


def _awesome(t: Translation, node: ast.Call) -> Formula:
    given = Arguments(node, "df", "weighted", "fast", "slow")
    if _number(t, given, "weighted", "False") != "False":
        raise UsageError("a weighted awesome_oscillator is not understood")
    sizes = _number(t, given, "fast", "5"), _number(t, given, "slow", "34")
    _end_of_frame(t, given, "df")
    fast, slow = (rolled(t, "mean", MIDDLE, size) for size in sizes)
    return joined(f"({fast.text} - {slow.text})", fast, slow)
