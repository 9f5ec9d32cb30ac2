"""Runs as a JSON document (schema: docs/run-document.schema.json) and trades as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from core.errors import NoDataError
from core.results.measures import Summary, reasons, summary_json
from core.results.runs import BacktestResult, DataRange, RunSpec, TradeRecord

if TYPE_CHECKING:
    from core.backtest_persistence import StoredRun

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How text begins that spreadsheets compute."""


def run_document(results: Iterable[BacktestResult]) -> dict[str, Any]:
    """Return `{"runs": […]}`; times ms UTC, rates as fractions, None where there is nothing to compute."""
    return {"runs": [run_entry(r.spec, r.data, r.summary, r.records) | r.extras for r in results]}


def stored_document(run: StoredRun) -> dict[str, Any]:
    """Return a saved run as the same document. Raises NoDataError if it was saved without its inputs."""
    if run.spec is None or run.data is None:
        raise NoDataError(f"run {run.run_id} was saved without its parameters and candles: no document of it")
    return {"runs": [run_entry(run.spec, run.data, run.summary, run.trades) | dict(run.extras)]}


def run_entry(
    spec: RunSpec, data: DataRange, summary: Summary, trades: Iterable[TradeRecord]
) -> dict[str, Any]:
    """Return one element of `runs`."""
    return {
        "symbol": spec.series.symbol,
        "timeframe": spec.series.timeframe,
        "exchange": spec.series.exchange,
        "strategy": spec.strategy,
        "params": dict(spec.params),
        "costs": {**spec.costs._asdict(), "initial_cash": spec.cash},
        "data": {**data._asdict(), "notes": list(data.notes)},
        **summary_json(summary),
        "none_because": reasons(summary),
        "trades": [trade._asdict() for trade in trades],
    }


def as_json(document: dict[str, Any]) -> str:
    """Return the document as indented JSON; NaN and infinity are refused, not written."""
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def trades_csv(results: Iterable[BacktestResult]) -> str:
    """Return all trades of all runs as CSV, one line each, every digit kept."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["exchange", "symbol", "timeframe", "strategy", *TradeRecord._fields])
    for result in results:
        head = [*result.spec.series, result.spec.strategy]
        writer.writerows([*map(_cell, [*head, *trade])] for trade in result.records)
    return text.getvalue()


def _cell(value: object) -> object:
    """Return a value as it may stand in a spreadsheet: text that would be taken for a formula is quoted."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
