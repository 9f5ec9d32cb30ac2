"""Several scripts as processes that live and end together, each with a name and a reason why it ended."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import NamedTuple, Self

from core.errors import RefusedError

PATIENCE = 10.0
"""Seconds that each has to end once it is asked to."""
GUARD = """import os, signal, sys
for process in [int(line) for line in sys.stdin]:
    try:
        os.kill(process, signal.SIGINT)
    except ProcessLookupError:
        pass
"""
"""Ends what is named to it as soon as whoever names it is gone, by a kill too: then nobody else would."""
KEPT = 20
"""Newest lines of each, in which it says why it ended."""


class Script(NamedTuple):
    """One of the scripts."""

    name: str
    words: tuple[str, ...]
    """The script and its arguments."""
    ready: str
    """A line that fits says that it works; its group is handed on."""


class Heard(NamedTuple):
    """A line that a part wrote, or that it ended."""

    part: Script
    line: str | None
    """None: it ended."""
    code: int = 0
    why: str = ""


class Together:
    """Parts that were started; none is left when the block ends."""

    def __init__(self, folder: Path) -> None:
        """Take the project's folder, where scripts/ is."""
        self._folder = folder
        self._started: list[subprocess.Popen[str]] = []
        self._heard: SimpleQueue[Heard] = SimpleQueue()
        self._listeners: list[threading.Thread] = []
        self._guard: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        # Not in our session: Ctrl-C is not for it.
        self._guard = subprocess.Popen(  # noqa: S603 - this file's own lines
            [sys.executable, "-I", "-S", "-c", GUARD],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._started):
            _end(process)
        for listener in self._listeners:
            # What a part said last is read to its end; what it left behind may keep the line open.
            listener.join(PATIENCE)
        if self._guard is not None:
            self._guard.communicate()

    def start(self, part: Script, environment: Mapping[str, str]) -> str:
        """Start a part, wait until it works and return what its line says.

        Raises RefusedError when it, or one that was started before, ends meanwhile.
        """
        # In a session of its own: Ctrl-C reaches whoever started them, and that one ends them one by one.
        process = subprocess.Popen(  # noqa: S603 - scripts of the project, no shell
            [sys.executable, f"scripts/{part.words[0]}", *part.words[1:]],
            cwd=self._folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._started.append(process)
        self._name(process)
        self._listeners.append(threading.Thread(target=self._listen, args=(part, process), daemon=True))
        self._listeners[-1].start()
        for heard in self.news():
            if heard.line is None:
                raise RefusedError(ended(heard))
            if heard.part is part and (found := re.search(part.ready, heard.line)):
                return found[1]
        raise RefusedError(f"nothing more is heard of the {part.name}")  # pragma: no cover - news go on

    def _name(self, process: subprocess.Popen[str]) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            print(process.pid, file=self._guard.stdin, flush=True)

    def news(self) -> Iterator[Heard]:
        """Yield what the parts say, as it comes."""
        while True:
            yield self._heard.get()

    def _listen(self, part: Script, process: subprocess.Popen[str]) -> None:
        last: deque[str] = deque([""], maxlen=KEPT)
        with process.stdout or nullcontext(()) as lines:
            for line in lines:
                last.append(line.rstrip())
                self._heard.put(Heard(part, line.rstrip()))
        code = process.wait()
        errors = [line.removeprefix("error: ") for line in last if line.startswith("error: ")]
        self._heard.put(Heard(part, None, code, [*last, *errors][-1]))


def ended(heard: Heard) -> str:
    """Return which part ended, how, and its last word."""
    how = signal.Signals(-heard.code).name if heard.code < 0 else f"exit code {heard.code}"
    return (
        f"the {heard.part.name} ended ({how}){': ' if heard.why else ''}{heard.why}; the others ended with it"
    )


def _end(process: subprocess.Popen[str]) -> None:
    """Let a process end in order, or end it."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
