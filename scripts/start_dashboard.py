"""Show an account in a browser: how it stands, candles, decisions, risk, journal; commands with a token."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import options

EXAMPLES = """\
  start_dashboard.py                       then open http://127.0.0.1:8080
  start_dashboard.py --account mine --port 8090
  HOT_CRYPTO_DASHBOARD_TOKEN=… start_dashboard.py                     with commands
  HOT_CRYPTO_DASHBOARD_PASSWORD=… start_dashboard.py --host 0.0.0.0   for other machines
"""


def main(argv: list[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    args = parse(argv)
    from core.cli import dashboard_command

    return dashboard_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    add = parser.add_argument
    add(
        "--host",
        default="127.0.0.1",
        help="another one needs HOT_CRYPTO_DASHBOARD_PASSWORD, 12 characters or more (default: %(default)s)",
    )
    add(
        "--port",
        type=cli.port,
        default=8080,
        help="0: any free one (default: %(default)s)",
    )
    add("--account", type=cli.account, default="paper", help="whose page (default: %(default)s)")
    options.add_db_url(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
