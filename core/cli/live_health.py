"""What run_live.py --health-port does: the loop's own word about itself, for who asks over HTTP."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager

from core.cli.live_output import Show, say
from core.exchange_client import ExchangeClient
from core.live.modes import mode_of
from core.live.status import AccountStatus


@contextmanager
def healthy(args: argparse.Namespace, client: ExchangeClient | None, show: Show) -> Iterator[Show]:
    """Answer /health and /metrics in the block if a port was named; yield what tells them, and shows.

    Of `--health-port 0` the options say from then on which port it became.
    Raises UsageError when the port cannot be listened on.
    """
    if args.health_port is None:
        yield show
        return
    # Who names no port needs no HTTP server.
    from core.page.health import Board, serve_health

    mode = mode_of(args.orders, client.permission.network if client else "")
    board = Board(args.account, mode, time.monotonic)

    def tell(status: AccountStatus) -> None:
        board.tell(status)
        show(status)

    with serve_health(board, args.health_port) as url:
        args.health_port = int(url.rpartition(":")[2])
        say(f"health: {url}/health, {url}/metrics")
        yield tell
