"""Options that several commands have, written once."""

from __future__ import annotations

import argparse
from collections.abc import Set

from core import cli

UNSEEN = 50.0
"""Percent of the bars, the newest, that a search keeps back: with fewer an edge is seldom told from luck."""


def add_unseen(options: argparse._ActionsContainer) -> None:
    """Add the option that says how many of the newest bars are kept back; None where it was not given."""
    options.add_argument(
        "--unseen",
        type=cli.share,
        metavar="PERCENT",
        help=f"newest bars on which nothing is chosen (default {UNSEEN:g})",
    )


def words_again(args: argparse.Namespace, *names: str) -> list[str]:
    """Return those of these options that were given, as they are typed; no address with a password."""
    words: list[str] = []
    for name in names:
        value = getattr(args, name)
        # An address with a password is for nobody's screen.
        if value is not None and not (name == "db_url" and "@" in value):
            words += [f"--{name.replace('_', '-')}", f"{value}"]
    return words


def add_db_url(options: argparse._ActionsContainer) -> None:
    """Add the option that names the database."""
    options.add_argument("--db-url", help="database (default: HOT_CRYPTO_DB_URL, then settings.yaml)")


def add_exchange(options: argparse._ActionsContainer) -> None:
    """Add the option that says whose candles are meant."""
    options.add_argument(
        "--exchange", type=cli.exchange_label, help="whose candles (default: exchange.name in settings.yaml)"
    )


def add_report(options: argparse._ActionsContainer, *others: str) -> None:
    """Add the option that writes a page to look at, under its name and `others`."""
    options.add_argument(
        "--report",
        *others,
        metavar="PATH",
        help="write a page to look at, one HTML file that needs no network",
    )


def add_candles(options: argparse._ActionsContainer, *, symbol: str, timeframe: str) -> None:
    """Add the options that name candles; two say which symbols and timeframe are the default."""
    add = options.add_argument
    add("--symbol", action="append", default=[], help=f"one or more (default: {symbol})")
    add("--timeframe", help=f"1m … 1w (default: {timeframe})")
    add_exchange(options)
    add("--use-sql", action="store_true", help="stored candles instead of asking the exchange")
    add("--limit", type=cli.positive, help="newest bars only (default: all stored; exchange: 1000)")
    add("--start", metavar="TIME", help="first bar's open time, UTC: 2024-01-31 or with T12:00")
    add("--end", metavar="TIME", help="bars that open before this time")
    add_db_url(options)


def add_force(options: argparse._ActionsContainer, files: str) -> None:
    """Add the option that lets these files be replaced."""
    options.add_argument("--force", action="store_true", help=f"overwrite {files}; one of another kind never")


def add_strategies_file(options: argparse._ActionsContainer) -> None:
    """Add the option that names another strategies.yaml."""
    options.add_argument(
        "--strategies-file",
        metavar="PATH",
        help="instead of config/strategies.yaml, such as config/strategies_1m.yaml",
    )
    add_strategies_dir(options)


def add_strategies_dir(options: argparse._ActionsContainer) -> None:
    """Add the option that names the folder of one's own strategies."""
    options.add_argument(
        "--strategies-dir",
        metavar="FOLDER",
        help="of your own strategies (default: HOT_CRYPTO_STRATEGIES, then user_strategies)",
    )


def add_wide(options: argparse._ActionsContainer) -> None:
    """Add the option that shows all columns of a table."""
    options.add_argument(
        "--wide", action="store_true", help="all columns (default: those that fit 100 characters, or COLUMNS)"
    )


def add_costs(options: argparse._ActionsContainer) -> None:
    """Add the options for money and costs of a backtest."""
    options.add_argument("--cash", type=cli.number, help="initial cash, quote currency")
    options.add_argument("--commission", type=cli.rate, help="rate per side: 0.001 is 0.1 %%")
    options.add_argument("--spread", type=cli.rate, help="rate of price, paid on entry")


def add_measured_costs(options: argparse._ActionsContainer) -> None:
    """Add the option that takes costs from what an account paid."""
    options.add_argument(
        "--costs",
        type=cli.measured,
        metavar="measured[:ACCOUNT]",
        help="both as that account paid them, by show_drift.py (default account: paper)",
    )


def allow_only(
    parser: argparse.ArgumentParser, args: argparse.Namespace, why: str, allowed: Set[str]
) -> None:
    """End with wrong usage when an option was given that would be read and ignored."""
    given = (name for name, value in vars(args).items() if value != parser.get_default(name))
    if ignored := [f"--{name.replace('_', '-')}" for name in given if name not in allowed]:
        parser.error(f"{why}: leave out {', '.join(ignored)}")
