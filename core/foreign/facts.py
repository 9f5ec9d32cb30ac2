"""What a freqtrade class says of itself beside its methods: its numbers, parameters, imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.errors import UsageError

INTERFACE = "IStrategy"
RANGED = ("IntParameter", "DecimalParameter", "RealParameter")
CHOSEN = ("CategoricalParameter", "BooleanParameter")
MODULES = {
    "talib.abstract": "talib",
    "talib": "talib",
    "freqtrade.vendor.qtpylib.indicators": "qtpylib",
    "technical.qtpylib": "qtpylib",
    "numpy": "numpy",
    "functools.reduce": "reduce",
    "talib.talib.abstract": "talib",
}
"""Imports that are understood, by what they are here."""


class Tuned(NamedTuple):
    """A parameter of a class that can be searched."""

    default: float
    low: float
    high: float


@dataclass
class ClassFacts:
    """A freqtrade class, read."""

    name: str
    tree: ast.ClassDef
    modules: Mapping[str, str]
    """What names of the file stand for, by MODULES."""
    values: dict[str, Any] = field(default_factory=dict)
    """Attributes that are plain values, by name."""
    tuned: dict[str, Tuned] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)
    """Attributes that are no plain values, by the line they are on."""
    fixed: dict[str, Any] = field(default_factory=dict)
    """Parameters that are chosen from a list, each at its default."""
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    """Those of the file, beside its classes."""

    @property
    def methods(self) -> dict[str, ast.FunctionDef]:
        """Its methods, by name."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}

    def value(self, *names: str, otherwise: Any = None) -> Any:
        """Return the first of these attributes that there is."""
        return next((self.values[name] for name in names if name in self.values), otherwise)


def facts_of(text: str, where: str, name: str | None = None) -> ClassFacts:
    """Read a file's one strategy, or the one of this name. Raises UsageError when there is no such one."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UsageError(f"{where}: wanted a Python file, this cannot be read: {error}") from None
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and _is_strategy(node)]
    chosen = [node for node in classes if name in (None, node.name)]
    if len(chosen) != 1:
        found = ", ".join(node.name for node in classes) or "none"
        raise UsageError(
            f"{where}: wanted a file with one class of freqtrade's {INTERFACE}, or --class NAME of one, "
            f"found {found}"
        )
    facts = ClassFacts(chosen[0].name, chosen[0], dict(_modules(tree)))
    facts.functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    # A class may stand on another one of the file.
    for node in [*(one for one in classes if one.name in _bases(chosen[0])), chosen[0]]:
        for key, value in _assigned(node):
            _take(facts, key, value)
    _override(facts)
    return facts


def _bases(node: ast.ClassDef) -> set[str]:
    return {base.id if isinstance(base, ast.Name) else getattr(base, "attr", "") for base in node.bases}


def _is_strategy(node: ast.ClassDef) -> bool:
    has_signals = any(
        isinstance(one, ast.FunctionDef) and one.name.startswith("populate_") for one in node.body
    )
    return INTERFACE in _bases(node) or has_signals


def _modules(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.Import):
            for one in node.names:
                if one.name in MODULES and (one.asname or "." not in one.name):
                    yield one.asname or one.name, MODULES[one.name]
        elif isinstance(node, ast.ImportFrom):
            for one in node.names:
                if (full := f"{node.module}.{one.name}") in MODULES:
                    yield one.asname or one.name, MODULES[full]


def _assigned(tree: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value
        elif isinstance(node, ast.FunctionDef) and node.name == "protections":
            # A property that returns the list.
            yield from (
                ("protections", one.value) for one in node.body if isinstance(one, ast.Return) and one.value
            )


def _take(facts: ClassFacts, key: str, node: ast.expr) -> None:
    kind = node.func if isinstance(node, ast.Call) else None
    name = kind.id if isinstance(kind, ast.Name) else getattr(kind, "attr", "")
    if isinstance(node, ast.Call) and name in (*RANGED, *CHOSEN):
        _take_parameter(facts, key, node, name)
        return
    try:
        facts.values[key] = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        facts.values.pop(key, None)
        facts.unread[key] = node.lineno


def _take_parameter(facts: ClassFacts, key: str, node: ast.Call, kind: str) -> None:
    try:
        given = [ast.literal_eval(one) for one in node.args]
        named = {one.arg: ast.literal_eval(one.value) for one in node.keywords if one.arg}
    except (ValueError, TypeError, SyntaxError):
        return
    default = named.get("default")
    if kind in CHOSEN:
        choices = given[0] if given else [False]
        facts.fixed[key] = choices[0] if default is None else default
        return
    low, high = (named.get(name, given[k] if k < len(given) else 0) for k, name in enumerate(("low", "high")))
    default = low if default is None else default
    if kind == "IntParameter":
        facts.tuned[key] = Tuned(int(default), low, high)
    else:
        facts.tuned[key] = Tuned(float(default), low, high)


def _override(facts: ClassFacts) -> None:
    """Take over what `buy_params` and `sell_params` set, as freqtrade does."""
    for spaces in ("buy_params", "sell_params"):
        for key, value in (facts.values.get(spaces) or {}).items():
            if key in facts.tuned:
                old = facts.tuned[key]
                facts.tuned[key] = old._replace(default=type(old.default)(value))
            elif key in facts.fixed:
                facts.fixed[key] = value
    for key, one in facts.tuned.items():
        facts.tuned[key] = one._replace(low=min(one.low, one.default), high=max(one.high, one.default))
