"""One strategy on one series, on Backtesting.py itself.

What is added to Backtesting.py, and why (docs/decisions/0002): sizes are fractions of a unit; trades still
open at the end are closed at the last close, so that trades and equity add up (Backtesting.py's own
`finalize_trades` would use the last bar's open); every trade says why it ended and how deep it was under
water; entries that were refused are counted.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.backtest.partners import partnered
from core.candles.frames import frame_from_bars
from core.data_source import DataSource
from core.domain import LOT, Bars, Costs, Reason, Refusal, Series
from core.results.runs import (
    STATISTICS,
    BacktestResult,
    DataRange,
    RunSpec,
    describe_data,
    stats_text,
    summary_of,
)
from core.results.trades import completed, protective_exit
from core.sql_data_source import SQLDataSource
from core.symbols import pair_of
from strategies.base import BaseStrategy
from strategies.lean_backtesting import VERSION, FractionalBacktest
from strategies.pairing import Partners, bind
from strategies.registry import Strategy, canonical_name, load_strategy
from strategies.rule import check_enough_bars, warm_up
from strategies.rule_check import checked_columns

if TYPE_CHECKING:
    import pandas as pd

ENGINE = f"backtesting.py {VERSION}"


def prepare_ohlcv_for_backtesting(df: pd.DataFrame) -> pd.DataFrame:
    """Return the candles as Backtesting.py wants them: Open … Volume on a UTC index without a zone."""
    import pandas as pd

    prepared = df.rename(columns=str.capitalize)[["Open", "High", "Low", "Close", "Volume"]]
    index = pd.DatetimeIndex(prepared.index)
    return prepared.set_axis(index.tz_convert("UTC").tz_localize(None) if index.tz else index)


def run_backtest(
    bars: Bars,
    spec: RunSpec,
    data: DataRange | None = None,
    partners: Partners | None = None,
    *,
    strategy: type[BaseStrategy] | None = None,
) -> BacktestResult:
    """Run one strategy over the bars; the result's spec names every parameter, defaults included.

    `data` describes the bars, if that was done already; `partners` are the other candles that the
    strategy looks at, if it does. `strategy` is a class with an on_bar of its own, which `spec.strategy` then
    only names: core.backtest.own runs it. Raises NoDataError when the bars do not outlast the warm-up,
    UsageError for a bad parameter.
    """
    if strategy is None:
        loaded = load_strategy(spec.strategy)
        if loaded.backtest is not None:
            result = simulate(bars, spec, bind(loaded, partners), data)
            return partnered(result, bars, partners)
        strategy, spec = loaded.live, replace(spec, params=loaded.rule.complete(spec.params))
    from core.backtest.own import run_own

    return run_own(bars, spec, strategy, data)


def simulate(bars: Bars, spec: RunSpec, strategy: Strategy, data: DataRange | None = None) -> BacktestResult:
    """Run a strategy that is at hand; otherwise as run_backtest."""
    params, given = strategy.rule.make_params(spec.params), strategy.rule.complete(spec.params)
    check_enough_bars(bars, strategy.rule, params, warm_up(checked_columns(strategy.rule, bars, params)))
    candles = prepare_ohlcv_for_backtesting(frame_from_bars(bars))
    backtest = FractionalBacktest(
        candles,
        strategy.backtest,
        fractional_unit=LOT,
        cash=spec.cash,
        commission=spec.costs.commission,
        spread=spec.costs.spread,
    )
    with warnings.catch_warnings():
        # Both are answered here: refusals are counted, open trades are closed at the last close.
        warnings.filterwarnings("ignore", "time=.*Broker canceled the order", UserWarning)
        warnings.filterwarnings("ignore", "Some trades remain open", UserWarning)
        stats = backtest.run(**given, **spec.costs._asdict(), unit=LOT)
    runner = stats["_strategy"]
    stats = close_at_the_end(stats, candles, spec)
    equity = stats["_equity_curve"]["Equity"].to_numpy()
    trades = complete_trades(stats["_trades"], runner, bars, is_ruined=equity[-1] <= 0)
    figures = {name: stats[name] for name in STATISTICS if name in stats.index}
    return BacktestResult(
        spec=replace(spec, params=given),
        data=data or describe_data(bars, spec.series),
        engine=ENGINE,
        figures=figures,
        summary=summary_of(bars, spec, equity, trades["PnL"].to_numpy(dtype=np.float64), figures),
        make_trades=lambda: trades,
        equity=equity,
        endings=dict(Counter(trades["Reason"])),
        refusals=count_refusals(runner),
        bounds=dict(Counter(runner.bounds[lot].name.lower() for lot in lots_made(runner))),
        made_by=(__name__, *strategy.modules),
    )


def run_trend_ema_backtest(
    symbol: str,
    timeframe: str,
    limit: int | None,
    cash: float,
    commission: float,
    use_sql: bool = False,  # noqa: FBT001 - the specification's signature
    db_url: str | None = None,
    persist: bool = False,  # noqa: FBT001
    strategy_name: str = "TREND_EMA",
    exchange: str = "binanceus",
) -> BacktestResult:
    """Load candles, run one strategy (any in the registry) with its default parameters, print the statistics.

    `commission` is a rate per side. Raises NoDataError, UsageError, ExchangeError, DatabaseError.
    """
    source = open_source(exchange, use_sql=use_sql, db_url=db_url)
    bars = source.get_bars(symbol, timeframe, limit)
    series = Series(source.exchange, symbol, timeframe)
    result = run_backtest(bars, RunSpec(series, canonical_name(strategy_name), {}, Costs(commission), cash))
    text = stats_text(result.stats, pair_of(symbol).quote, result.summary.daily_returns)
    sys.stdout.write(f"{text}\n")
    if persist:
        from core.backtest_persistence import save_result

        save_result(result, db_url)
    return result


def open_source(
    exchange: str,
    *,
    use_sql: bool,
    db_url: str | None = None,
    base_url: str | None = None,
    sandbox: bool = False,
) -> DataSource:
    """Return the stored candles or the exchange itself. Raises DatabaseError, UsageError, ExchangeError."""
    if use_sql:
        return SQLDataSource(db_url, exchange)
    # ccxt takes half a second to import, which stored candles need not pay.
    from core.ccxt_data_source import CCXTDataSource
    from core.exchange_client import ExchangeClient

    # Without key and secret: candles are public.
    return CCXTDataSource(ExchangeClient(exchange, "", "", sandbox, base_url=base_url))


def close_at_the_end(stats: pd.Series, data: pd.DataFrame, spec: RunSpec) -> pd.Series:
    """Return the statistics with trades that are still open closed at the last close, costs paid."""
    runner = stats["_strategy"]
    if not runner.trades:
        return stats
    # Here: what runs compiled comes by this file and needs neither.
    import pandas as pd
    from backtesting._stats import compute_stats

    last = [_closed_at(trade, data, spec) for trade in runner.trades]
    for trade in runner.trades:
        # What was entered inside the last bar may close beyond its take: it was not taken.
        runner.exits.setdefault((trade.tag, len(data) - 1), Reason.END)
    closed_before = [stats["_trades"]] if len(stats["_trades"]) else []
    trades = pd.concat([*closed_before, pd.DataFrame(last)], ignore_index=True)
    equity = stats["_equity_curve"]["Equity"].to_numpy().copy()
    # Added up as the broker does when it closes a trade, so that other drivers agree to the last bit.
    equity[-1] = runner._broker._cash
    for row in last:
        fee = abs(row["Size"]) * row["ExitPrice"] * spec.costs.commission
        equity[-1] += row["Size"] * (row["ExitPrice"] - row["EntryPrice"]) - fee
    with np.errstate(invalid="ignore"):
        closed: pd.Series = compute_stats(trades, equity, data, runner)
    if spec.costs.commission:
        closed["Commissions [$]"] = sum(trades["Commission"].tolist())
    return closed


def complete_trades(trades: pd.DataFrame, runner: Any, bars: Bars, *, is_ruined: bool) -> pd.DataFrame:
    """Return Backtesting.py's trades table with `MaxDrawdownPct` and `Reason` added.

    `runner` is the BacktestStrategy that ran; `is_ruined` says that the run ended because equity was gone.
    """
    rows: list[Any] = list(trades.itertuples(index=False))
    otherwise = Reason.RUIN if is_ruined else Reason.END
    # Each exit asked for is of one row, the lot's first on that bar: a part may go before the rest's stop.
    asked = dict(runner.exits)
    reasons = [
        asked.pop((row.Tag, row.ExitBar), None)
        or protective_exit(row, runner.first_stops[row.Tag])
        or otherwise
        for row in rows
    ]
    return completed(trades, np.array(reasons, np.int64), bars)


def lots_made(runner: Any) -> set[Any]:
    """Return the lots that orders for entries became; that of the last bar never does."""
    return {trade.tag for trade in (*runner.closed_trades, *runner.trades)}


def count_refusals(runner: Any) -> dict[str, int]:
    """Count the entries that were wanted and not made, by reason."""
    counts = Counter(refusal.name.lower() for _, refusal in runner.refused)
    waiting = {order.tag for order in runner.orders}
    if unpaid := len(runner.asked - lots_made(runner) - waiting):
        counts[Refusal.CASH.name.lower()] += unpaid
    return dict(counts)


def _closed_at(trade: Any, data: pd.DataFrame, spec: RunSpec) -> dict[str, Any]:
    size, entry = trade.size * LOT, trade.entry_price / LOT
    price = float(data["Close"].iloc[-1])
    fees = abs(size) * price * spec.costs.commission + abs(size) * entry * spec.costs.commission
    pnl = size * (price - entry) - fees
    side = 1 if size > 0 else -1
    return {
        "Size": size,
        "EntryBar": trade.entry_bar,
        "ExitBar": len(data) - 1,
        "EntryPrice": entry,
        "ExitPrice": price,
        "SL": trade.sl / LOT if trade.sl else np.nan,
        "TP": trade.tp / LOT if trade.tp else np.nan,
        "PnL": pnl,
        "Commission": fees,
        "ReturnPct": side * (price / entry - 1) - fees / (abs(size) * entry),
        "EntryTime": data.index[trade.entry_bar],
        "ExitTime": data.index[-1],
        "Duration": data.index[-1] - data.index[trade.entry_bar],
        "Tag": trade.tag,
    }
