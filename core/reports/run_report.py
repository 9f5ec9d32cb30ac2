"""The page of finished backtests and replays: what core.reports.report draws, made of results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isclose
from typing import Any

import numpy as np

from core.account.lots import Trade
from core.backtest.replay import Replay, ReplayAccount, account_summary
from core.domain import Bars, Costs, FloatArray, Series
from core.reports.document import run_document
from core.reports.report import HoldCurve, Reported
from core.results.measures import buy_and_hold, hold_curve, reasons, summary_json
from core.results.runs import BacktestResult, RunSpec, coverage_lines
from core.symbols import pair_of
from core.utils import timeframe_ms

COMPARED = ("BTC", "ETH")
"""Coins that every run is compared with, where their candles are at hand."""


def reported(result: BacktestResult, bars: Bars, others: Mapping[Series, Bars]) -> Reported:
    """Return a backtest as the page wants it; `others` are candles of the same exchange and timeframe."""
    spec = result.spec
    (entry,) = run_document([result])["runs"]
    table = result.trades
    coverage = coverage_lines(spec.strategy, spec.series.symbol, bars.ts.size, result.partners)
    brackets = zip(table["SL"].tolist(), table["TP"].tolist(), strict=True)
    named = {"strategy": spec.strategy, "symbol": spec.series.symbol}
    trades = [
        {
            **named,
            **trade,
            "stop": stop or None,
            "take": take or None,
            "held_ms": _held_ms(trade, bars, spec),
        }
        for trade, (stop, take) in zip(entry["trades"], brackets, strict=True)
    ]
    return Reported(
        name=spec.strategy,
        entry={**entry, "engine": result.engine},
        summary=result.summary,
        times=bars.ts + timeframe_ms(spec.series.timeframe),
        equity=result.equity,
        cash=spec.cash,
        trades=trades,
        series=[spec.series],
        held=held(spec.series, bars, spec.costs, others),
        notes=[*result.data.notes, *coverage],
        facts=facts_of(entry),
    )


def _held_ms(trade: Mapping[str, Any], bars: Bars, spec: RunSpec) -> int:
    """Return how long a trade lasted, as an account counts it: what happened inside a bar is of its close."""
    step, way = timeframe_ms(spec.series.timeframe), 1 if trade["side"] == "LONG" else -1
    entered, left = np.searchsorted(bars.ts, (trade["entry_ts"], trade["exit_ts"]))
    first = bars.open[entered] * (1 + way * spec.costs.spread)
    waited = 0 if isclose(trade["entry_price"], first) else step
    inside = 0 if isclose(trade["exit_price"], bars.open[left]) else step
    return int(trade["exit_ts"] - trade["entry_ts"] + inside - waited)


def reported_replay(
    found: Replay, candles: Mapping[Series, Bars], others: Mapping[Series, Bars], account: ReplayAccount
) -> Reported:
    """Return one account over stored candles, which are `candles`, as the page wants it."""
    summary, first = account_summary(found), next(iter(candles))
    symbols = [series for series in candles if series.timeframe == first.timeframe]
    curves = {
        curve.name: curve
        for series in symbols
        for curve in held(series, candles[series], account.costs, others)
    }
    costs = {**account.costs._asdict(), "initial_cash": account.cash}
    return Reported(
        name="account",
        entry={"costs": costs, **summary_json(summary), "none_because": reasons(summary)},
        summary=summary,
        times=found.times,
        equity=found.equity,
        cash=account.cash,
        trades=[_trade(trade) for trades in found.trades.values() for trade in trades],
        series=list(candles),
        held=list(curves.values()),
        facts=_facts_of(found, account),
    )


def _trade(trade: Trade) -> dict[str, Any]:
    pnl, size = float(trade.pnl), float(trade.amount)
    return {
        "strategy": trade.strategy,
        "symbol": trade.symbol,
        "side": "LONG" if trade.side > 0 else "SHORT",
        "size": size,
        "entry_ts": trade.entry_time,
        "exit_ts": trade.exit_time,
        "entry_price": trade.entry_price,
        "exit_price": trade.exit_price,
        "pnl": pnl,
        "pnl_pct": 100 * pnl / (size * trade.entry_price),
        "fees": float(trade.fees),
        "reason": trade.reason,
        "stop": trade.stop,
        "take": trade.take,
    }


def _facts_of(found: Replay, account: ReplayAccount) -> dict[str, str]:
    def by_strategy(counts: Mapping[str, Mapping[str, int]]) -> str:
        return "; ".join(f"{name}: {counted(some)}" for name, some in counts.items()) or "none"

    return {
        "costs": _costs(account.costs._asdict()),
        "entries bound by (what set their size)": by_strategy(found.bounds),
        "of these made smaller afterwards by a limit": by_strategy(found.cuts),
        "entries refused": by_strategy(found.refusals),
        "breakers tripped": str(len(found.trips)),
    }


def facts_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return what went in and what entries met, as texts."""
    params = ", ".join(f"{name} {value:g}" for name, value in entry["params"].items())
    return {
        "parameters": params,
        "costs": _costs(entry["costs"]),
        "entries bound by": counted(entry["entries"]["bound_by"]),
        "entries refused": counted(entry["entries"]["refused"]),
    }


def _costs(costs: Mapping[str, float]) -> str:
    return f"commission {costs['commission']:g} a side, spread {costs['spread']:g}"


def counted(counts: Mapping[str, int]) -> str:
    """Return `stop 12, take 7`, most frequent first."""
    rows = sorted(counts.items(), key=lambda one: -one[1])
    return ", ".join(f"{name} {count:,}" for name, count in rows) or "none"


def held(series: Series, bars: Bars, costs: Costs, others: Mapping[Series, Bars]) -> list[HoldCurve]:
    """Return what holding the symbol brought, and BTC, ETH and half of each, over the same bars.

    A coin without a candle at the first bar was not there to be bought, one without the last not to be sold:
    it is left out.
    """
    times = bars.ts + timeframe_ms(series.timeframe)
    quote = pair_of(series.symbol).quote
    curves = {}
    for symbol in dict.fromkeys((series.symbol, *(f"{coin}/{quote}" for coin in COMPARED))):
        other = bars if symbol == series.symbol else others.get(series._replace(symbol=symbol))
        if other is not None and (worth := _worth(other, bars, costs)) is not None:
            curves[symbol] = worth
    found = [HoldCurve(f"hold {symbol}", times, worth) for symbol, worth in curves.items()]
    both = [curves[symbol] for coin in COMPARED if (symbol := f"{coin}/{quote}") in curves]
    if len(both) == len(COMPARED):
        found.append(HoldCurve("hold half BTC, half ETH", times, (both[0] + both[1]) / 2))
    return found


def _worth(other: Bars, bars: Bars, costs: Costs) -> FloatArray | None:
    first, last = np.searchsorted(other.ts, [bars.ts[0], bars.ts[-1] + 1])
    if first == last or (other.ts[first], other.ts[last - 1]) != (bars.ts[0], bars.ts[-1]):
        return None
    span = other.until(int(last)).since(int(first))
    worth = hold_curve(span, costs)[np.searchsorted(span.ts, bars.ts, side="right") - 1]
    worth[-1] = 1 + buy_and_hold(span, costs)
    return worth


def compared(runs: Iterable[Series]) -> list[Series]:
    """Return whose candles a comparison of runs on these series needs besides theirs."""
    runs = list(runs)
    pairs = [one._replace(symbol=f"{coin}/{pair_of(one.symbol).quote}") for one in runs for coin in COMPARED]
    return [one for one in dict.fromkeys(pairs) if one not in runs]
