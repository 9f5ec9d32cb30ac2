"""What a bar of one strategy costs in a session: fill, mark, decide, size, risk, order, book; in memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bench.harness import Case
from bench.kernel import CASH, COSTS, one_year
from core.backtest.replay import Replay, ReplayAccount, ReplayFeed, replay
from core.domain import Bars
from core.risk.limits import Limits
from core.risk_manager import RiskManager
from strategies.registry import load_strategy

STRATEGIES = ("TREND_EMA", "MR_BB", "SQZ_BO", "GRID_LR")
BARS = 20_000
TARGET = 1 / 20_000
"""Seconds a bar and strategy."""


def cases(folder: Path) -> list[Case]:  # noqa: ARG001
    """Return one strategy alone and four on one account, per bar and strategy."""
    bars = one_year().until(BARS)
    return [
        Case(
            f"replay of {' + '.join(names)}, a bar and strategy",
            partial(run, bars, names),
            target=TARGET,
            repeat=3,
            units=(BARS * len(names), 1),
        )
        for names in (STRATEGIES[:1], STRATEGIES[-1:], STRATEGIES)
    ]


def run(bars: Bars, names: tuple[str, ...]) -> Replay:
    """Replay strategies on one account with every limit on."""
    limits = Limits(25, 100, 80, 80, 20, 2, 0, 20, 500, 10, 5)
    risk = RiskManager(0.01, 3.0, limits, COSTS)
    feeds = [ReplayFeed(name, load_strategy(name), {}, "BTC/USDT", "1m", bars) for name in names]
    return replay(feeds, ReplayAccount(CASH, COSTS, risk))
