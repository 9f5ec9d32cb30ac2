"""Entries of the trial journal as values, and how each is chained to the one before."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import orjson

from core.domain import FloatArray, Series
from core.errors import DatabaseError

BEGINNING = "0" * 64
"""What stands before the first entry."""
STUDY, TRIALS, LOOK, HELD_OUT = "study", "trials", "look", "held_out"
"""A search begins; sets were tried; sets were run on bars that were kept back; bars are declared so."""
MADE_UP = "-synthetic"
"""How the names of exchanges end whose candles are made up."""
FAST = 1
"""How hard floats are deflated: they hardly shrink further."""


class TrialWindow(NamedTuple):
    """Bars of one series; open times of the first and the last, both included."""

    exchange: str
    symbol: str
    timeframe: str
    start: int
    end: int
    bars: int
    sha256: str
    """Of the candles; blank where none were looked at."""

    @property
    def series(self) -> Series:
        """Whose bars they are."""
        return Series(self.exchange, self.symbol, self.timeframe)

    def is_of(self, series: Series) -> bool:
        """Tell whether it is of this market, whatever the timeframe.

        A symbol has nearly the same prices at all exchanges; only what was made up is a market of its own.
        """
        made_up = {one for one in (self.exchange, series.exchange) if one.endswith(MADE_UP)}
        is_one = self.exchange == series.exchange or not made_up
        return is_one and self.symbol == series.symbol

    def overlaps(self, other: TrialWindow) -> bool:
        """Tell whether both are of one market and have a time in common, whatever their timeframes.

        The same candles are of one market, whatever that is called.
        """
        is_same = self.sha256 != "" and self.sha256 == other.sha256
        is_close = self.start <= other.end and other.start <= self.end
        return is_close and (is_same or self.is_of(other.series))


class Trials(NamedTuple):
    """What is to be written down."""

    kind: str
    command: str
    rule: str
    code: str
    windows: Sequence[TrialWindow]
    names: Sequence[str] = ()
    """Parameters, in the order of `sets`."""
    sets: FloatArray = np.empty((0, 0))
    figures: Sequence[str] = ()
    """Names of the results."""
    results: FloatArray = np.empty((0, 0))
    terms: str = "{}"
    """JSON."""
    study: str = ""
    batch: int = 0


class TrialRow(NamedTuple):
    """See TrialEntry."""

    seq: int
    ts: int
    kind: str
    command: str
    study: str
    batch: int
    rule: str
    code: str
    series_json: str
    window_from: int
    window_to: int
    terms_json: str
    names_json: str
    trials: int
    sets: bytes
    results: bytes
    results_sha256: str
    hash: str

    @property
    def windows(self) -> list[TrialWindow]:
        """The bars that it ran on."""
        return [TrialWindow(*one) for one in orjson.loads(self.series_json)]

    @property
    def names(self) -> tuple[list[str], list[str]]:
        """The parameters and the figures."""
        names, figures = orjson.loads(self.names_json)
        return names, figures

    def values(self) -> FloatArray:
        """Return the sets, a row each, columns as `names` has them. Raises DatabaseError if damaged."""
        return self._unpacked(self.sets, 0)

    def figures(self) -> FloatArray:
        """Return the results in the same way."""
        return self._unpacked(self.results, 1)

    def _unpacked(self, packed: bytes, place: int) -> FloatArray:
        try:
            plain = zlib.decompress(packed)
            return np.frombuffer(plain, "<f8").reshape(self.trials, len(self.names[place])).astype(np.float64)
        except (zlib.error, ValueError):
            raise DatabaseError(f"trial journal: entry {self.seq} ({self.rule}) cannot be read") from None


def terms_of(logic: str) -> str:
    """Return the terms of an entry whose rule decides by this logic, named by a hash."""
    return orjson.dumps({"logic": logic}).decode()


def made_row(entry: Trials, seq: int, ts: int, before: str) -> TrialRow:
    """Return an entry as it is stored; a search is named for its rule and its place."""
    sets, results = _bytes(entry.sets), _bytes(entry.results)
    row = TrialRow(
        seq=seq,
        ts=ts,
        kind=entry.kind,
        command=entry.command,
        study=f"{entry.rule}-{seq}" if entry.kind == STUDY else entry.study,
        batch=entry.batch,
        rule=entry.rule,
        code=entry.code,
        series_json=orjson.dumps([list(window) for window in entry.windows]).decode(),
        window_from=min(window.start for window in entry.windows),
        window_to=max(window.end for window in entry.windows),
        terms_json=entry.terms,
        names_json=orjson.dumps([list(entry.names), list(entry.figures)]).decode(),
        trials=len(entry.sets),
        sets=zlib.compress(sets, FAST),
        results=zlib.compress(results, FAST),
        results_sha256=sha256(results).hexdigest(),
        hash="",
    )
    return row._replace(hash=hash_of(before, row))


def hash_of(before: str, row: TrialRow) -> str:
    """Return an entry's hash, in hex: it covers the entry and, by `before`, all earlier ones."""
    plain = [value.hex() if isinstance(value, bytes) else value for value in row[:-1]]
    return sha256(before.encode() + orjson.dumps(plain)).hexdigest()


def problem_of(before: str, row: TrialRow) -> str:
    """Return what is wrong with an entry, blank for nothing."""
    try:
        if hash_of(before, row) != row.hash:
            return "was changed"
        if sha256(zlib.decompress(row.results)).hexdigest() != row.results_sha256:
            return "has results that are not those of its hash"
    except (TypeError, ValueError, zlib.error):
        return "cannot be read"
    return ""


def _bytes(values: FloatArray) -> bytes:
    return np.ascontiguousarray(values, "<f8").tobytes()
