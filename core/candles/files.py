"""Candle files: CSV, CSV.GZ, Parquet and Binance's monthly ZIP.

Columns are found by name, in any order and case: a time (ts, timestamp, time, open_time, date, …), open,
high, low, close and volume; others are ignored. Only Binance's own 12 columns may come without a header.
Text is separated by commas, semicolons or tabs, one row per line. What is not a number or a time is
refused row by row; a file that is cut or damaged, or lacks a column, is refused whole.

The rows that could be read are checked by core.candles.checks: they may come in any order, equal
repetitions are dropped, and rows that contradict each other are all refused. core.candles.text says how
times are understood.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from core.candles.arrow import feather_parts, parquet_parts
from core.candles.checks import check_candles, usual_step
from core.candles.columns import Part, join, text_parts
from core.candles.text import decide_times
from core.domain import Bars, IntArray
from core.errors import NoDataError, UsageError
from core.utils import TIMEFRAMES, timeframe_ms

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".feather", ".zip")
"""What a candle file's name may end in."""

_ARROW = {".parquet": parquet_parts, ".feather": feather_parts}

Progress = Callable[[int], None]
"""Told how many more bytes of the file are done."""


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

    @property
    def rows(self) -> int:
        """All rows of the file."""
        return len(self.good.ts) + len(self.refused) + self.repeated


def check_path(path: Path) -> str:
    """Return which of SUFFIXES the file has.

    Raises UsageError when there is no such file or its kind is not one of them.
    """
    if not path.is_file():
        raise UsageError(f"{path} is {'a directory, not a file' if path.is_dir() else 'not there'}")
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise UsageError(f"{path}: wanted a file that ends in {', '.join(SUFFIXES)}")


def read_candle_file(path: Path, timeframe: str, now: int, progress: Progress = lambda _: None) -> CandleFile:
    """Read and check a file of bars of this timeframe, as of `now` (ms UTC).

    Raises NoDataError when it has no row at all, lacks a column or is damaged, UsageError when it is
    missing, of an unknown kind or plainly of another timeframe.
    """
    suffix = check_path(path)
    with _file_errors(path), path.open("rb") as raw:
        if suffix in _ARROW:
            layout, parts = _ARROW[suffix](raw)
            notes, part = layout.notes, _joined(parts, raw, progress)
        else:
            notes, part = _read_text(raw, suffix, progress)
        return _checked(part, notes, timeframe, now)


def _read_text(raw: IO[bytes], suffix: str, progress: Progress) -> tuple[tuple[str, ...], Part]:
    with _text(raw, suffix) as lines:
        layout, parts = text_parts(lines)
        return layout.notes, _joined(parts, raw, progress)


def _joined(parts: Iterator[Part], raw: IO[bytes], progress: Progress) -> Part:
    found, done = [], 0
    for part in parts:
        found.append(part)
        progress(raw.tell() - done)
        done = raw.tell()
    if not sum(len(part.lines) for part in found):
        raise NoDataError("there is a header and no row")
    return join(found)


@contextmanager
def _text(raw: IO[bytes], suffix: str) -> Iterator[Iterator[str]]:
    """Yield the lines of a text file; bytes that are not UTF-8 make their row's number unreadable."""
    with ExitStack() as opened:
        stream: IO[bytes] | gzip.GzipFile = raw
        if suffix == ".csv.gz":
            stream = opened.enter_context(gzip.GzipFile(fileobj=raw))
        elif suffix == ".zip":
            archive = opened.enter_context(zipfile.ZipFile(raw))
            stream = opened.enter_context(archive.open(_only_member(archive)))
        yield opened.enter_context(io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace"))


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1 or not members[0].filename.lower().endswith(".csv"):
        names = ", ".join(member.filename for member in members[:5]) or "nothing"
        raise NoDataError(f"wanted one CSV file in the archive, found {names}")
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


def _checked(part: Part, notes: tuple[str, ...], timeframe: str, now: int) -> CandleFile:
    readable = np.ones(len(part.lines), np.bool_)
    readable[list(part.reasons)] = False
    decided = decide_times(part.times, readable, now)
    reasons = decided.reasons | part.reasons
    readable[list(reasons)] = False
    rows = np.flatnonzero(readable)
    bars = Bars(decided.ts[rows], *(column[rows] for column in part.columns))
    _check_step(bars.ts, timeframe)
    checked = check_candles(bars, timeframe_ms(timeframe), now)
    reasons |= {int(rows[row]): reason for row, reason in checked.refused}
    if decided.form != "ms":
        notes += (f"times are read as {decided.form}",)
    if checked.out_of_order:
        notes += (f"rows were sorted by time ({checked.out_of_order} came before an earlier one)",)
    if checked.repeated:
        notes += (f"{checked.repeated} repeated rows were dropped",)
    refused = tuple(RefusedLine(int(part.lines[row]), reasons[row]) for row in sorted(reasons))
    return CandleFile(checked.good, refused, checked.repeated, notes)


def _check_step(ts: IntArray, timeframe: str) -> None:
    """Refuse 1h bars called 4h: every fourth of them is on the grid and would pass for a 4h bar."""
    step = usual_step(ts)
    if step is None or step == timeframe_ms(timeframe):
        return
    right = next((name for name, ms in TIMEFRAMES.items() if ms == step), None)
    advice = f"give --timeframe {right}" if right else "that is no timeframe this program knows"
    raise UsageError(
        f"most bars are {right or f'{step} ms'} apart, the timeframe given is {timeframe}: {advice}"
    )
