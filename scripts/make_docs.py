"""Write docs/strategies.md from the strategies' docstrings, with one chart each on the demo's candles."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli

EXAMPLES = """\
  make_docs.py            all of it, about a minute
  make_docs.py --no-charts
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, write."""
    args = parse(argv)
    from core.cli import docs_command

    return docs_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--no-charts", action="store_true", help="the text alone")
    parser.add_argument("--folder", default=str(cli.ROOT / "docs"), help="where they go (default docs)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
