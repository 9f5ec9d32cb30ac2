"""What the page is told about stored candles and saved backtests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from sqlalchemy import Engine

from core.domain import Series
from core.errors import NoDataError, UsageError
from core.reports.packing import packed_bars
from core.reports.table import HEADINGS, summary_cells
from core.results.measures import Summary, definitions, summary_from_json
from core.utils import timeframe_ms
from db import page_rows
from db.candles import read_bars
from db.stored_series import list_series

FEWEST, MOST = 50, 20_000
"""Candles that are sent at once."""
RUNS = 200
"""Saved backtests that are listed, the newest ones."""


def series(engine: Engine) -> dict[str, Any]:
    """Return whose candles are stored."""
    fields = ("exchange", "symbol", "timeframe")
    return {"series": [dict(zip(fields, one.series, strict=True)) for one in list_series(engine)]}


def candles(engine: Engine, wanted: Series, count: int, *, regimes: bool) -> dict[str, Any]:
    """Return the newest candles of a series, packed, and the market's regimes over them if wanted.

    Raises NoDataError when there is none, UsageError for a count out of bounds.
    """
    if not FEWEST <= count <= MOST:
        raise UsageError(f"wanted {FEWEST} to {MOST:,} candles, got {count}")
    bars = read_bars(engine, wanted, limit=count)
    if not bars.ts.size:
        raise NoDataError(f"no candles of {wanted} are stored")
    step = timeframe_ms(wanted.timeframe)
    found: dict[str, Any] = {"name": str(wanted), "symbol": wanted.symbol, "step": step, **packed_bars(bars)}
    return {**found, "spans": _spans(bars, step) if regimes else []}


def _spans(bars: Any, step: int) -> list[list[Any]]:
    # The indicator library takes a while to import, which only who looks at regimes pays.
    from core.regime.regime_detector import detect, spans

    with np.errstate(all="ignore"):
        found = spans(detect(bars).label)
    return [[int(bars.ts[first]), int(bars.ts[last]) + step, label.name] for first, last, label in found]


def saved(engine: Engine) -> dict[str, Any]:
    """Return the newest saved backtests as a terminal shows them, and what each figure means."""
    meanings = definitions()
    rows = [
        {
            "id": run["id"],
            "saved": run["created_at"],
            "series": str(Series(run["exchange"], run["symbol"], run["timeframe"])),
            "strategy": run["strategy_name"],
            "params": json.loads(run["params_json"] or "{}"),
            "cells": summary_cells(_summary(run)),
        }
        for run in page_rows.saved_runs(engine, RUNS)
    ]
    figures = [{"heading": heading, "meaning": meanings[name]} for name, heading in HEADINGS.items()]
    return {"figures": figures, "runs": rows}


def _summary(run: Mapping[str, Any]) -> Summary:
    """Return a run's figures; of one saved before they were kept, those that have columns of their own."""
    figures = json.loads(run["stats_json"]).get("summary")
    if figures is not None:
        return summary_from_json(figures)
    final, cash = run["final_equity"], run["initial_cash"]
    own = {name: run[name] for name in ("final_equity", "max_drawdown_pct", "trades_count")}
    return summary_from_json({**own, "return_pct": (final - cash) / cash * 100})
