"""Write a rule from a freqtrade strategy's file, which is read and never run; say what is not translated."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  import_freqtrade.py ~/freqtrade/user_data/strategies/MyStrategy.py
  import_freqtrade.py Several.py --class SecondOne --name SECOND
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, read, write, print what is missing; exit code 1 when something is."""
    args = parse(argv)
    from core.cli import import_freqtrade_command

    return import_freqtrade_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    add = parser.add_argument
    add("file", metavar="FILE", help="a Python file with a class of freqtrade's IStrategy")
    add("--class", dest="class_name", metavar="NAME", help="which class, if there are several")
    add("--name", metavar="NAME", help="what it is called here (default: from the class's name)")
    options.add_strategies_dir(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
