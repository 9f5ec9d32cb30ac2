"""A saved backtest, run again: are candles, trades and equity still the same?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from core.backtest.own import ENGINE as OWN
from core.backtest.partners import partner_bars
from core.backtest_persistence import StoredRun, load_run
from core.domain import Bars
from core.errors import NoDataError, UsageError
from core.multi_backtester import runner
from core.results.runs import PARTNERS, BacktestResult, DataRange, TradeRecord
from core.sql_data_source import SQLDataSource
from core.version import code_version, same_code
from strategies.pairing import Partners, bind
from strategies.registry import load_strategy, own_names
from strategies.rule import first_decision
from strategies.rule_check import checked_columns


class Rerun(NamedTuple):
    """A saved run and its repetition."""

    stored: StoredRun
    again: BacktestResult
    bars: Bars
    changed: tuple[str, ...]
    """The series whose candles are others now, by name: its own, and those that it looks at besides."""
    same_code: bool | None
    """None when the run was saved with a hash of other files, by an earlier version, or with none."""
    difference: str | None
    """The first field that differs, in words; None when all trades and the final equity are identical."""


def rerun(run_id: int, db_url: str | None = None) -> Rerun:
    """Run a saved backtest again on the candles now stored for its range.

    Raises NoDataError when the run, its specification or its candles are missing.
    """
    stored = load_run(run_id, db_url)
    if stored.spec is None or stored.data is None:
        raise NoDataError(f"run {run_id} was saved without what it takes to repeat it (parameters, candles)")
    if stored.engine == OWN and stored.strategy not in own_names():
        raise UsageError(
            f"run {run_id} is of {stored.strategy}, a class of your own, which is not stored: run it again "
            "from Python, or name its folder with --strategies-dir"
        )
    bars, partners = _candles(stored, stored.data, db_url)
    engine = "backtesting" if stored.engine in (OWN, None) else stored.engine
    again = runner(engine)(bars, stored.spec, partners=partners)
    return Rerun(
        stored=stored,
        again=again,
        bars=bars,
        changed=tuple(_changed(stored, again)),
        same_code=same_code(code_version(again.made_by), stored.code_version),
        difference=first_difference(stored, again),
    )


def first_entry(stored: StoredRun, db_url: str | None = None) -> int:
    """Return when a saved run could enter first, ms UTC: at the open after its first decision.

    Raises NoDataError or UsageError where its candles or its strategy are not there any more.
    """
    if stored.spec is None or stored.data is None:
        raise NoDataError(f"run {stored.run_id} was saved without its parameters and candles")
    bars, partners = _candles(stored, stored.data, db_url)
    strategy = bind(load_strategy(stored.strategy), partners)
    if strategy.backtest is None:
        return int(bars.ts[0])
    columns = checked_columns(strategy.rule, bars, strategy.rule.make_params(stored.spec.params))
    entry = first_decision(columns) + 1
    return int(bars.ts[entry]) if entry < bars.ts.size else int(bars.ts[-1]) + 1


def _candles(stored: StoredRun, data: DataRange, db_url: str | None) -> tuple[Bars, Partners | None]:
    """Return what is stored now of a run's own candles and of the series that it looked at besides."""
    symbol, timeframe = stored.series.symbol, stored.series.timeframe
    source = SQLDataSource(db_url, stored.series.exchange)
    bars = source.get_bars(symbol, timeframe, start=data.start, end=data.end + 1)
    ranked = [one["symbol"] for one in stored.extras.get(PARTNERS, ()) if one["ranked"]]
    universe = [symbol, *ranked] if ranked else []
    return bars, partner_bars(source, stored.strategy, stored.series, bars, universe)


def _changed(stored: StoredRun, again: BacktestResult) -> Iterator[str]:
    """Yield the series whose candles differ; of one that was saved without its hash nothing is known."""
    if stored.data is not None and again.data.sha256 != stored.data.sha256:
        yield f"{stored.series.symbol} {stored.series.timeframe}"
    hashes = {(one["symbol"], one["timeframe"]): one["sha256"] for one in stored.extras.get(PARTNERS, ())}
    for other in again.partners:
        its = other.series.symbol, other.series.timeframe
        if hashes.get(its, other.data.sha256) != other.data.sha256:
            yield " ".join(its)


def first_difference(stored: StoredRun, again: BacktestResult) -> str | None:
    """Return the first difference between a saved run and a new one; every digit counts."""
    old, new = stored.trades, again.records
    for i, (before, now) in enumerate(zip(old, new, strict=False), start=1):
        if before != now:
            return f"trade {i}: {_differing(before, now)}"
    if len(old) != len(new):
        return f"{len(old)} trades then, {len(new)} now"
    before_equity, now_equity = stored.summary.final_equity, again.summary.final_equity
    return None if before_equity == now_equity else f"final equity {before_equity!r} then, {now_equity!r} now"


def _differing(before: TradeRecord, now: TradeRecord) -> str:
    pairs = zip(TradeRecord._fields, before, now, strict=True)
    return ", ".join(f"{name} {a!r} then, {b!r} now" for name, a, b in pairs if a != b)
