"""The options of run_live.py, and which of them go together."""

from __future__ import annotations

import argparse

from core import cli
from core.cli import options
from db import command_names

OF_A_LOOP = ("status", "json", "account", "db_url")
COMMANDS = tuple(name.replace("-", "_") for name in command_names.COMMANDS)
"""As argparse calls them."""
HEALTH_PORT = 8081
"""Where a loop says how it is, if it is to and nobody names another port."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add all of them."""
    _add_modes(parser)
    _add_what(parser)
    _add_account(parser)


def check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with wrong usage when options were given that do not go together."""
    _check_replay(parser, args)
    if args.refresh_from_ccxt and not args.use_sql:
        parser.error("--refresh-from-ccxt keeps candles in the database: it needs --use-sql")
    if args.orders == "exchange" and args.use_sql and not args.refresh_from_ccxt:
        parser.error("--orders exchange follows that exchange: --use-sql needs --refresh-from-ccxt with it")
    if args.json and not (args.status or args.check):
        parser.error("--json is of --status and --check")
    if args.once and args.health_port is not None:
        parser.error("--health-port is of a loop that goes on, --once ends by itself: leave one out")
    if args.streams == "on" and (args.once or (args.use_sql and not args.refresh_from_ccxt)):
        parser.error("--streams on is of a loop that follows a market: leave it out")
    _check_real(parser, args)
    if args.once and args.stop:
        parser.error("--stop ends a running loop, --once begins one that ends by itself: leave one out")
    if args.status or (command_of(args) and not args.once):
        options.allow_only(parser, args, "this is for a loop that runs, or about it", {*COMMANDS, *OF_A_LOOP})
    if args.replay:
        of_loops = {"account", "orders", "log_file", "plain", "accept_restore", "health_port", "streams"}
        own = vars(args).keys() - of_loops
        options.allow_only(parser, args, "--replay begins an account of its own", own)


def _check_real(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with wrong usage when what is of real money or of its check was given without it."""
    if args.live and args.orders == "exchange":
        parser.error("--live says who fills orders: leave --orders out; it is for play money")
    if args.i_understand_the_risks and not args.live:
        parser.error("--i-understand-the-risks is of --live")
    if args.test_order and not args.check:
        parser.error("--test-order is of --check")
    if args.check and (args.once or args.replay or args.status or command_of(args)):
        parser.error("--check is done alone: leave the other action out")
    if args.live and args.db_url is not None:
        parser.error("--live keeps its account in the database of the settings: leave --db-url out")
    if args.live and args.cash is not None:
        parser.error("--live begins with caps.capital of config/live.yaml: leave --cash out")


def _check_replay(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with wrong usage when what is of a replay was given without one, or the other way round."""
    if (args.start or args.end) and not args.replay:
        parser.error("--start and --end choose stored candles: they need --replay")
    if args.speed != "max" and args.once:
        parser.error("--speed is of what goes on, --once ends by itself: leave one out")
    if (args.report or args.force) and not args.replay:
        parser.error("--report and --force are of --replay")
    if args.replay and (args.once or args.use_sql):
        parser.error("--replay reads stored candles and ends by itself: leave --once and --use-sql out")


def command_of(args: argparse.Namespace) -> str | None:
    """Return which command for a loop is among the arguments, None when there is none."""
    return next((name for name in COMMANDS if getattr(args, name)), None)


def _add_modes(parser: argparse.ArgumentParser) -> None:
    modes = parser.add_argument_group("what to do (default: trade on paper)").add_mutually_exclusive_group()
    add = modes.add_argument
    add("--paper", action="store_true", help="trade on paper, which is the default")
    add("--replay", action="store_true", help="run the same account over stored candles")
    add("--status", action="store_true", help="show how the account stands")
    add("--stop", action="store_true", help="end the running loop; positions stay")
    add("--flatten", action="store_true", help="close all positions and pause entries")
    add("--pause", action="store_true", help="no entries; exits and stops go on")
    add("--resume", action="store_true", help="allow entries again")
    add("--accept", metavar="SYMBOL", help="its entries and exits go on, as the books are now")
    add("--release", metavar="NAME", help="end a halt, or trust a strategy again that failed")
    add("--reset-breaker", metavar="NAME", help="reset daily_loss or drawdown")
    add("--set-weight", metavar="NAME=VALUE", help="of an ensemble, such as ENSEMBLE.turtle_weight=0.5")
    add(
        "--reload",
        nargs="?",
        const="keep",
        choices=("keep", "flatten"),
        help="read strategies.yaml and settings.yaml again; positions of what changes stay, or are closed",
    )
    parser.add_argument(
        "--once", action="store_true", help="one look at the market, with a command first if one is named"
    )
    parser.add_argument("--json", action="store_true", help="--status or --check as JSON")
    _add_real(parser)


def _add_real(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("before orders go to an exchange").add_argument
    add("--live", action="store_true", help="trade real money, as config/live.yaml allows (docs/live.md)")
    add("--i-understand-the-risks", action="store_true", help="--live wants it typed")
    add(
        "--check",
        action="store_true",
        help="show what is in order and what is not; with --live, for real money",
    )
    add(
        "--test-order",
        action="store_true",
        help="with --check: place the smallest order far away, and cancel it",
    )


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to trade")
    add = what.add_argument
    add("--strategy", action="append", default=[], metavar="NAME", help="default: all enabled ones")
    options.add_strategies_file(what)
    add("--symbol", action="append", default=[], help="default: as in strategies.yaml")
    add("--timeframe", help="1m … 1w (default: each strategy's own)")
    add("--exchange", type=cli.exchange_label, help="default: exchange.name in settings.yaml")
    add(
        "--orders",
        choices=("paper", "exchange"),
        default="paper",
        help="who fills orders: the fill model, or a local exchange or test network (default: paper)",
    )
    add("--use-sql", action="store_true", help="read candles from the database")
    add("--refresh-from-ccxt", action="store_true", help="and load new ones into it first")
    add(
        "--streams",
        choices=("auto", "on", "off"),
        default="auto",
        help="WebSockets say when to ask for a candle or an order (default: auto, where the market has them)",
    )
    add("--start", metavar="TIME", help="replay: first bar's open time, UTC")
    add("--end", metavar="TIME", help="replay: bars that open before this time")
    options.add_report(what)
    options.add_force(what, "that file if it exists")
    add(
        "--speed",
        type=cli.speed,
        default="max",
        help="times the market's own: of a replay (default: max), or of a local exchange as it was started",
    )


def _add_account(parser: argparse.ArgumentParser) -> None:
    account = parser.add_argument_group("on which account")
    add = account.add_argument
    add(
        "--accept-restore",
        action="store_true",
        help="begin on a backup that was restored: what the exchange did since is taken over first",
    )
    add("--account", type=cli.account, default="paper", help="its name (default: paper)")
    add("--cash", type=cli.number, help="of a new account (default: backtest.default_cash)")
    add(
        "--log-file", metavar="PATH", help="JSON lines, rotated (default: logs/ACCOUNT.jsonl by the database)"
    )
    add(
        "--health-port",
        nargs="?",
        type=cli.port,
        const=HEALTH_PORT,
        metavar="PORT",
        help=f"answer /health and /metrics to this machine while the loop runs (default: off; {HEALTH_PORT})",
    )
    add("--plain", action="store_true", help="lines instead of a picture on a terminal")
    options.add_db_url(account)
