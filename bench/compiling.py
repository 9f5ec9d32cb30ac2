"""How long each strategy takes to compile: the first run of a process that finds nothing on disk."""

from __future__ import annotations

import sys
from functools import cache, partial
from pathlib import Path

from bench.backtests import four_years
from bench.harness import Case, cpu_seconds
from core.backtest.fast_backtester import run_fast
from core.domain import Bars, Costs, Series
from core.kernel import scan
from core.proof.markets import companions
from core.results.runs import RunSpec
from strategies.registry import REGISTRY, load_strategy

TARGET, MEMBERS = 2.0, 14.0
"""Times what TREND_EMA takes; an ensemble compiles eight members besides itself."""
BESIDE = "ENSEMBLE"


def cases(folder: Path) -> list[Case]:  # noqa: ARG001
    """Return the strategy that takes longest, and the ensemble; the compiler itself is loaded before."""
    return [
        Case(
            f"compile the slowest of {len(REGISTRY) - 1} strategies, against TREND_EMA",
            slowest,
            partial(compiled, "TREND_EMA"),
            target=TARGET,
            repeat=1,
            tells=True,
        ),
        Case(
            f"compile {BESIDE}, against TREND_EMA",
            partial(compiled, BESIDE),
            partial(compiled, "TREND_EMA"),
            target=MEMBERS,
            repeat=1,
            tells=True,
        ),
    ]


def slowest() -> float:
    """Return the seconds of the strategy that takes longest to compile, and say which it is."""
    seconds = {name: compiled(name) for name in REGISTRY if name != BESIDE}
    name = max(seconds, key=seconds.__getitem__)
    print(f"slowest to compile: {name}", file=sys.stderr)
    return seconds[name]


def compiled(name: str) -> float:
    """Return the processor's time of a strategy's first run, in seconds."""
    forget()
    began = cpu_seconds()
    first_run(name)
    return cpu_seconds() - began


def forget() -> None:
    """Forget what was compiled of rules; the fill model and the compiler stay, once they are loaded."""
    _loaded()
    scan._scan.cache_clear()


@cache
def _loaded() -> None:
    first_run("TREND_EMA")


@cache
def few_bars() -> Bars:
    """Return some weeks of generated hourly bars."""
    return four_years("BTC/USDT").until(1000)


def first_run(name: str) -> None:
    """Run a strategy over few bars."""
    bars = few_bars()
    series = Series("bench", "BTC/USDT", "1h")
    partners = companions(load_strategy(name).rule, series, bars)
    run_fast(bars, RunSpec(series, name, {}, Costs(), 10_000.0), partners=partners)
