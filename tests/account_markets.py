"""Random accounts for the compiled account: rules, markets, timeframes, costs and limits, drawn by a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from core.backtest.replay import Replay, ReplayAccount, ReplayFeed
from core.domain import Bars, Costs
from core.risk.limits import Limits
from core.risk_manager import RiskManager
from tests.lively import LIVELY, strategy_for
from tests.markets import random_bars
from tests.remembering import RECALLING, REMEMBERING
from tests.scripted import SCRIPTED, TURNING

COSTS = (Costs(0.0, 0.0), Costs(0.001, 0.0), Costs(0.0007, 0.0004))
RULES = (
    "SCRIPTED",
    "TURNING",
    "TREND_EMA",
    "GRID_LR",
    "MR_BB",
    "SMA_CROSS",
    "TURTLE",
    "REMEMBERING",
    "RECALLING",
)
REMEMBER = {"REMEMBERING": REMEMBERING, "RECALLING": RECALLING}
ORDERS = [0.36, 0.1, 0.08, 0.08, 0.03, 0.1, 0.08, 0.05, 0.05, 0.03, 0.02, 0.02]
"""How often each order of tests.scripted comes."""
RUNGS = [0, 0, 0, 0, 1, 2, 4, 6, 14, 16, 48, 112]
"""Orders of the turning ladder."""


def random_account(seed: int) -> tuple[list[ReplayFeed], Callable[[], ReplayAccount]]:
    """Return feeds, and what makes their account anew."""
    rng = np.random.default_rng(seed)
    series = _series(rng, seed)
    feeds: list[ReplayFeed] = []
    for (symbol, timeframe), bars in series.items():
        for name in rng.choice(RULES, size=int(rng.integers(1, 4)), replace=False).tolist():
            is_slow = rng.random() < 0.2
            given = four_hours(bars) if is_slow else bars
            feed = _feed(rng, name, symbol, "4h" if is_slow else timeframe, given)
            if given.ts.size > 40 and _fits(feed, feeds):
                feeds.append(feed)
    order = rng.permutation(len(feeds)).tolist()
    costs, cash, limits = COSTS[seed % 3], rng.choice([100.0, 1000.0, 10_000.0]).item(), _limits(rng)
    daily, is_wide = _one(rng, 0.4, 1.0, 3.0, 10.0), rng.random() < 0.15

    def make() -> ReplayAccount:
        return ReplayAccount(cash, costs, None if is_wide else RiskManager(0.01, daily, limits, costs))

    return [feeds[k] for k in order], make


def facts(run: Replay) -> dict[str, Any]:
    """Return all that a replay found, and how its account stands at the end."""
    portfolio, state = run.session.portfolio, run.session.risk.state
    return {
        "trades": run.trades,
        "times": run.times.tolist(),
        "equity": run.equity.tolist(),
        "refused": [(name, dict(counts)) for name, counts in run.refusals.items()],
        "bound": [(name, dict(counts)) for name, counts in run.bounds.items()],
        "cut": [(name, dict(counts)) for name, counts in run.cuts.items()],
        "trips": run.trips,
        "bars": run.bars,
        "state": state,
        "cash": (portfolio.cash, portfolio.settled, run.desk.cash),
        "results": list(portfolio.results.items()),
        "records": {held: one for held, one in portfolio.records.items() if any(one)},
        "exits": portfolio.exits,
        "marks": portfolio.marks,
        "held": portfolio.held(),
        "counted": sorted(run.session.counted()),
        "rows": [
            repr(run.desk.trades(one.strategy, one.symbol).tolist())
            for one in sorted(run.session.slots, key=lambda slot: slot[:2])
        ],
    }


def four_hours(bars: Bars) -> Bars:
    """Return every fourth bar as one of 4h."""
    kept = np.flatnonzero(bars.ts % 14_400_000 == 0)
    return Bars(bars.ts[kept], *(column[kept] for column in bars[1:]))


def _series(rng: np.random.Generator, seed: int) -> dict[tuple[str, str], Bars]:
    series: dict[tuple[str, str], Bars] = {}
    length = int(rng.integers(80, 300))
    for k in range(int(rng.integers(1, 5))):
        volatility, price = (
            rng.choice([0.002, 0.01, 0.03]).item(),
            rng.choice([1.5e-6, 100.0, 60_000.0]).item(),
        )
        bars = random_bars(10 * seed + k, length, volatility=volatility, price=price)
        if series and rng.random() < 0.3:
            # Moves like the first.
            first = next(iter(series.values()))
            close = first.close * (1 + rng.normal(0, 0.002, first.close.size))
            bars = first._replace(close=np.clip(close, first.low, first.high))
        bars = bars.since(int(rng.integers(0, 60)) if rng.random() < 0.3 else 0)
        volume = rng.choice(len(ORDERS), bars.close.size, p=ORDERS).astype(float)
        series[f"S{k}/{'BTC' if k and rng.random() < 0.5 else 'USDT'}", "1h"] = bars._replace(volume=volume)
    return series


def _feed(rng: np.random.Generator, name: str, symbol: str, timeframe: str, bars: Bars) -> ReplayFeed:
    if name == "SCRIPTED":
        away = float(np.median(bars.close)) * 0.03
        params = {"stop_away": away, "take_away": 1.3 * away}
        params["risk_per_trade"] = rng.choice([0.01, 0.05, 0.2]).item()
        params["max_exposure"] = rng.choice([0.2, 0.5, 0.95]).item()
        if rng.random() < 0.4:
            params |= {"vol_target": 0.3} if rng.random() < 0.5 else {"kelly_cap": 0.05, "kelly_trades": 3}
        if rng.random() < 0.1:
            params |= {"regime_cut": 0.5}
        if "kelly_cap" not in params and rng.random() < 0.3:
            params |= {"stake": 0.3} if rng.random() < 0.5 else {"stake_money": 500.0}
        return ReplayFeed(name, SCRIPTED, params, symbol, timeframe, bars)
    if name == "TURNING":
        bars = bars._replace(volume=rng.choice(RUNGS, bars.ts.size).astype(float))
        return ReplayFeed(name, TURNING, {"max_exposure": 0.5}, symbol, timeframe, bars)
    strategy = REMEMBER.get(name) or strategy_for(name, bars)
    return ReplayFeed(name, strategy, LIVELY.get(name, {}), symbol, timeframe, bars)


def _fits(feed: ReplayFeed, feeds: list[ReplayFeed]) -> bool:
    """Tell whether a session takes a feed beside these: one symbol once, a strategy on one timeframe."""
    for one in feeds:
        if one.name == feed.name and (one.symbol == feed.symbol or one.timeframe != feed.timeframe):
            return False
        if (one.symbol, one.timeframe) == (feed.symbol, feed.timeframe) and one.bars is not feed.bars:
            return False
    return True


def _limits(rng: np.random.Generator) -> Limits:
    return Limits(
        max_risk_per_trade=_one(rng, 0.2, 0.005, 0.02),
        max_drawdown_pct=_one(rng, 0.4, 5.0, 20.0, 60.0),
        max_exposure_pct=_one(rng, 0.4, 30.0, 60.0, 100.0),
        max_symbol_exposure_pct=_one(rng, 0.4, 20.0, 50.0, 95.0),
        max_strategy_exposure_pct=_one(rng, 0.4, 20.0, 50.0, 95.0),
        max_positions=_one(rng, 0.4, 1, 2, 3),
        cash_reserve_pct=_one(rng, 0.3, 5.0, 30.0),
        cool_down_minutes=_one(rng, 0.3, 60.0, 300.0),
        max_orders_per_minute=_one(rng, 0.3, 1, 2),
        max_orders_per_day=_one(rng, 0.3, 1, 3, 8),
        min_notional=_one(rng, 0.4, 10.0, 500.0),
        price_band_pct=_one(rng, 0.3, 5.0),
        allow_short=bool(rng.random() < 0.8),
        correlation_cut=_one(rng, 0.5, 0.5, 0.9),
        correlation_bars=int(rng.choice([40, 100])),
        **_protections(rng),
        # From numbers of their own, so that the others stay as they were.
        max_order=_one(rng.spawn(1)[0], 0.3, 150.0, 1_500.0),
        **_layers(rng.spawn(1)[0]),
    )


def _layers(rng: np.random.Generator) -> dict[str, Any]:
    """Return limits that end more than entries: none in every other account."""
    if rng.random() < 0.5:
        return {}
    return {
        "max_weekly_loss_pct": _one(rng, 0.8, 1.0, 2.0, 5.0),
        "max_monthly_loss_pct": _one(rng, 0.6, 1.0, 3.0, 8.0),
        "recovery_cut": _one(rng, 0.7, 0.25, 0.5),
        "recovery_minutes": rng.choice([180.0, 2880.0]).item(),
        "loss_streak_losses": _one(rng, 0.5, 1, 2, 3),
        "loss_streak_minutes": rng.choice([600.0, 10_080.0]).item(),
        "loss_streak_pause_minutes": rng.choice([60.0, 900.0]).item(),
        "loss_streak_each_symbol": bool(rng.random() < 0.5),
        "max_symbol_loss_pct": _one(rng, 0.5, 0.5, 1.0, 3.0),
        "max_position_pct": _one(rng, 0.5, 10.0, 40.0),
        "max_correlated_exposure_pct": _one(rng, 0.6, 15.0, 30.0),
        "correlated_above": rng.choice([0.01, 0.1, 0.6]).item(),
    }


def _protections(rng: np.random.Generator) -> dict[str, Any]:
    """Return limits that look at closed trades: none in every other account."""
    if rng.random() < 0.5:
        return {}
    spans = {
        f"{name}_{what}": rng.choice([60.0, 600.0, 3000.0]).item()
        for name in ("stop_guard", "low_profit", "recent_drawdown")
        for what in ("minutes", "pause_minutes")
    }
    return spans | {
        "exit_pause_minutes": _one(rng, 0.4, 120.0, 900.0),
        "stop_guard_stops": _one(rng, 0.4, 1, 2, 4),
        "stop_guard_each_symbol": bool(rng.random() < 0.5),
        "low_profit_pct": _one(rng, 0.4, -2.0, 0.5, 3.0),
        "low_profit_trades": int(rng.choice([1, 2, 3])),
        "recent_drawdown_pct": _one(rng, 0.4, 1.0, 2.0, 6.0),
        "recent_drawdown_trades": int(rng.choice([1, 2])),
        "recent_drawdown_each_symbol": bool(rng.random() < 0.5),
        "max_trades_per_symbol_day": _one(rng, 0.4, 1, 2),
    }


def _one(rng: np.random.Generator, chance: float, *values: float) -> Any:
    """Return one of the values, None as often as not by chance."""
    return rng.choice(values).item() if rng.random() < chance else None
