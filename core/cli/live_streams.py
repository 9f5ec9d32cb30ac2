"""Streams beside a loop: begun where the market offers them, begun anew when what is traded changes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from core.exchange_client import ExchangeClient
from core.live.hearing import Hearing
from core.live.loop import Loop
from core.live.modes import AT_EXCHANGE
from core.streams.budget import DialBudget
from core.streams.feeder import Feeder, Open, Opened
from core.streams.hints import CANDLES, ORDERS, StreamChannel
from core.streams.inbox import Inbox
from core.utils import steady_ms

OFF = "off"
"""Of what --streams takes, the word for none."""

Begin = Callable[[list[StreamChannel], Inbox, DialBudget], Open]
"""Returns what opens these streams."""


class Listening:
    """The streams of a loop; without any it does nothing."""

    def __init__(self, begin: Begin | None = None, *, has_account: bool = False) -> None:
        """Take what opens streams, None for none; `has_account`: the account's own orders are among them."""
        self._begin, self._has_account = begin, has_account
        self._budget = DialBudget(steady_ms)
        self.inbox = Inbox()
        self._channels: list[StreamChannel] = []
        self._feeder: Feeder | None = None

    def look(self, loop: Loop) -> None:
        """Follow what the loop follows now."""
        if self._begin is None:
            return
        channels = [StreamChannel(CANDLES, one.symbol, one.timeframe) for one in loop.feed.series]
        channels += [StreamChannel(ORDERS)] if self._has_account else []
        if channels != self._channels:
            self.end()
            self._channels = channels
            self._feeder = Feeder(self._begin(channels, self.inbox, self._budget), self.inbox, self._budget)
            self._feeder.start()

    def end(self) -> bool:
        """End the thread; return whether it did end in time."""
        feeder, self._feeder = self._feeder, None
        return feeder is None or feeder.stop()


def listening_of(args: argparse.Namespace, client: ExchangeClient | None) -> Listening:
    """Return the streams that were asked for: none over stored candles, and none for one look."""
    if client is None or args.once or args.streams == OFF:
        return Listening()
    may_sign = args.live or args.orders == AT_EXCHANGE
    has_account = may_sign and client.has_key and bool(client.permission.addresses)
    return Listening(partial(_begin, client), has_account=has_account and client.streams.has_account)


def _begin(client: ExchangeClient, channels: list[StreamChannel], inbox: Inbox, budget: DialBudget) -> Open:
    terms = client.streams.terms({one.symbol for one in channels if one.symbol})

    async def open_lines() -> Opened:
        # It imports all of ccxt's classes, which takes a second: in the streams' own thread.
        from core.streams.ccxt_source import opening

        opened: Opened = await opening(terms, channels, client.streams, inbox, budget, steady_ms)()
        return opened

    return open_lines


@contextmanager
def heard(listening: Listening, loop: Loop, wake: Callable[[], object]) -> Iterator[Listening]:
    """Let a loop hear what comes until the block ends; `wake` ends its pause."""
    listening.inbox.wake = wake
    loop.hearing = Hearing(listening.inbox)
    try:
        yield listening
    finally:
        listening.end()
