"""A table of parameter sets that fits: values in columns where there is room, else in lines below it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from core.reports.table import fits, print_table, room


def print_sets(
    names: Sequence[str],
    values: Sequence[Sequence[str]],
    headings: Sequence[str],
    rows: Sequence[tuple[int, Sequence[str]]],
    *,
    what: str = "set",
    lead: int = 0,
    spare: Sequence[str] = (),
    wide: bool = False,
) -> None:
    """Print rows, each with the place of its set, under headings; `values` are each set's, by `names`.

    The sets' values stand in columns behind the first `lead` headings if the table fits then or `wide` is
    asked for, else below it: a column `what` says which are whose.
    """
    whole = [[*cells[:lead], *values[place], *cells[lead:]] for place, cells in rows]
    both = [*headings[:lead], *names, *headings[lead:]]
    if wide or fits(both, whole, spare):
        print_table(both, whole, left=0, spare=spare, wide=wide)
        print()
        return
    numbered = [[f"{place + 1}", *cells] for place, cells in rows]
    print_table([what, *headings], numbered, left=0, spare=spare)
    print()
    for place, own in enumerate(values):
        said = ", ".join(f"{name} {value}" for name, value in zip(names, own, strict=True))
        print(textwrap.fill(f"{what} {place + 1}: {said}", room(), subsequent_indent="  "))
    print()
