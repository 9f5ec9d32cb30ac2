"""Show which parameter sets were ever tried, by which command on which bars, and whether all is there."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  show_trials.py
  show_trials.py --strategy TREND_EMA
  show_trials.py --search TREND_EMA-17 --csv sets.csv
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, check, print."""
    args = parse(argv)
    from core.cli import trials_command

    return trials_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--strategy", metavar="NAME", help="of one strategy (default: of all)")
    parser.add_argument("--search", metavar="NAME", help="one search of optimize.py, with its best sets")
    parser.add_argument("--csv", metavar="PATH", help="write every set of that search; - for stdout, alone")
    options.add_db_url(parser)
    options.add_force(parser, "the CSV file if it")
    options.add_wide(parser)
    args = parser.parse_args(argv)
    if args.csv is not None and args.search is None:
        parser.error("--csv writes the sets of one search: name it with --search")
    if args.search is not None and args.strategy is not None:
        parser.error("--search names one search: leave out --strategy")
    return args


if __name__ == "__main__":
    cli.run(main)
