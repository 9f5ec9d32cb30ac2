"""What the independent judge says of the program: every rule on every series, trade by trade.

    .venv/bin/python -m tests.judging

prints the table. Candles are made up, and shipped with a dependency (GOOG and EURUSD of Backtesting.py). Here
the program and the judge meet; tests/judge.py and tests/judge_rules.py know nothing of the program.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from backtesting.test import EURUSD, GOOG

from core import fills
from core.backtester import simulate
from core.candles.frames import bars_from_frame
from core.domain import LOT, Bars, Costs, Reason, Series
from core.results.runs import RunSpec
from strategies.registry import Strategy
from tests import judge_memory, judge_rules, judge_trends, judge_waiting
from tests.bar_loop import run_plainly
from tests.judge import Judge, Market, Terms, Trade, differences
from tests.lively import LIVELY, partner, strategy_for
from tests.markets import random_bars
from tests.remembering import RECALLING, REMEMBERING
from tests.scripted import SCRIPTED, TURNING
from tests.waiting import PATIENT, RUNGS

OWN = {
    "SCRIPTED": SCRIPTED,
    "TURNING": TURNING,
    "REMEMBERING": REMEMBERING,
    "RECALLING": RECALLING,
    "PATIENT": PATIENT,
    "RUNGS": RUNGS,
}
TIMED = {"DUAL_THRUST": judge_rules.dual_thrust, "MOMENTUM": judge_trends.momentum}
"""What looks at the time of day."""
RULES = judge_rules.RULES | judge_memory.RULES | judge_waiting.RULES | {"ADAPTIVE": judge_trends.adaptive}
NAMES = (*RULES, "PAIRS", *TIMED)
SERIES = ("made up, 1", "made up, 2", "GOOG", "EURUSD")
LADDERS = ("GRID_LR", "TURNING", "RECALLING", "RUNGS")
COSTS = dict(zip(SERIES, (Costs(0.0), Costs(0.0007, 0.0004), Costs(0.002), Costs(0.0001)), strict=True))
PARAMS: dict[str, dict[str, float]] = {
    # Nearly all of the account behind each entry: what a reversal is sized by shows.
    "SMA_CROSS": {"sma_fast": 10, "sma_slow": 30, "risk_per_trade": 0.05, "max_exposure": 0.9},
    "MACD_CROSS": {"risk_per_trade": 0.2, "max_exposure": 0.9},
    "SQZ_BO": {"bandwidth_thresh": 0.1},
    "SCRIPTED": {"risk_per_trade": 0.03},
}
Outcome = tuple[list[Trade], float]
"""Trades, and the money at the end."""
Drive = Callable[[Bars, RunSpec, Strategy], Outcome]


class Verdict(NamedTuple):
    """One rule on one series."""

    trades: int
    differences: int
    money: tuple[float, float]
    """At the end: the judge's, the program's."""
    reasons: frozenset[str]
    """Why the judge's trades ended."""

    @property
    def agrees(self) -> bool:
        """Whether trades and money are the same, to the last digits of two ways to compute them."""
        return not self.differences and math.isclose(*self.money, rel_tol=1e-8)


@cache
def bars_of(series: str) -> Bars:
    """Return a series' candles."""
    if series in ("GOOG", "EURUSD"):
        frame: pd.DataFrame = {"GOOG": GOOG, "EURUSD": EURUSD}[series].iloc[:900].rename(columns=str.lower)
        return bars_from_frame(frame.set_axis(pd.DatetimeIndex(frame.index).tz_localize("UTC")))
    return random_bars(int(series[-1]), 600, volatility=0.02, price=100.0)


@cache
def candles_for(name: str, series: str) -> Bars:
    """Return what a rule runs on; for the scripted ones the volume is what they are to do."""
    bars = bars_of(series)
    if name not in ("SCRIPTED", "TURNING"):
        return bars
    draw = np.random.default_rng(len(series))
    orders = range(12) if name == "SCRIPTED" else (1, 2, 6, 14, 16, 48, 112)
    some = draw.choice(orders, bars.ts.size) * (draw.random(bars.ts.size) < 0.3)
    return bars._replace(volume=some.astype(float))


def spec_of(
    name: str, series: str, strategy: Strategy, choices: Mapping[str, float] | None = None
) -> RunSpec:
    """Return the run, with lively parameters where the usual ones trade seldom."""
    given = {**LIVELY.get(name, {}), **PARAMS.get(name, {}), **(choices or {})}
    if name == "SCRIPTED":
        scale = float(bars_of(series).close[0]) / 100
        given |= {"stop_away": 3.0 * scale, "take_away": 4.0 * scale}
    params = strategy.rule.complete(given)
    return RunSpec(Series("judged", "BTC/USDT", "1h"), name, params, COSTS[series], 10_000.0)


def judged(name: str, series: str, spec: RunSpec) -> Outcome:
    """Return what the judge makes of a run."""
    bars = candles_for(name, series)
    market, params = Market(*(column.tolist() for column in bars[1:])), dict(spec.params)
    terms = Terms(
        spec.cash,
        *spec.costs,
        risk=params.get("risk_per_trade"),
        exposure=params.get("max_exposure", 0.95),
        lot=LOT,
        stake=params.get("stake", 0.0),
        stake_money=params.get("stake_money", 0.0),
    )
    if name == "PAIRS":
        rule = judge_rules.pairs(market, params, partner(bars).close.tolist())
    elif name in TIMED:
        rule = TIMED[name](market, params, bars.ts.tolist())
    else:
        rule = RULES[name](market, params)
    judge = Judge(market, terms, ladder=name in LADDERS)
    money = judge.run(rule.decide, rule.first)
    return judge.trades, money


def fill_model(bars: Bars, spec: RunSpec, strategy: Strategy) -> Outcome:
    """Run the program's fill model in plain Python: nothing to compile, and a fault planted in it counts."""
    rule, params = strategy.rule, strategy.rule.make_params(spec.params)
    run = run_plainly(bars, rule, params, spec.cash, spec.costs, rule.make_choices(spec.params))
    return [_trade(row) for row in run.trades.tolist()], float(run.curve[-1])


def _trade(row: list[float]) -> Trade:
    size, price, bar = row[fills.SIZE], row[fills.ENTRY_PRICE], int(row[fills.ENTRY_BAR])
    side, reason = "LONG" if size > 0 else "SHORT", Reason(int(row[fills.REASON])).name.lower()
    return Trade(bar, int(row[fills.EXIT_BAR]), side, abs(size), price, row[fills.EXIT_PRICE], reason)


def on_backtesting_py(bars: Bars, spec: RunSpec, strategy: Strategy) -> Outcome:
    """Run the program as `run_backtest.py` does, on Backtesting.py."""
    result = simulate(bars, spec, strategy)
    number = {ts: i for i, ts in enumerate(bars.ts.tolist())}
    trades = [
        Trade(
            *(number[one.entry_ts], number[one.exit_ts], one.side, one.size),
            *(one.entry_price, one.exit_price, one.reason),
        )
        for one in result.records
    ]
    return trades, float(result.equity[-1])


def verdict(
    name: str, series: str, drive: Drive = fill_model, choices: Mapping[str, float] | None = None
) -> Verdict:
    """Run a rule on a series by the judge and by the program, and compare."""
    bars = candles_for(name, series)
    strategy = OWN.get(name) or strategy_for(name, bars)
    spec = spec_of(name, series, strategy, choices)
    (mine, money), (theirs, worth) = judged(name, series, spec), drive(bars, spec, strategy)
    reasons = frozenset(trade.reason for trade in mine)
    return Verdict(len(mine), differences(mine, theirs, LOT), (money, worth), reasons)


def main() -> int:
    """Print the table: trades, and how many of them differ."""
    rows = [(name, [verdict(name, series, on_backtesting_py) for series in SERIES]) for name in NAMES]
    sys.stdout.write(f"{'trades, differences':<16}" + "".join(f"{series:>18}" for series in SERIES) + "\n")
    for name, found in rows:
        cells = (f"{one.trades:>12}, {one.differences}{'' if one.agrees else ' !':<3}" for one in found)
        sys.stdout.write((f"{name:<16}" + "".join(f"{cell:>18}" for cell in cells)).rstrip() + "\n")
    return 0 if all(one.agrees for _, found in rows for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
