"""Which parameter sets have the same columns, found by watching what a rule reads of its parameters.

A rule's columns are a pure function of the bars and of what it reads of the parameters. So two sets that
agree on all that was read for one of them have the same columns, whatever else they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from operator import attrgetter
from typing import Any


class ColumnGroups:
    """The columns made so far, by the parameters that they were made from; for one thread."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make
        # By the names read, with what gives their values; a rule that reads other names for other values has
        # more than one entry.
        self._known: dict[tuple[str, ...], tuple[Callable[[Any], Any], dict[Any, Any]]] = {}

    def find(self, params: Any) -> Any:
        """Return what was made for these parameters or for others that it cannot tell from these."""
        for values_of, made in self._known.values():
            if (found := made.get(values_of(params))) is not None:
                return found
        kind: Any = type(params)
        watched = _watched(kind)(*params)
        found = self._make(watched)
        names = tuple(sorted(vars(watched)))
        values_of, made = self._known.setdefault(names, (attributes(names), {}))
        made[values_of(params)] = found
        return found


def attributes(names: Collection[str]) -> Callable[[Any], Any]:
    """Return what gives these attributes' values, to be compared: a tuple, or the one."""
    return attrgetter(*names) if names else lambda _: ()


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
