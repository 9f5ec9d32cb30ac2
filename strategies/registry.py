"""The strategies by name: the project's, a file and a line here each, and those of a folder of one's own."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from core.errors import UsageError, unknown_name
from strategies import folder
from strategies.folder import OwnFile

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


UNPROVABLE = "has an on_bar of its own: there is one way to run it, so it cannot be proven three ways"
"""What is said of a class of one's own that is asked for more."""
_own: list[OwnFile] = []
"""The files of the folder that is open."""
_open: list[str | None] = [None]
"""That folder."""


class Strategy(NamedTuple):
    """A loaded strategy: the rule and its two classes."""

    rule: StrategyRule
    backtest: Any
    """None for a class with an on_bar of its own: `live` is all there is, and `rule` only names it."""
    live: Any

    @property
    def modules(self) -> tuple[str, ...]:
        """Return the modules that its rule is in, and those of the strategies that it follows."""
        home = self.live.__module__ if self.backtest is None else self.rule.decide.__module__
        return home, *map(module_of, self.rule.follows)

    @property
    def runner(self) -> Any:
        """Return what an account runs: the strategy, or the class that has an on_bar of its own."""
        return self.live if self.backtest is None else self


def use_folder(place: str | None) -> tuple[str, ...]:
    """Know the strategies of a folder of one's own, and of no other; return what is wrong there, a line each.

    Nothing in it is run. None: of no folder. Raises UsageError when there is no such folder.
    """
    found = () if place is None else folder.read_folder(place, REGISTRY)
    folder.open_package(place)
    _own[:] = found
    _open[:] = [place]
    return tuple(file.problem for file in found if file.problem and not file.is_helper)


def folder_in_use() -> str | None:
    """Return the folder of one's own strategies that is open, for a process that is to open it too."""
    return _open[0]


def known() -> dict[str, str]:
    """Return all strategies by name, the project's first, each with its key in strategies.yaml."""
    return REGISTRY | {file.name: file.key for file in _own if not file.problem}


def own_names() -> set[str]:
    """Return the names of the strategies that are not the project's."""
    return set(known()) - set(REGISTRY)


def file_of(name: str) -> str:
    """Return the file of a strategy."""
    return next((file.path for file in _own if file.name == name and not file.problem), f"{known()[name]}.py")


def broken_keys() -> dict[str, str]:
    """Return the folder's files that are no strategies, by their key in strategies.yaml, with the reason."""
    return {file.key: file.problem for file in _own if file.problem}


def module_of(name: str) -> str:
    """Return the module that a strategy is in."""
    return f"{'strategies' if name in REGISTRY else folder.PACKAGE}.{known()[name]}"


def canonical_name(name: str) -> str:
    """Return the registry's spelling of `TREND_EMA`, `trend_ema` or a module name. Raises UsageError."""
    names = known()
    modules = {module: key for key, module in names.items()}
    found = name.upper() if name.upper() in names else modules.get(name.lower())
    if found is None:
        for file in _own:
            if name.upper() == file.name or name.lower() == file.key.lower():
                raise UsageError(file.problem)
        raise UsageError(unknown_name("strategy", name, names))
    return found


def load_strategy(name: str) -> Strategy:
    """Import a strategy by name and check it; slow the first time, since it imports Backtesting.py.

    Raises UsageError for an unknown name, and for a file in which something is wrong (strategies.rule_check).
    """
    known_as = canonical_name(name)
    if known_as in REGISTRY:
        return _built_in(known_as)
    from strategies.own import own_strategy

    return own_strategy(next(file for file in _own if file.name == known_as and not file.problem))


def rule_of(name: str) -> StrategyRule:
    """Import a strategy by name and return its rule, which is checked by whoever runs it.

    Raises UsageError for an unknown name and for a file without a rule.
    """
    known = canonical_name(name)
    module = import_module(f"strategies.{REGISTRY[known]}")
    rule: StrategyRule = module.RULE if hasattr(module, "RULE") else load_strategy(known).rule
    return rule


@cache
def _built_in(name: str) -> Strategy:
    return strategy_of(import_module(f"strategies.{REGISTRY[name]}"), name)


def strategy_of(module: ModuleType, name: str | None = None) -> Strategy:
    """Return the strategy that a module holds. Raises UsageError when something is wrong with it."""
    from strategies.rule_check import check_module, class_of, require

    require(check_module(module, name))
    return Strategy(module.RULE, class_of(module, "Backtest"), class_of(module, "Live"))
