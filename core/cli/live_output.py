"""Where a loop's lines go: a picture on a terminal, plain lines in a pipe, JSON in the account's log file."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from core import cli
from core.cli import outputs
from core.engine import Step
from core.live.event_log import EventLog
from core.live.events import events_of, text_of
from core.live.standing import USUAL, command
from core.live.status import AccountStatus
from core.reports.screen import Screen
from core.secrecy import hidden, secrets_of
from core.settings import environment
from core.utils import format_time

LOG = logging.getLogger("hot_crypto.live")

Show = Callable[[AccountStatus], None]
"""Shows how the account stands."""


def say(line: str) -> None:
    """Write a line to the log."""
    LOG.info(line)


def note(line: str) -> None:
    """Write a line to the log file alone: people are told elsewhere."""
    LOG.debug(line)


def tell_step(step: Step, status: AccountStatus) -> None:
    """Write what a step brought to the log; `status` is how the account stands after it."""
    algorithms = {} if status.desk is None else status.desk.algorithms
    for event in events_of(step, status.quarantined, algorithms):
        LOG.info(text_of(event), extra={"event": event})


@contextmanager
def shown(args: argparse.Namespace, database: Path) -> Iterator[Show]:
    """Write the lines said in the block to wherever they belong; yield what shows the account."""
    default = database.parent / "logs" / f"{args.account}.jsonl"
    path = default if args.log_file is None else Path(args.log_file)
    outputs.check_appended(str(path))
    secrets = secrets_of(environment(cli.ROOT))
    with ExitStack() as opened:
        write, show = _plainly, _nothing
        if sys.stderr.isatty() and not (args.plain or args.once):
            title = f"HOT-Crypto, account {args.account}, orders: {args.orders}"
            screen = opened.enter_context(Screen(title, start=command(USUAL, db_url=args.db_url)))
            write, show = screen.say, screen.show
        # The file comes first: a terminal that takes no more lines would keep them from it.
        for handler in (EventLog(path, {"account": args.account}, secrets), _Lines(write)):
            LOG.addHandler(handler)
            opened.callback(handler.close)
            opened.callback(LOG.removeHandler, handler)
        LOG.setLevel(logging.DEBUG)
        LOG.propagate = False
        opened.callback(setattr, LOG, "propagate", True)
        yield _without_reader(show)


def _plainly(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _without_reader(show: Show) -> Show:
    """Return what shows the account as long as somebody can see it: a loop needs no terminal."""

    def shows(status: AccountStatus) -> None:
        with suppress(OSError):
            show(status)

    return shows


def _nothing(status: AccountStatus) -> None:
    """Show no account: there is no terminal."""


class _Lines(logging.Handler):
    """Writes records as lines for a person."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._write, self._has_failed = write, False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = hidden(record.getMessage())
            self._write(f"{format_time(round(record.created * 1000))} {line}")
        except OSError:
            self._say_once()

    def _say_once(self) -> None:
        # In the log file; nothing ends because of it.
        if not self._has_failed:
            self._has_failed = True
            note("nobody reads what is written to stderr any more; going on without it")
