"""The arguments of a call that is translated: each of them is taken, or changes nothing, or is told."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Final

from core.errors import UsageError
from core.foreign.formulas import shown

USUAL: Final[Mapping[str, tuple[object, ...]]] = {
    "adjust": (True, False),
    "axis": (0, "index"),
    "center": (False,),
    "closed": (None, "right"),
    "copy": (True, False),
    "deep": (True, False),
    "engine": (None, "cython"),
    "ignore_na": (False,),
    "inplace": (False,),
    "method": ("single",),
    "numeric_only": (False,),
    "step": (None, 1),
    **dict.fromkeys(("alpha", "com", "halflife", "times", "engine_kwargs", "fill_method"), (None,)),
    **dict.fromkeys(("fill_value", "freq", "level", "limit", "on", "win_type"), (None,)),
}
"""What pandas' arguments are without being given, or change nothing that a rule sees."""


class Arguments:
    """The arguments of one call, by name."""

    def __init__(self, node: ast.Call, *places: str) -> None:
        """Take what they are called, in their order. Raises UsageError for more of them, and for a *list."""
        self._node, self._left = node, dict(zip(places, node.args, strict=False))
        if len(node.args) > len(places) or any(isinstance(one, ast.Starred) for one in node.args):
            at = node.args[min(len(places), len(node.args) - 1)]
            raise UsageError(f"{shown(node)}: its argument {shown(at)} is not understood")
        for word in node.keywords:
            if word.arg is None or word.arg in self._left:
                raise UsageError(f"{shown(node)}: its argument {shown(word)} is not understood")
            self._left[word.arg] = word.value

    def take(self, name: str) -> ast.expr | None:
        """Return one of them, None where it is not given."""
        return self._left.pop(name, None)

    def needed(self, name: str) -> ast.expr:
        """Return one of them. Raises UsageError where it is not given."""
        found = self.take(name)
        if found is None:
            raise UsageError(f"{shown(self._node)} is not understood: wanted a {name}")
        return found

    def end(self) -> None:
        """Raise UsageError for one that nobody took, unless it changes nothing."""
        for name, value in self._left.items():
            if isinstance(value, ast.Constant) and value.value in USUAL.get(name, ()):
                continue
            why = "looks ahead" if name == "center" else "is not understood"
            raise UsageError(f"{shown(self._node)}: {name}={shown(value)} {why}")
