"""What importing a candle file costs: reading and checking it, and one whole command for many files."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from bench.account import BARS, walk
from bench.harness import Case
from core.candles.files import read_candle_file
from core.candles.frames import frame_from_bars
from core.domain import Bars
from scripts.import_ohlcv_to_db import main

FILES = 5
READ, WHOLE = 2.0, 5.0
"""Of the time in which Python splits the lines and makes floats of their cells."""
PARQUET = 8.0 / 20
"""Seconds a file of a year of 5m."""
NOW = 1_800_000_000_000


def cases(folder: Path) -> list[Case]:
    """Return reading one CSV file, and importing several with one command, a file each."""
    many = [folder / f"S{k:02}_USDT-5m.csv" for k in range(FILES)]
    path, database = many[0], folder / "imported.db"
    plain, ready = partial(split, path), partial(prepare, many, database)
    return [
        Case(f"read and check a CSV file of {BARS:,} bars", partial(read, path), plain, READ, 5, ready),
        Case(
            f"import {FILES} CSV files of {BARS:,} bars with one command, a file",
            partial(load, many, database),
            plain,
            WHOLE,
            3,
            ready,
            units=(FILES, 1),
        ),
        *parquet_cases(many, database),
    ]


def parquet_cases(many: list[Path], database: Path) -> Iterator[Case]:
    """Yield the same of Parquet files, where what reads them is installed (make parquet)."""
    if find_spec("pyarrow") is None:
        print("skipped: Parquet files, pyarrow is not installed (make parquet)", file=sys.stderr)
        return
    files = [path.with_suffix(".parquet") for path in many]
    yield Case(
        f"import {FILES} Parquet files of {BARS:,} bars with one command, a file",
        partial(load, files, database),
        None,
        PARQUET,
        3,
        partial(prepare, files, database),
        units=(FILES, 1),
    )


def prepare(files: list[Path], database: Path) -> None:
    """Start with the files and without a database."""
    for seed, path in enumerate(files):
        if not path.exists():
            write(path, walk(seed))
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()


def write(path: Path, bars: Bars) -> None:
    """Write bars as a CSV file, or as a Parquet file if its name ends so."""
    if path.suffix == ".parquet":
        frame_from_bars(bars).reset_index().to_parquet(path)
        return
    table, formats = np.column_stack([bars.ts, *bars[1:]]), ["%d", *["%.4f"] * 5]
    header = "timestamp,open,high,low,close,volume"
    np.savetxt(path, table, formats, ",", header=header, comments="")


def read(path: Path) -> int:
    """Read and check as the import does."""
    return len(read_candle_file(path, "5m", NOW).good.ts)


def split(path: Path) -> int:
    """Do the least that Python can."""
    rows = [[float(cell) for cell in line.split(",")] for line in path.read_text("utf-8").split("\n")[1:-1]]
    return len(rows)


def load(files: list[Path], database: Path) -> int:
    """Import files with one command."""
    with contextlib.redirect_stdout(io.StringIO()):
        given = ["--exchange", "bench", "--timeframe", "5m", "--db-url", f"sqlite:///{database}"]
        return main([*map(str, files), *given])
