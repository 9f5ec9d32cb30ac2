"""Candle files as people have them: CSV, JSON, Parquet, Feather, compressed or in an archive.

Columns are found by name, in any order and case, or by the kind of file (core.candles.dialects); others are
ignored. Text is separated by commas, semicolons or tabs, one row per line. What is not a number or a time is
refused row by row; a file that is cut or damaged, or lacks a column, is refused whole. Files are read piece
by piece: memory grows with the candles in them, not with their size.

The rows that could be read are checked by core.candles.checks: they may come in any order, equal
repetitions are dropped, and rows that contradict each other are all refused. core.candles.text says how
times are understood, core.candles.volumes how volumes are.
"""

from __future__ import annotations

import gzip
import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple, TextIO

import numpy as np

from core.candles.arrow import feather_parts, parquet_parts
from core.candles.checks import MOST_REFUSED, check_candles, usual_step
from core.candles.columns import Layout, Options, Part, join, json_parts, text_parts
from core.candles.text import NO_ZONE, decide_times, in_milliseconds
from core.candles.volumes import change_of_unit, implausible_turnover, in_base
from core.candles.whose import of_file_name, said_otherwise
from core.domain import Bars, IntArray
from core.errors import NoDataError, UsageError
from core.figures import how_many
from core.symbols import pair_of
from core.utils import TIMEFRAMES, format_time, grid_start, timeframe_ms

SUFFIXES = (".csv", ".csv.gz", ".json", ".json.gz", ".parquet", ".feather", ".zip")
"""What a candle file's name may end in."""

MOST_ROWS = 10_000_000
"""Rows of one file: all minutes since 2009 are 9.4 million. Reading takes about 120 bytes for each."""
_SHORTEST = len("0,0,0,0,0,0\n")
"""Characters of a row with a time and five numbers."""
_MANY = 1000
"""Rows after which a file is none of candles when not one of them can be read."""

_ARROW = {".parquet": parquet_parts, ".feather": feather_parts}

Progress = Callable[[int], None]
"""Told how many more bytes of the file are done."""


_NOTHING_SAID = Options()


class RefusedLine(NamedTuple):
    """A row that may not be stored."""

    line: int
    """Line of a text file, row of a Parquet file, counted from 1."""
    reason: str


class CandleFile(NamedTuple):
    """What a file holds: good + refused + repeated are all its rows."""

    good: Bars
    """Checked, oldest first."""
    refused: tuple[RefusedLine, ...]
    """In the file's order."""
    repeated: int
    """Rows that say the same as a good one; dropped."""
    notes: tuple[str, ...]
    """How the file was understood where that is not plain."""
    blanks: int = 0
    """Rows that stand for a bar without a trade; left out."""
    volume: str = "base"
    """What its volume column counts: base, quote, or unsaid; `good` has base units."""

    @property
    def rows(self) -> int:
        """All rows of the file."""
        return len(self.good.ts) + len(self.refused) + self.repeated + self.blanks


def check_path(path: Path) -> str:
    """Return which of SUFFIXES the file has.

    Raises UsageError when there is no such file or its kind is not one of them.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        why = "is not there" if missing else f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise UsageError(f"{path} {why}") from None
    if not stat.S_ISREG(mode):
        raise UsageError(
            f"{path} is {'a directory' if stat.S_ISDIR(mode) else 'a pipe or a device'}, not a file"
        )
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise UsageError(f"{path}: wanted a file that ends in {', '.join(SUFFIXES)}")


def read_candle_file(
    path: Path,
    timeframe: str,
    now: int,
    progress: Progress = lambda _: None,
    options: Options = _NOTHING_SAID,
) -> CandleFile:
    """Read and check a file of bars of this timeframe, as of `now` (ms UTC).

    Raises NoDataError when it has no row at all, lacks a column or is damaged, UsageError when it is
    missing, of an unknown kind or plainly of another timeframe.
    """
    suffix = check_path(path)
    with _file_errors(path), path.open("rb") as raw:
        _check_count(path, suffix)
        with _parts(raw, suffix, options) as (layout, parts):
            part = _joined(parts, raw, progress)
        found = _checked(part, layout, timeframe, now, options)
    said = {of_file_name(path.name, options.symbol)} - {""} if options.symbol else set()
    if not said or part.says:
        return found
    return found._replace(notes=(*found.notes, said_otherwise(said, options.symbol)))


def _check_count(path: Path, suffix: str) -> None:
    """Refuse a text file of too many rows before they fill the memory.

    Raises UsageError for one.
    """
    is_short = suffix in (".csv", ".json") and path.stat().st_size < _SHORTEST * MOST_ROWS
    if is_short or suffix in _ARROW:
        return
    with path.open("rb") as raw, _text(raw, suffix) as (stream, name):
        marks = (b"]", b"}") if name.endswith(".json") else (b"\n",)
        counts = dict.fromkeys(marks, 0)
        while piece := stream.buffer.read(1 << 20):
            for mark in marks:
                counts[mark] += piece.count(mark)
    if (count := max(counts.values())) > MOST_ROWS:
        raise UsageError(
            f"{count:,} rows are more than the {MOST_ROWS:,} that one file may have (all minutes since 2009 "
            "are 9.4 million): split it, into a file for each year say"
        )


@contextmanager
def _parts(raw: IO[bytes], suffix: str, options: Options) -> Iterator[tuple[Layout, Iterator[Part]]]:
    """Yield how a file is laid out and its rows."""
    if suffix in _ARROW:
        yield _ARROW[suffix](raw, options)
        return
    with _text(raw, suffix) as (stream, name):
        yield (json_parts if name.endswith(".json") else text_parts)(stream, options)


def _joined(parts: Iterator[Part], raw: IO[bytes], progress: Progress) -> Part:
    whole, done, refused = [], 0, 0
    for part in parts:
        whole.append(part)
        refused += len(part.reasons)
        if refused > MOST_REFUSED or len(part.reasons) == len(part.lines) > _MANY:
            line, reason = int(part.lines[0]), next(iter(part.reasons.values()))
            raise NoDataError(
                f"{refused} rows cannot be read (from line {line} on: {reason}); is it another file?"
            )
        progress(raw.tell() - done)
        done = raw.tell()
    if not sum(len(part.lines) + part.blanks for part in whole):
        raise NoDataError("there is a header and no row")
    return join(whole)


@contextmanager
def _text(raw: IO[bytes], suffix: str) -> Iterator[tuple[TextIO, str]]:
    """Yield a text file and its name; bytes that are not UTF-8 make their row's number unreadable."""
    with ExitStack() as opened:
        stream: IO[bytes] | gzip.GzipFile = raw
        name = suffix.removesuffix(".gz")
        if suffix.endswith(".gz"):
            stream = opened.enter_context(gzip.GzipFile(fileobj=raw))
        elif suffix == ".zip":
            archive = opened.enter_context(zipfile.ZipFile(raw))
            member = _only_member(archive)
            stream, name = opened.enter_context(archive.open(member)), member.filename.lower()
        yield opened.enter_context(io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace")), name


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1 or not members[0].filename.lower().endswith((".csv", ".json")):
        names = ", ".join(member.filename for member in members[:5]) or "nothing"
        more = f" and {len(members) - 5} more" if len(members) > 5 else ""
        raise NoDataError(
            f"wanted one CSV file in the archive, found {names}{more}: unpack it and give the right one"
        )
    if members[0].flag_bits & 1:
        raise NoDataError("the archive is encrypted: unpack it and give the CSV file")
    return members[0]


@contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (NoDataError, UsageError) as error:
        raise type(error)(f"{path}: {_one_line(error)}") from error
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise NoDataError(
            f"{path} cannot be read to its end ({_one_line(error)}), and nothing of it was loaded"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _checked(part: Part, layout: Layout, timeframe: str, now: int, options: Options) -> CandleFile:
    step, notes = timeframe_ms(timeframe), list(layout.notes)
    _check_zone(part)
    readable = np.ones(len(part.lines), np.bool_)
    readable[list(part.reasons)] = False
    times = in_milliseconds(part.times, now) if layout.dialect.is_mixed else part.times
    decided = decide_times(times, readable, now)
    reasons = decided.reasons | part.reasons
    readable[list(reasons)] = False
    rows = np.flatnonzero(readable)
    ts, closes = _opens(decided.ts[rows], step)
    _check_step(ts, timeframe)
    is_whole = len(rows) == len(readable)
    columns = part.columns if is_whole else [column[rows] for column in part.columns]
    checked = check_candles(Bars(ts, *columns), step, now)
    reasons |= {int(rows[row]): reason for row, reason in checked.refused}
    good, volume_note = _with_base_volume(checked.good, layout, step, options)
    notes += filter(None, (volume_note, closes, said_otherwise(part.says, options.symbol)))
    if decided.form != "ms":
        notes.append(f"times are read as {decided.form}")
    if part.times.is_local:
        notes.append(f"times that name no zone are taken as {layout.zone or 'UTC'}")
    if checked.out_of_order:
        notes.append(f"rows were sorted by time ({checked.out_of_order} came before an earlier one)")
    if checked.repeated:
        notes.append(f"{how_many(checked.repeated, 'repeated row was', 'repeated rows were')} dropped")
    if part.blanks:
        notes.append(f"{part.blanks} rows without numbers were left out: nothing was traded in them")
    refused = tuple(RefusedLine(int(part.lines[row]), reasons[row]) for row in sorted(reasons))
    return CandleFile(good, refused, checked.repeated, tuple(notes), part.blanks, layout.volume)


def _check_zone(part: Part) -> None:
    """Refuse a file whose times name no zone, once and not row by row."""
    unzoned = [row for row, reason in part.reasons.items() if reason.endswith(NO_ZONE)]
    if 2 * len(unzoned) > len(part.lines):
        raise UsageError(part.reasons[unzoned[0]])


def _opens(ts: IntArray, step: int) -> tuple[IntArray, str]:
    """Return open times for times of a bar's last second or millisecond, and the note that says so."""
    past = (ts - grid_start(step)) % step
    for least in (1000, 1):
        if len(ts) and (past == step - least).all():
            return ts - past, "times are a bar's last moment: its first is taken"
    return ts, ""


def _with_base_volume(bars: Bars, layout: Layout, step: int, options: Options) -> tuple[Bars, str]:
    """Return bars with volume in base units. Raises UsageError when its size says that it is another."""
    quote = pair_of(options.symbol).quote if options.symbol else "the quote currency"
    if layout.volume == "quote":
        return in_base(bars), f"volume is in {quote}: divided by each bar's mean price, so it is about right"
    if options.volume == "auto" and (problem := _wrong_unit(bars, step, options.symbol, quote)):
        raise UsageError(f"{problem}; volume='quote' converts it, volume='base' does not")
    return bars, ""


def _wrong_unit(bars: Bars, step: int, symbol: str, quote: str) -> str:
    """Return why these volumes cannot all be of the asset that is traded; blank when they may be."""
    if turnover := implausible_turnover(bars, step, quote):
        base = pair_of(symbol).base if symbol else "the asset"
        return f"the volume looks like {quote}, not {base}: times price it is {turnover:.3g} {quote} a day"
    if (row := change_of_unit(bars)) is not None:
        time = format_time(int(bars.ts[row]))
        return f"the volume changes by about the price at {time} UTC: before or after it is in {quote}"
    return ""


def _check_step(ts: IntArray, timeframe: str) -> None:
    """Refuse 1h bars called 4h: every fourth of them is on the grid and would pass for a 4h bar."""
    step = usual_step(ts)
    if step is None or step == timeframe_ms(timeframe):
        return
    right = next((name for name, ms in TIMEFRAMES.items() if ms == step), None)
    advice = f"give timeframe={right!r}" if right else "that is no timeframe this program knows"
    raise UsageError(
        f"most bars are {right or f'{step} ms'} apart, the timeframe given is {timeframe}: {advice}"
    )
