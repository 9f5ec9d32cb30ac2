"""Backtest one strategy, or compare all of them, on stored candles or straight from the exchange."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  run_backtest.py --all --use-sql --persist
  run_backtest.py --strategy TREND_EMA --symbol BTC/USDT --timeframe 4h --use-sql --param ema_fast=10
  run_backtest.py --all --use-sql --start 2023-01-01 --end 2024-01-01 --json runs.json --report runs.html
  run_backtest.py BTC/USDT 4h TREND_EMA --use-sql
  run_backtest.py --rerun 12
  run_backtest.py --verify --all --use-sql
  run_backtest.py --portfolio --all --use-sql
  run_backtest.py --all --use-sql --strategies-file config/strategies_1m.yaml
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, load, run, print."""
    args = parse(argv)
    from core.cli import backtest_command

    return backtest_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    _add_what(parser)
    default = "BTC/USDT and ETH/USDT for --all, else as in strategies.yaml"
    data = parser.add_argument_group("on which candles")
    options.add_candles(data, symbol=default, timeframe="the strategy's own in strategies.yaml")
    _add_money_and_output(parser)
    args = parser.parse_args(argv)
    _take_words(parser, args)
    if not (args.all or args.strategy or args.list or args.rerun is not None):
        parser.error("name what to run: --all, --strategy NAME, --list or --rerun RUN_ID")
    if args.all and args.strategy:
        parser.error("--all runs every enabled strategy: give either --all or --strategy")
    if args.list:
        allowed = {"list", "strategies_dir", "strategies_file", "strategy", "wide"}
        options.allow_only(parser, args, "--list shows the strategies", allowed)
    if args.rerun is not None:
        allowed = {"rerun", "db_url", "strategies_dir", "wide"}
        options.allow_only(parser, args, "--rerun repeats a run as it was saved", allowed)
    rest = vars(args).keys() - {"engine", "persist", "json", "trades", "report", "force", "jobs"}
    if args.portfolio:
        own = (rest | {"report", "force"}) - {"wide", "verify", "protections"}
        options.allow_only(parser, args, "--portfolio runs one account", own)
    if args.verify:
        rest -= {"protections"}
        options.allow_only(parser, args, "--verify compares and keeps nothing", rest)
    if args.protections and args.engine == "fast":
        parser.error("--protections runs on an account: leave --engine out")
    return args


def _take_words(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Read what was typed without an option: a symbol has a slash, a timeframe begins with a digit."""
    for word in args.words:
        name = "symbol" if "/" in word else "timeframe" if word[:1].isdigit() else "strategy"
        if getattr(args, name):
            parser.error(f"{word}: there is a {name} already: give one of each, or use --{name}")
        setattr(args, name, word if name == "timeframe" else [word])
    args.words = parser.get_default("words")


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to run")
    add = what.add_argument
    add("words", nargs="*", default=[], metavar="WORD", help="BTC/USDT 4h TREND_EMA, in place of the options")
    add("--all", action="store_true", help="every strategy enabled in config/strategies.yaml")
    add("--strategy", action="append", default=[], metavar="NAME", help="one or more, by name")
    add("--param", action="append", default=[], metavar="NAME=VALUE", help="change a parameter")
    add(
        "--sizing",
        action="append",
        default=[],
        metavar="NAME",
        help="fixed-risk, vol-target, half-kelly, stake, regime, or several (default: strategies.yaml)",
    )
    options.add_strategies_file(what)
    add("--list", action="store_true", help="show the strategies; with --strategy its parameters")
    add("--engine", choices=("backtesting", "fast"), default="backtesting", help="fast: compiled")
    add("--protections", action="store_true", help="with the pauses that settings.yaml sets under risk")
    add("--portfolio", action="store_true", help="all on one account, within the limits of settings.yaml")
    add("--verify", action="store_true", help="run each three ways, compiled and live too; compare every bit")
    add("--rerun", type=cli.positive, metavar="RUN_ID", help="repeat a saved run and compare the trades")


def _add_money_and_output(parser: argparse.ArgumentParser) -> None:
    money = parser.add_argument_group("money")
    options.add_costs(money)
    options.add_measured_costs(money)
    output = parser.add_argument_group("what to do with the results")
    add = output.add_argument
    add("--persist", action="store_true", help="save runs and trades in the database")
    add("--json", metavar="PATH", help="write the JSON document; - for stdout, alone")
    add("--trades", metavar="PATH", help="write all trades as CSV; - for stdout, alone")
    options.add_report(output, "--plot")
    options.add_force(output, "these files if they exist")
    options.add_wide(output)
    add("--jobs", type=cli.processes, help="processes (default: all cores when it pays)")


if __name__ == "__main__":
    cli.run(main)
