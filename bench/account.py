"""One account, compiled: twenty symbols, a year of 5m, SMA 10/50 with a 3 % stop, five positions.

The yardstick is the replay step by step of one of them, per bar: it makes the same trades to the last digit
(tests/parity/test_account.py).
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Generic, NamedTuple

import numpy as np

from bench.harness import Case
from core.backtest.account import run_account
from core.backtest.replay import Replay, ReplayAccount, ReplayFeed, replay
from core.cli.replay_command import risk_terms
from core.domain import Bars, Costs, Decision, FloatArray, PositionView, Series, enter, flat, hold
from core.proof.markets import companions
from core.risk.limits import Limits
from core.risk_manager import RiskManager
from core.settings import load_settings
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import sma
from strategies.pairing import bind
from strategies.registry import REGISTRY, Strategy, load_strategy
from strategies.rule import StrategyRule, T

ROOT = Path(__file__).resolve().parents[1]
SYMBOLS, BARS = 20, 105_120
COSTS = Costs(0.001)
MILLION = 1_000_000.0
REPLAYED = 15_000
"""Bars of one symbol that the yardstick takes."""
FASTER, FASTER_SHIPPED = 1 / 25, 1 / 8
"""Of the replay's time per bar, at most; alone on a machine it is less."""
FEW, EACH = 2, 10e-6
"""Symbols for each strategy, and seconds a bar; its columns are most of it."""


class Params(NamedTuple):
    """Periods in bars, the stop as a fraction of the close."""

    sma_fast: int = 10
    sma_slow: int = 50
    stop_fraction: float = 0.03
    risk_per_trade: float = 0.01


class Columns(NamedTuple, Generic[T]):
    """What the decision reads, per bar."""

    close: T
    fast: T
    slow: T


def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    """Compute the columns."""
    return Columns(bars.close, sma(bars.close, p.sma_fast), sma(bars.close, p.sma_slow))


def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:
    """Enter long where the fast average crosses above the slow one, leave where it crosses below."""
    if held.side == 0:
        if now.fast > now.slow and prev.fast <= prev.slow:
            return enter(1.0, now.close * (1.0 - p.stop_fraction))
    elif now.fast < now.slow and prev.fast >= prev.slow:
        return flat()
    return hold(held)


RULE = StrategyRule(
    name="SMA_LONG",
    params=Params,
    columns=columns,
    decide=decide,
    longest=lambda p: p.sma_slow,
    bounds={"stop_fraction": (0.001, 0.9)},
    orders=(("sma_fast", "sma_slow"),),
)


class SmaLongBacktest(BacktestStrategy):
    """SMA_LONG on Backtesting.py."""

    rule = RULE


class SmaLongLive(BaseStrategy):
    """SMA_LONG bar by bar."""

    rule = RULE


SMA_LONG = Strategy(RULE, SmaLongBacktest, SmaLongLive)


def cases(folder: Path) -> list[Case]:  # noqa: ARG001
    """Return the account with five positions, with the shipped limits, and with each strategy, a bar."""
    large = (("5 positions", False, FASTER), ("shipped limits", True, FASTER_SHIPPED))
    return [
        *(
            Case(
                f"account of {SYMBOLS} symbols x {BARS:,} bars, {name}, a bar",
                partial(fast, is_shipped),
                partial(slow, is_shipped),
                target,
                3,
                units=(SYMBOLS * BARS, REPLAYED),
            )
            for name, is_shipped, target in large
        ),
        *(
            Case(
                f"account of {FEW} symbols x {BARS:,} bars, {name}, a bar",
                partial(of_rule, name),
                None,
                EACH,
                1,
                partial(of_rule, name),
                units=(FEW * BARS, 1),
            )
            for name in REGISTRY
        ),
    ]


def of_rule(name: str) -> Replay:
    """Run a strategy of the registry on a few symbols, within the shipped limits."""
    strategy = load_strategy(name)
    bound = bind(strategy, companions(strategy.rule, Series("bench", "S00/USDT", "5m"), walk(FEW)))
    some = [ReplayFeed(name, bound, {}, f"S{k:02}/USDT", "5m", walk(k)) for k in range(FEW)]
    return compiled(some, account(is_shipped=True))


def fast(is_shipped: bool) -> Replay:  # noqa: FBT001
    """Run all symbols on one compiled account."""
    return compiled(feeds(SYMBOLS, is_shipped), account(is_shipped))


def compiled(some: list[ReplayFeed], on: ReplayAccount) -> Replay:
    """Run feeds on a compiled account. Raises RuntimeError when they take the slow way."""
    run = run_account(some, on)
    if run.slow:
        raise RuntimeError(f"not compiled: {run.slow}")
    return run.replay


def slow(is_shipped: bool) -> Replay:  # noqa: FBT001
    """Replay the first bars of one symbol step by step."""
    few = [feed._replace(bars=feed.bars.until(REPLAYED)) for feed in feeds(1, is_shipped)]
    return replay(few, account(is_shipped))


def account(is_shipped: bool) -> ReplayAccount:  # noqa: FBT001
    """Return the account, with its limits anew."""
    if is_shipped:
        return ReplayAccount(10_000.0, COSTS, risk_terms(load_settings(ROOT / "config", {})).manager(COSTS))
    return ReplayAccount(MILLION, COSTS, RiskManager(0.01, 50.0, Limits(max_positions=5), COSTS))


def feeds(count: int, is_shipped: bool) -> list[ReplayFeed]:  # noqa: FBT001
    """Return one strategy on so many symbols."""
    params = {} if is_shipped else {"max_exposure": 0.01}
    return [ReplayFeed("SMA_LONG", SMA_LONG, params, f"S{k:02}/USDT", "5m", walk(k)) for k in range(count)]


@cache
def walk(seed: int) -> Bars:
    """Return a year of 5m bars of a random walk, each opening at the close before it."""
    rng = np.random.default_rng(77_000 + seed)
    steps = rng.standard_t(5, size=(BARS, 8)) * rng.uniform(0.0004, 0.0008)
    path = np.round(100 * np.exp(np.cumsum((steps - steps.mean()).ravel())), 4).reshape(BARS, 8)
    close = path[:, -1].copy()
    opens = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(path.max(axis=1), opens), np.minimum(path.min(axis=1), opens)
    stamps = 1_704_067_200_000 + 300_000 * np.arange(BARS, dtype=np.int64)
    return Bars(stamps, opens, high, low, close, np.round(rng.lognormal(6, 0.8, BARS), 2))
