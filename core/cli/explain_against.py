"""The trades that explain.py compares: of a saved run, and of an account that traded."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from core.account.money import minus
from core.backtest_persistence import StoredRun
from core.cli.live_status import existing, newest_run, status_of_run
from core.errors import NoDataError, UsageError
from core.live.round_trips import round_trips
from core.proof.rerun import first_entry
from core.proof.trade_pairs import TradeList
from core.results.runs import TradeRecord
from core.utils import timeframe_ms
from db import page_rows
from db.live_history import ClosedTrade

EVERY = 2**31
"""More rows than there are."""


def list_of_run(stored: StoredRun, db_url: str | None) -> TradeList:
    """Return a saved run's trades; of one that was stored by hand the candles are not known."""
    step = timeframe_ms(stored.series.timeframe)
    start, end = (stored.data.start, stored.data.end + step) if stored.data else (0, EVERY * step)
    ready = start
    # Trades can be compared without the candles; then nobody knows how long it warmed up.
    with suppress(NoDataError, UsageError):
        ready = first_entry(stored, db_url)
    return TradeList(f"run {stored.run_id}", stored.trades, start, end, lambda _: None, ready)


def list_of_account(args: argparse.Namespace, stored: StoredRun) -> TradeList:
    """Return what an account traded with a run's strategy on its symbol.

    Raises NoDataError when the account never ran, or not that; UsageError when on another timeframe.
    """
    args.account, strategy, symbol = args.against, stored.strategy, stored.series.symbol
    engine = existing(args)
    status = status_of_run(newest_run(engine, args))
    trades = [
        record_of(one)
        for one in round_trips(engine, args.account)
        if (one.strategy, one.symbol) == (strategy, symbol)
    ]
    rows = page_rows.decisions(
        engine, args.account, before=2**62, most=EVERY, strategy=strategy, symbol=symbol
    )
    times = [time for time, _ in page_rows.equity_points(engine, args.account, EVERY)]
    engine.dispose()
    if not trades and not rows:
        raise NoDataError(f"account {args.account} never traded {strategy} on {symbol}: name one that did")
    frames = {str(row["timeframe"]) for row in rows}
    if frames and stored.series.timeframe not in frames:
        raise UsageError(
            f"--against {args.account}: it trades {strategy} on {symbol} {', '.join(sorted(frames))}, and "
            f"run {stored.run_id} is of {stored.series.timeframe}: name a run on the account's timeframe"
        )
    positions = status.positions if status else ()
    held = [one for one in positions if (one.strategy, one.symbol) == (strategy, symbol)]
    last = max((trade.exit_ts for trade in trades), default=0)
    step = timeframe_ms(stored.series.timeframe)
    why_not = refusals(rows, step, last if held else None)
    span = min(times, default=0), max(times, default=0) + step
    return TradeList(f"account {args.account}", trades, *span, why_not)


def refusals(rows: list[dict[str, Any]], step: int, open_since: int | None) -> Callable[[int], str | None]:
    """Return what says why nothing was entered in a bar: refused, or a trade that is still open.

    An entry is decided at the close of the bar before.
    """
    refused: Mapping[int, str] = {
        row["bar_ts"]: str(row["detail"].get("why", row["outcome"]))
        for row in rows
        if row["outcome"] != "approved"
    }

    def why_not(bar: int) -> str | None:
        if (why := refused.get(bar - step)) is not None:
            return f"refused: {why}"
        return "still open there" if open_since is not None and bar >= open_since else None

    return why_not


def record_of(trade: ClosedTrade) -> TradeRecord:
    """Return an account's trade as a run's; how deep it went is not known."""
    size, pnl = float(trade.amount), float(minus(trade.gross, trade.fees))
    return TradeRecord(
        side=trade.side,
        size=size,
        entry_ts=trade.entry_ts,
        exit_ts=trade.exit_ts,
        entry_price=trade.entry_price,
        exit_price=trade.exit_price,
        pnl=pnl,
        pnl_pct=100 * pnl / (size * trade.entry_price),
        fees=float(trade.fees),
        max_dd_pct=0.0,
        reason=trade.reason,
    )
