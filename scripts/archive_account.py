"""Begin an account anew: move what it did to a database of its own, which stays readable, or delete it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  archive_account.py --account paper
  archive_account.py --account paper --to data/archive/first-try.db
  archive_account.py --account paper --delete-for-good
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, look, move or delete, say what was done."""
    args = parse(argv)
    from core.cli import archive_command

    return archive_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--account", type=cli.account, required=True, help="its name")
    parser.add_argument(
        "--to",
        type=cli.path,
        metavar="PATH",
        help="a new file (default: archive/ACCOUNT-TIME.db by the database)",
    )
    parser.add_argument("--delete-for-good", action="store_true", help="keep nothing of it")
    options.add_db_url(parser)
    parser.set_defaults(cash=None)
    args = parser.parse_args(argv)
    if args.to and args.delete_for_good:
        parser.error("--to keeps the account in a file, --delete-for-good keeps nothing: give one of them")
    return args


if __name__ == "__main__":
    cli.run(main)
