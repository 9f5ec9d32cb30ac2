"""Write the report of an account's day, week or days: its worth, what each strategy made, risk and costs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  generate_report.py --daily                              yesterday, as run_live.py sends it
  generate_report.py --daily --date 2026-02-19 --account paper
  generate_report.py --weekly --output week.html
  generate_report.py --range 2026-01-01 2026-01-31 --output january.md --force
  generate_report.py --daily --journal --format json
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, compute, write."""
    args = parse(argv)
    from core.cli import generate_command

    if not args.journal:
        return generate_command.run(args, None)
    from llm.journaler import FactsJournaler, day_of

    journaler = FactsJournaler()
    return generate_command.run(args, lambda facts: journaler.summarise(day_of(facts)))


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--daily", action="store_true", help="one day, UTC (default: yesterday)")
    what.add_argument("--weekly", action="store_true", help="a week from Monday on (default: the last one)")
    what.add_argument("--range", nargs=2, metavar=("FIRST", "LAST"), help="days, both included")
    parser.add_argument("--date", metavar="DAY", help="the day, or one of the week, such as 2026-02-19")
    parser.add_argument("--account", type=cli.account, default="paper", help="its name (default: paper)")
    parser.add_argument("--journal", action="store_true", help="with a summary in words, from these facts")
    parser.add_argument(
        "--format", choices=("text", "md", "html", "json"), help="default: by the file's ending, else text"
    )
    parser.add_argument("--output", metavar="PATH", default="-", help="a file (default: -, stdout)")
    options.add_force(parser, "that file if it exists")
    options.add_db_url(parser)
    parser.set_defaults(cash=None)
    args = parser.parse_args(argv)
    if args.range and args.date:
        parser.error("--date is of --daily and --weekly; --range has its days: leave one out")
    return args


if __name__ == "__main__":
    cli.run(main)
