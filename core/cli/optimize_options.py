"""The options of optimize.py, and which of them go together."""

from __future__ import annotations

import argparse
from functools import partial

from core import cli
from core.cli import options

METHODS = ("grid", "random", "tpe", "cmaes")
TRIALS, SEED, LEAST = 1000, 1, 30
FIT_DAYS, EMBARGO = 365, 1


def add(parser: argparse.ArgumentParser) -> None:
    """Add all of them."""
    _add_what(parser)
    _add_how(parser)
    data = parser.add_argument_group("on which candles")
    options.add_candles(data, symbol="as in strategies.yaml", timeframe="as in strategies.yaml")
    _add_unseen(parser)
    _add_judging(parser)
    money = parser.add_argument_group("money")
    options.add_costs(money)
    options.add_measured_costs(money)
    output = parser.add_argument_group("what to do with the results")
    output.add_argument("--best", type=cli.positive, default=10, metavar="N", help="sets shown (default 10)")
    output.add_argument("--save", metavar="FILE", help="write the best set as a new strategies file")
    output.add_argument("--json", metavar="PATH", help="write every set as JSON; - for stdout, alone")
    options.add_report(output)
    options.add_force(output, "the JSON file or page if it")
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
    add(
        "--scheduler",
        type=cli.scheduler_address,
        metavar="HOST:PORT",
        help="workers of this Dask scheduler instead, on other machines too (`make cluster`)",
    )
    add("--resume", metavar="SEARCH", help="go on with a search that was interrupted, or show it again")


def _add_unseen(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is kept back")
    options.add_unseen(group)
    add = group.add_argument
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


def _add_judging(parser: argparse.ArgumentParser) -> None:
    days = partial(cli.whole, 1, 10_000)
    add = parser.add_argument_group("what is asked of the best one").add_argument
    add(
        "--walk-forward",
        type=partial(cli.whole, 1, 1000),
        metavar="N",
        help="choose among these sets again and again, in N windows, and trade what came after",
    )
    add("--fit-days", type=days, metavar="DAYS", help=f"of the first window's fit (default {FIT_DAYS})")
    add("--rolling", action="store_true", help="each fit moves along (default: all begin at the first bar)")
    add(
        "--embargo",
        type=partial(cli.whole, 0, 1000),
        metavar="DAYS",
        help=f"left out between fit and test (default {EMBARGO})",
    )
    add(
        "--shuffles",
        type=partial(cli.whole, 19, 10_000),
        metavar="N",
        help="run the search on shuffled bars too, N times: 19 or more",
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
        allowed = {
            "resume",
            "workers",
            "scheduler",
            "best",
            "save",
            "json",
            "report",
            "force",
            "wide",
            "db_url",
            "open",
            "shuffles",
        }
        allowed |= {"walk_forward", "fit_days", "rolling", "embargo"}
        options.allow_only(
            parser, args, "--resume takes the rest from the search", allowed | {"strategies_dir"}
        )
    elif args.strategy is None:
        parser.error("name a --strategy, or a search to --resume")
    if args.method == "grid" and (args.trials is not None or args.seed is not None):
        parser.error("--method grid tries every set: leave out --trials and --seed")
    if args.held_out is not None and args.unseen is not None:
        parser.error("--held-out says which bars are kept back: leave out --unseen")
    if args.walk_forward is None and (args.fit_days or args.embargo is not None or args.rolling):
        parser.error("--fit-days, --rolling and --embargo are for --walk-forward N: give it too")
    if args.walk_forward is not None and args.resume is None and args.method not in ("grid", "random"):
        parser.error(
            "--walk-forward takes --method grid or random: others have seen all of the bars chosen on"
        )
    if args.scheduler is not None and args.workers is not None:
        parser.error("--workers are processes of this machine, --scheduler has its own: leave one out")
    if args.save == "-":
        parser.error("--save writes a new file: name one")
    args.fit_days = FIT_DAYS if args.fit_days is None else args.fit_days
    args.embargo = EMBARGO if args.embargo is None else args.embargo
    args.shuffles = args.shuffles or 0
    args.trials = TRIALS if args.trials is None else args.trials
    args.seed = SEED if args.seed is None else args.seed
    args.unseen = options.UNSEEN if args.unseen is None else args.unseen
