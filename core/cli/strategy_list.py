"""The strategies that there are, and their parameters: what they are set to, may be and are searched over."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from core import cli
from core.backtest.plan import check_params, split_names
from core.errors import UsageError
from core.optimise.space import spans_of
from core.reports.table import print_table
from core.settings.models import StrategySettings
from core.sizing import CHOICE_BOUNDS, Choices
from strategies.registry import canonical_name, file_of, known, load_strategy, own_names


def show_strategies(args: argparse.Namespace) -> int:
    """Print the registry, a row per strategy; those named, or all with --wide, with bounds of parameters."""
    settings = cli.load_settings(None, check_params, args.strategies_file, args.strategies_dir)
    named = [canonical_name(name) for name in split_names(args.strategy)]
    if named or args.wide:
        for name in named or listed():
            show_parameters(name, settings.strategies.get(known()[name]))
        show_choices()
        return 0
    rows = []
    for name in listed():
        entry = settings.strategies.get(known()[name])
        loaded = load_strategy(name)
        params = loaded.rule.make_params(entry.params if entry else {})._asdict()
        shown = ", ".join(f"{param} {value:g}" for param, value in params.items())
        if loaded.backtest is None:
            shown = f"(an on_bar of its own: not provable three ways) {shown}"
        rows.append([name, file_of(name), state_of(entry), shown])
    print_table(["strategy", "file", "enabled", "set to"], rows, left=4, wraps=("set to",))
    print("\n--list --strategy NAME shows the defaults and bounds of one, --list --wide of all")
    return 0


def listed() -> Iterator[str]:
    """Yield the strategies that can be loaded; what is wrong with the others is said on stderr."""
    for name in known():
        try:
            load_strategy(name)
        except UsageError as error:
            if name not in own_names():
                raise
            print(f"note: left out: {error}", file=sys.stderr)
        else:
            yield name


def state_of(entry: StrategySettings | None) -> str:
    """Return the timeframe of an enabled strategy, or `no`."""
    return entry.timeframe if entry and entry.enabled else "no"


def show_parameters(name: str, entry: StrategySettings | None) -> None:
    """Print a strategy's parameters with defaults and bounds."""
    rule = load_strategy(name).rule
    enabled = state_of(entry)
    print(f"{name} ({known()[name]}; {'not enabled' if enabled == 'no' else f'enabled, {enabled}'})")
    rows, spans = [], spans_of(rule)
    for param, value in rule.make_params(entry.params if entry else {})._asdict().items():
        low, high = rule.bounds_of(param)
        default = rule.params._field_defaults[param]
        searched = "-" if param not in spans else "{:g} … {:g} by {:g}".format(*spans[param])
        rows.append([f"  {param}", f"{value:g}", f"{default:g}", f"{low:g} … {high:g}", searched])
    print_table(["  parameter", "set to", "default", "allowed", "searched"], rows)
    print()


def show_choices() -> None:
    """Print how the entries of any strategy may be sized."""
    print("any strategy, how its entries are sized (--sizing sets them by name)")
    rows = [
        [f"  {name}", f"{default:g}", "{:g} … {:g}".format(*CHOICE_BOUNDS[name])]
        for name, default in Choices._field_defaults.items()
    ]
    print_table(["  parameter", "default", "allowed"], rows)
