"""Show, check or empty what is kept to be faster: copies of long series, and compiled strategies."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  cache_manager.py --status
  cache_manager.py --check                     reads every file; exit code 1 when one is not sound
  cache_manager.py --clear                     nothing is lost: what is needed is made again
  cache_manager.py --clear --db-url sqlite:///data/other.db
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, then show, check or empty."""
    args = parse(argv)
    from core.cli import cache_command

    return cache_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--status", action="store_true", help="how many files, how large, where")
    what.add_argument("--check", action="store_true", help="the same, and whether each is sound")
    what.add_argument("--clear", action="store_true", help="remove the cache's own files and nothing else")
    options.add_db_url(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
