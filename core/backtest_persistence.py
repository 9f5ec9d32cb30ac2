"""Backtests in the database: saved in one transaction each, listed, loaded again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.domain import Costs, Series
from core.errors import NoDataError
from core.results.measures import Summary, summary_from_json, summary_json
from core.results.runs import (
    PROTECTIONS,
    BacktestResult,
    DataRange,
    RunSpec,
    TradeRecord,
    finite_or_none,
    summary_of_stats,
    trade_records,
)
from core.results.trades import completed_by_hand
from core.utils import now_ms
from core.version import code_version
from db.base import open_engine, writing
from db.init_db import get_db_url, init_db
from db.models import BacktestRun, BacktestTrade

SUMMARY, NOTES, EXTRAS = "summary", "notes", "extras"
"""Under these names the figures that a person reads, what is odd about the candles, and what is said of
entries and of a second symbol stand in stats_json beside Backtesting.py's statistics."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A saved run. `spec`, `data` and `engine` are None for results that were stored by hand."""

    run_id: int
    created_at: int
    series: Series
    strategy: str
    summary: Summary
    spec: RunSpec | None
    data: DataRange | None
    code_version: str | None
    engine: str | None
    trades: tuple[TradeRecord, ...]
    extras: Mapping[str, Any] = field(default_factory=dict)
    """As in BacktestResult; empty for a run saved before they were kept."""


def save_backtest_to_db(
    stats: pd.Series,
    trades_df: pd.DataFrame,
    exchange: str,
    symbol: str,
    timeframe: str,
    strategy_name: str,
    initial_cash: float,
    db_url: str | None = None,
    *,
    result: BacktestResult | None = None,
) -> int:
    """Save one run and its trades; return the run's id.

    `stats` are Backtesting.py's; without a `result`, the annual figures need its `_equity_curve`.
    `trades_df` are its trades: `stats["_trades"]` or BacktestResult.trades. `pnl` is stored after commission
    on both sides. `result` adds what makes the run repeatable; without it those columns stay empty. Creates
    the database when there is none. Raises DatabaseError, and UsageError for trades without times.
    """
    summary = result.summary if result else summary_of_stats(stats, trades_df, timeframe)
    figures: dict[str, Any] = {str(name): _plain(value) for name, value in stats.items() if _is_scalar(name)}
    figures |= {SUMMARY: summary_json(summary), NOTES: result.data.notes if result else ()}
    figures |= {EXTRAS: result.extras if result else {}}
    run = BacktestRun(
        created_at=now_ms(),
        exchange=exchange,
        symbol=symbol,
        timeframe=timeframe,
        strategy_name=strategy_name,
        initial_cash=initial_cash,
        final_equity=summary.final_equity,
        max_drawdown_pct=summary.max_drawdown_pct,
        sharpe_ratio=finite_or_none(summary.sharpe_ratio),
        trades_count=summary.trades_count,
        stats_json=json.dumps(figures),
        trades=[
            BacktestTrade(symbol=symbol, strategy_name=strategy_name, **record._asdict())
            for record in trade_records(completed_by_hand(trades_df, stats))
        ],
        **(_provenance(result) if result else {}),
    )
    with Session(init_db(db_url)) as session, session.begin():
        session.add(run)
        session.flush()
        return run.id


def save_result(result: BacktestResult, db_url: str | None = None) -> int:
    """Save a finished run with everything needed to repeat it; return its id."""
    series = result.spec.series
    return save_backtest_to_db(
        result.stats,
        result.trades,
        *series,
        result.spec.strategy,
        result.spec.cash,
        db_url,
        result=result,
    )


def check_saving(db_url: str | None = None) -> None:
    """Raise DatabaseError now if a run could not be saved later; creates the database when there is none."""
    # Read-only is noticed by the first statement that could write, not by the transaction's beginning.
    with writing(init_db(db_url)) as connection:
        connection.execute(delete(BacktestRun).where(BacktestRun.id < 0))


def load_run(run_id: int, db_url: str | None = None) -> StoredRun:
    """Return a saved run with its trades. Raises NoDataError when there is none with this id."""
    with Session(open_engine(db_url or get_db_url())) as session:
        run = session.get(BacktestRun, run_id)
        if run is None:
            known = session.scalars(select(BacktestRun.id).order_by(BacktestRun.id.desc()).limit(5)).all()
            newest = ", ".join(map(str, known)) or "none yet (run_backtest.py --persist saves one)"
            raise NoDataError(f"there is no run {run_id}; the newest are: {newest}")
        return _stored(run, tuple(_record(trade) for trade in run.trades))


def list_runs(
    db_url: str | None = None, *, limit: int = 50, symbol: str | None = None, strategy: str | None = None
) -> list[StoredRun]:
    """Return the newest saved runs, newest first, without their trades."""
    query = select(BacktestRun).order_by(BacktestRun.id.desc()).limit(limit)
    if symbol:
        query = query.where(BacktestRun.symbol == symbol)
    if strategy:
        query = query.where(BacktestRun.strategy_name == strategy)
    with Session(open_engine(db_url or get_db_url())) as session:
        return [_stored(run, ()) for run in session.scalars(query)]


def _provenance(result: BacktestResult) -> dict[str, Any]:
    return {
        "params_json": json.dumps(dict(result.spec.params)),
        "costs_json": json.dumps(result.spec.costs._asdict()),
        "data_start": result.data.start,
        "data_end": result.data.end,
        "data_bars": result.data.bars,
        "data_gaps": result.data.gaps,
        "data_sha256": result.data.sha256,
        "code_version": code_version(result.made_by),
        "engine": result.engine,
    }


def _stored(run: BacktestRun, trades: tuple[TradeRecord, ...]) -> StoredRun:
    series = Series(run.exchange, run.symbol, run.timeframe)
    figures = json.loads(run.stats_json)
    spec = data = None
    if run.params_json and run.costs_json and run.data_sha256:
        params, costs = json.loads(run.params_json), Costs(**json.loads(run.costs_json))
        protections = figures.get(EXTRAS, {}).get(PROTECTIONS, {})
        spec = RunSpec(series, run.strategy_name, params, costs, run.initial_cash, protections)
        data = DataRange(
            start=run.data_start or 0,
            end=run.data_end or 0,
            bars=run.data_bars or 0,
            gaps=run.data_gaps or 0,
            sha256=run.data_sha256,
            notes=tuple(figures.get(NOTES, ())),
        )
    return StoredRun(
        run_id=run.id,
        created_at=run.created_at,
        series=series,
        strategy=run.strategy_name,
        summary=_stored_summary(figures),
        spec=spec,
        data=data,
        code_version=run.code_version,
        engine=run.engine,
        trades=trades,
        extras=figures.get(EXTRAS, {}),
    )


def _stored_summary(figures: Mapping[str, Any]) -> Summary:
    """Return a run's summary; of one saved before there was any, what Backtesting.py's figures say alike."""
    if SUMMARY in figures:
        return summary_from_json(figures[SUMMARY])
    return summary_of_stats(figures)


def _record(trade: BacktestTrade) -> TradeRecord:
    return TradeRecord(**{name: getattr(trade, name) for name in TradeRecord._fields})


def _is_scalar(name: object) -> bool:
    return not str(name).startswith("_")


def _plain(value: object) -> float | int | str | None:
    """Return a statistic as JSON can hold it: numbers, None for NaN, text for times and durations."""
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return finite_or_none(value)
    return None if value is None or value != value else str(value)  # noqa: PLR0124 - NaT is not itself
