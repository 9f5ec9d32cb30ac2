"""Try many parameter sets of one strategy: chosen on the older bars, shown on bars they never saw."""

import argparse
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  run_sweep.py --strategy TREND_EMA --use-sql --param ema_fast=10:30:10 --param ema_slow=40,60,80
  run_sweep.py --strategy MR_BB --symbol BTC/USDT,ETH/USDT --use-sql --param bb_period=10:60:10 --sets 500
  run_sweep.py --strategy TREND_EMA --use-sql --param ema_fast=5:60:5 --unseen 0 --csv all.csv
  run_sweep.py --strategy MR_BB --use-sql --param bb_period=10:60:5 --param bb_std=2:3:0.25 --report map.html
"""
SORT = {
    "return": "return_pct",
    "annual": "annual_return_pct",
    "sharpe": "sharpe_ratio",
    "sortino": "sortino_ratio",
    "calmar": "calmar_ratio",
    "profit-factor": "profit_factor",
    "win-rate": "win_rate_pct",
    "drawdown": "max_drawdown_pct",
}
"""Figures by which sets are ranked, as they are typed and as they are named."""


def main(argv: list[str] | None = None) -> int:
    """Parse, load, search, print."""
    args = parse(argv)
    from core.cli import sweep_command

    return sweep_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    _add_what(parser)
    data = parser.add_argument_group("on which candles")
    options.add_candles(data, symbol="as in strategies.yaml", timeframe="as in strategies.yaml")
    money = parser.add_argument_group("money")
    options.add_costs(money)
    options.add_measured_costs(money)
    output = parser.add_argument_group("what to do with the results")
    output.add_argument("--json", metavar="PATH", help="write every set as JSON; - for stdout, alone")
    output.add_argument(
        "--csv", metavar="PATH", help="write every set on the older bars; - for stdout, alone"
    )
    options.add_report(output)
    options.add_force(output, "these files if they exist")
    options.add_wide(output)
    output.add_argument("--jobs", type=cli.processes, help="threads (default: all cores)")
    args = parser.parse_args(argv)
    if args.sets is None and args.seed != parser.get_default("seed"):
        parser.error("--seed is for sets drawn at random: give --sets N too")
    args.unseen = options.UNSEEN if args.unseen is None else args.unseen
    args.sort = SORT[args.sort]
    return args


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("which sets")
    add = what.add_argument
    add("--strategy", required=True, metavar="NAME", help="run_backtest.py --list shows them")
    add(
        "--param",
        action="append",
        required=True,
        metavar="NAME=VALUES",
        help="10,20,30 or 10:30:5 (from:to:step); the others stay as in strategies.yaml",
    )
    add("--sets", type=cli.positive, metavar="N", help="N of them at random (default: all)")
    add("--seed", type=partial(cli.whole, 0, cli.MOST), default=1, help="which ones --sets draws (default 1)")
    options.add_unseen(what)
    add("--sort", choices=SORT, default="sharpe", help="figure by which sets are ranked (default sharpe)")
    add("--min-trades", type=cli.positive, default=30, metavar="N", help="fewer are not ranked (default 30)")
    add("--best", type=cli.positive, default=10, metavar="N", help="sets shown, and run unseen (default 10)")
    options.add_strategies_file(what)


if __name__ == "__main__":
    cli.run(main)
