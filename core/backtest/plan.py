"""Which backtests to run: the settings' strategies, narrowed and changed by what the user asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from core.errors import UsageError, unknown_name
from core.sizing import NAMED_CHOICES
from core.symbols import symbol_name
from core.utils import timeframe_name
from strategies.registry import (
    REGISTRY,
    broken_keys,
    canonical_name,
    known,
    load_strategy,
    own_names,
    rule_of,
)

if TYPE_CHECKING:
    from core.settings.models import Settings, StrategySettings

DEFAULT_SYMBOLS = ("BTC/USDT", "ETH/USDT")
"""What `--all` compares on, by the specification."""


class PlannedRun(NamedTuple):
    """One strategy on one symbol, with every parameter named."""

    symbol: str
    timeframe: str
    strategy: str
    params: Mapping[str, float]
    universe: tuple[str, ...] = ()
    """The symbols that its own is ranked among, for a strategy that ranks."""


def plan_runs(
    settings: Settings,
    *,
    strategies: Sequence[str] = (),
    symbols: Sequence[str] = (),
    timeframe: str | None = None,
    params: Mapping[str, float] | None = None,
    on_broken: Callable[[str], object] | None = None,
) -> list[PlannedRun]:
    """Return the runs: the named strategies, or all enabled ones, on each symbol.

    What is not given comes from strategies.yaml; all enabled ones together are compared on the same two
    symbols. A parameter must belong to one of the strategies and is
    handed to those that have it. Raises UsageError for an unknown name or a value out of bounds, and for an
    enabled file of one's own in which something is wrong; `on_broken`, if given, is told of it instead.
    """
    names = _chosen(settings, strategies, on_broken)
    given, wanted = params or {}, list(dict.fromkeys(map(symbol_name, symbols)))
    _check_known(given, names)
    runs = []
    for name in names:
        entry = settings.strategies.get(known()[name])
        frame = timeframe_name(timeframe) if timeframe else entry.timeframe if entry else "4h"
        chosen = _params(name, entry, given)
        traded = wanted or (entry.symbols if entry and strategies else DEFAULT_SYMBOLS)
        among = _universe(name, entry, traded)
        runs += [PlannedRun(symbol, frame, name, chosen, among) for symbol in traded]
    return runs


def parse_params(texts: Iterable[str]) -> dict[str, float]:
    """Return {name: value} for texts like `ema_fast=10`, each name once. Raises UsageError for others."""
    found: dict[str, float] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = None
        if not (equals and name.strip()) or number is None:
            raise UsageError(f"--param: wanted NAME=NUMBER (ema_fast=10), got {text!r}")
        if name.strip() in found:
            raise UsageError(f"--param: {name.strip()} is given twice: keep one")
        found[name.strip()] = number
    return found


def named_sizing(names: Iterable[str]) -> dict[str, float]:
    """Return the parameters that ways of sizing stand for. Raises UsageError for an unknown name."""
    found: dict[str, float] = {}
    for name in names:
        if name not in NAMED_CHOICES:
            raise UsageError(f"--sizing: {unknown_name('way of sizing', name, NAMED_CHOICES)}")
        found |= NAMED_CHOICES[name]
    return found


def split_names(texts: Iterable[str]) -> list[str]:
    """Return the names of a repeated option whose values may hold several, separated by commas."""
    names = [name.strip() for text in texts for name in text.split(",")]
    return list(dict.fromkeys(name for name in names if name))


def check_params(module: str, params: Mapping[str, object]) -> list[str]:
    """Return the problems of one entry of strategies.yaml; the settings' hook."""
    # Under another name, such as TREND_EMA, the entry would be read and never found again.
    if module in broken_keys():
        # It is told of by whoever asks for it: what else is in the file can run.
        return []
    if module not in known().values():
        return [unknown_name("strategy", module, known().values())]
    if module in REGISTRY.values():
        # All of a file's entries are read at each start: only what runs is looked into further.
        return rule_of(module).check_params(params)
    try:
        rule = load_strategy(module).rule
    except UsageError:
        if canonical_name(module) in own_names():
            return []
        raise
    return rule.check_params(params)


def enabled_names(settings: Settings, on_broken: Callable[[str], object] | None = None) -> list[str]:
    """Return the strategies that strategies.yaml enables.

    Raises UsageError for a file of one's own in which something is wrong; `on_broken`, if given, is told of
    it instead, unless it was told of when the folder was read.
    """
    wanted = {key for key, entry in settings.strategies.items() if entry.enabled}
    if on_broken is None:
        for key, problem in broken_keys().items():
            # A file called like one of the project's has no settings: they are those of the project's.
            if key in wanted and key not in REGISTRY.values():
                raise UsageError(f"{problem}; until then name what is to run with --strategy")
    enabled = [name for name, key in known().items() if key in wanted]
    for name in own_names().intersection(enabled):
        try:
            load_strategy(name)
        except UsageError as error:
            if on_broken is None:
                raise
            on_broken(str(error))
            enabled.remove(name)
    return enabled


def _chosen(
    settings: Settings, strategies: Sequence[str], on_broken: Callable[[str], object] | None
) -> list[str]:
    if strategies:
        return list(dict.fromkeys(canonical_name(name) for name in strategies))
    enabled = enabled_names(settings, on_broken)
    if not enabled:
        raise UsageError("config/strategies.yaml enables no strategy: set enabled: true, or name a strategy")
    return enabled


def _check_known(given: Mapping[str, float], names: Iterable[str]) -> None:
    known = {field for name in names for field in load_strategy(name).rule.defaults}
    for param in given:
        if param not in known:
            raise UsageError(unknown_name("parameter", param, known))


def _universe(name: str, entry: StrategySettings | None, traded: Sequence[str]) -> tuple[str, ...]:
    """Return the symbols that a strategy ranks: of its settings, of its rule, or all that it trades."""
    own = load_strategy(name).rule.universe
    if own is None:
        return ()
    return (entry.universe if entry else ()) or tuple(map(symbol_name, own)) or tuple(traded)


def _params(name: str, entry: StrategySettings | None, given: Mapping[str, float]) -> Mapping[str, float]:
    rule = load_strategy(name).rule
    own = {param: value for param, value in given.items() if param in rule.defaults}
    return rule.complete({**(entry.params if entry else {}), **own})
