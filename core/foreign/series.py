"""pandas' methods of a series, as formulas."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from core.errors import UsageError
from core.foreign.arguments import Arguments
from core.foreign.formulas import Formula, Several, added, joined, length_of, shown

if TYPE_CHECKING:
    from core.foreign.translation import Translation

COMPARING: Final = {"gt": ">", "lt": "<", "ge": ">=", "le": "<=", "eq": "==", "ne": "!="}
SAME: Final = frozenset({"copy", "values", "to_numpy", "astype", "fillna"})
"""What leaves a series as it is here."""
FRACTIONS: Final = frozenset({"float", "'float'", "'float64'", "np.float64", "np.double"})
ROLLING: Final = {"mean": "sma({x}, {n})", "max": "highest({x}, {n})", "min": "lowest({x}, {n})"}
OWN: Final = {"std": ("ddof", "numeric_only")}
"""Places of the arguments of what is rolled, where these are not the usual."""
BACK: Final = {
    "shift": ("{1}", ("periods", "freq", "axis", "fill_value")),
    "diff": ("({0} - {1})", ("periods",)),
    "pct_change": ("({0} / {1} - 1)", ("periods", "fill_method", "limit", "freq")),
}
"""What is computed with a value of before, and the places of its arguments."""


def method(t: Translation, function: ast.Attribute, node: ast.Call) -> Formula | Several:
    """Return the formula of a call of a method. Raises UsageError with why it is none."""
    name, inner = function.attr, function.value
    if name in SAME:
        return _same(t, name, inner, node)
    if isinstance(inner, ast.Call) and _is_call_of(inner, "rolling"):
        return _rolling(t, name, inner, node)
    if isinstance(inner, ast.Call) and _is_call_of(inner, "ewm") and name == "mean":
        Arguments(node, "numeric_only").end()
        return _weighted(t, inner)
    one = t.formula(inner)
    if name in COMPARING:
        return _compared(t, name, one, node)
    if name in ("abs", "round"):
        return _by_numpy(t, name, one, node)
    if name in BACK:
        return _back(t, name, one, node)
    if name in ("mean", "max", "min", "std", "sum", "median", "quantile"):
        raise UsageError(
            f"{shown(node)} looks at the whole series, later candles too: give it a rolling window"
        )
    raise UsageError(f".{name}() of a series is not understood")


def before(t: Translation, one: Formula, periods: str) -> Formula:
    """Return the values of so many bars ago."""
    if periods.startswith(("-", "(-")):
        raise UsageError(f"shift({periods.strip('()')}) looks ahead")
    t.imports.add("strategies.indicators_more.before")
    return one._replace(text=f"before({one.text}, {periods})", window=added(one.window, periods))


def rolled(t: Translation, name: str, one: Formula, size: str, ddof: int = 1) -> Formula:
    """Return a function of the last so many values; `ddof`: pandas' deviation is that of a sample."""
    if name in ROLLING:
        text = ROLLING[name].format(x=one.text, n=size)
        t.imports.add(f"strategies.indicators.{text.partition('(')[0]}")
    elif name == "std":
        t.imports.add("strategies.indicators.std")
        text = f"std({one.text}, {size})"
        text = f"({text} * ({size} / ({size} - 1)) ** 0.5)" if ddof else text
    elif name == "sum":
        t.imports.add("strategies.indicators.sma")
        text = f"({size} * sma({one.text}, {size}))"
    else:
        raise UsageError(f".rolling(…).{name}() is not understood")
    return joined(text, one)._replace(window=added(one.window, size))


def take_fewest(t: Translation, given: Arguments, node: ast.Call, size: str) -> None:
    """Take `min_periods`: how many values are enough at the start; here a whole window is waited for."""
    fewest = given.take("min_periods")
    if fewest is None or (isinstance(fewest, ast.Constant) and fewest.value is None):
        return
    text = t.formula(fewest).text
    if text == size:
        return
    if not text.isdigit() or (size.isdigit() and int(text) > int(size)):
        raise UsageError(f"{shown(node)}: min_periods={shown(fewest)} is not understood")
    t.notes[f"{shown(node)}: a value only once all of its window is there, whatever min_periods says"] = None


def _is_call_of(node: ast.Call, name: str) -> bool:
    """Tell whether a call is that of a method of this name."""
    return isinstance(node.func, ast.Attribute) and node.func.attr == name


def _number(t: Translation, given: Arguments, name: str, otherwise: str) -> str:
    found = given.take(name)
    return otherwise if found is None else t.formula(found).text


def _same(t: Translation, name: str, inner: ast.expr, node: ast.Call) -> Formula | Several:
    if name == "fillna":
        # Without a value a bar decides nothing, as a number in its place hardly does.
        given = Arguments(node, "value")
        t.formula(given.needed("value"))
    elif name == "astype":
        given = Arguments(node, "dtype", "copy")
        kind = shown(given.needed("dtype"))
        if kind not in FRACTIONS and not _is_condition(inner):
            raise UsageError(f"{shown(node)}: {kind} cuts what is behind the point")
    else:
        given = Arguments(node, *(("deep",) if name == "copy" else ()))
    given.end()
    return t.any(inner)


def _is_condition(node: ast.expr) -> bool:
    """Tell whether an expression is true or false at each bar."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.BitAnd | ast.BitOr)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Invert)
    name = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
    return isinstance(node, ast.Compare) or name in COMPARING or name.startswith("crossed_")


def _compared(t: Translation, name: str, one: Formula, node: ast.Call) -> Formula:
    given = Arguments(node, "other", "level", "fill_value", "axis")
    other = t.formula(given.needed("other"))
    given.end()
    return joined(f"({one.text} {COMPARING[name]} {other.text})", one, other)


def _by_numpy(t: Translation, name: str, one: Formula, node: ast.Call) -> Formula:
    given = Arguments(node, *(("decimals",) if name == "round" else ()))
    decimals = f", {_number(t, given, 'decimals', '0')}" if name == "round" else ""
    given.end()
    return joined(f"np.{name}({one.text}{decimals})", one)


def _back(t: Translation, name: str, one: Formula, node: ast.Call) -> Formula:
    form, places = BACK[name]
    given = Arguments(node, *places)
    past = before(t, one, _number(t, given, "periods", "1"))
    given.end()
    return joined(form.format(one.text, past.text), one, past)


def _weighted(t: Translation, window: ast.Call) -> Formula:
    """Return an exponential mean by its span; where it begins is forgotten within the warm-up."""
    given = Arguments(window, "com", "span", "halflife", "alpha", "min_periods", "adjust", "ignore_na")
    size = t.formula(given.needed("span")).text
    take_fewest(t, given, window, "")
    given.end()
    one = t.formula(_of(window))
    t.imports.add("strategies.indicators.ema")
    return joined(f"ema({one.text}, {size})", one)._replace(
        memory=added(one.memory, length_of(".ewm()", size))
    )


def _rolling(t: Translation, name: str, window: ast.Call, node: ast.Call) -> Formula:
    given = Arguments(window, "window", "min_periods", "center", "win_type", "on")
    size = length_of(f".rolling().{name}()", t.formula(given.needed("window")).text)
    take_fewest(t, given, window, size)
    given.end()
    if name not in (*ROLLING, *OWN, "sum"):
        raise UsageError(f".rolling(…).{name}() is not understood")
    own = Arguments(node, *OWN.get(name, ("numeric_only",)))
    ddof = _number(t, own, "ddof", "1") if name == "std" else "1"
    own.end()
    if ddof not in ("0", "1"):
        raise UsageError(f"{shown(node)}: ddof={ddof} is not understood: wanted 0 or 1")
    return rolled(t, name, t.formula(_of(window)), size, int(ddof))


def _of(node: ast.Call) -> ast.expr:
    """Return what a method is called of."""
    return node.func.value if isinstance(node.func, ast.Attribute) else node.func
