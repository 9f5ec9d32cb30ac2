"""Backtest one strategy, or compare all of them, on stored candles or straight from the exchange."""

import argparse
import sys
from collections.abc import Set
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli

EXAMPLES = """\
  run_backtest.py --all --use-sql --persist
  run_backtest.py --strategy TREND_EMA --symbol BTC/USDT --timeframe 4h --use-sql --param ema_fast=10
  run_backtest.py --all --use-sql --start 2023-01-01 --end 2024-01-01 --json runs.json --plot runs.html
  run_backtest.py BTC/USDT 4h TREND_EMA --use-sql
  run_backtest.py --rerun 12
  run_backtest.py --verify --all --use-sql
  run_backtest.py --all --use-sql --strategies-file config/strategies_1m.yaml
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, load, run, print."""
    args = parse(argv)
    from core.cli import backtest_command as command

    if args.list:
        return command.show_strategies(args)
    if args.rerun is not None:
        return command.run_again(args)
    return command.verify(args) if args.verify else command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    _add_what(parser)
    _add_candles(parser)
    _add_money_and_output(parser)
    args = parser.parse_args(argv)
    _take_words(parser, args)
    if not (args.all or args.strategy or args.list or args.rerun is not None):
        parser.error("name what to run: --all, --strategy NAME, --list or --rerun RUN_ID")
    if args.all and args.strategy:
        parser.error("--all runs every enabled strategy: give either --all or --strategy")
    if args.list:
        _allow_only(
            parser, args, "--list shows the strategies", {"list", "strategies_file", "strategy", "wide"}
        )
    if args.rerun is not None:
        _allow_only(parser, args, "--rerun repeats a run as it was saved", {"rerun", "db_url", "wide"})
    if args.verify:
        ignored = {"engine", "persist", "json", "trades", "plot", "force", "jobs"}
        _allow_only(parser, args, "--verify compares and keeps nothing", vars(args).keys() - ignored)
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
    what.add_argument(
        "words", nargs="*", default=[], metavar="WORD", help="BTC/USDT 4h TREND_EMA, in place of the options"
    )
    what.add_argument("--all", action="store_true", help="every strategy enabled in config/strategies.yaml")
    what.add_argument("--strategy", action="append", default=[], metavar="NAME", help="one or more, by name")
    what.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="change a parameter")
    what.add_argument(
        "--sizing",
        action="append",
        default=[],
        metavar="NAME",
        help="fixed-risk, vol-target, half-kelly, regime, or several of them (default: strategies.yaml)",
    )
    cli.add_strategies_file(what)
    what.add_argument(
        "--list", action="store_true", help="show the strategies; with --strategy its parameters"
    )
    what.add_argument(
        "--engine", choices=("backtesting", "fast"), default="backtesting", help="fast: compiled"
    )
    what.add_argument(
        "--verify",
        action="store_true",
        help="run each strategy three ways (Backtesting.py, compiled, live bar by bar) and compare every bit",
    )
    what.add_argument(
        "--rerun", type=cli.positive, metavar="RUN_ID", help="repeat a saved run and compare the trades"
    )


def _add_candles(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("on which candles")
    data.add_argument(
        "--symbol",
        action="append",
        default=[],
        help="one or more (default: BTC/USDT and ETH/USDT for --all, else as in strategies.yaml)",
    )
    data.add_argument("--timeframe", help="1m … 1w (default: the strategy's own in strategies.yaml)")
    data.add_argument(
        "--exchange", type=cli.exchange_label, help="whose candles (default: exchange.name in settings.yaml)"
    )
    data.add_argument("--use-sql", action="store_true", help="stored candles instead of asking the exchange")
    data.add_argument(
        "--limit", type=cli.positive, help="newest bars only (default: all stored; exchange: 1000)"
    )
    data.add_argument("--start", metavar="TIME", help="first bar's open time, UTC: 2024-01-31 or with T12:00")
    data.add_argument("--end", metavar="TIME", help="bars that open before this time")
    data.add_argument("--db-url", help="database (default: HOT_CRYPTO_DB_URL, then settings.yaml)")


def _add_money_and_output(parser: argparse.ArgumentParser) -> None:
    money = parser.add_argument_group("money")
    money.add_argument("--cash", type=cli.number, help="initial cash, quote currency")
    money.add_argument("--commission", type=cli.rate, help="rate per side: 0.001 is 0.1 %%")
    money.add_argument("--spread", type=cli.rate, help="rate of price, paid on entry")

    output = parser.add_argument_group("what to do with the results")
    output.add_argument("--persist", action="store_true", help="save runs and trades in the database")
    output.add_argument("--json", metavar="PATH", help="write the JSON document; - for stdout, alone")
    output.add_argument("--trades", metavar="PATH", help="write all trades as CSV; - for stdout, alone")
    output.add_argument("--plot", metavar="PATH", help="write a chart, one HTML page that needs no network")
    output.add_argument("--force", action="store_true", help="overwrite these files if they exist")
    cli.add_wide(output)
    output.add_argument("--jobs", type=cli.processes, help="processes (default: all cores when it pays)")


def _allow_only(
    parser: argparse.ArgumentParser, args: argparse.Namespace, why: str, allowed: Set[str]
) -> None:
    """Refuse options that would be read and ignored."""
    if ignored := cli.ignored_options(parser, args, allowed):
        parser.error(f"{why}: leave out {', '.join(ignored)}")


if __name__ == "__main__":
    cli.run(main)
