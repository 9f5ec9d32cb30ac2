"""The thread of the streams: what it brings, how it says that it fails, and that it ends."""

from __future__ import annotations

import asyncio
from threading import Event
from typing import Any

import pytest

from core.errors import UnsupportedError
from core.streams.budget import DialBudget
from core.streams.feeder import Feeder, Opened
from core.streams.inbox import Inbox
from core.streams.line import StreamError, StreamLine
from tests.stream_help import BTC, ORDER, OWN, QUICK, WAIT, ScriptedSource, bar, running


def test_a_final_candle_and_an_order_wake_the_engine() -> None:
    with running({BTC: [[bar(1), bar(2), "hang"]], OWN: [[ORDER, "hang"]]}) as (feeder, _, woken):
        found: list[Any] = []
        while len(found) < 2:
            assert woken.wait(WAIT)
            woken.clear()
            letters = feeder.inbox.take()
            found += [*letters.orders, *(one for one in letters.candles if one.is_final)]
        assert {type(one).__name__ for one in found} == {"OrderHint", "CandleHint"}


def test_w6_failing_streams_are_told_and_so_is_their_return() -> None:
    states: list[str] = []
    with running({OWN: [[StreamError("closed")]] * 5 + [["connect", ORDER, "hang"]]}) as (feeder, _, woken):
        while not states or states[-1] != "on":
            assert woken.wait(WAIT)
            states.append(feeder.inbox.state().mode)
    assert states[-1] == "on"


def test_a_loop_that_calls_back_with_an_error_has_a_deaf_reader() -> None:
    with running({OWN: [["connect", ORDER, "hang"]] * 2}) as (feeder, source, woken):
        for life in (1, 2):
            while not feeder.inbox.take().orders:
                assert woken.wait(WAIT)
                woken.clear()
            assert source.watched == [OWN] * life
            if life == 1:
                feeder._loop.call_soon_threadsafe(lambda: 1 / 0)
        assert source.drops == 1


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (UnsupportedError("ccxt has no streams of x"), "ccxt has no streams of x"),
        (KeyError("secret"), "KeyError"),
    ],
)
def test_streams_that_cannot_be_opened_are_said_to_be_off(error: Exception, why: str) -> None:
    woken = Event()
    inbox, budget = Inbox(woken.set), DialBudget(lambda: 0)

    async def open_lines() -> Opened:
        raise error

    feeder = Feeder(open_lines, inbox, budget)
    feeder.start()
    assert woken.wait(WAIT)
    assert (inbox.state().mode, inbox.state().why) == ("off", why)
    assert inbox.take().notes == (f"there are no streams, REST alone brings what is new: {why}",)
    assert feeder.stop(WAIT)


def test_w20_a_thread_that_is_told_to_end_before_it_began_ends() -> None:
    inbox, budget = Inbox(), DialBudget(lambda: 0)
    opened = Event()

    async def open_lines() -> Opened:
        opened.set()
        await asyncio.sleep(0)
        source = ScriptedSource(budget, {})
        return Opened([StreamLine("test", [BTC], source, inbox, budget, lambda: 0, QUICK)])

    feeder = Feeder(open_lines, inbox, budget)
    feeder.start()
    assert feeder.stop(WAIT)
    assert inbox.state().mode == "off"


def test_an_error_of_a_line_itself_is_said_and_ends_neither_the_others_nor_the_engine() -> None:
    woken = Event()
    inbox, budget = Inbox(woken.set), DialBudget(lambda: 0)

    class Wrong(StreamLine):
        async def run(self, stop: asyncio.Event) -> None:
            raise RuntimeError("a slip")

    async def open_lines() -> Opened:
        source = ScriptedSource(budget, {OWN: [[ORDER, "hang"]]})
        both = (
            Wrong("test", [BTC], source, inbox, budget, lambda: 0, QUICK),
            StreamLine("orders", [OWN], source, inbox, budget, lambda: 0, QUICK),
        )
        return Opened(both)

    feeder = Feeder(open_lines, inbox, budget)
    feeder.start()
    notes: tuple[str, ...] = ()
    orders: tuple[Any, ...] = ()
    while not (notes and orders):
        assert woken.wait(WAIT)
        woken.clear()
        letters = inbox.take()
        notes, orders = notes + letters.notes, orders + letters.orders
    assert notes[0] == "a part of the streams failed, REST goes on: RuntimeError"
    assert feeder.stop(WAIT)
