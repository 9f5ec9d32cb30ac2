"""A freqtrade class's three methods, statement by statement."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.errors import UsageError
from core.foreign.facts import ClassFacts
from core.foreign.formulas import Formula, Several, joined, shown
from core.foreign.translation import Translation

STEPS = (
    ("populate_indicators",),
    ("populate_entry_trend", "populate_buy_trend"),
    ("populate_exit_trend", "populate_sell_trend"),
)
SIGNALS = {
    "buy": "enter_long",
    "enter_long": "enter_long",
    "sell": "exit_long",
    "exit_long": "exit_long",
    "enter_short": "enter_short",
    "exit_short": "exit_short",
}
TAGS = ("enter_tag", "buy_tag", "exit_tag")
INSTEAD = {
    "custom_stoploss": "move(held, stop=…) in decide, with trail or breakeven of strategies.exits",
    "custom_exit": "return flat(Reason.RULE) in decide",
    "custom_sell": "return flat(Reason.RULE) in decide",
    "adjust_trade_position": "another target in decide: move(held, target=…)",
    "informative_pairs": "longer(bars, …) for the same symbol, partner= for a second one",
    "custom_stake_amount": "the target of enter(…), or stake",
    "leverage": "there is none here",
    "custom_entry_price": "enter(…, limit=…)",
    "custom_exit_price": "the take of move(held, take=…)",
    "confirm_trade_entry": "a condition in decide",
    "confirm_trade_exit": "a condition in decide",
    "custom_roi": "a take-profit in decide: move(held, take=…)",
    "order_filled": "held, in decide",
}
"""Methods that are not translated, and what does it here."""
NEEDED = frozenset(
    {"minimal_roi", "stoploss", "trailing_stop", "trailing_stop_positive", "trailing_stop_positive_offset"}
    | {"trailing_only_offset_is_reached", "timeframe", "protections", "use_exit_signal", "exit_profit_only"}
)
"""Attributes without which a rule would be another one."""
QUIET = frozenset({name for step in STEPS for name in step} | {"protections", "bot_start", "version"})


class Gap(NamedTuple):
    """Something that was not translated."""

    line: int
    what: str
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}: {self.why}"


class Made(NamedTuple):
    """A variable of `columns`."""

    name: str
    formula: Formula


@dataclass
class Reading:
    """What was read of a class's methods."""

    facts: ClassFacts
    translation: Translation
    made: list[Made] = field(default_factory=list)
    signals: dict[str, list[Formula]] = field(default_factory=dict)
    lists: dict[str, list[Formula]] = field(default_factory=dict)
    """Lists of conditions."""
    gaps: list[Gap] = field(default_factory=list)


def read(facts: ClassFacts) -> Reading:
    """Read all of a class that can be read."""
    reading = Reading(facts, Translation(facts))
    for names in STEPS:
        for name in names:
            method = facts.methods.get(name)
            if method is not None:
                arguments = [one.arg for one in method.args.args]
                reading.translation.frames = {arguments[1]} if len(arguments) > 1 else set()
                reading.lists = {}
                _walk(reading, method.body)
    reading.gaps += sorted(_unread(facts))
    return reading


def _unread(facts: ClassFacts) -> Iterator[Gap]:
    """Yield the methods that nobody looks at."""
    for name, node in facts.methods.items():
        is_informative = any("informative" in ast.unparse(one) for one in node.decorator_list)
        if is_informative:
            yield Gap(node.lineno, f"{name}()", INSTEAD["informative_pairs"])
        elif name == "informative_pairs" and _is_empty(node):
            continue
        elif name in INSTEAD:
            yield Gap(node.lineno, f"{name}()", INSTEAD[name])
        elif name not in QUIET and not (name.startswith("__") or name == "bot_loop_start"):
            yield Gap(node.lineno, f"{name}()", "a method of its own")
    for name, line in facts.unread.items():
        if name in NEEDED:
            yield Gap(line, name, "it is no plain value, so it is as if it were not there")
    if facts.value("ignore_roi_if_entry_signal", "ignore_roi_if_buy_signal"):
        yield Gap(
            facts.tree.lineno, "ignore_roi_if_entry_signal", "the take-profit stays while it would enter"
        )
    if facts.value("position_adjustment_enable"):
        yield Gap(facts.tree.lineno, "position_adjustment_enable", INSTEAD["adjust_trade_position"])


def _is_empty(node: ast.FunctionDef) -> bool:
    """Tell whether all that a method does is to return an empty list."""
    rest = [
        one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
    ]
    return len(rest) == 1 and isinstance(rest[0], ast.Return) and ast.unparse(rest[0]) == "return []"


def _walk(reading: Reading, body: Sequence[ast.stmt]) -> None:
    for node in body:
        try:
            _statement(reading, node)
        except UsageError as error:
            asks = any(word in ast.unparse(node) for word in ("self.dp", "merge_informative_pair"))
            _gap(
                reading, node, f"an informative pair: {INSTEAD['informative_pairs']}" if asks else str(error)
            )


def _gap(reading: Reading, node: ast.AST, why: str) -> None:
    reading.gaps.append(Gap(getattr(node, "lineno", 0), shown(node), why))


def _statement(reading: Reading, node: ast.stmt) -> None:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        _assign(reading, node.targets[0], node.value)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        _assign(reading, node.target, node.value)
    elif isinstance(node, ast.If):
        _branch(reading, node)
    elif isinstance(node, ast.For):
        _loop(reading, node)
    elif isinstance(node, ast.Expr):
        _call(reading, node.value)
    elif not isinstance(node, ast.Return | ast.Pass | ast.Import | ast.ImportFrom):
        raise UsageError("such a statement is not understood")


def _branch(reading: Reading, node: ast.If) -> None:
    """Read the branch that a parameter's default, or a list that is not empty, chooses."""
    test = node.test
    if isinstance(test, ast.Name) and test.id in reading.lists:
        _walk(reading, node.body if reading.lists[test.id] else node.orelse)
        return
    name = reading.translation.parameter(test)
    if name is not None and isinstance(reading.facts.fixed.get(name), bool):
        _walk(reading, node.body if reading.facts.fixed[name] else node.orelse)
        return
    if (is_so := _compared(reading, test)) is not None:
        _walk(reading, node.body if is_so else node.orelse)
        return
    raise UsageError(f"if {shown(test)}: only a parameter that is chosen from a list chooses here")


def _compared(reading: Reading, test: ast.expr) -> bool | None:
    """Return whether a parameter that is chosen from a list is at this value, None for another question."""
    if not (
        isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq | ast.NotEq)
    ):
        return None
    name, value = reading.translation.parameter(test.left), test.comparators[0]
    if name not in reading.facts.fixed or not isinstance(value, ast.Constant):
        return None
    return (reading.facts.fixed[name] == value.value) is isinstance(test.ops[0], ast.Eq)


def _loop(reading: Reading, node: ast.For) -> None:
    """Read a loop over all values of a parameter, for the one that it has."""
    it, t = node.iter, reading.translation
    name = t.parameter(it.value) if isinstance(it, ast.Attribute) and it.attr == "range" else None
    if name is None or not isinstance(node.target, ast.Name):
        raise UsageError("a loop is not understood")
    t.loops[node.target.id] = name
    _walk(reading, node.body)
    del t.loops[node.target.id]


def _call(reading: Reading, node: ast.expr) -> None:
    if isinstance(node, ast.Constant):
        return
    function = node.func if isinstance(node, ast.Call) else None
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        if function.attr == "append" and function.value.id in reading.lists and isinstance(node, ast.Call):
            reading.lists[function.value.id].append(_condition(reading, node.args[0]))
            return
        if function.value.id in ("logger", "logging", "log"):
            return
    if isinstance(function, ast.Name) and function.id == "print":
        return
    raise UsageError("what it does is not understood")


def _assign(reading: Reading, target: ast.expr, value: ast.expr) -> None:
    t = reading.translation
    if isinstance(target, ast.Subscript):
        if isinstance(target.value, ast.Attribute) and target.value.attr == "loc":
            _located(reading, target.slice, value)
        elif t.is_frame(target.value) and (key := t.key(target.slice)) is not None:
            _column(reading, key, value)
        else:
            raise UsageError("what it sets is not understood")
    elif isinstance(target, ast.Name):
        _variable(reading, target.id, value)
    elif isinstance(target, ast.Tuple) and all(isinstance(one, ast.Name) for one in target.elts):
        several = t.any(value)
        if not isinstance(several, Several) or len(several.outputs) != len(target.elts):
            raise UsageError(f"{shown(value)} has not so many outputs")
        kept = _kept(reading, "_".join(several.outputs), several.formula)
        for one, name in zip(target.elts, several.outputs, strict=True):
            t.others[getattr(one, "id", "")] = Several(several.outputs, kept).one(name)
    else:
        raise UsageError("what it sets is not understood")


def _variable(reading: Reading, name: str, value: ast.expr) -> None:
    t = reading.translation
    if t.is_frame(value):
        t.frames.add(name)
        return
    if isinstance(value, ast.List):
        reading.lists[name] = [_condition(reading, one) for one in value.elts]
        return
    try:
        found = t.any(value)
    except UsageError as error:
        t.why_not[name] = str(error)
        raise
    formula = found.formula if isinstance(found, Several) else found
    kept = _kept(reading, name, formula)
    t.others[name] = found._replace(formula=kept) if isinstance(found, Several) else kept


def _column(reading: Reading, key: str, value: ast.expr) -> None:
    t = reading.translation
    if key in TAGS:
        return
    if key in SIGNALS:
        if not (isinstance(value, ast.Constant) and value.value in (0, False)):
            found = _chosen(reading, value)
            reading.signals.setdefault(SIGNALS[key], []).append(found)
        return
    try:
        t.columns[key] = _kept(reading, key, t.formula(value))
    except UsageError as error:
        t.columns.pop(key, None)
        t.why_not[key] = str(error)
        raise


def _kept(reading: Reading, name: str, formula: Formula) -> Formula:
    """Keep a formula in a variable of its own, and return what reads it; what is a number stays one."""
    if not formula.reads and "bars" not in formula.text:
        return formula
    variable = reading.translation.variable(name)
    reading.made.append(Made(variable, formula))
    return formula._replace(text=variable, reads=(variable,))


def _located(reading: Reading, place: ast.expr, value: ast.expr) -> None:
    """Read `dataframe.loc[condition, columns] = value`."""
    if not (isinstance(place, ast.Tuple) and len(place.elts) == 2):
        raise UsageError("what it sets is not understood")
    condition, columns = place.elts
    names = columns.elts if isinstance(columns, ast.List | ast.Tuple) else [columns]
    values = value.elts if isinstance(value, ast.Tuple | ast.List) else [value] * len(names)
    for name, one in zip(names, values, strict=False):
        key = reading.translation.key(name)
        if key in TAGS:
            continue
        is_all = isinstance(condition, ast.Slice)
        number: Any = one.value if isinstance(one, ast.Constant) else None
        if key not in SIGNALS or number not in (0, 1):
            raise UsageError("only signals are set by .loc here")
        if number == 1 and not is_all:
            found = _condition(reading, condition)
            reading.signals.setdefault(SIGNALS[key], []).append(found)
        elif not is_all:
            raise UsageError("a signal is taken back: write it into the condition")


def _chosen(reading: Reading, value: ast.expr) -> Formula:
    """Return the condition of np.where(condition, 1, 0), or of a plain one."""
    is_where = (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "where"
    )
    if (
        isinstance(value, ast.Call)
        and is_where
        and [ast.unparse(one) for one in value.args[1:]] == ["1", "0"]
    ):
        return _condition(reading, value.args[0])
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "astype":
        return _condition(reading, value.func.value)
    return _condition(reading, value)


def _condition(reading: Reading, node: ast.expr) -> Formula:
    """Return a condition without those of its parts that are not understood, which are told.

    Raises UsageError when none is left.
    """
    sign, parts = _parts(reading, node)
    found: list[Formula] = []
    for part in parts:
        if isinstance(part, Formula):
            found.append(part)
            continue
        try:
            is_chain = isinstance(part, ast.BinOp) and isinstance(part.op, ast.BitAnd | ast.BitOr)
            found.append(_condition(reading, part) if is_chain else reading.translation.formula(part))
        except UsageError as error:
            if len(parts) == 1:
                raise
            _gap(reading, part, f"{error}; left out of the condition")
    if not found:
        raise UsageError("nothing of this condition is translated")
    text = f" {sign} ".join(one.text for one in found)
    return found[0] if len(found) == 1 else joined(f"({text})", *found)


def _parts(reading: Reading, node: ast.expr) -> tuple[str, list[Any]]:
    """Return what a chain of & or | is made of, and which it is."""
    if (
        isinstance(node, ast.Call)
        and reading.translation.module(node.func) == "reduce"
        and len(node.args) == 2
    ):
        chain = node.args[0].body if isinstance(node.args[0], ast.Lambda) else None
        name = node.args[1].id if isinstance(node.args[1], ast.Name) else ""
        if isinstance(chain, ast.BinOp) and name in reading.lists:
            return "|" if isinstance(chain.op, ast.BitOr) else "&", list(reading.lists[name])
    for kind, sign in ((ast.BitAnd, "&"), (ast.BitOr, "|")):
        if isinstance(node, ast.BinOp) and isinstance(node.op, kind):
            return sign, [*_flat(node.left, kind), *_flat(node.right, kind)]
    return "&", [node]


def _flat(node: ast.expr, kind: type[ast.operator]) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, kind):
        return [*_flat(node.left, kind), *_flat(node.right, kind)]
    return [node]
