"""The strategies by name. A new one is one file and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from core.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from types import ModuleType

    from strategies.rule import StrategyRule

REGISTRY = {
    "TREND_EMA": "trend_ema",
    "MR_BB": "mean_reversion_bb",
    "SQZ_BO": "squeeze_breakout",
    "GRID_LR": "grid_ladder",
    "SMA_CROSS": "sma_cross",
    "MACD_CROSS": "macd_crossover",
    "RSI_REVERSION": "rsi_reversion",
    "SUPERTREND": "supertrend",
    "TURTLE": "turtle",
    "MOMENTUM": "momentum",
    "TRIPLE_MOMENTUM": "triple_momentum",
    "VOL_HUNTER": "volatility_hunter",
    "RSI_DIVERGENCE": "rsi_divergence",
    "ICHIMOKU": "ichimoku",
    "VWAP_BOUNCE": "vwap_bounce",
    "DUAL_THRUST": "dual_thrust",
    "ADAPTIVE": "adaptive",
    "ENHANCED": "enhanced",
    "HIGH_RISK": "high_risk",
    "ENSEMBLE": "ensemble",
    "PAIRS": "pairs",
}
"""Name in tables and the database -> module in this package, which is also its key in strategies.yaml."""


class Strategy(NamedTuple):
    """A loaded strategy: the rule and its two classes."""

    rule: StrategyRule
    backtest: Any
    live: Any

    @property
    def modules(self) -> tuple[str, ...]:
        """Return the modules that its rule is in, and those of the strategies that it follows."""
        followed = (f"strategies.{REGISTRY[name]}" for name in self.rule.follows)
        return self.rule.decide.__module__, *followed


def canonical_name(name: str) -> str:
    """Return the registry's spelling of `TREND_EMA`, `trend_ema` or a module name. Raises UsageError."""
    modules = {module: key for key, module in REGISTRY.items()}
    found = name.upper() if name.upper() in REGISTRY else modules.get(name.lower())
    if found is None:
        raise UsageError(unknown_name("strategy", name, REGISTRY))
    return found


def load_strategy(name: str) -> Strategy:
    """Import a strategy by name and check it; slow the first time, since it imports Backtesting.py.

    Raises UsageError for an unknown name, and for a file in which something is wrong (strategies.rule_check).
    """
    known = canonical_name(name)
    return strategy_of(import_module(f"strategies.{REGISTRY[known]}"), known)


def strategy_of(module: ModuleType, name: str | None = None) -> Strategy:
    """Return the strategy that a module holds. Raises UsageError when something is wrong with it."""
    from strategies.rule_check import check_module, class_of, require

    require(check_module(module, name))
    return Strategy(module.RULE, class_of(module, "Backtest"), class_of(module, "Live"))
