"""Faults of streams on purpose: which message, request or connection meets one.

A plan is asked once for each message, request and connection, in order, and depends on nothing else. Kinds
that a message meets:

    cut_json       its first half
    wrong_type     a list of nothing in its stead
    bad_utf8       a text frame that is no UTF-8
    close          a close frame with `code` (1012) in its stead
    reset, fin     the connection is reset, or ends without a close frame, in its stead
    lost           it never comes
    doubled        it comes twice
    swapped        the next one of its channel comes first
    mixed          it comes in one message with the next one of its channel (Kraken)
    mute           from now on its channel is silent on this connection, for `seconds` if they are given
    held           it waits, with all of its channel, until `count` wait (5000); then they come at once
    jump, restart  the numbers of its channel leap by seven, or begin anew at 1 (Kraken's account)
    key_ended      the listen key ends, and nobody is told (Binance.US's account)
    terminated     an eventStreamTerminated in its stead, and silence behind it (Binance.US's account)
    shutdown       a serverShutdown before it; the connection ends `seconds` later (Binance.US)

that a request to subscribe meets, `channel` being part of it:

    refused        the venue says no: an unknown pair, or a token that is none
    unheard        no answer and no data
    no_ack         data without an answer

and that a new connection meets, those with `channel=connection` and no_pong:

    close, reset, fin   at once
    no_pong        no ping is answered on it
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from core.errors import UsageError, unknown_name
from core.exchange_sim.faults import MOST_SECONDS, MOST_TIMES, options_of
from core.exchange_sim.sessions import BINANCEUS, KRAKEN

CONNECTION, REPLY, REQUEST = "connection", "reply", "request"
ENDS = ("close", "reset", "fin")
BROKEN = ("cut_json", "wrong_type", "bad_utf8")
KRAKEN_KINDS = ("mixed", "jump", "restart")
BINANCE_KINDS = ("key_ended", "terminated", "shutdown")
MESSAGE_KINDS = (
    *(*BROKEN, *ENDS, "lost", "doubled", "swapped", "mute", "held", *KRAKEN_KINDS, *BINANCE_KINDS),
)
REQUEST_KINDS = ("refused", "unheard", "no_ack")
KINDS = (*MESSAGE_KINDS, *REQUEST_KINDS, "no_pong")
RANDOM_KINDS = (*BROKEN, *ENDS, "lost", "doubled", "swapped")
"""What messages meet at random."""
QUIET = (REPLY, "pong", "heartbeat", "status")
"""Channels that a fault meets only if it names them."""
CODES = range(1000, 5000)


@dataclass(frozen=True, slots=True)
class StreamFault:
    """One fault and what it is for."""

    kind: str
    channel: str = ""
    """In the venue's words, such as `trade`, `executions`, `executionReport`; empty for any."""
    venue: str = ""
    says: str = ""
    """A word that stands in quotes in the message, such as `filled`."""
    times: int = 1
    """So many meet it …"""
    after: int = 0
    """… once so many have passed …"""
    every: int = 1
    """… and of those every so many-th."""
    code: int = 1012
    seconds: float = 0.0
    count: int = 5000

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(unknown_name("stream fault", self.kind, KINDS))
        if self.venue not in ("", BINANCEUS, KRAKEN):
            raise UsageError(f"stream fault option venue wants binanceus or kraken, got {self.venue!r}")
        if not 0 <= self.seconds <= MOST_SECONDS:
            raise UsageError(f"stream fault option seconds wants 0 to {MOST_SECONDS}, got {self.seconds:g}")
        if self.code not in CODES:
            raise UsageError(f"stream fault option code wants 1000 to 4999, got {self.code}")
        for name, least in (("times", 1), ("after", 0), ("every", 1), ("count", 1)):
            number = getattr(self, name)
            if not least <= number <= MOST_TIMES:
                raise UsageError(f"stream fault option {name} wants {least} to {MOST_TIMES}, got {number}")

    def meets(self, one: Passing) -> bool:
        """Say whether it is for such a message, request or connection."""
        if self.venue not in ("", one.venue) or not _fits(self.kind, one):
            return False
        if one.what == CONNECTION:
            return self.kind == "no_pong" or self.channel == CONNECTION
        named = f'"{self.says}"' in one.text if self.says else True
        if one.what == REQUEST:
            return named and self.channel in one.text
        return named and (self.channel == one.what or (not self.channel and one.what not in QUIET))


@dataclass(frozen=True, slots=True)
class Passing:
    """What may meet a fault."""

    venue: str
    what: str
    """The channel of a message, REQUEST or CONNECTION."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class StreamSchedule:
    """Faults of messages at random, from a seed."""

    seed: int
    rate: float = 0.01
    """Share of messages, 0 … 1."""
    kinds: tuple[str, ...] = RANDOM_KINDS

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in MESSAGE_KINDS:
                raise UsageError(unknown_name("stream fault", kind, MESSAGE_KINDS))
        if not 0 <= self.rate <= 1:
            raise UsageError(f"stream faults want a share of messages from 0 to 1, got {self.rate}")


class StreamFaultPlan(Protocol):
    """Says for one thing after another whether a fault meets it."""

    def next(self, one: Passing) -> StreamFault | None:
        """Return the fault for the next one."""


class ListedStreamFaults:
    """The plan of an explicit list: the first entry that matches and is not used up."""

    def __init__(self, faults: Iterable[StreamFault]) -> None:
        self._faults = tuple(faults)
        self._matched = [0] * len(self._faults)

    def next(self, one: Passing) -> StreamFault | None:
        """Return the fault for the next one; every entry that matches counts it."""
        found = None
        for row, fault in enumerate(self._faults):
            if not fault.meets(one):
                continue
            self._matched[row] += 1
            number, part = divmod(self._matched[row] - fault.after - 1, fault.every)
            if found is None and part == fault.every - 1 and 0 <= number < fault.times:
                found = fault
        return found


class SeededStreamFaults:
    """The plan of a schedule: each message draws from a stream of its own."""

    def __init__(self, schedule: StreamSchedule) -> None:
        self._schedule, self._count = schedule, 0

    def next(self, one: Passing) -> StreamFault | None:
        """Return the fault for the next one; nothing but data meets any."""
        if one.what in (CONNECTION, REQUEST, *QUIET):
            return None
        hit, which = np.random.default_rng((self._schedule.seed, self._count)).random(2)
        self._count += 1
        kinds = [kind for kind in self._schedule.kinds if _fits(kind, one)]
        if hit >= self._schedule.rate or not kinds:
            return None
        return StreamFault(kinds[int(which * len(kinds))])


StreamFaults = Iterable[StreamFault] | StreamSchedule
"""A list, or a schedule of faults at random."""


def stream_plan_of(faults: StreamFaults) -> StreamFaultPlan:
    """Return the plan, at its beginning."""
    return SeededStreamFaults(faults) if isinstance(faults, StreamSchedule) else ListedStreamFaults(faults)


def parse_stream_faults(text: str, seed: int) -> tuple[StreamFault, ...] | StreamSchedule:
    """Return what a command line says: `0.01`, or `mute:channel=trade,close:code=1001:after=20`.

    Raises UsageError for an unknown kind or option and for a number that is none.
    """
    try:
        rate = float(text)
    except ValueError:
        return tuple(_parse(part) for part in text.split(","))
    return StreamSchedule(seed, rate)


def _parse(text: str) -> StreamFault:
    types = {"channel": str, "venue": str, "says": str, "times": int, "after": int, "every": int}
    kind, values = options_of(text, types | {"code": int, "seconds": float, "count": int})
    return StreamFault(kind, **values)


def _fits(kind: str, one: Passing) -> bool:
    if one.what == CONNECTION:
        return kind in (*ENDS, "no_pong")
    if one.what == REQUEST:
        return kind in REQUEST_KINDS
    if kind in KRAKEN_KINDS:
        return one.venue == KRAKEN and (kind == "mixed" or '"sequence"' in one.text)
    if kind in BINANCE_KINDS:
        return one.venue == BINANCEUS and (kind == "shutdown" or one.what in USER_EVENTS)
    return kind in MESSAGE_KINDS


USER_EVENTS = ("executionReport", "listStatus", "outboundAccountPosition", "balanceUpdate")
