"""The thread of the streams: its own event loop, its lines, and an end that comes soon whatever they do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from core.streams.budget import DialBudget
from core.streams.hints import OFF, StreamState
from core.streams.inbox import Inbox
from core.streams.line import StreamLine

ENDS = 5.0
"""Seconds that the thread has to end."""
EVERY = 0.25
"""Seconds between two notes of how the streams stand."""
FAILED = 3
"""A line that failed so often in a row brings nothing: REST alone does."""


class Opened(NamedTuple):
    """What the thread runs."""

    lines: Sequence[StreamLine]
    keepers: Sequence[Callable[[asyncio.Event], Coroutine[Any, Any, None]]] = ()
    """What keeps keys valid, until the event is set."""
    close: Callable[[], Awaitable[None]] | None = None


Open = Callable[[], Awaitable[Opened]]
"""Called inside the thread: nothing that it makes is used anywhere else."""


class Feeder:
    """Runs the streams in a thread of its own; what they bring waits in an inbox."""

    def __init__(self, open_lines: Open, inbox: Inbox, budget: DialBudget) -> None:
        """Take what opens the lines, and the budget that their dials are counted in."""
        self._open, self.inbox, self._budget = open_lines, inbox, budget
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._lock, self._is_ended = threading.Lock(), False
        self._opened = Opened(())
        self._lost = ""
        """The error of this program itself that ended a part."""
        # A thread that hangs in a foreign library must not keep the process alive.
        self._thread = threading.Thread(target=self._work, name="streams", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self.inbox.set_state(StreamState("connecting"))
        self._thread.start()

    def stop(self, seconds: float = ENDS) -> bool:
        """End the thread and return whether it did end in so many seconds."""
        with self._lock:
            self._is_ended = True
            if self._loop is not None and self._stop is not None:
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(seconds)
        self.inbox.set_state(OFF)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:  # the supervisor's own: the engine goes on by REST
            self._give_up(f"{type(error).__name__}")
        finally:
            with self._lock:
                self._loop = None

    async def _main(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        # What ccxt's classes do at once takes longer than asyncio's debug mode likes.
        loop.slow_callback_duration = 60.0
        loop.set_exception_handler(self._on_trouble)
        with self._lock:
            if self._is_ended:
                return
            self._loop, self._stop = loop, stop
        try:
            opened = self._opened = await self._open()
        except Exception as error:  # whatever a foreign library raises: without streams there is REST
            self._give_up(str(error) if hasattr(error, "exit_code") else type(error).__name__)
            return
        try:
            jobs = [line.run(stop) for line in opened.lines] + [keep(stop) for keep in opened.keepers]
            await asyncio.gather(self._watch(stop), *map(self._safely, jobs))
        finally:
            if opened.close is not None:
                await opened.close()

    async def _safely(self, job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except Exception as error:  # a slip of this program: the other lines go on
            self._lost = type(error).__name__
            self.inbox.note(f"a part of the streams failed, REST goes on: {self._lost}")
            self.inbox.wake()

    def _on_trouble(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # The end of a reader by a bad message shows here alone; a task that nobody asks any more is no harm.
        if "handle" in context or "Exception in callback" in str(context.get("message", "")):
            for line in self._opened.lines:
                line.break_off("a message could not be read")

    def _give_up(self, why: str) -> None:
        state = self.inbox.state()
        if state.mode != "off":
            self.inbox.set_state(StreamState("off", why, self._budget.total, channels=state.channels))
            self.inbox.note(f"there are no streams, REST alone brings what is new: {why}")
            self.inbox.wake()

    async def _watch(self, stop: asyncio.Event) -> None:
        """Keep how the streams stand, and say when they fail and when they are back."""
        before = "connecting"
        while not stop.is_set():
            state = self._state()
            if state.mode != before and "REST" in (state.mode, before):
                line = "the streams are back" if state.mode == "on" else f"the streams fail: {state.why}"
                if state.mode != "connecting":
                    self.inbox.note(line)
                    self.inbox.wake()
            # Between failing and being back there is no other news.
            before = state.mode if (state.mode, before) != ("connecting", "REST") else before
            self.inbox.set_state(state)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY)

    def _state(self) -> StreamState:
        lines = self._opened.lines
        channels = tuple(state for line in lines for state in line.states())
        mode, why = "connecting", ""
        if self._lost:
            mode, why = "REST", f"a part of them failed ({self._lost})"
        elif self._budget.is_spent:
            mode, why = "REST", "too many connections were needed; the next is tried in a few minutes"
        elif failing := [line.name for line in lines if line.fails >= FAILED and not line.is_connected]:
            mode, why = "REST", f"no data of {', '.join(failing)}; dialled again and again"
        elif all(line.is_connected for line in lines):
            mode = "on"
        return StreamState(mode, why, self._budget.total, channels=channels)
