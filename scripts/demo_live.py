"""Start the local exchange, a paper loop and the live page together, and watch trades arrive.

Needs no network and no key. The exchange's day is always the same one and runs thirty times as fast; its own
database begins anew each time, yours is left alone. `make demo-live` calls it.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli

EXAMPLES = """\
  demo_live.py                            then open the address that it prints; Ctrl-C ends all three
  demo_live.py --port 8085 --folder /tmp/hot
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, then run all three until Ctrl-C, or until one of them ends."""
    args = parse(argv)
    from core.cli import demo_live_command

    return demo_live_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    add = parser.add_argument
    add(
        "--folder",
        type=cli.path,
        default=Path("data/demo"),
        help="where its database goes (default: %(default)s)",
    )
    add(
        "--port",
        type=cli.port,
        default=8080,
        help="of the page; another one where it is taken (default: %(default)s)",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main)
