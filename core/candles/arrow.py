"""Candle files of Apache Arrow: Parquet and Feather, read part by part. The one door to pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from typing import IO, Any

import numpy as np

from core.candles.columns import PART, Layout, Options, Part, find_columns
from core.candles.frames import COLUMNS
from core.candles.text import NO_WHOLE_MS, Times, read_numbers, read_times, undecided
from core.candles.whose import check_symbols
from core.domain import FloatArray
from core.errors import NoDataError, UsageError

_NOTHING_SAID = Options()

_PER_MS = {"s": (1000, 1), "ms": (1, 1), "us": (1, 1000), "ns": (1, 1_000_000)}
"""What makes ms of Arrow's units: times the first, divided by the second."""


def parquet_parts(raw: IO[bytes], options: Options = _NOTHING_SAID) -> tuple[Layout, Iterator[Part]]:
    """Return the layout of a Parquet file and its rows.

    Raises NoDataError when it cannot be read, UsageError when its reader is not installed.
    """
    arrow = _arrow()
    try:
        file = arrow.parquet.ParquetFile(raw)
    except arrow.ArrowException as error:
        raise NoDataError(f"this is not a Parquet file that can be read ({error})") from error
    layout, names = _layout(file.schema_arrow, options)
    return layout, _parts(file.iter_batches(PART, columns=names), names, layout.zone, options.symbol)


def feather_parts(raw: IO[bytes], options: Options = _NOTHING_SAID) -> tuple[Layout, Iterator[Part]]:
    """Return the layout of a Feather file (version 2) and its rows; errors as `parquet_parts`."""
    arrow = _arrow()
    try:
        file = arrow.ipc.open_file(raw)
    except arrow.ArrowException as error:
        raise NoDataError(f"this is not a Feather file that can be read ({error})") from error
    layout, names = _layout(file.schema, options)
    batches = (file.get_batch(number).select(names) for number in range(file.num_record_batches))
    cut = (part for batch in batches for part in _cut(batch))
    return layout, _parts(cut, names, layout.zone, options.symbol)


def _arrow() -> Any:
    """Return pyarrow with its readers."""
    try:
        import pyarrow as arrow
        import pyarrow.ipc
        import pyarrow.parquet

        return arrow
    except ImportError as error:
        raise UsageError(
            "the reader of Parquet and Feather files (165 MB) is not installed: `make parquet` installs it"
        ) from error


def _layout(schema: Any, options: Options) -> tuple[Layout, list[str]]:
    names = [str(name) for name in schema.names]
    layout = find_columns(names, options)
    places = layout.places if layout.symbol is None else (*layout.places, layout.symbol)
    return layout, [names[place] for place in places]


def _cut(batch: Any) -> Iterator[Any]:
    return (batch.slice(start, PART) for start in range(0, batch.num_rows, PART))


def _parts(batches: Iterator[Any], names: Sequence[str], zone: tzinfo | None, symbol: str) -> Iterator[Part]:
    row, arrow = 1, _arrow()
    try:
        for batch in batches:
            says = check_symbols(_named(batch, names), symbol) if symbol else frozenset()
            yield _part(batch, row, names[:6], zone)._replace(says=says)
            row += batch.num_rows
    except arrow.ArrowException as error:
        raise NoDataError(f"the file cannot be read to its end ({error})") from error


def _named(batch: Any, names: Sequence[str]) -> Iterator[str]:
    """Yield what a batch calls its market: what its columns behind the volume hold."""
    for name in names[6:]:
        yield from filter(str.strip, _cells(batch.column(name).unique()))


def _part(batch: Any, row: int, names: Sequence[str], zone: tzinfo | None) -> Part:
    times, reasons = _times(batch.column(names[0]), zone)
    columns = [_numbers(name, batch.column(given)) for name, given in zip(COLUMNS, names[1:], strict=True)]
    for _, more in columns:
        reasons = more | reasons
    lines = np.arange(row, row + batch.num_rows, dtype=np.int64)
    return Part(lines, times, tuple(values for values, _ in columns), reasons)


def _times(column: Any, zone: tzinfo | None) -> tuple[Times, dict[int, str]]:
    arrow = _arrow()
    if arrow.types.is_date(column.type):
        column = column.cast(arrow.timestamp("ms"))
    if arrow.types.is_timestamp(column.type) and (column.type.tz or zone in (None, UTC)):
        # Arrow's times without a zone are usually UTC; that this is taken for granted is said.
        times, reasons = _typed_times(column, column.type.unit)
        return times._replace(is_local=not column.type.tz), reasons
    if arrow.types.is_integer(column.type) and not column.null_count:
        return undecided(column.cast(arrow.int64()).to_numpy()), {}
    return read_times(_cells(column), zone)


def _typed_times(column: Any, unit: str) -> tuple[Times, dict[int, str]]:
    times, over = _PER_MS[unit]
    values = column.cast(_arrow().int64()).fill_null(0).to_numpy()
    reasons = dict.fromkeys(np.flatnonzero(values % over).tolist(), f"time {NO_WHOLE_MS}")
    return Times(values // over * times, np.ones(len(values), np.bool_)), reasons | _empty("time", column)


def _numbers(name: str, column: Any) -> tuple[FloatArray, dict[int, str]]:
    arrow, kind = _arrow(), column.type
    known = (arrow.types.is_floating, arrow.types.is_integer, arrow.types.is_decimal)
    if not any(is_one(kind) for is_one in known):
        return read_numbers(name, _cells(column))
    values: FloatArray = column.cast(arrow.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values, _empty(name, column)


def _empty(name: str, column: Any) -> dict[int, str]:
    rows = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))
    return dict.fromkeys(rows.tolist(), f"{name} is empty")


def _cells(column: Any) -> list[str]:
    return ["" if value is None else str(value) for value in column.to_pylist()]
