"""The page of an account that traded: what is stored of it, as core.reports.report draws it."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Engine

from core.account.money import minus
from core.cli.account_open import OpenPosition, still_open
from core.cli.report_command import write_page
from core.domain import Bars, Costs, Series
from core.errors import NoDataError
from core.live.standing import command
from core.live.status import AccountStatus
from core.reports.report import Reported
from core.reports.run_report import held
from core.results.measures import as_summary, max_drawdown, measure, reasons, span_of, summary_json
from core.utils import timeframe_ms
from db import page_rows
from db.candles import read_bars
from db.live_history import Brackets, ClosedTrade, bracket_of, entry_brackets

EVERY = 2**62
"""More points than any curve has."""


def write_account(
    path: str,
    args: argparse.Namespace,
    engine: Engine,
    trades: Sequence[ClosedTrade],
    status: AccountStatus | None,
) -> None:
    """Write the page. Raises NoDataError when equity or candles are not stored."""
    account = args.account
    points = page_rows.equity_points(engine, account, EVERY)
    if len(points) < 2:
        raise NoDataError(f"account {account} has no equity curve yet: it begins with the second closed bar")
    if status is not None and status.equity is not None and status.time > points[-1][0]:
        # Positions are those of now, so the curve ends there too, not with the last bar that closed.
        points.append((status.time, status.equity))
    times, equity = (np.array(column) for column in zip(*points, strict=True))
    candles = _candles(engine, status, (int(times[0]), int(times[-1])))
    if not candles:
        keeps = command(account, "--use-sql --refresh-from-ccxt", db_url=args.db_url)
        raise NoDataError(
            f"no candles of what the account follows are stored: {keeps} keeps them, "
            "fetch_ohlcv_to_db.py loads them"
        )
    pnl = np.array([float(minus(one.gross, one.fees)) for one in trades])
    summary = as_summary(measure(span_of(times), equity, pnl, math.nan, 100 * max_drawdown(equity), math.nan))
    curves = {
        one.name: one
        for series, bars in candles.items()
        for one in held(series, bars, Costs(0.0, 0.0), candles)
    }
    steps = [timeframe_ms(series.timeframe) for series in candles]
    brackets = entry_brackets(engine, account, int(times[0]), int(times[-1]), max(steps))
    run = Reported(
        name=account,
        entry={**summary_json(summary), "none_because": reasons(summary)},
        summary=summary,
        times=times,
        equity=equity,
        cash=float(equity[0]),
        trades=[_trade(one, brackets) for one in trades],
        open=[_open(one) for one in still_open(engine, account, status.positions if status else (), trades)],
        remainder="deposits, withdrawals, fees in other coins, and what others did",
        series=list(candles),
        held=list(curves.values()),
        holding="without costs",
        stops="stop and take that the entry was decided with",
    )
    write_page(path, [run], candles, f"HOT-Crypto account {account}")


def _candles(engine: Engine, status: AccountStatus | None, span: tuple[int, int]) -> dict[Series, Bars]:
    """Return the stored candles of what the account follows, from its first equity to its last."""
    found = {}
    for series in (Series(*feed.series.split(" ")) for feed in (status.feeds if status else ())):
        step = timeframe_ms(series.timeframe)
        bars = read_bars(engine, series, start=span[0] - step, end=span[1])
        if bars.ts.size:
            found[series] = bars
    return found


def _trade(one: ClosedTrade, brackets: Brackets) -> dict[str, Any]:
    stop, take = bracket_of(brackets, one.strategy, one.symbol, one.entry_ts)
    pnl, size = float(minus(one.gross, one.fees)), float(one.amount)
    return {
        **{name: getattr(one, name) for name in ("strategy", "symbol", "side", "entry_ts", "exit_ts")},
        **{name: getattr(one, name) for name in ("entry_price", "exit_price", "reason")},
        "size": size,
        "pnl": pnl,
        "pnl_pct": 100 * pnl / (size * one.entry_price),
        "fees": float(one.fees),
        "stop": stop,
        "take": take,
    }


def _open(one: OpenPosition) -> dict[str, Any]:
    held = one.held
    return {
        **{name: getattr(held, name) for name in ("strategy", "symbol", "entry_price", "price")},
        **{name: getattr(held, name) for name in ("stop", "take")},
        "side": held.side.upper(),
        "size": float(held.amount),
        "entry_ts": one.since,
        "profit": held.open_profit,
        "fees": float(one.fees),
    }
