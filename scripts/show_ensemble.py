"""Show what an ensemble is made of: each member's weight, how often it votes, and what it earned."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli

if TYPE_CHECKING:
    from core.multi_backtester import Job

EXAMPLES = """\
  show_ensemble.py --symbol BTC/USDT --use-sql
  show_ensemble.py --symbol ETH/USDT --timeframe 1d --use-sql --param learn_ratio=0.5
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, load, run, print."""
    args = parse(argv)
    from core.backtest.plan import check_params
    from core.cli import backtest_command as command

    args.strategy, args.sizing = ["ENSEMBLE"], []
    jobs, _ = command.planned_jobs(
        args, cli.load_settings(command.overrides(args), check_params, args.strategies_file)
    )
    for job in jobs:
        show(job)
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--symbol", action="append", default=[], help="one or more (default: as set)")
    cli.add_strategies_file(parser)
    parser.add_argument("--timeframe", help="1m … 1w (default: as set in strategies.yaml)")
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="change a parameter"
    )
    parser.add_argument(
        "--exchange", type=cli.exchange_label, help="whose candles (default: exchange.name in settings.yaml)"
    )
    parser.add_argument("--use-sql", action="store_true", help="stored candles, not the exchange")
    parser.add_argument("--limit", type=cli.positive, help="newest bars only")
    parser.add_argument("--start", metavar="TIME", help="first bar's open time, UTC")
    parser.add_argument("--end", metavar="TIME", help="bars that open before this time")
    parser.add_argument("--cash", type=cli.number, help="initial cash, quote currency")
    parser.add_argument("--commission", type=cli.rate, help="rate per side: 0.001 is 0.1 %%")
    parser.add_argument("--spread", type=cli.rate, help="rate of price, paid on entry")
    parser.add_argument("--db-url", help="database (default: HOT_CRYPTO_DB_URL, then settings.yaml)")
    return parser.parse_args(argv)


def show(job: "Job") -> None:
    """Print one row per member and their sum."""
    import numpy as np

    from core.account.money import total
    from core.backtest.fast_backtester import run_fast
    from core.ensemble.ensemble import combine, weights_of
    from core.figures import money
    from core.reports.table import print_table
    from core.results.attribution import attribute
    from core.symbols import pair_of
    from strategies.registry import load_strategy

    currency = pair_of(job.spec.series.symbol).quote
    result = run_fast(*job)
    params = load_strategy("ENSEMBLE").rule.make_params(result.spec.params)
    found, weights = combine(job.bars, params), weights_of(params)
    earned = attribute(result.records, job.bars, found)
    known = ~np.isnan(found.whole)
    rows = [
        [
            name,
            f"{weights[name]:g}",
            f"{100 * (part[known] > 0).mean():.0f}",
            f"{100 * (part[known] < 0).mean():.0f}",
            f"{np.abs(part[known]).mean():.3f}",
            money(earned[name], currency),
        ]
        for name, part in zip(found.names, found.parts, strict=True)
    ]
    whole = np.abs(found.whole[known]).mean()
    rows.append(["together", "", "", "", f"{whole:.3f}", money(total(earned.values()), currency)])
    print(f"{job.spec.series}: {job.bars.ts.size:,} bars, {len(result.records):,} trades\n")
    print_table(["member", "weight", "long %", "short %", "mean part", f"earned {currency}"], rows)
    print()


if __name__ == "__main__":
    cli.run(main)
