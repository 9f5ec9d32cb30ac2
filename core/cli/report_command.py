"""What `--report` writes: finished runs, or an account's replay, as one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from core import cli
from core.backtest.replay import Replay, ReplayAccount, ReplayFeed
from core.data_source import DataSource
from core.domain import Bars, Series
from core.errors import NoDataError
from core.proof.rerun import Rerun
from core.reports.report import Reported, report_html
from core.reports.run_report import compared, reported, reported_replay
from core.results.runs import BacktestResult
from core.sql_data_source import SQLDataSource
from db.status import SYNTHETIC_NOTE, is_synthetic


def write_report(
    path: str, results: Sequence[BacktestResult], candles: Mapping[Series, Bars], source: DataSource | None
) -> None:
    """Write the page of backtests; coins to compare with are read from `source`, None for no others."""
    everything = {**candles, **others(candles, source)}
    runs = [reported(result, candles[result.spec.series], everything) for result in results]
    title = "HOT-Crypto backtests" if len(runs) > 1 else f"{runs[0].name} on {results[0].spec.series}"
    write_page(path, runs, candles, title)


def write_saved(path: str, found: Sequence[Rerun], db_url: str | None) -> None:
    """Write the page of saved runs that were repeated; several stand side by side, each on its own range."""
    runs: list[Reported] = []
    whole: dict[Series, Bars] = {}
    for one in found:
        series = one.stored.series
        source = SQLDataSource(db_url, series.exchange)
        own = {series: one.bars}
        run = reported(one.again, one.bars, {**own, **others(own, source)})
        runs.append(replace(run, name=f"{run.name}, run {one.stored.run_id}") if len(found) > 1 else run)
        whole[series] = _both(whole.get(series, one.bars), one.bars, series, source)
    title = "HOT-Crypto saved runs" if len(runs) > 1 else f"{runs[0].name} on {found[0].stored.series}"
    write_page(path, runs, whole, title)


def _both(one: Bars, other: Bars, series: Series, source: DataSource) -> Bars:
    """Return the candles from the first of both to the last."""
    start, end = min(one.ts[0], other.ts[0]), max(one.ts[-1], other.ts[-1])
    for bars in (one, other):
        if (bars.ts[0], bars.ts[-1]) == (start, end):
            return bars
    return source.get_bars(series.symbol, series.timeframe, None, start=int(start), end=int(end) + 1)


def write_replay(
    path: str,
    found: Replay,
    feeds: Sequence[ReplayFeed],
    account: ReplayAccount,
    exchange: str,
    source: DataSource | None,
) -> None:
    """Write the page of one account over stored candles."""
    candles = {Series(exchange, feed.symbol, feed.timeframe): feed.bars for feed in feeds}
    run = reported_replay(found, candles, {**candles, **others(candles, source)}, account)
    title = f"HOT-Crypto account on {exchange}"
    write_page(path, [run], candles, title)


def others(candles: Mapping[Series, Bars], source: DataSource | None) -> dict[Series, Bars]:
    """Return the stored candles of the coins that runs on these are compared with, those there are."""
    found: dict[Series, Bars] = {}
    if source is None:
        return found
    for series in compared(candles):
        bars = next(bars for one, bars in candles.items() if one.timeframe == series.timeframe)
        with suppress(NoDataError):
            start, end = int(bars.ts[0]), int(bars.ts[-1]) + 1
            found[series] = source.get_bars(series.symbol, series.timeframe, None, start=start, end=end)
    return found


def note_of(candles: Mapping[Series, Bars]) -> str:
    """Return the warning that belongs to candles that no market made, or nothing."""
    return SYNTHETIC_NOTE if any(map(is_synthetic, candles)) else ""


def write_page(path: str, runs: Sequence[Reported], candles: Mapping[Series, Bars], title: str) -> None:
    """Write the page of runs and say where it is."""
    cli.write_page(path, report_html(runs, candles, title=title, note=note_of(candles)))
