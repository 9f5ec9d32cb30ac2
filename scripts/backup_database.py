"""Copy the database to a file, also while a loop writes to it; or put such a copy back in its place."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  backup_database.py
  backup_database.py --to /mnt/usb/hot_crypto.db
  backup_database.py --restore data/backups/hot_crypto-20260101-120000.db
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, then copy or put back."""
    args = parse(argv)
    from core.cli import backup_command

    return backup_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--to", type=cli.path, metavar="PATH", help="a new file (default: backups/NAME-TIME.db by it)"
    )
    what.add_argument(
        "--restore", type=cli.path, metavar="FILE", help="put this copy in the database's place"
    )
    options.add_db_url(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
