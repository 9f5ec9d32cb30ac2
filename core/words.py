"""Words for a person who mistyped a name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(what: str, given: str, allowed: Iterable[str], holder: str) -> str:
    """Return the line for a name that is not among many: the nearest ones and how many there are.

    `holder` says who has them, as in `binanceus lists`.
    """
    names = {name.upper(): name for name in sorted(allowed)}
    near = [names[match] for match in get_close_matches(given.upper(), names, n=3, cutoff=0.6)]
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f"unknown {what} {given!r}: {hint}{holder} {len(names)}"
