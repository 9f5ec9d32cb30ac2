"""Trade on paper: all enabled strategies on one account, with its risk limits; or replay stored candles."""

import argparse
import sys
from collections.abc import Set
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from db import command_names

EXAMPLES = """\
  run_live.py --use-sql --refresh-from-ccxt            follow the market, keeping its candles
  run_live.py --once                                   one look at the market, then end
  run_live.py --replay --start 2024-01-01 --exchange binance
  run_live.py --replay --strategy TREND_EMA,MR_BB --symbol BTC/USDT --cash 5000
  run_live.py --status                                 how the account stands, also while it runs
  run_live.py --pause | --resume | --flatten | --stop  a command for the running loop
  run_live.py --reset-breaker daily_loss
  run_live.py --accept BTC/USDT | --release halt       what --status says is held up goes on
  run_live.py --reload                                 strategies.yaml has changed; positions stay
  run_live.py --once --flatten                         a command without a running loop
  run_live.py --accept-restore                         after backup_database.py --restore
"""
OF_A_LOOP = ("status", "json", "account", "db_url")
COMMANDS = tuple(name.replace("-", "_") for name in command_names.COMMANDS)
"""As argparse calls them."""


def main(argv: list[str] | None = None) -> int:
    """Parse, then replay, trade on paper, give the loop a command, or show how it stands."""
    args = parse(argv)
    if args.replay:
        from core.cli import replay_command

        return replay_command.run(args)
    if args.status:
        from core.cli import live_status

        return live_status.show_status(args)
    from core.cli import live_command

    name = command_of(args)
    if name is None or args.once:
        return live_command.trade(args, name)
    return live_command.give(args, name)


def command_of(args: argparse.Namespace) -> str | None:
    """Return which command for a loop is among the arguments, None when there is none."""
    return next((name for name in COMMANDS if getattr(args, name)), None)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    _add_modes(parser)
    _add_what(parser)
    _add_account(parser)
    args = parser.parse_args(argv)
    if (args.start or args.end) and not args.replay:
        parser.error("--start and --end choose stored candles: they need --replay")
    if args.speed != "max" and not args.replay:
        parser.error("--speed is of --replay; the market has its own")
    if args.refresh_from_ccxt and not args.use_sql:
        parser.error("--refresh-from-ccxt keeps candles in the database: it needs --use-sql")
    if args.replay and (args.once or args.use_sql):
        parser.error("--replay reads stored candles and ends by itself: leave --once and --use-sql out")
    if args.orders == "exchange" and args.use_sql and not args.refresh_from_ccxt:
        parser.error("--orders exchange follows that exchange: --use-sql needs --refresh-from-ccxt with it")
    if args.json and not args.status:
        parser.error("--json is of --status")
    if args.once and args.stop:
        parser.error("--stop ends a running loop, --once begins one that ends by itself: leave one out")
    if args.status or (command_of(args) and not args.once):
        _allow_only(parser, args, "this is for a loop that runs, or about it", {*COMMANDS, *OF_A_LOOP})
    if args.replay:
        own = vars(args).keys() - {"account", "orders", "log_file", "plain", "accept_restore"}
        _allow_only(parser, args, "--replay begins an account of its own", own)
    return args


def _allow_only(
    parser: argparse.ArgumentParser, args: argparse.Namespace, why: str, allowed: Set[str]
) -> None:
    """Refuse options that would be read and ignored."""
    if ignored := cli.ignored_options(parser, args, allowed):
        parser.error(f"{why}: leave out {', '.join(ignored)}")


def _add_modes(parser: argparse.ArgumentParser) -> None:
    modes = parser.add_argument_group("what to do (default: trade on paper)").add_mutually_exclusive_group()
    modes.add_argument("--paper", action="store_true", help="trade on paper, which is the default")
    modes.add_argument("--replay", action="store_true", help="run the same account over stored candles")
    modes.add_argument("--status", action="store_true", help="show how the account stands")
    modes.add_argument("--stop", action="store_true", help="end the running loop; positions stay")
    modes.add_argument("--flatten", action="store_true", help="close all positions and pause entries")
    modes.add_argument("--pause", action="store_true", help="no entries; exits and stops go on")
    modes.add_argument("--resume", action="store_true", help="allow entries again")
    modes.add_argument("--accept", metavar="SYMBOL", help="its entries and exits go on, as the books are now")
    modes.add_argument("--release", metavar="NAME", help="end a halt, or trust a strategy again that failed")
    modes.add_argument("--reset-breaker", metavar="NAME", help="reset daily_loss or drawdown")
    modes.add_argument(
        "--set-weight", metavar="NAME=VALUE", help="of an ensemble, such as ENSEMBLE.turtle_weight=0.5"
    )
    modes.add_argument(
        "--reload",
        nargs="?",
        const="keep",
        choices=("keep", "flatten"),
        help="read strategies.yaml and settings.yaml again; positions of what changes stay, or are closed",
    )
    parser.add_argument(
        "--once", action="store_true", help="one look at the market, with a command first if one is named"
    )
    parser.add_argument("--json", action="store_true", help="--status as JSON")


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to trade")
    what.add_argument(
        "--strategy", action="append", default=[], metavar="NAME", help="default: all enabled ones"
    )
    cli.add_strategies_file(what)
    what.add_argument("--symbol", action="append", default=[], help="default: as in strategies.yaml")
    what.add_argument("--timeframe", help="1m … 1w (default: each strategy's own)")
    what.add_argument("--exchange", type=cli.exchange_label, help="default: exchange.name in settings.yaml")
    what.add_argument(
        "--orders",
        choices=("paper", "exchange"),
        default="paper",
        help="who fills orders: the fill model, or a local exchange or test network (default: paper)",
    )
    what.add_argument("--use-sql", action="store_true", help="read candles from the database")
    what.add_argument("--refresh-from-ccxt", action="store_true", help="and load new ones into it first")
    what.add_argument("--start", metavar="TIME", help="replay: first bar's open time, UTC")
    what.add_argument("--end", metavar="TIME", help="replay: bars that open before this time")
    what.add_argument(
        "--speed", type=cli.speed, default="max", help="replay: times the market's own (default: max)"
    )


def _add_account(parser: argparse.ArgumentParser) -> None:
    account = parser.add_argument_group("on which account")
    account.add_argument(
        "--accept-restore",
        action="store_true",
        help="begin on a backup that was restored: what the exchange did since is taken over first",
    )
    account.add_argument("--account", type=cli.account, default="paper", help="its name (default: paper)")
    account.add_argument("--cash", type=cli.number, help="of a new account (default: backtest.default_cash)")
    account.add_argument(
        "--log-file", metavar="PATH", help="JSON lines, rotated (default: logs/ACCOUNT.jsonl by the database)"
    )
    account.add_argument("--plain", action="store_true", help="lines instead of a picture on a terminal")
    account.add_argument("--db-url", help="database (default: HOT_CRYPTO_DB_URL, then settings.yaml)")


if __name__ == "__main__":
    cli.run(main)
