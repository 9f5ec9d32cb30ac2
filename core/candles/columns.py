"""The columns of a candle file: found by name or by the kind of file, read part by part."""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from itertools import chain
from typing import Any, Literal, NamedTuple, TextIO

import numpy as np

from core.candles.dialects import (
    TIME_NAMES,
    Dialect,
    Headless,
    VolumeUnit,
    best_order,
    dialect_of,
    headless_of,
    plain_names,
)
from core.candles.frames import COLUMNS
from core.candles.json_rows import json_rows
from core.candles.text import Times, read_numbers, read_times, undecided
from core.candles.volumes import volume_column
from core.candles.whose import check_symbols, of_columns, symbol_column
from core.domain import FloatArray, IntArray
from core.errors import NoDataError
from core.symbols import Pair, pair_of

PART = 50_000
"""Rows read at once: bounds memory and lets an interrupt and a progress bar in."""
_BLOCK = 1 << 20
"""Characters of text read at once."""
_LONGEST_LINE = 1 << 16
"""Characters: what is longer is no line of a candle file, and must not fill the memory."""

_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_NUMBERS = np.dtype([("time", np.int64), *((name, np.float64) for name in COLUMNS)])

Cells = Sequence[str]


class Options(NamedTuple):
    """What the user says about a file."""

    symbol: str = ""
    """Whose candles they are, so that a volume's unit can be told by its name; empty for not said."""
    zone: tzinfo | None = None
    """Of times that name none."""
    volume: Literal["auto", "base", "quote"] = "auto"
    """What its volume counts; auto: as the file's names and sizes say."""

    @property
    def pair(self) -> Pair | None:
        """Base and quote, None when they are not said."""
        return pair_of(self.symbol) if self.symbol else None


_NOTHING_SAID = Options()


class Part(NamedTuple):
    """Consecutive rows of a file."""

    lines: IntArray
    """Where each row is in the file, counted from 1."""
    times: Times
    columns: tuple[FloatArray, ...]
    """open, high, low, close, volume."""
    reasons: dict[int, str]
    """Index of each row that could not be read, to why."""
    blanks: int = 0
    """Rows left out because they stand for a bar without a trade."""
    says: frozenset[str] = frozenset()
    """What the file calls the market, where that is another dollar's."""


class Layout(NamedTuple):
    """Which columns are wanted, and how they are to be read."""

    places: tuple[int, ...]
    """Index of the time and of open, high, low, close, volume."""
    width: int
    """Columns in all."""
    notes: tuple[str, ...] = ()
    dialect: Dialect = Dialect("", ())
    zone: tzinfo | None = None
    """Of times that name none."""
    volume: VolumeUnit = "unsaid"
    symbol: int | None = None
    """Where the file names its symbol."""


def find_columns(names: Sequence[str], options: Options = _NOTHING_SAID) -> Layout:
    """Return where the wanted columns are, whatever their order and case.

    Raises NoDataError when one is missing or there twice.
    """
    names = [name.strip(' "\t\r\n') for name in names]
    plain = plain_names(names)
    dialect = dialect_of(plain)
    times = [name for name in dialect.times if name in plain]
    missing = ([] if times else [f"a time ({', '.join(TIME_NAMES[:-1])})"]) + [
        name for name in COLUMNS[:4] if name not in plain
    ]
    try:
        volume = volume_column(names, plain, dialect, options.pair)
    except NoDataError as error:
        if not missing and "for volume" not in str(error):
            raise
        missing.append("volume")
    if missing:
        raise NoDataError(f"no column for {', '.join(missing)}; the first line has {_shown(names)}")
    wanted = [times[0], *COLUMNS[:4], plain[volume.place]]
    if double := [name for name in wanted if Counter(plain)[name] > 1]:
        raise NoDataError(f"the column {double[0]} is there twice; the first line has {_shown(names)}")
    notes = [f"read as {dialect.name}'s"] if dialect.name else []
    if times[1:]:
        notes.append(f"the time is taken from {times[0]}, not from {', '.join(times[1:])}")
    if volume.note:
        notes.append(volume.note)
    if dollar := of_columns(plain, options.pair):
        notes.append(f"the file counts in {dollar}: it is taken for {options.symbol}")
    return Layout(
        (*map(plain.index, wanted[:5]), volume.place),
        len(names),
        tuple(notes),
        dialect,
        options.zone or (UTC if dialect.in_utc else None),
        volume.unit if options.volume == "auto" else options.volume,
        symbol_column(plain),
    )


def text_parts(stream: TextIO, options: Options = _NOTHING_SAID) -> tuple[Layout, Iterator[Part]]:
    """Return the layout of delimited text and its rows, one line each; blank lines are no rows.

    Raises NoDataError when the first line neither names columns nor is a row of a known kind.
    """
    blocks = _blocks(stream)
    first = _first(blocks)
    if "cryptodatadownload" in first.lines[0].lower():
        first = _first(chain([first.after(1)], blocks))
    head = first.lines[0]
    delimiter = max(",;\t", key=head.count)
    cells = _split(head, delimiter)
    if all(map(_is_number, cells)) and (kinds := headless_of(len(cells), in_text=True)):
        layout = _headless(kinds[0], options)
    else:
        layout, first = find_columns(cells, options), first.after(1)
    return layout, (_text_part(block, delimiter, layout, options) for block in chain([first], blocks))


def json_parts(stream: TextIO, options: Options = _NOTHING_SAID) -> tuple[Layout, Iterator[Part]]:
    """Return the layout of a JSON file and its rows, which are arrays in a known order or objects.

    Raises NoDataError when there are none, or their order is not known.
    """
    pieces = json_rows(stream)
    first = next(pieces, [])
    if not first:
        raise NoDataError("there is an array in it, and no row")
    if isinstance(first[0], dict):
        names = list(first[0])
        layout = find_columns(names, options)
        pieces = ([[row.get(name) for name in names] for row in piece] for piece in chain([first], pieces))
    else:
        pieces = chain([first], pieces)
        sample = _cells(first[:1000])
        if not (kinds := headless_of(len(sample[0]), in_text=False)):
            raise NoDataError(f"its rows have {len(sample[0])} numbers: that is no order this program knows")
        layout = _headless(best_order(kinds, sample), options)
    return layout, _json_parts(pieces, layout, options)


def join(parts: list[Part]) -> Part:
    """Return the parts, at least one, as one; the list is emptied, so that memory holds them once."""
    starts = np.cumsum([0] + [len(part.lines) for part in parts]).tolist()
    reasons = {
        start + row: reason
        for start, part in zip(starts, parts, strict=False)
        for row, reason in part.reasons.items()
    }
    is_local = any(part.times.is_local for part in parts)
    blanks = sum(part.blanks for part in parts)
    says = frozenset[str]().union(*(part.says for part in parts))
    arrays: deque[tuple[Any, ...]] = deque(
        zip(*((part.lines, *part.times[:2], *part.columns) for part in parts), strict=True)
    )
    parts.clear()
    lines, values, is_ms, *columns = [np.concatenate(arrays.popleft()) for _ in range(len(arrays))]
    return Part(lines, Times(values, is_ms, is_local), tuple(columns), reasons, blanks, says)


def _headless(kind: Headless, options: Options) -> Layout:
    places = tuple(kind.names.index(name) for name in (kind.names[0], *COLUMNS))
    note = f"no header: the {len(kind.names)} columns are taken for {kind.name}, {', '.join(kind.names)}"
    volume: VolumeUnit = "base" if options.volume == "auto" else options.volume
    return Layout(places, len(kind.names), (note,), zone=options.zone, volume=volume)


class _Block(NamedTuple):
    """Consecutive lines."""

    number: int
    """Of the first, counted from 1."""
    lines: list[str]

    def after(self, count: int) -> _Block:
        """Return the lines after so many."""
        return _Block(self.number + count, self.lines[count:])


def _blocks(stream: TextIO) -> Iterator[_Block]:
    """Yield all lines, some at a time. Raises NoDataError for one that is too long to be a row."""
    number, rest, is_end = 1, "", False
    while not is_end:
        text = stream.read(_BLOCK)
        is_end = not text
        *lines, rest = (rest + text).split("\n")
        if is_end and rest:
            lines.append(rest)
        if len(rest) > _LONGEST_LINE:
            raise NoDataError(
                f"line {number + len(lines)} has more than {_LONGEST_LINE} characters: this is no CSV file"
            )
        if lines:
            yield _Block(number, lines)
        number += len(lines)


def _first(blocks: Iterator[_Block]) -> _Block:
    """Return the block of the first line that is not blank, from that line on."""
    for block in blocks:
        for row, line in enumerate(block.lines):
            if line.strip():
                return block.after(row)
    raise NoDataError("the file is empty")


def _text_part(block: _Block, delimiter: str, layout: Layout, options: Options) -> Part:
    plain = _plain_part(block.lines, delimiter, layout, options)
    if plain is not None:
        return plain._replace(lines=plain.lines + block.number)
    return _row_part(*_rows_of(block, delimiter, layout), layout, options)


def _plain_part(lines: list[str], delimiter: str, layout: Layout, options: Options) -> Part | None:
    """Return lines in which everything is a number at once; None for others, which are read row by row."""
    kind, text = layout.dialect, "".join(lines)
    is_plain = not (kind.skips or kind.has_blanks or kind.thousands or '"' in text or "_" in text)
    names_markets = layout.symbol is not None and bool(options.symbol)
    if not is_plain or names_markets or {line.count(delimiter) for line in lines} != {layout.width - 1}:
        return None
    try:
        table = np.loadtxt(lines, _NUMBERS, None, delimiter, usecols=layout.places, ndmin=1)
    except ValueError:
        return None
    columns = tuple(np.ascontiguousarray(table[name]) for name in COLUMNS)
    return Part(np.arange(len(lines)), undecided(np.ascontiguousarray(table["time"])), columns, {})


def _rows_of(block: _Block, delimiter: str, layout: Layout) -> tuple[list[int], list[Cells]]:
    """Return the rows of a block and their lines' numbers."""
    skips = layout.dialect.skips
    numbers = [
        number
        for number, line in enumerate(block.lines)
        if line.strip() and not (skips and line.startswith(skips))
    ]
    has_quotes = any('"' in line for line in block.lines)
    lines = (block.lines[number] for number in numbers)
    cells: list[Cells] = [
        _cells_of(line, delimiter, layout.width) if has_quotes else line.split(delimiter) for line in lines
    ]
    return [block.number + number for number in numbers], cells


def _json_parts(pieces: Iterable[list[Any]], layout: Layout, options: Options) -> Iterator[Part]:
    number = 1
    for piece in pieces:
        numbers = list(range(number, number + len(piece)))
        yield _row_part(numbers, _cells(piece), layout, options)
        number += len(piece)


def _row_part(numbers: list[int], rows: list[Cells], layout: Layout, options: Options) -> Part:
    whole = len(rows)
    if layout.dialect.has_blanks:
        filled = [row for row, cells in enumerate(rows) if not _is_blank(cells, layout)]
        numbers, rows = [numbers[row] for row in filled], [rows[row] for row in filled]
    odd = {
        row: _misfit(len(cells), layout.width) for row, cells in enumerate(rows) if len(cells) != layout.width
    }
    for row in odd:
        rows[row] = [""] * layout.width
    says: frozenset[str] = frozenset()
    if layout.symbol is not None and options.symbol:
        named = {cells[layout.symbol] for cells in rows}
        says = check_symbols((cell for cell in named if cell.strip()), options.symbol)
    columns = [[row[place] for row in rows] for place in layout.places]
    if layout.dialect.thousands:
        columns[1:] = [[_ungrouped(cell) for cell in column] for column in columns[1:]]
    times, reasons = read_times(columns[0], layout.zone)
    values = [read_numbers(name, column) for name, column in zip(COLUMNS, columns[1:], strict=True)]
    for _, more in values:
        reasons = more | reasons
    lines = np.array(numbers, np.int64)
    return Part(lines, times, tuple(column for column, _ in values), reasons | odd, whole - len(rows), says)


def _misfit(fields: int, width: int) -> str:
    why = ": are there decimal commas? write 1.5, not 1,5" if width < fields <= 2 * width else ""
    return f"has {fields} fields instead of {width}{why}"


def _ungrouped(cell: str) -> str:
    """Return a number without the commas between its thousands; 1,5 is none that has any."""
    return cell.replace(",", "") if _THOUSANDS.fullmatch(cell.strip()) else cell


def _is_blank(cells: Cells, layout: Layout) -> bool:
    if len(cells) != layout.width:
        return False
    return all(cells[place].strip().lower() in ("", "nan", "null") for place in layout.places[1:5])


def _cells_of(line: str, delimiter: str, width: int) -> Cells:
    """Return a line's cells; a quote that is not closed swallows nothing."""
    cells = _split(line, delimiter)
    return cells if len(cells) == width else line.rstrip("\r\n").replace('"', "").split(delimiter)


def _split(line: str, delimiter: str) -> list[str]:
    line = line.rstrip("\r\n")
    return next(csv.reader([line], delimiter=delimiter)) if '"' in line else line.split(delimiter)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _cells(rows: Iterable[Iterable[Any]]) -> list[Cells]:
    """Return the text of what JSON has."""
    return [
        [value if type(value) is str else "" if value is None else str(value) for value in row]
        for row in rows
    ]


def _shown(names: Sequence[str]) -> str:
    text = ", ".join(name.strip() for name in names)
    return repr(text if len(text) <= 120 else text[:119] + "…")
