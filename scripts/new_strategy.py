"""Begin a strategy of your own: a commented file that runs, to be changed."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  new_strategy.py MY_RULE
  new_strategy.py DIP_BUYER --like reversion
"""
KINDS = ("trend", "reversion", "breakout", "ladder", "partner", "rotation")


def main(argv: list[str] | None = None) -> int:
    """Parse, write, print what to do next."""
    args = parse(argv)
    from core.cli import new_command

    return new_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("name", metavar="NAME", help="what it is called: MY_RULE; the file is my_rule.py")
    parser.add_argument("--like", choices=KINDS, default="trend", help="what to begin with (default: trend)")
    options.add_strategies_dir(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
