"""How a loop ends: never without saying why, in the log, on stderr and in the record of its run."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import NamedTuple, Self

from core.cli import INTERRUPTED
from core.cli.live_alerts import NO_ALARMS, Alarms
from core.cli.live_output import note, say
from core.errors import HotCryptoError
from core.secrecy import one_line, words_of
from db.live import RunState

HUNG = 70
"""Exit code of a process that its watchdog ended."""
PATIENCE = 5.0
"""Seconds that a step may go on once the process is asked to end."""
LAST_WORDS = 2.0
"""Seconds that a process which hangs has to say so: what it hangs on may be the log itself."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDS_IN_ORDER = ("SIGTERM", "SIGHUP")
"""What systemd and Docker end a loop with: any code but 0 they would call a failure, and start it again."""


class Asked(threading.Event):
    """Set when the process is to end."""

    by = ""
    """The signal that asked."""

    def __init__(self) -> None:
        super().__init__()
        # Of all that threads can share, this alone may be put into by a signal's handler at any moment.
        self._bell: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Ask, and end a wait."""
        super().set()
        self.nudge()

    def nudge(self) -> None:
        """End a wait without asking: something is worth a look at once."""
        if self._bell.empty():
            self._bell.put(None)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, nudged or so many seconds have passed; return whether it is set."""
        if not self.is_set():
            with suppress(Empty):
                self._bell.get(timeout=timeout)
        return self.is_set()

    def code(self, *, once: bool) -> int:
        """Return the exit code of a loop that was interrupted, or of one look that was cut short."""
        return 0 if self.by in ENDS_IN_ORDER and not once else INTERRUPTED


class Ended(NamedTuple):
    """How a loop ended."""

    why: str
    code: int = 0
    """The exit code that follows from it."""


def listen() -> Asked:
    """Return what is set when a signal asks the process to end; one that nohup ignores stays ignored."""
    asked = Asked()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: hurry(asked, signal.Signals(number).name))
    return asked


def hurry(asked: Asked, by: str) -> None:
    """Ask the loop to end after its step, and end the step itself if it takes too long.

    A step that is cut short is like one that was killed: what it did is found again at the next start.
    """
    asked.by = by
    asked.set()
    signal.signal(signal.SIGALRM, _cut_short)
    # Again and again, because what is raised inside a destructor is lost.
    signal.setitimer(signal.ITIMER_REAL, PATIENCE, 0.5)


def _cut_short(*_: object) -> None:
    raise KeyboardInterrupt


class Ending:
    """Says why the block ends, whatever ends it; errors go on from here."""

    def __init__(
        self, asked: Asked, leave: Callable[[int], object] = os._exit, alarms: Alarms = NO_ALARMS
    ) -> None:
        """Take what says which signal came, what ends a process that hangs, and what tells people."""
        self.why = ""
        """Blank while nothing says why it ends."""
        self.record: Callable[[str], object] | None = None
        """Stores why, once there is a run."""
        self.asked, self._leave, self.alarms = asked, leave, alarms

    def __enter__(self) -> Self:
        """Let even a crash of compiled code say where it was."""
        if not faulthandler.is_enabled() and sys.__stderr__ is not None:
            faulthandler.enable(sys.__stderr__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        why = self.why or (self._reason(error) if error else "nothing was left to do")
        # Who runs the script says an error on stderr by itself.
        (note if error else say)(f"ended: {why}")
        self._store(why)
        self.alarms.on_end(why, error, is_open=self.record is not None)

    def hung(self) -> None:
        """End the process although its loop goes nowhere: say where that is, as far as it still can."""
        stack = traceback.extract_stack(sys._current_frames()[threading.main_thread().ident or 0])
        where = " < ".join(f"{Path(at.filename).name}:{at.lineno} {at.name}" for at in reversed(stack[-4:]))
        why = f"hung: no step came to its end, the last thing it did was {where}"
        tellers = [
            threading.Thread(target=tell, args=(text,), daemon=True)
            for tell, text in ((say, f"ended: {why}"), (self._store, why), (self.alarms.on_hang, why))
        ]
        for teller in tellers:
            teller.start()
        for teller in tellers:
            teller.join(LAST_WORDS)
        self._leave(HUNG)

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, KeyboardInterrupt):
            return f"interrupted by {self.asked.by or 'a key'} before it traded"
        if isinstance(error, HotCryptoError):
            return f"failed: {one_line(str(error))}"
        at = traceback.extract_tb(error.__traceback__)[-1]
        return f"failed: {words_of(error)} ({Path(at.filename).name}:{at.lineno})"

    def _store(self, why: str) -> None:
        if self.record is None:
            return
        try:
            self.record(why)
        except HotCryptoError as error:
            note(f"why it ended could not be stored: {error}")


def silent_end(before: RunState | None) -> str:
    """Return what to say of a run that ended without a word, blank when it did not."""
    if before is None or before.ended_at is not None:
        return ""
    return (
        f"the loop before this one (pid {before.pid}) left no word of its end here: it was killed, the "
        "machine stopped, or this is a copy made while it ran"
    )
