"""Tell whether an account is well: its loop looks, its candles come, its books are sound; for cron too."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  health_check.py
  health_check.py --detailed --positions
  health_check.py --account mine --db-url sqlite:///data/other.db
  health_check.py --json --detailed
  health_check.py || notify-send "HOT-Crypto needs you"
  HEALTHCHECK CMD python scripts/health_check.py || exit 1        (in a Dockerfile)

exit codes: 0 healthy; 1 not healthy, or nothing has run yet; 2 wrong usage or configuration;
3 the database is damaged or cannot be read
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, look, print."""
    args = parse(argv)
    from core.cli import health_command

    return health_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    add = parser.add_argument
    add("--account", type=cli.account, default="paper", help="its name (default: %(default)s)")
    add("--detailed", action="store_true", help="run, feeds, limits, books and database too")
    add("--positions", action="store_true", help="what is held too")
    add(
        "--health-port",
        type=cli.port,
        metavar="PORT",
        help="where its loop has to answer (default: the port that it stored, or the database)",
    )
    add("--json", action="store_true", help="as a document")
    options.add_db_url(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
