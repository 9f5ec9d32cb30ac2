"""What a rule's own source says of it: parameters without bounds, a `decide` that cannot be compiled."""

from __future__ import annotations

import ast
import dis
import inspect
import math
import textwrap
from collections.abc import Callable, Hashable, Iterator
from enum import Enum
from functools import _lru_cache_wrapper, cache, partial
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, TypeVar

import numpy as np

from core.secrecy import words_of
from strategies.rule import StrategyRule

CALLS = frozenset({"Decision", "enter", "hold", "move", "flat", "ladder", "abs", "min", "max", "range"})
"""What `decide` may call besides helpers; everything else belongs into a column."""
OWN_MODULES = ("strategies.exits", "user_strategies.")
"""Where helpers may come from besides the rule's own file: a module, or what its name begins with."""
EXPRESSIONS = (
    *(ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.Compare, ast.IfExp, ast.Tuple, ast.Subscript),
    *(ast.Name, ast.Attribute, ast.Constant, ast.Call),
)
STATEMENTS = (ast.Return, ast.If, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For, ast.Expr, ast.Pass)
OPERATORS = {ast.Pow: "**", ast.FloorDiv: "//", ast.Mod: "%", ast.MatMult: "@"}
"""Those whose last bit may differ once compiled, or that are not for numbers."""
TAKEN = frozenset(
    {"I", "buy", "sell", "init", "next", "data", "equity", "position", "orders", "trades", "closed_trades"}
    | {"rule", "unit", "commission", "spread", "asked", "refused", "exits", "first_stops", "first_decision"}
)
"""Names of the class that runs a rule on Backtesting.py, which parameters become attributes of."""

FIXED = (
    *(int, float, complex, str, bytes, Enum, np.generic, ModuleType, type, FunctionType, np.ufunc),
    *(TypeVar, StrategyRule, type(None)),
)
"""Kinds of values that are the same at the next call; what a class or a function has on it is asked apart."""
TRUSTED = frozenset({"numpy", "numba", "talib", "typing", "core", "strategies"})
"""Whose callable things keep nothing that a rule could read."""

MOST_BARS = 10_000_000
"""No rule looks back further: 19 years of minutes."""

Line = tuple[str, str, str]
"""Place, problem and remedy."""


def parameters(rule: StrategyRule) -> Iterator[Line]:
    """Yield what is wrong with a rule's parameters and their bounds."""
    fields, defaults = getattr(rule.params, "_fields", None), getattr(rule.params, "_field_defaults", {})
    if fields is None:
        yield "Params", "is no NamedTuple", "write class Params(NamedTuple) with numbers and their defaults"
        return
    for name in fields:
        yield from _parameter(rule, name, defaults.get(name))
    named = {*rule.bounds, *(name for pair in rule.orders for name in pair)}
    for name in sorted(named - set(fields)):
        yield f"parameter {name}", "is bounded or ordered, and is not in Params", "add it or take it out"


def _parameter(rule: StrategyRule, name: str, default: object) -> Iterator[Line]:
    place = f"parameter {name}"
    if isinstance(default, bool) or not isinstance(default, int | float) or not math.isfinite(default):
        yield place, f"its default is {default!r}", "give it a number, such as 20 or 1.5"
        return
    if name in TAKEN:
        yield place, "is a name of the class that runs the rule", "call it otherwise"
    try:
        low, high = rule.bounds_of(name)
    except StopIteration:
        yield place, "has no bounds", f'say the smallest and largest value: bounds={{"{name}": (low, high)}}'
        return
    if not low <= default <= high:
        yield place, f"its default {default:g} is outside {low:g} to {high:g}", "change the default or bounds"


def spans(rule: StrategyRule) -> Iterator[Line]:
    """Yield what is wrong with the values that a search is to try."""
    try:
        found = rule.spans
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        yield (
            "Params",
            f"has a type that cannot be read ({error})",
            "write int, float or Annotated[int, Span(5, 50)]",
        )
        return
    for name, span in found.items():
        place, (low, high) = f"parameter {name}", rule.bounds_of(name)
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in span):
            yield place, f"is searched over {tuple(span)!r}", "write Span(5, 50) or Span(0.5, 4, 0.5)"
        elif not (low <= span.low <= span.high <= high and span.step > 0):
            what = f"is searched over {tuple(span)!r}, allowed is {low:g} to {high:g}"
            yield place, what, "let Span(low, high, step) climb within the bounds"
        elif isinstance(rule.params._field_defaults[name], int) and not all(
            float(value).is_integer() for value in span
        ):
            yield place, f"is a whole number, searched over {tuple(span)!r}", "give Span whole numbers"


def lengths(rule: StrategyRule) -> Iterator[Line]:
    """Yield what is wrong with what a rule says of its own lengths and of the symbols that it looks at."""
    for name, ask in (("longest", rule.longest), ("history", rule.history or rule.longest)):
        try:
            found: object = ask(rule.params())
        except Exception as error:
            yield name, f"raises {words_of(error)}", "mend it"
            continue
        if not isinstance(found, int | np.integer) or not 0 <= found <= MOST_BARS:
            yield name, f"is {found!r}", f"return a whole number of bars from 0 to {MOST_BARS:,}"
    try:
        if rule.partner is not None:
            rule.partner("BTC/USDT")
    except Exception as error:
        yield "partner", f"raises {type(error).__name__} for BTC/USDT: {error}", "mend it"


def source(rule: StrategyRule) -> Iterator[Line]:
    """Yield what `decide` may not do, line by line."""
    tree, _ = _tree(rule.decide)
    if tree is not None and (not isinstance(tree, ast.FunctionDef) or len(tree.args.args) != 4):
        yield "decide", "is no function of four arguments", "write def decide(now, prev, held, p)"
        return
    yield from _lines(rule.decide, "decide", rule)
    for name, helper in all_helpers(rule.decide).items():
        yield from _lines(helper, name, rule)
        yield from reads(name, helper)


def _lines(function: Callable[..., Any], name: str, rule: StrategyRule) -> Iterator[Line]:
    tree, first = _tree(function)
    # Without a source it was made by a program: its decisions are looked at all the same.
    if not isinstance(tree, ast.FunctionDef):
        return
    for statement in tree.body:
        for node in ast.walk(statement):
            if problem := _node(node, rule, function, tree):
                yield f"{name}, line {first + getattr(node, 'lineno', 1) - 1}", *problem


def helpers(function: Callable[..., Any]) -> dict[str, FunctionType]:
    """Return the functions that one calls by name: of its own file, of another of the folder, of exits.

    They are compiled with it, and may do what `decide` may.
    """
    if not isinstance(function, FunctionType):
        return {}
    named = ((name, function.__globals__.get(name)) for name, _ in names_of(function.__code__))
    return {
        name: value
        for name, value in named
        if isinstance(value, FunctionType) and _is_helper(value, function)
    }


def all_helpers(function: Callable[..., Any], known: frozenset[str] = frozenset()) -> dict[str, FunctionType]:
    """Return the functions that one calls, and those that they call."""
    found = {name: helper for name, helper in helpers(function).items() if name not in known}
    for helper in tuple(found.values()):
        found = {**all_helpers(helper, known | set(found)), **found}
    return found


def _is_helper(value: FunctionType, function: FunctionType) -> bool:
    is_own = value.__module__ == function.__module__ or value.__module__.startswith(OWN_MODULES)
    return is_own and value is not function


@cache
def _tree(function: Callable[..., Any]) -> tuple[ast.stmt | None, int]:
    """Return a function's source as a tree and its first line, None where it has no source."""
    try:
        lines, first = inspect.getsourcelines(function)
        return ast.parse(textwrap.dedent("".join(lines))).body[0], first
    except (OSError, TypeError, SyntaxError):
        return None, 0


def _node(
    node: ast.AST, rule: StrategyRule, function: Callable[..., Any], tree: ast.FunctionDef
) -> tuple[str, str] | None:
    if isinstance(node, ast.Call):
        return _call(ast.unparse(node.func), function, tree)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        return _index(node, function, tree)
    if isinstance(node, ast.BinOp | ast.AugAssign):
        return _arithmetic(node, rule, function, tree)
    if isinstance(node, ast.expr) and not isinstance(node, EXPRESSIONS):
        return f"uses {ast.unparse(node)}", "only + - * /, comparisons, abs, min, max: the rest in a column"
    if isinstance(node, ast.stmt) and not isinstance(node, STATEMENTS):
        return f"has a {type(node).__name__.lower()}", "only if, for, assignment and return"
    return None


def _arithmetic(
    node: ast.BinOp | ast.AugAssign, rule: StrategyRule, function: Callable[..., Any], tree: ast.FunctionDef
) -> tuple[str, str] | None:
    if sign := OPERATORS.get(type(node.op)):
        return f"uses {sign}", "compute it in a column"
    by = node.right if isinstance(node, ast.BinOp) else node.value
    if isinstance(node.op, ast.Div) and not _is_never_zero(by, rule, function, tree):
        return f"divides by {ast.unparse(by)}, which may be 0", "divide in a column, or multiply"
    return None


def _index(
    node: ast.Subscript, function: Callable[..., Any], tree: ast.FunctionDef
) -> tuple[str, str] | None:
    """Return what is wrong with a place in a table: compiled, one past its end ends the process."""
    if function.__module__ == "strategies.exits" or _constant(node.slice) is not None:
        # The compiler looks at a constant itself.
        return None
    shown, table = ast.unparse(node), function.__globals__.get(ast.unparse(node.value))
    length = len(table) if isinstance(table, tuple) else 0
    if isinstance(node.slice, ast.Name) and _most(node.slice.id, tree) < length:
        return None
    return f"reads {shown}, which may be past the end", "go through it with for, or take roi(age, TABLE)"


def _most(name: str, tree: ast.FunctionDef) -> float:
    """Return the greatest number that a name of loops has, endless where that is not known."""
    loops = [
        node for node in ast.walk(tree) if isinstance(node, ast.For) and ast.unparse(node.target) == name
    ]
    stored = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name]
    if not loops or sum(isinstance(node.ctx, ast.Store) for node in stored) > len(loops):
        return math.inf
    return max(_last(node.iter) for node in loops)


def _last(given: ast.expr) -> float:
    """Return the greatest number of range(…) of constants from 0 on, endless for anything else."""
    if not (isinstance(given, ast.Call) and ast.unparse(given.func) == "range"):
        return math.inf
    numbers = [_constant(one) for one in given.args]
    if any(one is None or one < 0 for one in numbers) or not 1 <= len(numbers) <= 3:
        return math.inf
    return float(numbers[0 if len(numbers) == 1 else 1] or 0) - 1


def _constant(given: ast.expr) -> int | None:
    """Return the whole number that an expression is, None for anything else."""
    try:
        found = ast.literal_eval(given)
    except ValueError:
        return None
    return found if isinstance(found, int) else None


def _call(called: str, function: Callable[..., Any], tree: ast.FunctionDef) -> tuple[str, str] | None:
    if called == tree.name:
        return "calls itself", "write it as a loop, or compute it in a column"
    if called not in CALLS and called not in helpers(function):
        return f"calls {called}", "write it out, or compute it in a column"
    return None


def _is_never_zero(
    by: ast.expr, rule: StrategyRule, function: Callable[..., Any], tree: ast.FunctionDef
) -> bool:
    if function.__module__ == "strategies.exits":
        # By an entry's price, which is none of nothing.
        return True
    if isinstance(by, ast.Constant):
        return isinstance(by.value, int | float) and by.value != 0
    if not isinstance(by, ast.Attribute) or not isinstance(by.value, ast.Name) or not tree.args.args:
        return False
    if by.value.id != tree.args.args[-1].arg or by.attr not in rule.params._fields:
        return False
    low, high = rule.bounds_of(by.attr)
    return low > 0 or high < 0


@cache
def reads(place: str, function: Any, *, is_column: bool = False) -> tuple[Line, ...]:
    """Return what a function reads or writes besides its arguments, where that may change.

    Columns may read what is no number, if it stays as it is.
    """
    if not isinstance(function, FunctionType):
        return ()
    changed = _rebound(function)
    lines = [
        (place, *line)
        for name, is_written in sorted(names_of(function.__code__))
        if (
            line := _global(
                name,
                function.__globals__.get(name),
                is_changed=is_written or name in changed,
                is_column=is_column,
            )
        )
    ]
    kept = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    outer = [(name, cell.cell_contents) for name, cell in kept]
    given = *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()
    outer += [("its default", value) for value in given]
    lines += [
        (place, f"reads {name}, which may change", "make it a parameter")
        for name, value in outer
        if may_change(value)
    ]
    return (*lines, *((place, *line) for line in sorted(_attributes(function))))


def may_change(value: object) -> bool:
    """Tell whether a value may be another at the next call, as far as its kind says."""
    if isinstance(value, tuple | frozenset):
        return any(map(may_change, value))
    if isinstance(value, partial):
        return may_change((value.func, *value.args, *value.keywords.values()))
    if isinstance(value, BuiltinFunctionType):
        # One of a list or a dictionary changes that.
        return may_change(value.__self__)
    made_in = getattr(value, "__module__", None) if callable(value) else type(value).__module__
    is_trusted = callable(value) or isinstance(value, Hashable)
    return not isinstance(value, FIXED) and not (is_trusted and root_of(made_in or "") in TRUSTED)


def root_of(module: str) -> str:
    """Return the package that a module is in."""
    return module.partition(".")[0]


def _attributes(function: FunctionType) -> set[tuple[str, str]]:
    """Return what a function sets on objects, and reads of what hangs on functions and classes."""
    found: set[tuple[str, str]] = set()
    of: Any = None
    for step in steps_of(function.__code__):
        if step.opname in ("STORE_ATTR", "DELETE_ATTR"):
            found.add((f"sets .{step.argval}", "keep nothing between calls"))
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and _may_hold(of, function):
            found.add((f"reads {of.__name__}.{step.argval}", "make it a parameter, or a function of its own"))
        of = function.__globals__.get(str(step.argval)) if step.opname == "LOAD_GLOBAL" else None
    return found


def _may_hold(value: Any, function: FunctionType) -> bool:
    """Tell whether something can hang on a value that is of a person's files; those of tuples are fixed."""
    if isinstance(value, type) and issubclass(value, tuple | Enum):
        return False
    is_kind = isinstance(value, type | FunctionType)
    return is_kind and (value.__module__ == function.__module__ or value.__module__.startswith(OWN_MODULES))


def _global(name: str, value: object, *, is_changed: bool, is_column: bool) -> tuple[str, str] | None:
    if isinstance(value, _lru_cache_wrapper) and may_change(value):
        return f"uses {name}, which keeps what it returned", "take the cache off"
    if is_changed or may_change(value):
        return f"uses the global {name}, which may change", "make it a parameter, or a column"
    if not is_column and not _is_fixed(value, name):
        return f"reads the global {name}", "make it a parameter, a number or a column"
    return None


def _is_fixed(value: object, name: str) -> bool:
    is_kind = isinstance(value, type) and issubclass(value, Enum)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return all(_is_fixed(one, name) and not callable(one) for one in value)
    # What it calls is looked at in its source.
    return is_kind or isinstance(value, int | float | Enum) or callable(value) or name in CALLS


def _rebound(function: FunctionType) -> set[str]:
    """Return the globals that any function of the module assigns to."""
    module = inspect.getmodule(function)
    code = [value.__code__ for value in vars(module).values() if _is_of(value, module)] if module else []
    return {name for one in code for name, is_written in names_of(one) if is_written}


def _is_of(value: object, module: ModuleType | None) -> bool:
    return isinstance(value, FunctionType) and module is not None and value.__module__ == module.__name__


def names_of(code: CodeType) -> set[tuple[str, bool]]:
    """Return the globals that code reads, and with True those that it writes."""
    return {
        (str(step.argval), step.opname != "LOAD_GLOBAL")
        for step in steps_of(code)
        if step.opname in ("LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL")
    }


def steps_of(code: CodeType) -> Iterator[dis.Instruction]:
    """Yield the instructions of code, and of the functions within it."""
    yield from dis.get_instructions(code)
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from steps_of(const)
