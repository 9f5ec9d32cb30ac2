"""Functions with what they call by name: the same source as plain Python, and what the compiler is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Any


# Its text would name what each names: no memory holds it.
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Piece:
    """A function that finds what is in `scope`, other parts too, where it names things."""

    function: Callable[..., Any]
    scope: Mapping[str, Any]
    inline: bool = True
    """Whether it is made part of what calls it."""


def pieces_of(
    functions: tuple[Callable[..., Any], ...], scope: Mapping[str, Any], called: tuple[Any, ...] = ()
) -> dict[str, Any]:
    """Return `scope` and a part for each function, each after what it calls; `called` stay functions."""
    found = dict(scope)
    for function in functions:
        found[function.__name__] = Piece(function, dict(found), function not in called)
    return found


def with_names(function: Callable[..., Any], scope: Mapping[str, Any]) -> Callable[..., Any]:
    """Return a copy of a function that finds what is in `scope` first, then what the original finds."""
    plain: Any = function
    names = {**plain.__globals__, **scope}
    return FunctionType(plain.__code__, names, plain.__name__, plain.__defaults__)


@cache
def plain_of(part: Piece) -> Callable[..., Any]:
    """Return a function with its scope in plain Python."""
    scope = {name: plain_of(one) if isinstance(one, Piece) else one for name, one in part.scope.items()}
    return with_names(part.function, scope)
