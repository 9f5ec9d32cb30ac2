"""How long each strategy takes to compile: the first run of a process that finds nothing on disk."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from bench.backtests import four_years
from bench.harness import Case
from core.backtest.fast_backtester import run_fast
from core.domain import Bars, Costs, Series
from core.kernel import scan
from core.proof.markets import companions
from core.results.runs import RunSpec
from strategies.registry import REGISTRY, load_strategy

TARGET, MEMBERS = 2.0, 14.0
"""Times what TREND_EMA takes; an ensemble compiles eight members besides itself."""


def cases(folder: Path) -> list[Case]:  # noqa: ARG001
    """Return a case per strategy; the compiler itself is loaded before."""
    return [
        Case(
            f"compile {name}, against TREND_EMA",
            partial(first_run, name),
            partial(first_run, "TREND_EMA"),
            target=MEMBERS if name == "ENSEMBLE" else TARGET,
            repeat=1,
            prepare=forget,
        )
        for name in REGISTRY
    ]


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
