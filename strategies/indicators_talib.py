"""Any indicator of TA-Lib through one door, with a past that has bounds: `ta("MFI", bars, timeperiod=14)`.

TA-Lib's own values depend, in their last bits or altogether, on where a series begins. Here each value is
computed from the last-but-one of the stretches that the calendar cuts the bars into, so that a live window
gives what a backtest gives; docs/decisions/0040 says how long they are.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from core.domain import Bars, FloatArray, IntArray
from core.errors import UsageError, unknown_name
from strategies.indicators_more import steps
from strategies.ta_lib import talib

STRETCH = 19
"""Length of a stretch, in multiples of the bars that the indicator looks back on: a value then looks back on
fewer than 40 of them, as a live window does (strategies.rule.MEMORY)."""
SHORTEST = 100
"""Bars of a stretch at least: of what looks back on a bar or two, and remembers a state."""
ENDLESS = {
    "OBV": "sma of the signed volume",
    "AD": "ta('ADOSC') or ta('CMF')",
    "PVT": "sma of the volume times the change",
    "NVI": "sma of the change where volume fell",
    "PVI": "sma of the change where volume rose",
    "WAD": "ta('WILLR') or ta('CMF')",
    "CUMSUM": "ta('SUM')",
    "VWAP": "rolling_vwap or session_vwap of strategies.indicators_more",
}
"""What adds up since the first candle, so that its level means nothing in a window; what to take instead."""
UNFIT = {
    "MAXINDEX": "its values are places in the series",
    "MININDEX": "its values are places in the series",
    "MINMAXINDEX": "its values are places in the series",
    "MAVP": "it wants a period for each bar",
}


def ta(name: str, bars: Bars, *given: FloatArray, **params: float) -> Any:
    """Return an indicator of TA-Lib under its own name: an array as long as the bars, or a tuple of them.

    `given`: arrays in place of the prices that it takes, such as closes of longer bars; they must be as long
    as the bars. `params` are TA-Lib's own (timeperiod, fastperiod, nbdevup …). Patterns are 100, 0 and -100.
    First value after as many bars as TA-Lib looks back on. Raises UsageError for what is none, has no bounds
    in the past, or a parameter it does not have.
    """
    function, lookback = _known(name.upper(), tuple(sorted(params.items())))
    taken = given or tuple(getattr(bars, column) for column in inputs_of(name.upper()))
    inputs = [np.ascontiguousarray(column, np.float64) for column in taken]
    pieces = _pieces(bars.ts, max(STRETCH * lookback, SHORTEST), lookback)
    outputs: list[FloatArray] = []
    for begin, first, stop in pieces:
        found = function(*(column[begin:stop] for column in inputs), **params)
        found = found if isinstance(found, tuple | list) else (found,)
        outputs = outputs or [np.full(bars.ts.size, np.nan) for _ in found]
        for out, part in zip(outputs, found, strict=True):
            out[max(first, lookback) : stop] = part[max(first, lookback) - begin :]
    if not outputs:
        return np.empty(0)
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def about(name: str, **params: float) -> Any:
    """Return what TA-Lib says of a function: its inputs, its parameters, the bars that it looks back on."""
    return talib._ta_lib.Function(name, getattr(talib, name), **params)


def _pieces(ts: IntArray, length: int, lookback: int) -> list[tuple[int, int, int]]:
    """Return (begin, first, stop) of stretches of so many bars of time, counted from 1970 on.

    Values from `first` to before `stop` are computed from `begin` on: where a stretch before begins, the last
    one that leaves room to warm up.
    """
    if not ts.size:
        return []
    groups = ts // (length * steps(ts))
    starts = np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]])).tolist()
    pieces, begin = [], 0
    for place, (first, stop) in enumerate(zip(starts, [*starts[1:], ts.size], strict=True)):
        while begin + 1 < place and first - starts[begin + 1] > lookback:
            begin += 1
        pieces.append((starts[begin], first, stop))
    return pieces


def objection_to(name: str) -> str:
    """Return why an indicator is none for `ta`, blank when it is one."""
    try:
        _known(name, ())
    except UsageError as error:
        return str(error)
    return ""


@cache
def _known(name: str, params: tuple[tuple[str, float], ...]) -> tuple[Any, int]:
    """Return the function and the bars that it looks back on."""
    if name in ENDLESS:
        raise UsageError(
            f"ta({name!r}): it adds up since the first candle: its past has no bounds; take {ENDLESS[name]}"
        )
    if name in UNFIT:
        raise UsageError(f"ta({name!r}): {UNFIT[name]}, so it is none of a column: compute it otherwise")
    if name not in talib.get_functions():
        raise UsageError(f"ta: {unknown_name('indicator', name, talib.get_functions())}")
    function, few = getattr(talib, name), [np.ones(2)] * len(inputs_of(name))
    try:
        function(*few, **dict(params))
    except Exception as error:  # TA-Lib's own errors are plain ones.
        own = ", ".join(about(name).info["parameters"]) or "no parameters"
        raise UsageError(f"ta({name!r}): it takes {own}, got {dict(params)}: {error}") from None
    return function, int(about(name, **dict(params)).lookback)


@cache
def inputs_of(name: str) -> tuple[str, ...]:
    """Return the columns of bars that an indicator takes, in its order."""
    found: list[str] = []
    for columns in about(name).info["input_names"].values():
        found += [columns] if isinstance(columns, str) else columns
    return tuple(found)
