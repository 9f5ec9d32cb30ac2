"""Sweeps of other engines on nearly the same strategy, in the same run (`make bench-peers` installs them).

Long when EMA fast > EMA slow and close > EMA fast, stop 1.5 ATR, take a multiple of it, fee 0.1 % a side.
They cannot say it exactly: both enter with all cash where we risk 1 %, vectorbt enters at the close of the
signal, raptorbt's arrays re-arm only after an exit signal (EMA fast below EMA slow). Indicators are in all
times, each engine's own or TA-Lib's, those that sets share computed once. Statistics: ours are all thirty,
raptorbt's all its own, vectorbt's only return, drawdown, Sharpe ratio and number of trades.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.backtests import CASH, COMMISSION, four_years
from bench.harness import Case
from bench.kernel import one_year
from bench.sweep import SETS, ours
from core.domain import Bars
from core.optimise.param_sets import grid
from strategies.indicators import atr, ema
from strategies.trend_ema import RULE

SHARED = SETS[::5]
"""200 parameter sets."""
CHUNK = 25
"""Sets that vectorbt gets at a time; its memory grows with them."""


class Peer(NamedTuple):
    """Another engine."""

    module: str
    sweep: Callable[[Any, Bars, list[dict[str, float]]], object]


def cases(folder: Path) -> list[Case]:  # noqa: ARG001
    """Return our sweep and our single year against each peer that is installed."""
    for peer in PEERS:
        if find_spec(peer.module) is None:
            print(f"skipped: {peer.module} is not installed (make bench-peers)", file=sys.stderr)
    return [case for peer in PEERS if find_spec(peer.module) for case in _against(peer)]


def _against(peer: Peer) -> Iterator[Case]:
    module = _load(peer.module)
    one = grid(RULE, {"ema_fast": [20], "ema_slow": [50], "rr_ratio": [2.0]})
    for timeframe, bars, sets in (("1h", four_years("BTC/USDT"), SHARED), ("1m", one_year(), one)):
        # Both compile before they are timed.
        ours(timeframe, bars, sets[:1])
        peer.sweep(module, bars, sets[:1])
        yield Case(
            f"{len(sets)} sets x {bars.close.size:,} bars, per set, against {peer.module}",
            partial(ours, timeframe, bars, sets),
            partial(peer.sweep, module, bars, sets),
            1.0,
            3,
            units=(len(sets), len(sets)),
            is_wall=True,
        )


def sweep_vectorbt(vbt: Any, bars: Bars, sets: list[dict[str, float]]) -> object:
    """Sweep with vectorbt, some columns at a time."""
    averages = {p: ema(bars.close, p) for s in sets for p in (int(s["ema_fast"]), int(s["ema_slow"]))}
    away = 1.5 * atr(bars.high, bars.low, bars.close, 14) / bars.close
    results = []
    for start in range(0, len(sets), CHUNK):
        chosen = sets[start : start + CHUNK]
        fast = np.column_stack([averages[int(s["ema_fast"])] for s in chosen])
        slow = np.column_stack([averages[int(s["ema_slow"])] for s in chosen])
        ratios = np.array([s["rr_ratio"] for s in chosen])
        stop = np.repeat(away[:, None], len(chosen), axis=1)
        entries = (fast > slow) & (bars.close[:, None] > fast)
        prices = (column[:, None] for column in (bars.open, bars.high, bars.low))
        portfolio = vbt.Portfolio.from_signals(
            bars.close[:, None],
            entries,
            exits=False,
            **dict(zip(("open", "high", "low"), prices, strict=True)),
            sl_stop=stop,
            tp_stop=stop * ratios,
            fees=COMMISSION,
            init_cash=CASH,
            freq="1h",
        )
        figures = (portfolio.total_return, portfolio.max_drawdown, portfolio.sharpe_ratio)
        results.append([figure() for figure in figures] + [portfolio.trades.count()])
    return results


def sweep_raptorbt(raptorbt: Any, bars: Bars, sets: list[dict[str, float]]) -> object:
    """Sweep with raptorbt's own batch on all cores."""
    averages = {
        p: raptorbt.ema(bars.close, p) for s in sets for p in (int(s["ema_fast"]), int(s["ema_slow"]))
    }
    items = []
    for number, given in enumerate(sets):
        fast, slow = averages[int(given["ema_fast"])], averages[int(given["ema_slow"])]
        config = raptorbt.BacktestConfig(initial_capital=CASH, fees=COMMISSION)
        config.set_atr_stop(1.5, 14)
        config.set_risk_reward_target(given["rr_ratio"])
        entries, exits = (fast > slow) & (bars.close > fast), fast < slow
        items.append(raptorbt.BatchSingleItem(str(number), entries, exits, 1, 1.0, "BTC/USDT", config))
    stamps = bars.ts * 1_000_000
    found = raptorbt.batch_single_backtest(
        stamps, bars.open, bars.high, bars.low, bars.close, bars.volume, items
    )
    return [result.metrics for _, result in found]


def _load(name: str) -> Any:
    # Unasked, it looks for a newer version of itself on the network.
    os.environ["RAPTORBT_NO_VERSION_CHECK"] = "1"
    return import_module(name)


PEERS = (Peer("vectorbt", sweep_vectorbt), Peer("raptorbt", sweep_raptorbt))
