"""Compiled functions as Python calls them: their arguments lie in memory, and the code is told where.

So the code needs no compiler to be run, only to be made, once on a machine (core.kernel.disk_cache).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from threading import RLock
from typing import Any, NamedTuple

import numpy as np

from core.kernel import disk_cache
from core.kernel.addresses import READERS, address_of, floats_at, integers_at
from core.kernel.machine import FAILED, Code, caller, loaded
from core.kernel.pieces import Piece, plain_of

_LOCK = RLock()
"""Threads that want the same code wait for the one that makes it."""


class Ready(NamedTuple):
    """A compiled function with its arguments, which it looks at again at each call."""

    run: Callable[..., int]
    words: Any
    """Numbers, and where arrays lie."""
    held: tuple[Any, ...]
    """The code, and the arrays."""

    def __call__(self) -> int:
        """Run it. Raises RuntimeError where the code raised an error."""
        found = self.run(address_of(self.words))
        if found == FAILED:
            raise RuntimeError("compiled code failed")
        return found


class Kernel:
    """A part that Python calls as it would the plain function, made or found on disk when it is first called.

    It returns an integer or nothing; arguments are float64 and int64 arrays whose rows follow each other,
    numbers, and named tuples of these.
    """

    def __init__(self, name: str, part: Piece) -> None:
        self._name, self._part = name, part
        self._codes: dict[Any, Code] = {}
        self._readers: dict[Any, Piece] = {}

    def __call__(self, *args: Any) -> int:
        """Call it once."""
        return self.ready(*args)()

    def ready(self, *args: Any) -> Ready:
        """Return the function with its arguments. Raises TypeError for what is none."""
        words: list[int] = []
        form = tuple(_packed(value, words) for value in args)
        with _LOCK:
            code = self._codes.get(form)
            if code is None:
                code = self._codes[form] = code_of(self._name, self._reader(form), 1)
        return Ready(caller(code.address, 1), np.array(words, np.int64), (code, *args))

    def is_at_hand(self, *args: Any) -> bool:
        """Tell whether a call with such arguments would compile nothing."""
        form = tuple(_packed(value, []) for value in args)
        with _LOCK:
            return form in self._codes or is_at_hand(self._name, self._reader(form))

    def _reader(self, form: tuple[Any, ...]) -> Piece:
        """Return what reads arguments of this form, the same at each call."""
        if form not in self._readers:
            self._readers[form] = _reader(self._part, form)
        return self._readers[form]


def is_at_hand(name: str, part: Piece) -> bool:
    """Tell whether code of a part is on disk, so that nobody need compile it."""
    return disk_cache.has(name, _mark(part))


@cache
def _mark(part: Piece) -> str:
    return disk_cache.fingerprint(plain_of(part))


def code_of(name: str, part: Piece, count: int) -> Code:
    """Return the code of a part that takes so many integers, compiled or found on disk."""
    with _LOCK:
        mark = _mark(part)
        kept = disk_cache.read(name, mark)
        if kept is None:
            # Here: importing the compiler takes longer than most runs.
            from core.kernel.compiler import object_code

            try:
                kept = object_code(part, count)
            except BaseException:
                disk_cache.end_turn(mark)
                raise
            disk_cache.write(name, mark, kept)
        return loaded(kept)


def _packed(value: Any, words: list[int]) -> Any:
    """Append a value to the words; return its form: what one of its kind is read by."""
    if isinstance(value, np.ndarray):
        if (key := (value.dtype.char, value.ndim)) not in READERS or not value.flags.c_contiguous:
            raise TypeError(f"no array for compiled code: {value.dtype} of {value.shape}")
        words += (address_of(value), *value.shape)
        return key
    if isinstance(value, tuple):
        return (type(value), *(_packed(one, words) for one in value))
    if isinstance(value, float):
        words.append(int(np.float64(value).view(np.int64)))
        return float
    words.append(int(value))
    return int


def _reader(part: Piece, form: tuple[Any, ...]) -> Piece:
    """Return a part that takes the address of words, and calls another with what they say."""
    scope: dict[str, Any] = {part.function.__name__: part, "floats_at": floats_at, "integers_at": integers_at}
    scope |= {one.__name__: one for one in READERS.values()}
    places = iter(range(10_000))
    given = ", ".join(_read(one, places, scope) for one in form)
    size = next(places)
    text = (
        f"def read(at):\n    words, numbers = integers_at(at, {size}), floats_at(at, {size})\n"
        f"    found = {part.function.__name__}({given})\n    return 0 if found is None else found"
    )
    # Other arguments need another function: only text can say that.
    made: dict[str, Any] = {}
    exec(text, made)  # noqa: S102
    return Piece(made["read"], scope)


def _read(form: Any, places: Iterator[int], scope: dict[str, Any]) -> str:
    """Return the expression that reads what has this form."""
    if form is float:
        return f"numbers[{next(places)}]"
    if form is int:
        return f"words[{next(places)}]"
    if form in READERS:
        taken = ", ".join(f"words[{next(places)}]" for _ in range(1 + form[1]))
        return f"{READERS[form].__name__}({taken})"
    name = f"Kind{len(scope)}"
    scope[name] = form[0]
    return f"{name}({', '.join(_read(one, places, scope) for one in form[1:])})"
