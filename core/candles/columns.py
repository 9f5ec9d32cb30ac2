"""The columns of a candle file: found by name, read part by part."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from core.bars import COLUMNS
from core.candles.text import Times, read_numbers, read_times
from core.domain import FloatArray, IntArray
from core.errors import NoDataError

TIME_NAMES = ("ts", "timestamp", "time", "open_time", "opentime", "date", "datetime", "__index_level_0__")
"""Names of a time column, the most exact first; the last is pandas' own for an unnamed index."""

_BINANCE_WIDTH = 12
PART = 50_000
"""Rows read at once: bounds memory and lets an interrupt and a progress bar in."""


class Part(NamedTuple):
    """Consecutive rows of a file."""

    lines: IntArray
    """Where each row is in the file, counted from 1."""
    times: Times
    columns: tuple[FloatArray, ...]
    """open, high, low, close, volume."""
    reasons: dict[int, str]
    """Index of each row that could not be read, to why."""


class Layout(NamedTuple):
    """Which columns are wanted."""

    places: tuple[int, ...]
    """Index of the time and of open, high, low, close, volume."""
    width: int
    """Columns in all."""
    notes: tuple[str, ...] = ()


def find_columns(names: Sequence[str]) -> Layout:
    """Return where the wanted columns are, whatever their order and case.

    Raises NoDataError when one is missing or there twice.
    """
    plain = [re.sub(r"[\s-]+", "_", name.strip(' "\t\r\n').lower()) for name in names]
    times = [name for name in TIME_NAMES if name in plain]
    missing = ([] if times else [f"a time ({', '.join(TIME_NAMES[:-1])})"]) + [
        name for name in COLUMNS if name not in plain
    ]
    if missing:
        raise NoDataError(f"no column for {', '.join(missing)}; the first line has {_shown(names)}")
    wanted = [times[0], *COLUMNS]
    double = [name for name in wanted if Counter(plain)[name] > 1]
    if double:
        raise NoDataError(f"the column {double[0]} is there twice; the first line has {_shown(names)}")
    notes = [f"the time is taken from {times[0]}, not from {', '.join(times[1:])}"] if times[1:] else []
    return Layout(tuple(plain.index(name) for name in wanted), len(names), tuple(notes))


def text_parts(lines: Iterator[str]) -> tuple[Layout, Iterator[Part]]:
    """Return the layout of delimited text and its rows, one line each; blank lines are no rows.

    Raises NoDataError when the first line names no columns and is not a row of Binance's.
    """
    number, first = next(((n, line) for n, line in enumerate(lines, 1) if line.strip()), (0, ""))
    if not number:
        raise NoDataError("the file is empty")
    delimiter = max(",;\t", key=first.count)
    names = first.split(delimiter)
    if len(names) == _BINANCE_WIDTH and names[0].strip().isdecimal():
        note = (
            "no header: the 12 columns are taken for Binance's, open_time, open, high, low, close, volume, …"
        )
        layout = Layout((0, 1, 2, 3, 4, 5), _BINANCE_WIDTH, (note,))
        return layout, _text_parts(chain([first], lines), number, delimiter, layout)
    layout = find_columns(names)
    return layout, _text_parts(lines, number + 1, delimiter, layout)


def join(parts: Sequence[Part]) -> Part:
    """Return the parts, at least one, as one."""
    starts = np.cumsum([0] + [len(part.lines) for part in parts]).tolist()
    return Part(
        np.concatenate([part.lines for part in parts]),
        Times(
            np.concatenate([part.times.values for part in parts]),
            np.concatenate([part.times.is_ms for part in parts]),
        ),
        tuple(np.concatenate(column) for column in zip(*(part.columns for part in parts), strict=True)),
        {
            start + row: reason
            for start, part in zip(starts, parts, strict=False)
            for row, reason in part.reasons.items()
        },
    )


def _text_parts(lines: Iterator[str], number: int, delimiter: str, layout: Layout) -> Iterator[Part]:
    while chunk := list(islice(lines, PART)):
        yield _text_part(chunk, number, delimiter, layout)
        number += len(chunk)


def _text_part(chunk: list[str], number: int, delimiter: str, layout: Layout) -> Part:
    if '"' in "".join(chunk):
        chunk = [line.replace('"', "") for line in chunk]
    filled = [n for n, line in enumerate(chunk) if line.strip()]
    rows = [chunk[n].split(delimiter) for n in filled]
    odd = {
        row: f"has {len(cells)} fields instead of {layout.width}"
        for row, cells in enumerate(rows)
        if len(cells) != layout.width
    }
    for row in odd:
        rows[row] = [""] * layout.width
    cells = [[row[place] for row in rows] for place in layout.places]
    times, reasons = read_times(cells[0])
    columns = [read_numbers(name, column) for name, column in zip(COLUMNS, cells[1:], strict=True)]
    for _, more in columns:
        reasons = more | reasons
    return Part(
        np.array(filled, np.int64) + number, times, tuple(values for values, _ in columns), reasons | odd
    )


def _shown(names: Sequence[str]) -> str:
    text = ", ".join(name.strip() for name in names)
    return repr(text if len(text) <= 120 else text[:119] + "…")
