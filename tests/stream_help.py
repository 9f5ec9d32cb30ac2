"""A source of streams that does what a test says, and the lines and threads that read it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Any

from core.streams.budget import DialBudget
from core.streams.feeder import Feeder, Opened
from core.streams.hints import CANDLES, ORDERS, CandleHint, Hint, OrderHint, StreamChannel, StreamGap, candle
from core.streams.inbox import Inbox
from core.streams.line import Emit, StreamLine, Timing

MINUTE = 60_000
BTC = StreamChannel(CANDLES, "BTC/USDT", "1m")
ETH = StreamChannel(CANDLES, "ETH/USDT", "1m")
OWN = StreamChannel(ORDERS)
QUICK = Timing(silence=0.01, most_silence=60.0, pause=0.001, most_pause=0.002, close=0.05, glance=0.001)
WAIT = 10.0
"""Seconds after which a test that waits has failed."""
Act = Hint | BaseException | str
"""What a source does next: hand on a hint, raise, `connect`, `hang`, or `end`."""


def bar(minute: int, close: float = 1.0, channel: StreamChannel = BTC, *, final: bool = False) -> CandleHint:
    """Return the hint of a minute's candle."""
    numbers = (1.0, max(1.0, close), min(1.0, close), close, 2.0)
    return candle(channel.symbol, channel.timeframe, minute * MINUTE, numbers, is_final=final)


class ScriptedSource:
    """Acts for each connection of each stream as was said, and hangs when nothing more was."""

    def __init__(self, budget: DialBudget, acts: dict[StreamChannel, Iterable[Sequence[Act]]]) -> None:
        self.budget = budget
        self.acts = {channel: deque(map(list, lives)) for channel, lives in acts.items()}
        self.drops = self.closes = 0
        self.watched: list[StreamChannel] = []
        self.cancelled: list[StreamChannel] = []
        self.hang_on_close = False
        self.then: Callable[[], object] | None = None
        """Called once when nothing more is to be done."""

    async def watch(self, channel: StreamChannel, emit: Emit) -> None:
        self.watched.append(channel)
        self.budget.dial()
        lives = self.acts.get(channel, deque())
        try:
            for act in lives.popleft() if lives else ["hang"]:
                await self._act(act, emit)
        except asyncio.CancelledError:
            self.cancelled.append(channel)
            raise

    async def _act(self, act: Act, emit: Emit) -> None:
        if isinstance(act, BaseException):
            raise act
        if act == "connect":
            emit(())
        elif act == "hang":
            if self.then is not None:
                self.then()
            await asyncio.Event().wait()
        elif not isinstance(act, str):
            emit([act])
            await asyncio.sleep(0)

    async def drop(self) -> None:
        self.drops += 1

    async def close(self) -> None:
        self.closes += 1
        if self.hang_on_close:
            await asyncio.Event().wait()


class Rig:
    """One line on a scripted source, in the test's own event loop."""

    def __init__(self, acts: dict[StreamChannel, Iterable[Sequence[Act]]], timing: Timing = QUICK) -> None:
        self.now = 0
        self.budget = DialBudget(lambda: self.now)
        self.inbox = Inbox()
        self.source = ScriptedSource(self.budget, acts)
        self.stop = asyncio.Event()
        self.line = StreamLine("test", list(acts), self.source, self.inbox, self.budget, self.clock, timing)

    def clock(self) -> int:
        return self.now

    async def run(self, until: Callable[[], bool]) -> None:
        """Run the line until something is so, then stop it."""
        task = asyncio.ensure_future(self.line.run(self.stop))
        try:
            async with asyncio.timeout(WAIT):
                while not until():
                    await asyncio.sleep(0)
                self.stop.set()
                await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def told(self) -> tuple[list[Hint], list[StreamGap]]:
        """Return the hints and gaps that wait for the engine."""
        letters = self.inbox.take()
        return [*letters.candles, *letters.orders], list(letters.gaps)


@contextmanager
def running(acts: dict[StreamChannel, Iterable[Sequence[Act]]], timing: Timing = QUICK) -> Any:
    """Run a scripted source in a real thread of streams; yield feeder, source and what is set by a wake."""
    woken = Event()
    inbox, budget = Inbox(woken.set), DialBudget(lambda: 0)
    source = ScriptedSource(budget, acts)

    async def open_lines() -> Opened:
        line = StreamLine("test", list(acts), source, inbox, budget, lambda: 0, timing)
        return Opened([line])

    feeder = Feeder(open_lines, inbox, budget)
    feeder.start()
    try:
        yield feeder, source, woken
    finally:
        assert feeder.stop(WAIT)


ORDER = OrderHint("17", "name", "BTC/USDT")
