"""Runs as one HTML page that needs no network: figures, equity, drawdowns, months, trades, candles.

The figures are those of the JSON document (core.reports.document), written as the tables on a terminal write
them; report.js draws the rest from the packed columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np

from core.domain import Bars, FloatArray, IntArray, Series
from core.reports.html import page
from core.reports.packing import packed, packed_bars, packed_json, packed_times
from core.reports.table import HEADINGS, summary_cells
from core.results.curves import WINDOW, drawdowns, monthly_returns, rolling
from core.results.measures import Summary, definitions
from core.symbols import pair_of
from core.utils import timeframe_ms

POINTS = 20_000
"""Points of a curve at most; a longer one is drawn in groups of bars."""
WORST = 5
"""Drawdowns that are named."""
TRADE_COLUMNS = (
    *("strategy", "symbol", "side", "size", "entry_ts", "exit_ts", "entry_price", "exit_price"),
    *("pnl", "pnl_pct", "fees", "max_dd_pct", "reason", "stop", "take", "held_ms"),
)
SECOND = 1_000
"""In milliseconds."""
OPEN_COLUMNS = (
    *("strategy", "symbol", "side", "size", "entry_ts", "entry_price", "price", "stop", "take"),
    *("profit", "fees"),
)
"""`profit` is before `fees`, which are those paid so far."""
LEAST = 1e-6
"""Share of the cash from which on a part of the return is worth a line: a cent of 10,000."""


@dataclass(frozen=True, slots=True)
class HoldCurve:
    """What holding brought over the same time; the cash is 1."""

    name: str
    times: IntArray
    """ms UTC."""
    worth: FloatArray
    """At each time."""


@dataclass(frozen=True, slots=True)
class Reported:
    """One run, or one account."""

    name: str
    entry: Mapping[str, Any]
    """Its element of the JSON document's `runs`, without the trades."""
    summary: Summary
    times: IntArray
    """Closes at which equity is known, ms UTC."""
    equity: FloatArray
    cash: float
    trades: Sequence[Mapping[str, Any]]
    """With the names of TRADE_COLUMNS; what is not known is None or left out. `held_ms` is left out where the
    times of entry and exit say it."""
    series: Sequence[Series]
    """Whose candles it traded."""
    held: Sequence[HoldCurve] = ()
    holding: str = "costs paid"
    """Which costs holding has."""
    notes: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else is said of it, a name and a text each."""
    stops: str = "stop and take as they stood at the end"
    """Which stops and takes its trades have."""
    open: Sequence[Mapping[str, Any]] = ()
    """What is held at the end, with the names of OPEN_COLUMNS; what is not known is None."""
    remainder: str = "not of any trade"
    """What makes up the part of the return that neither trades nor what is held explain."""


def report_html(
    runs: Sequence[Reported], candles: Mapping[Series, Bars], *, title: str, note: str = ""
) -> str:
    """Return the page; `note` stands above all (SYNTHETIC, say)."""
    names = [str(series) for series in candles]
    document = {
        "title": title,
        "note": note,
        "window": WINDOW,
        "figures": [
            {"name": name, "heading": heading, "meaning": definitions()[name]}
            for name, heading in HEADINGS.items()
        ],
        "candles": [
            {
                "name": str(series),
                "symbol": series.symbol,
                "step": timeframe_ms(series.timeframe),
                **packed_bars(bars),
            }
            for series, bars in candles.items()
        ],
        "runs": [_run(run, names) for run in runs],
    }
    return page(title, document, styles=("report.css",), programs=("candles.js", "trades.js", "report.js"))


def _run(run: Reported, candles: Sequence[str]) -> dict[str, Any]:
    entry = {name: value for name, value in run.entry.items() if name != "trades"}
    quote = pair_of(run.series[0].symbol).quote
    deepest = [one._asdict() for one in drawdowns(run.times, run.equity, WORST)]
    moved = rolling(run.times, run.equity)
    return {
        "name": run.name,
        "quote": quote,
        "cash": run.cash,
        "entry": entry,
        "cells": summary_cells(run.summary),
        "candles": [candles.index(str(series)) for series in run.series],
        "curve": _curve(run.times, run.equity, run.cash),
        "held": [{"name": one.name, **_curve(one.times, one.worth, 1.0)} for one in run.held],
        "holding": run.holding,
        "drawdowns": deepest,
        "months": monthly_returns(run.times, run.equity),
        "rolling": {
            "times": packed_times(moved.times) if moved.times.size else [],
            "sharpe": _known(moved.sharpe),
            "volatility": _known(moved.volatility),
        },
        "trades": {"count": len(run.trades), "columns": packed_json(_columns(run.trades))},
        "open": [{name: one[name] for name in OPEN_COLUMNS} for one in run.open],
        "shares": _shares(run),
        "parts": return_parts(run),
        "stops": run.stops,
        "held_pct": 100 * _held(run),
        "notes": list(run.notes),
        "facts": dict(run.facts),
    }


def _curve(times: IntArray, values: FloatArray, first: float) -> dict[str, Any]:
    """Return values at the ends of groups of bars, as shares of `first`, and the deepest drawdowns."""
    group = -(-times.size // POINTS)
    starts = np.arange(0, times.size, group)
    last = np.append(starts[1:], times.size) - 1
    depths = 1 - values / np.maximum.accumulate(values)
    return {
        "group": group,
        "times": packed_times(times[last]),
        "worth": packed(values[last] / first, 6),
        "depth": packed(np.maximum.reduceat(depths, starts), 5),
    }


def _known(values: FloatArray) -> list[float | None]:
    return [round(value, 4) if isfinite(value) else None for value in values.tolist()]


def _columns(trades: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    # By entry, so that those of a window of time are found without looking at all.
    ordered = sorted(trades, key=lambda trade: trade["entry_ts"])
    lasted = [{**trade, "held_ms": trade.get("held_ms", _lasted(trade))} for trade in ordered]
    return {name: [_plain(trade.get(name)) for trade in lasted] for name in TRADE_COLUMNS}


def _lasted(trade: Mapping[str, Any]) -> int:
    """Return how long a trade lasted, to the second: a bar's last millisecond is its close."""
    lasted: int = trade["exit_ts"] - trade["entry_ts"]
    return round(lasted / SECOND) * SECOND


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def _held(run: Reported) -> float:
    """Return the part of the time, from the first to the last, in which anything was held."""
    begin_of_all, end_of_all = int(run.times[0]), int(run.times[-1])
    closed = [(trade["entry_ts"], trade["exit_ts"]) for trade in run.trades]
    # Of what was held before any fill that is known, it is only known that it was there from the first.
    held = [(one["entry_ts"] or begin_of_all, end_of_all) for one in run.open]
    open_until, total = begin_of_all, 0
    for begin, end in sorted(closed + held):
        total += max(0, end - max(begin, open_until))
        open_until = max(open_until, end)
    return min(1.0, total / max(1, end_of_all - begin_of_all))


def return_parts(run: Reported) -> list[dict[str, Any]]:
    """Return what the return is made of, a name and an amount each, and their sum as the last."""
    fees = sum(trade["fees"] for trade in run.trades)
    parts = {"closed trades, before fees": sum(trade["pnl"] for trade in run.trades) + fees}
    parts["fees of closed trades"] = -fees
    if run.open:
        parts["open positions at the last price"] = sum(one["profit"] or 0.0 for one in run.open)
        parts["fees paid for them so far"] = -sum(one["fees"] for one in run.open)
    whole = float(run.equity[-1]) - run.cash
    rest = whole - sum(parts.values())
    if abs(rest) > LEAST * run.cash:
        parts[run.remainder] = rest
    return [{"name": name, "amount": amount} for name, amount in (parts | {"return": whole}).items()]


def _shares(run: Reported) -> list[dict[str, Any]]:
    """Return what each strategy brought in each symbol, what it holds included, best first."""
    sums: dict[tuple[str, str], dict[str, Any]] = {}

    def of(one: Mapping[str, Any]) -> dict[str, Any]:
        names = {"strategy": one["strategy"], "symbol": one["symbol"]}
        start = {**names, "trades": 0, "won": 0, "pnl": 0.0, "open": 0.0, "fees": 0.0}
        return sums.setdefault((one["strategy"], one["symbol"]), start)

    for trade in run.trades:
        share = of(trade)
        share["trades"] += 1
        share["won"] += trade["pnl"] > 0
        share["pnl"] += trade["pnl"]
        share["fees"] += trade["fees"]
    for held in run.open:
        share = of(held)
        share["open"] += (held["profit"] or 0.0) - held["fees"]
        share["fees"] += held["fees"]
    return sorted(sums.values(), key=lambda one: -one["pnl"] - one["open"])
