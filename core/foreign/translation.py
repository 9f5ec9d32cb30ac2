"""freqtrade's expressions on a data frame, as formulas on arrays.

Whatever is not understood raises UsageError with the reason: nothing is guessed, and nothing is run.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.errors import UsageError
from core.foreign.facts import ClassFacts
from core.foreign.formulas import Formula, Several, added, joined, length_of, longest, shown
from core.foreign.qtpylib import indicator
from core.foreign.series import SAME, method
from strategies.indicators_talib import about, inputs_of, objection_to

PRICES = ("open", "high", "low", "close", "volume")
BINARY = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.BitAnd: "&",
    ast.BitOr: "|",
}
NAMED = (ast.Name, ast.Attribute, ast.Subscript, ast.Call)
COMPARED = {ast.Gt: ">", ast.Lt: "<", ast.GtE: ">=", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!="}
NUMPY = {
    **dict.fromkeys(("abs", "sqrt", "log", "log10", "exp", "tanh", "sign"), 1),
    "minimum": 2,
    "maximum": 2,
    "where": 3,
}
"""How many arguments each has."""
TAKEN = frozenset(
    (
        *("bars", "p", "np", "ta", "before", "sma", "std", "highest", "lowest", "hour", "weekday", "columns"),
        *("decide", "signal", "enter", "flat", "hold", "move", "roi", "trail", "best", "profit", "now"),
        *("prev", "held", *dir(__builtins__)),
    )
)


@dataclass
class Translation:
    """What a class's statements have made so far."""

    facts: ClassFacts
    frames: set[str] = field(default_factory=set)
    """Names that stand for the data frame."""
    columns: dict[str, Formula] = field(default_factory=dict)
    """By the data frame's names."""
    others: dict[str, Formula | Several] = field(default_factory=dict)
    """Variables."""
    loops: dict[str, str] = field(default_factory=dict)
    """Loop variables that run over a parameter's range, by the parameter."""
    why_not: dict[str, str] = field(default_factory=dict)
    """Columns and variables that are not translated, and why."""
    imports: set[str] = field(default_factory=set)
    notes: dict[str, None] = field(default_factory=dict)
    """What is translated, and differs at the start alone."""
    used: dict[str, None] = field(default_factory=dict)
    """Parameters that are read."""
    variables: set[str] = field(default_factory=set)
    _within: list[str] = field(default_factory=list)
    """The file's functions that are being read, each called by the one before."""

    def variable(self, name: str) -> str:
        """Return a name for a variable, that nothing else has."""
        plain = re.sub(r"\W+", "_", name).strip("_").lower() or "column"
        plain = f"x{plain}" if plain[0].isdigit() else plain
        while plain in TAKEN or keyword.iskeyword(plain) or plain in self.variables:
            plain += "_"
        self.variables.add(plain)
        return plain

    def formula(self, node: ast.expr) -> Formula:
        """Return an expression. Raises UsageError with why it is none."""
        found = self.any(node)
        if isinstance(found, Several):
            raise UsageError(f"{shown(node)} has several outputs: {', '.join(found.outputs)}")
        return found

    def any(self, node: ast.expr) -> Formula | Several:
        """Return an expression, which may have several outputs."""
        kinds: dict[type[ast.expr], Callable[[Any], Formula | Several]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Subscript: self._subscript,
            ast.BinOp: self._binary,
            ast.UnaryOp: self._unary,
            ast.Compare: self._compared,
            ast.Call: self._call,
        }
        if type(node) not in kinds:
            raise UsageError(f"{shown(node)} is not understood")
        return kinds[type(node)](node)

    def key(self, node: ast.expr) -> str | None:
        """Return the name that a text, or one with a parameter in it, stands for."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        if not isinstance(node, ast.JoinedStr):
            return None
        parts = []
        for one in node.values:
            if isinstance(one, ast.Constant):
                parts.append(str(one.value))
            elif isinstance(one, ast.FormattedValue):
                name = one.value.id if isinstance(one.value, ast.Name) else None
                parts.append(
                    "{" + (self.loops.get(name or "") or self.parameter(one.value) or shown(one.value)) + "}"
                )
        return "".join(parts)

    def parameter(self, node: ast.expr) -> str | None:
        """Return the parameter that `self.x.value` or `self.x` is of, None for another thing."""
        if isinstance(node, ast.Attribute) and node.attr == "value":
            node = node.value
        is_own = (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
        )
        return node.attr if is_own and isinstance(node, ast.Attribute) else None

    def is_frame(self, node: ast.expr) -> bool:
        """Tell whether an expression is the data frame."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "copy":
            node = node.func.value
        return isinstance(node, ast.Name) and node.id in self.frames

    def module(self, node: ast.expr) -> str:
        """Return which known module a name stands for, nothing for another."""
        return self.facts.modules.get(node.id, "") if isinstance(node, ast.Name) else ""

    def _constant(self, node: ast.Constant) -> Formula:
        if isinstance(node.value, bool):
            return Formula(str(node.value))
        if not isinstance(node.value, int | float):
            raise UsageError(f"{shown(node)} is no number")
        return Formula(repr(node.value))

    def _name(self, node: ast.Name) -> Formula | Several:
        if node.id in self.loops:
            return self._tuned(self.loops[node.id])
        if node.id in self.others:
            return self.others[node.id]
        raise UsageError(self.why_not.get(node.id) or f"{node.id} is not known")

    def _tuned(self, name: str) -> Formula:
        facts = self.facts
        if name in facts.tuned:
            self.used[name] = None
            return Formula(f"p.{name}")
        value = facts.fixed.get(name, facts.values.get(name))
        if isinstance(value, int | float):
            return Formula(repr(value))
        raise UsageError(f"self.{name} is no number that is known")

    def _attribute(self, node: ast.Attribute) -> Formula | Several:
        name = self.parameter(node)
        if name is not None:
            return self._tuned(name)
        if self.is_frame(node.value):
            return self.column(node.attr)
        if node.attr in SAME:
            return self.any(node.value)
        clock = {"hour": "hour", "dayofweek": "weekday", "weekday": "weekday"}
        if node.attr in clock and isinstance(node.value, ast.Attribute) and node.value.attr == "dt":
            self.imports.add(f"strategies.longer.{clock[node.attr]}")
            return Formula(f"{clock[node.attr]}(bars)")
        known = self.any(node.value)
        if isinstance(known, Several) and node.attr in known.outputs:
            return known.one(node.attr)
        raise UsageError(f"{shown(node)} is not understood")

    def column(self, name: str) -> Formula:
        """Return a column of the data frame."""
        if name in self.columns:
            return self.columns[name]
        if name in self.why_not:
            raise UsageError(f"{name!r} is not translated: {self.why_not[name]}")
        if name in PRICES:
            return Formula(f"bars.{name}")
        raise UsageError(f"the data frame has no column {name!r} yet")

    def _subscript(self, node: ast.Subscript) -> Formula:
        name = self.key(node.slice)
        if self.is_frame(node.value) and name is not None:
            return self.column(name)
        known = self.any(node.value)
        if isinstance(known, Several):
            number = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if name in known.outputs:
                return known.one(name or "")
            if isinstance(number, int) and 0 <= number < len(known.outputs):
                return known.one(known.outputs[number])
            raise UsageError(f"{shown(node)}: it has {', '.join(known.outputs)}")
        raise UsageError(f"{shown(node)} is not understood")

    def _binary(self, node: ast.BinOp) -> Formula:
        if type(node.op) not in BINARY:
            raise UsageError(f"{shown(node)} is not understood")
        if isinstance(node.op, ast.Pow) and not any(isinstance(one, NAMED) for one in ast.walk(node)):
            # Python would compute it here and now, however large it becomes.
            raise UsageError(f"{shown(node)}: write the number that it is")
        left, right = self.formula(node.left), self.formula(node.right)
        return joined(f"({left.text} {BINARY[type(node.op)]} {right.text})", left, right)

    def _unary(self, node: ast.UnaryOp) -> Formula:
        one = self.formula(node.operand)
        sign = {ast.USub: "-", ast.Invert: "~", ast.UAdd: "+"}.get(type(node.op))
        if sign is None:
            raise UsageError(f"{shown(node)} is not understood")
        return joined(f"({sign}{one.text})", one)

    def _compared(self, node: ast.Compare) -> Formula:
        if len(node.ops) != 1 or type(node.ops[0]) not in COMPARED:
            raise UsageError(f"{shown(node)} is not understood")
        left, right = self.formula(node.left), self.formula(node.comparators[0])
        return joined(f"({left.text} {COMPARED[type(node.ops[0])]} {right.text})", left, right)

    def _call(self, node: ast.Call) -> Formula | Several:
        function = node.func
        if isinstance(function, ast.Name) and function.id == "abs" and len(node.args) == 1:
            return self._numpy("abs", node)
        if isinstance(function, ast.Name) and function.id in self.facts.functions:
            return self._own_function(self.facts.functions[function.id], node)
        if not isinstance(function, ast.Attribute):
            raise UsageError(f"{shown(node)} calls a function that is not known")
        module = self.module(function.value)
        if module == "talib":
            return self._talib(function.attr, node)
        if module == "qtpylib":
            return indicator(self, function.attr, node)
        if module == "numpy":
            return self._numpy(function.attr, node)
        if isinstance(function.value, ast.Name) and not self.is_known(function.value):
            raise UsageError(f"{shown(function)} belongs to a library that is not known here")
        return method(self, function, node)

    def _own_function(self, function: ast.FunctionDef, node: ast.Call) -> Formula | Several:
        """Return what a function of the file returns, if it only names things and returns one or several."""
        if function.name in self._within:
            raise UsageError(f"{function.name}() calls itself")
        names = [one.arg for one in function.args.args]
        if len(node.args) > len(names) or any(one.arg not in names for one in node.keywords):
            raise UsageError(f"{shown(node)}: not all of its arguments are understood")
        values = dict(zip(names[::-1], function.args.defaults[::-1], strict=False))
        values |= dict(zip(names, node.args, strict=False)) | {
            one.arg or "": one.value for one in node.keywords
        }
        outer = self.others, self.frames
        frames = {name for name, value in values.items() if name in names and self.is_frame(value)}
        known = {name: self.any(values[name]) for name in names if name in values and name not in frames}
        self.others, self.frames = known, frames
        self._within.append(function.name)
        try:
            for step in function.body:
                if isinstance(step, ast.Return) and step.value is not None:
                    return self._returned(step.value)
                if isinstance(step, ast.Assign) and isinstance(step.targets[0], ast.Name):
                    self.others[step.targets[0].id] = self.any(step.value)
                elif not (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant)):
                    raise UsageError(f"{function.name}() does more than name things and return them")
        finally:
            self.others, self.frames = outer
            self._within.pop()
        raise UsageError(f"{function.name}() returns nothing")

    def _returned(self, node: ast.expr) -> Formula | Several:
        if not isinstance(node, ast.Tuple):
            return self.any(node)
        parts = [self.formula(one) for one in node.elts]
        made = joined(f"({', '.join(part.text for part in parts)})", *parts)
        names = (one.id if isinstance(one, ast.Name) else f"value{k}" for k, one in enumerate(node.elts))
        return Several(tuple(names), made)

    def is_known(self, node: ast.Name) -> bool:
        """Tell whether a name is a variable, a loop's or the data frame."""
        return node.id in (*self.others, *self.loops, *self.frames, *self.why_not)

    def _numpy(self, name: str, node: ast.Call) -> Formula:
        if name == "nan_to_num" and len(node.args) == 1 and not node.keywords:
            return self.formula(node.args[0])  # Without a value a bar decides nothing, as a 0 hardly does.
        if name not in NUMPY or node.keywords or len(node.args) != NUMPY[name]:
            raise UsageError(f"{shown(node)} is not understood")
        parts = [self.formula(one) for one in node.args]
        return joined(f"np.{name}({', '.join(part.text for part in parts)})", *parts)

    def _talib(self, name: str, node: ast.Call) -> Formula | Several:
        if why := objection_to(name):
            raise UsageError(why)
        own = list(about(name).info["parameters"])
        frame = bool(node.args) and self.is_frame(node.args[0])
        count = 1 if frame else len(inputs_of(name))
        given = [] if frame else [self.formula(one) for one in node.args[:count]]
        words = dict(zip(own, node.args[count:], strict=False))
        if len(node.args) > count + len(own) or len(node.args) < count:
            raise UsageError(
                f"{shown(node)} is not understood: ta.{name} takes {', '.join(own) or 'no numbers'}"
            )
        for one in node.keywords:
            if one.arg == "price" and (key := self.key(one.value)) is not None:
                given = [self.column(key)]
            elif one.arg in own:
                words[one.arg or ""] = one.value
            else:
                raise UsageError(f"ta.{name}: {one.arg} is none of its parameters")
        numbers = {word: self.formula(value).text for word, value in words.items()}
        parts = [f'"{name}"', "bars", *(one.text for one in given), *(f"{k}={v}" for k, v in numbers.items())]
        self.imports.add("strategies.indicators_talib.ta")
        made = joined(f"ta({', '.join(parts)})", *given)
        made = made._replace(memory=added(made.memory, _lookback(name, numbers)))
        outputs = tuple(about(name).output_names)
        return made if len(outputs) == 1 else Several(outputs, made)


def _lookback(name: str, numbers: dict[str, str]) -> str:
    """Return no less than the bars that an indicator looks back on."""
    periods: dict[str, str] = {
        word: str(value) for word, value in about(name).info["parameters"].items() if "period" in word
    }
    periods |= {word: text for word, text in numbers.items() if word in periods}
    total = "0"
    for text in periods.values():
        total = added(total, length_of(f"ta.{name}", text))
    return longest(total, str(about(name).lookback)) if not periods else total
