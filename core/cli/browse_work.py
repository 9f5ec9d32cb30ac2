"""What the browsing page computes and shows, by the functions of the commands; it knows no Streamlit."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from core.backtest_persistence import StoredRun, save_result
from core.cli import TYPED, backtest_command, sweep_command
from core.cli.trial_journal import runs_tried, written
from core.domain import Bars, FloatArray, IntArray, Series
from core.errors import UsageError
from core.multi_backtester import run_jobs
from core.optimise.search import Found, search
from core.reports.table import HEADINGS, number, summary_cells
from core.results.measures import Summary, definitions, hold_curve, reasons
from core.results.runs import BacktestResult, TradeRecord
from core.settings import Settings, with_overrides
from core.symbols import pair_of
from core.utils import format_time, timeframe_ms
from strategies.registry import known, load_strategy

MOST_TRIED = 2_000
"""Sets of parameters in a search on the page; run_sweep.py takes more."""
POINTS = 2_000
"""Points of a drawn line, about as many as a screen has."""
BEST = 10
"""Sets that are shown of a search, and run on the unseen bars."""


class Picked(NamedTuple):
    """What a person chose to run a strategy on."""

    series: Series
    strategy: str
    start: str
    """First bar's open time as people write it, UTC; empty for all that is stored."""
    end: str
    """Bars that open before this time; empty for all."""
    cash: float
    """Quote currency."""
    commission: float
    """Rate a side."""
    spread: float
    """Rate of price, paid on entry."""


class Ranking(NamedTuple):
    """How the sets of a search are ranked."""

    figure: str
    """A field of Summary."""
    fewest_trades: int
    unseen_pct: float
    """Newest part of the bars that sets are not chosen on, percent."""


class Curve(NamedTuple):
    """A line of a chart: values at times, ms UTC."""

    name: str
    times: IntArray
    values: FloatArray


class PageRun(NamedTuple):
    """What was tried, counted among the trials."""

    bars: Bars
    """The candles that it saw."""
    result: BacktestResult
    notes: list[str]
    """What is to be said of the counting."""


class PageSweep(NamedTuple):
    """What a sweep asked and found, counted among the trials."""

    plan: sweep_command.SweepPlan
    found: Found
    notes: list[str]


def backtest(picked: Picked, typed: str, engine: str, settings: Settings) -> PageRun:
    """Run a backtest with the parameters typed, as `a=1 b=2`.

    Raises UsageError for what is wrong with it, NoDataError for candles that are not stored or too few.
    """
    args = _arguments(picked, strategy=[picked.strategy], param=typed.split(), sizing=[], engine=engine)
    jobs, _ = backtest_command.planned_jobs(args, _with_cash(settings, picked))
    # One run is no work for several processes.
    result = next(iter(list(run_jobs(jobs, 1, engine))))
    return PageRun(jobs[0].bars, result, written(settings.db.url, runs_tried("backtest", [result])))


def save(result: BacktestResult, settings: Settings) -> int:
    """Save a run, which was counted when it was made, as `run_backtest.py --persist` does; return its id."""
    return save_result(result, settings.db.url)


def sweep(picked: Picked, typed: str, ranking: Ranking, settings: Settings) -> PageSweep:
    """Try every set of the values typed, as `a=10:30:5 b=1,2`.

    Raises UsageError for what is wrong with it, NoDataError for candles that are not stored or too few.
    """
    if not typed.split():
        raise UsageError("wanted values to try, such as ema_fast=10:30:5 ema_slow=40,50, got none")
    args = _arguments(
        picked,
        strategy=picked.strategy,
        param=typed.split(),
        sets=None,
        seed=0,
        sort=ranking.figure,
        min_trades=ranking.fewest_trades,
        unseen=ranking.unseen_pct,
        best=BEST,
    )
    plan = sweep_command.planned(args, _with_cash(settings, picked))
    if (count := len(plan.asked.sets)) > MOST_TRIED:
        raise UsageError(
            f"{count:,} sets, this page tries {MOST_TRIED:,} at most: fewer values, or `run_sweep.py`"
        )
    found = search(plan.markets, plan.asked, plan.partners)
    return PageSweep(plan, found, written(settings.db.url, sweep_command.trials_of(plan, found)))


def best_sets(plan: sweep_command.SweepPlan, found: Found) -> pd.DataFrame:
    """Return a row for each of the best sets: its values, its figures on older and on unseen bars."""
    shown = list(dict.fromkeys((*sweep_command.SHOWN, plan.asked.figure)))
    rows = []
    for rank, place in enumerate(found.ranked[: plan.asked.best]):
        row: dict[str, Any] = {name: plan.asked.sets[place][name] for name in plan.searched}
        row |= {HEADINGS[name]: _shown(found.seen.iloc[place][name]) for name in shown}
        if len(found.unseen):
            row |= {f"unseen {HEADINGS[name]}": _shown(found.unseen.iloc[rank][name]) for name in shown}
        rows.append(row)
    return pd.DataFrame(rows)


def parameters(strategy: str, settings: Settings) -> pd.DataFrame:
    """Return a row for each parameter of a strategy: what it is set to, and what it may be."""
    rule, entry = load_strategy(strategy).rule, settings.strategies.get(known()[strategy])
    now = rule.complete(entry.params if entry else {})
    rows = [(name, value, *rule.bounds_of(name)) for name, value in now.items()]
    return pd.DataFrame(rows, columns=["parameter", "set to", "least", "most"])


def figures(summaries: Mapping[str, Summary]) -> pd.DataFrame:
    """Return a row for each figure: a column for each run as the commands print it, and what it means."""
    meanings = definitions()
    columns = {name: summary_cells(summary) for name, summary in summaries.items()}
    return pd.DataFrame(
        {"figure": list(HEADINGS.values()), **columns, "meaning": [meanings[name] for name in HEADINGS]}
    )


def none_because(summaries: Sequence[Summary]) -> list[str]:
    """Return why figures are none, a line for each reason."""
    found: dict[str, list[str]] = {}
    for summary in summaries:
        for name, reason in reasons(summary).items():
            names = found.setdefault(reason, [])
            names += [HEADINGS[name]] if HEADINGS[name] not in names else []
    return [f"none: {reason}: {', '.join(names)}" for reason, names in found.items()]


def trade_table(trades: Sequence[TradeRecord], symbol: str) -> pd.DataFrame:
    """Return a row for each trade, its units in the headings; numbers stay numbers, so that they sort."""
    pair = pair_of(symbol)
    return pd.DataFrame(
        {
            "side": [trade.side for trade in trades],
            "entry (UTC)": [format_time(trade.entry_ts) for trade in trades],
            "exit (UTC)": [format_time(trade.exit_ts) for trade in trades],
            "ended by": [trade.reason for trade in trades],
            f"size, {pair.base}": [_digits(trade.size) for trade in trades],
            f"entry price, {pair.quote}": [_digits(trade.entry_price) for trade in trades],
            f"exit price, {pair.quote}": [_digits(trade.exit_price) for trade in trades],
            f"profit after fees, {pair.quote}": [_digits(trade.pnl) for trade in trades],
            "profit, %": [round(trade.pnl_pct, 2) for trade in trades],
            f"fees, {pair.quote}": [_digits(trade.fees) for trade in trades],
            "worst open loss, %": [round(trade.max_dd_pct, 2) for trade in trades],
        }
    )


def equity_lines(bars: Bars, result: BacktestResult) -> list[Curve]:
    """Return the run's equity at each close, and that of buying and holding with the same costs."""
    closes = bars.ts + timeframe_ms(result.spec.series.timeframe)
    held = result.spec.cash * hold_curve(bars, result.spec.costs)
    return [Curve(result.spec.strategy, closes, result.equity), Curve("buy and hold", closes, held)]


def closed_line(run: StoredRun) -> Curve | None:
    """Return what a saved run's closed trades made, in percent of its first cash; None without its inputs."""
    if run.spec is None or run.data is None:
        return None
    ended = sorted(run.trades, key=lambda trade: trade.exit_ts)
    made = np.cumsum([0.0, *(trade.pnl for trade in ended)])
    times = np.array([run.data.start, *(trade.exit_ts for trade in ended)], np.int64)
    return Curve(title(run), times, 100 * made / run.spec.cash)


def drawn(lines: Sequence[Curve]) -> pd.DataFrame:
    """Return lines as a chart takes them, each with POINTS points or little more; no peak or low is lost."""
    tables = []
    for name, times, values in lines:
        kept = _kept(values)
        time = pd.to_datetime(times[kept], unit="ms", utc=True)
        tables.append(pd.DataFrame({"time": time, "value": values[kept], "line": name}))
    return pd.concat(tables, ignore_index=True)


def title(run: StoredRun) -> str:
    """Return a saved run's name, which no other has."""
    return f"{run.run_id}: {run.strategy} {run.series}"


def saved_table(runs: Sequence[StoredRun]) -> pd.DataFrame:
    """Return a row for each saved run, as show_runs.py has it."""
    headings = ["run", "saved (UTC)", "exchange", "symbol", "timeframe", "strategy", *HEADINGS.values()]
    rows = [
        [run.run_id, format_time(run.created_at), *run.series, run.strategy, *summary_cells(run.summary)]
        for run in runs
    ]
    return pd.DataFrame(rows, columns=headings)


def inputs_table(runs: Sequence[StoredRun]) -> pd.DataFrame:
    """Return what went into each saved run, a column each; nothing where it was not saved."""
    columns = {title(run): _inputs(run) for run in runs}
    names = dict.fromkeys(name for column in columns.values() for name in column)
    return pd.DataFrame(
        {"input": list(names)}
        | {run: [column.get(name, "") for name in names] for run, column in columns.items()}
    )


def about(result: BacktestResult) -> list[str]:
    """Return lines that say what a run saw, with which parameters and costs, and what is odd with it."""
    spec, data = result.spec, result.data
    span = f"{format_time(data.start)} to {format_time(data.end)} UTC"
    params = ", ".join(f"{name} {value:g}" for name, value in spec.params.items())
    counted = backtest_command.counted
    return [
        f"{spec.strategy} on {spec.series}: {data.bars:,} candles, {data.gaps:,} missing, {span}",
        f"{number(spec.cash)} {pair_of(spec.series.symbol).quote} at the start, commission "
        f"{spec.costs.commission:g} a side, spread {spec.costs.spread:g}; engine {result.engine}",
        f"parameters: {params}",
        f"trades ended by: {counted(result.endings)}; entries bound by: {counted(result.bounds)}; "
        f"entries refused: {counted(result.refusals)}",
        *(f"note: {note}" for note in data.notes),
    ]


def _inputs(run: StoredRun) -> dict[str, str]:
    if run.spec is None or run.data is None:
        return {}
    return {
        "candles": f"{run.data.bars:,}, {run.data.gaps:,} missing",
        "first open (UTC)": format_time(run.data.start),
        "last open (UTC)": format_time(run.data.end),
        "cash at the start": f"{number(run.spec.cash)} {pair_of(run.series.symbol).quote}",
        "commission, rate a side": f"{run.spec.costs.commission:g}",
        "spread, rate of price": f"{run.spec.costs.spread:g}",
        "engine": run.engine or "",
        **{name: f"{value:g}" for name, value in run.spec.params.items()},
    }


def _arguments(picked: Picked, **more: Any) -> argparse.Namespace:
    """Return what was chosen as the commands take it."""
    chosen = {
        "exchange": picked.series.exchange,
        "symbol": [picked.series.symbol],
        "timeframe": picked.series.timeframe,
        "start": picked.start.strip() or None,
        "end": picked.end.strip() or None,
        "commission": picked.commission,
        "spread": picked.spread,
    }
    return argparse.Namespace(use_sql=True, limit=None, costs=None, **chosen, **more)


def _with_cash(settings: Settings, picked: Picked) -> Settings:
    return with_overrides(settings, {"backtest.default_cash": picked.cash}, TYPED)


def _shown(value: float) -> float:
    """Return a figure with the two decimals that the commands print."""
    return round(float(value), 2)


def _digits(value: float) -> float:
    """Return a number with the eight digits that a person reads."""
    return float(f"{value:.8g}")


def _kept(values: FloatArray) -> IntArray:
    """Return the places of each part's lowest and highest value, with the first and the last one."""
    if values.size <= POINTS:
        return np.arange(values.size)
    edges = np.linspace(0, values.size, POINTS // 2 + 1).astype(np.int64)
    places = {0, values.size - 1}
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        places |= {low + int(values[low:high].argmin()), low + int(values[low:high].argmax())}
    return np.array(sorted(places), np.int64)
