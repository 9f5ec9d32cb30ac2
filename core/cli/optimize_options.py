"""The options of optimize.py, and which of them go together."""

from __future__ import annotations

import argparse
from functools import partial

from core import cli
from core.cli import options

METHODS = ("grid", "random", "tpe", "cmaes")
TRIALS, SEED, LEAST = 1000, 1, 30


def add(parser: argparse.ArgumentParser) -> None:
    """Add all of them."""
    _add_what(parser)
    _add_how(parser)
    data = parser.add_argument_group("on which candles")
    options.add_candles(data, symbol="as in strategies.yaml", timeframe="as in strategies.yaml")
    _add_unseen(parser)
    options.add_costs(parser.add_argument_group("money"))
    output = parser.add_argument_group("what to do with the results")
    output.add_argument("--best", type=cli.positive, default=10, metavar="N", help="sets shown (default 10)")
    output.add_argument("--save", metavar="FILE", help="write the best set as a new strategies file")
    output.add_argument("--json", metavar="PATH", help="write every set as JSON; - for stdout, alone")
    options.add_force(output, "the JSON file if it")
    options.add_wide(output)


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what is searched")
    add = what.add_argument
    add("--list", action="store_true", help="show what is tried of each parameter, and stop")
    add("--strategy", metavar="NAME", help="run_backtest.py --list shows them")
    add(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="2 or 10,20,30 or 10:30:5 (from:to:step), instead of what the strategy says",
    )
    options.add_strategies_file(what)


def _add_how(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("how").add_argument
    add("--method", choices=METHODS, default="random", help="grid tries all (default random)")
    add("--trials", type=cli.positive, metavar="N", help=f"sets to try, not with grid (default {TRIALS})")
    add("--seed", type=partial(cli.whole, 0, cli.MOST), metavar="N", help=f"which ones (default {SEED})")
    add(
        "--objective",
        default="sharpe",
        metavar="NAME,…",
        help="sharpe, sortino, calmar, sqn, profit_factor, return_drawdown; several: their Pareto front",
    )
    add(
        "--over",
        choices=("mean", "worst"),
        default="mean",
        help="what of an objective counts where there are several symbols (default mean)",
    )
    add(
        "--min-trades",
        type=cli.positive,
        default=LEAST,
        metavar="N",
        help=f"with fewer closed trades a set is not ranked (default {LEAST})",
    )
    add("--workers", type=cli.processes, metavar="N", help="processes (default: a thread a core in this one)")
    add("--resume", metavar="SEARCH", help="go on with a search that was interrupted, or show it again")


def _add_unseen(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what is kept back").add_argument
    add(
        "--unseen",
        type=cli.share,
        metavar="PERCENT",
        help="newest bars on which nothing is chosen (default 30)",
    )
    add(
        "--held-out",
        metavar="TIME",
        help="declare the bars from then on held out: looked at with --open alone, and every look is counted",
    )
    add(
        "--open",
        action="store_true",
        help="look at bars that were held out; the first look is the one that counts",
    )


def check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End with wrong usage for options that do not go together; fill in what follows from others."""
    if args.list:
        options.allow_only(
            parser,
            args,
            "--list shows and does not search",
            {"list", "strategy", "strategies_file", "strategies_dir"},
        )
    elif args.resume is not None:
        allowed = {"resume", "workers", "best", "save", "json", "force", "wide", "db_url", "open"}
        options.allow_only(
            parser, args, "--resume takes the rest from the search", allowed | {"strategies_dir"}
        )
    elif args.strategy is None:
        parser.error("name a --strategy, or a search to --resume")
    if args.method == "grid" and (args.trials is not None or args.seed is not None):
        parser.error("--method grid tries every set: leave out --trials and --seed")
    if args.held_out is not None and args.unseen is not None:
        parser.error("--held-out says which bars are kept back: leave out --unseen")
    if args.save == "-":
        parser.error("--save writes a new file: name one")
    args.trials = TRIALS if args.trials is None else args.trials
    args.seed = SEED if args.seed is None else args.seed
    args.unseen = 30.0 if args.unseen is None else args.unseen
