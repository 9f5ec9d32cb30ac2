"""Which parameter sets have the same columns, found by watching what a rule reads of its parameters.

A rule's columns are a pure function of the bars and of what it reads of the parameters. So two sets that
agree on all that was read for one of them have the same columns, whatever else they hold.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


class ColumnGroups:
    """The columns made so far, by the parameters that they were made from; for one thread."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make
        # By the names read; a rule that reads other names for other values has more than one entry.
        self._known: dict[tuple[str, ...], dict[tuple[Any, ...], Any]] = {}

    def find(self, params: Any) -> Any:
        """Return what was made for these parameters or for others that it cannot tell from these."""
        for names, made in self._known.items():
            if (found := made.get(_values(params, names))) is not None:
                return found
        kind: Any = type(params)
        watched = _watched(kind)(*params)
        found = self._make(watched)
        names = tuple(sorted(vars(watched)))
        self._known.setdefault(names, {})[_values(params, names)] = found
        return found


def _values(params: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple([getattr(params, name) for name in names])


@cache
def _watched(params: Any) -> Any:
    """Return the same named tuple, whose values note in its `vars` what is read of them."""

    def read(name: str, place: int) -> property:
        def value(self: Any) -> Any:
            vars(self)[name] = True
            return tuple.__getitem__(self, place)

        return property(value)

    def all_of(name: str) -> Callable[..., Any]:
        def method(self: Any, *given: Any, **named: Any) -> Any:
            vars(self).update(dict.fromkeys(params._fields, True))
            return getattr(params, name)(self, *given, **named)

        return method

    fields = {name: read(name, place) for place, name in enumerate(params._fields)}
    # Whatever looks at the tuple as a whole reads all of it.
    whole = (
        "__iter__",
        "__getitem__",
        "__eq__",
        "__ne__",
        "__lt__",
        "__le__",
        "__gt__",
        "__ge__",
        "__hash__",
    )
    more = (
        "__contains__",
        "__repr__",
        "__add__",
        "__mul__",
        "__rmul__",
        "index",
        "count",
        "_asdict",
        "_replace",
    )
    methods = {name: all_of(name) for name in (*whole, *more)}
    return type(params.__name__, (params,), {**methods, **fields})
