"""One connection and its streams, kept alive: whatever happens to it, a gap is told and it is dialled again.

A client that reads a stream can go deaf without a word: after one bad message its reader has ended, and who
waits for it waits for ever. So nothing here trusts that an error comes. Trouble is a stream's task that ends,
a broken message, or a channel that brought no data for too long, whatever its heartbeats say. Tasks are never
cancelled for a time-out while a connection lives, because what they were about to return would be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from core.streams.budget import DialBudget
from core.streams.hints import ORDERS, ChannelState, Hint, StreamChannel, StreamGap
from core.streams.inbox import Inbox

Emit = Callable[[Sequence[Hint]], None]
"""Takes what a source brought, nothing when it was connected; returns at once."""
LIVED_MS = 10_000
"""A connection that lived so long was a good one: the next dial waits no longer than the first did."""


class StreamError(Exception):
    """A stream cannot go on; the text is this program's own and holds nothing that a venue said."""

    def __init__(self, why: str, *, pause: float = 0.0) -> None:
        super().__init__(why)
        self.pause = pause
        """Seconds that the venue asks to be left alone."""


class ChannelRefusedError(StreamError):
    """The venue does not offer one stream; the others of its connection go on."""


class StreamSource(Protocol):
    """What a line reads: one connection or a few that live and die together."""

    async def watch(self, channel: StreamChannel, emit: Emit) -> None:
        """Hand on what a stream brings until it is cancelled; what it raises ends the connection.

        Raises ChannelRefusedError when the venue does not offer the stream.
        """

    async def drop(self) -> None:
        """Close all connections, so that the next watch dials anew."""

    async def close(self) -> None:
        """Close everything for good."""


class Timing(NamedTuple):
    """How patient a line is, in seconds."""

    silence: float = 90.0
    """Without data of candles for so long their connection is replaced; doubled while that brings none."""
    most_silence: float = 900.0
    pause: float = 0.2
    """Before the first new dial; doubled with each that brings no data."""
    most_pause: float = 30.0
    close: float = 3.0
    """The longest that closing a connection may take."""
    glance: float = 0.5
    """Between two looks at the dial budget while it is spent."""


class StreamLine:
    """Keeps the streams of one source alive until it is told to stop."""

    def __init__(
        self,
        name: str,
        channels: Sequence[StreamChannel],
        source: StreamSource,
        inbox: Inbox,
        budget: DialBudget,
        clock: Callable[[], int],
        timing: Timing = Timing(),  # noqa: B008 - a value
    ) -> None:
        """Take a steady clock in ms; the source counts its own dials in the budget."""
        self.name, self.source = name, source
        self._inbox, self._budget, self._clock, self._timing = inbox, budget, clock, timing
        self._last: dict[StreamChannel, int | None] = dict.fromkeys(channels)
        self._refused: dict[StreamChannel, str] = {}
        self._mute = dict.fromkeys(channels, 0)
        """How often in a row a channel was silent for too long."""
        self._since = 0
        """When the present connection was begun."""
        self._broken = asyncio.Event()
        self._why = ""
        self.fails = 0
        """Dials in a row that brought no data."""
        self.is_connected = False

    def states(self) -> list[ChannelState]:
        """Return how each stream stands."""
        return [ChannelState(one, at, self._refused.get(one, "")) for one, at in self._last.items()]

    def break_off(self, why: str) -> None:
        """Replace the connection: somebody saw that its reader has ended, or that the venue wants it."""
        self._why = self._why or why
        self._broken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop` is set."""
        try:
            while not stop.is_set():
                await self._await_budget(stop)
                if stop.is_set():
                    break
                trouble = await self._read(stop)
                self.is_connected = False
                if trouble is None or not self._open():
                    break
                self._inbox.put_gap(StreamGap(self.name, tuple(self._last), str(trouble)))
                await self._drop()
                pause = min(self._timing.most_pause, self._timing.pause * 2 ** min(self.fails, 20))
                self.fails += 1
                await _or_stop(stop, max(pause, trouble.pause))
        finally:
            self.is_connected = False
            await self._drop(self.source.close)

    async def _await_budget(self, stop: asyncio.Event) -> None:
        while not stop.is_set() and not self._budget.may_dial():
            await _or_stop(stop, self._timing.glance)

    async def _read(self, stop: asyncio.Event) -> StreamError | None:
        """Read all streams until one fails; None when it was told to stop or none is left."""
        self._broken.clear()
        self._why, self._since = "", self._clock()
        tasks = {asyncio.ensure_future(self._watch(one)): one for one in self._open()}
        ends = [asyncio.ensure_future(_wait(one)) for one in (stop, self._broken)]
        try:
            while tasks:
                waiting = {*tasks, *ends}
                done, _ = await asyncio.wait(
                    waiting, timeout=self._patience(), return_when=asyncio.FIRST_COMPLETED
                )
                if stop.is_set():
                    return None
                if trouble := self._trouble([(tasks.pop(one), one) for one in done if one in tasks]):
                    return trouble
            return None
        finally:
            if self._clock() - self._since >= LIVED_MS:
                self.fails = 0
            for task in (*tasks, *ends):
                task.cancel()
            await asyncio.gather(*tasks, *ends, return_exceptions=True)

    def _trouble(self, ended: Sequence[tuple[StreamChannel, asyncio.Future[None]]]) -> StreamError | None:
        """Return why the connection has to be replaced, None while it is well."""
        found = None
        for channel, task in ended:
            error = None if task.cancelled() else task.exception()
            if isinstance(error, ChannelRefusedError):
                self._refused[channel] = str(error)
                self._inbox.note(f"the stream of {channel} is off, REST goes on: {error}")
            else:
                found = error if isinstance(error, StreamError) else StreamError("the stream ended")
        if self._broken.is_set():
            return StreamError(self._why or "a message could not be read")
        return found or self._silence()

    def _silence(self) -> StreamError | None:
        now = self._clock()
        silent = [one for one in self._open() if (at := self._due(one)) is not None and at <= now]
        for channel in silent:
            self._mute[channel] += 1
        names = ", ".join(map(str, silent[:3]))
        return StreamError(f"no data of {names}") if silent else None

    def _due(self, channel: StreamChannel) -> int | None:
        """Return when a stream counts as silent, by the steady clock; None for orders, which come seldom."""
        if channel.kind == ORDERS:
            return None
        last = max(self._since, self._last[channel] or 0)
        seconds = min(self._timing.most_silence, self._timing.silence * 2.0 ** min(self._mute[channel], 20))
        return last + round(seconds * 1000)

    def _patience(self) -> float | None:
        """Return the seconds until the next stream counts as silent, None where none does."""
        due = [at for one in self._open() if (at := self._due(one)) is not None]
        return max(0.001, (min(due) - self._clock()) / 1000) if due else None

    def _open(self) -> list[StreamChannel]:
        return [one for one in self._last if one not in self._refused]

    async def _watch(self, channel: StreamChannel) -> None:
        await self.source.watch(channel, self._take)

    def _take(self, hints: Sequence[Hint]) -> None:
        self.is_connected = True
        if not hints:
            return
        now = self._clock()
        for channel in {hint.channel for hint in hints} & self._last.keys():
            self._last[channel], self._mute[channel] = now, 0
        self.fails = 0
        self._inbox.put(hints)

    async def _drop(self, how: Callable[[], object] | None = None) -> None:
        # Whatever a connection raises while it is closed: it is gone.
        with suppress(Exception):
            await asyncio.wait_for((how or self.source.drop)(), self._timing.close)  # type: ignore[arg-type]


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _or_stop(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
