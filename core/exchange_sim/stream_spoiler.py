"""What faults do to the messages of one connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from core.exchange_sim.sessions import SimMessage, StreamSession, written
from core.exchange_sim.stream_faults import (
    CONNECTION,
    ENDS,
    REQUEST,
    USER_EVENTS,
    Passing,
    StreamFault,
    StreamFaultPlan,
)
from core.exchange_sim.venue import Json

NO_TEXT = b'{"\xff\xfe": 0}'
LEAP = 7
FOREVER = 2**62


class SocketFrame(NamedTuple):
    """One thing that is done to a socket."""

    text: str = ""
    raw: bytes = b""
    """Sent as text, whatever it is."""
    close: int = 0
    """The code of a close frame."""
    end: str = ""
    """`reset` or `fin`."""


class StreamFaultState:
    """What is set at the exchange, for all connections, and may be changed at any time."""

    def __init__(self, plan: StreamFaultPlan, end_key: Callable[[], None]) -> None:
        self.plan = plan
        self.met: list[str] = []
        """Kinds of the faults that happened, in order."""
        self.end_key = end_key
        """Ends Binance.US's listen key."""

    def next(self, one: Passing) -> StreamFault | None:
        """Return the fault that meets the next thing, and remember it."""
        fault = self.plan.next(one)
        if fault is not None:
            self.met.append(fault.kind)
        return fault


class StreamSpoiler:
    """Turns the messages of one connection into frames."""

    def __init__(self, venue: str, session: StreamSession, faults: StreamFaultState) -> None:
        self._venue, self._session, self._faults = venue, session, faults
        self.answers_pings = True
        self._muted: dict[str, int] = {}
        self._held: dict[str, list[SocketFrame]] = {}
        self._counts: dict[str, int] = {}
        self._late: dict[str, tuple[str, SimMessage]] = {}
        self._offsets: dict[str, int] = {}

    def connected(self) -> list[SocketFrame]:
        """Return what becomes of a new connection."""
        fault = self._faults.next(Passing(self._venue, CONNECTION))
        if fault is None:
            return []
        self.answers_pings = fault.kind != "no_pong"
        return [_ending(fault)] if fault.kind in ENDS else []

    def request(self, text: str) -> str:
        """Return the kind of the fault that a request meets; empty for none."""
        is_request = '"subscribe"' in text.lower()
        fault = self._faults.next(Passing(self._venue, REQUEST, text)) if is_request else None
        return fault.kind if fault else ""

    def frames(self, message: SimMessage, now: int) -> list[SocketFrame]:
        """Return what a message becomes, with those that waited for it."""
        channel = message.channel
        if now < self._muted.get(channel, 0):
            return []
        message = self._numbered(message)
        if channel in self._held:
            return self._hold(channel, [_whole(message)])
        late = self._late.pop(channel, None)
        if late is not None and late[0] == "mixed":
            message, late = self._mixed(late[1], message), None
        fault = self._faults.next(Passing(self._venue, channel, written(message.body)))
        frames = [_whole(message)] if fault is None else self._spoiled(fault, message, now)
        return frames + ([_whole(late[1])] if late is not None else [])

    def _spoiled(self, fault: StreamFault, message: SimMessage, now: int) -> list[SocketFrame]:
        whole = _whole(message)
        if fault.kind in ("swapped", "mixed"):
            self._late[message.channel] = fault.kind, message
            return []
        if fault.kind == "held":
            self._held[message.channel], self._counts[message.channel] = [], fault.count
            return self._hold(message.channel, [whole])
        if fault.kind in ("jump", "restart"):
            return [_whole(self._renumbered(fault.kind, message))]
        if fault.kind == "shutdown":
            self._session.closes_at = now + round(fault.seconds * 1000)
            return [_event("serverShutdown", now), whole]
        if fault.kind in ("mute", "terminated", "key_ended"):
            return self._silenced(fault, message.channel, now)
        return _instead(fault, whole)

    def _silenced(self, fault: StreamFault, channel: str, now: int) -> list[SocketFrame]:
        if fault.kind == "mute":
            self._muted[channel] = now + round(fault.seconds * 1000) if fault.seconds else FOREVER
            return []
        self._muted |= dict.fromkeys(USER_EVENTS, FOREVER)
        if fault.kind == "terminated":
            return [_event("eventStreamTerminated", now)]
        self._faults.end_key()
        return []

    def _hold(self, channel: str, frames: list[SocketFrame]) -> list[SocketFrame]:
        self._held[channel] += frames
        if len(self._held[channel]) < self._counts[channel]:
            return []
        return self._held.pop(channel)

    def _numbered(self, message: SimMessage) -> SimMessage:
        offset = self._offsets.get(message.channel, 0)
        if not offset or not isinstance(message.body, dict) or "sequence" not in message.body:
            return message
        return message._replace(body=message.body | {"sequence": message.body["sequence"] + offset})

    def _renumbered(self, kind: str, message: SimMessage) -> SimMessage:
        number = _number(message)
        change = LEAP if kind == "jump" else 1 - number
        self._offsets[message.channel] = self._offsets.get(message.channel, 0) + change
        return message._replace(body=_fields(message) | {"sequence": number + change})

    def _mixed(self, one: SimMessage, other: SimMessage) -> SimMessage:
        """Return two messages as one, under the number of the first."""
        first, second = _fields(one), _fields(other)
        if "sequence" in first:
            self._offsets[one.channel] = self._offsets.get(one.channel, 0) - 1
        return one._replace(body=first | {"data": first.get("data", []) + second.get("data", [])})


def _fields(message: SimMessage) -> Json:
    return message.body if isinstance(message.body, dict) else {}


def _number(message: SimMessage) -> int:
    return int(_fields(message).get("sequence", 0))


def _whole(message: SimMessage) -> SocketFrame:
    return SocketFrame(written(message.body))


def _event(name: str, now: int) -> SocketFrame:
    return SocketFrame(written({"e": name, "E": now}))


def _instead(fault: StreamFault, whole: SocketFrame) -> list[SocketFrame]:
    if fault.kind in ENDS:
        return [_ending(fault)]
    becomes = {
        "cut_json": [SocketFrame(whole.text[: len(whole.text) // 2])],
        "wrong_type": [SocketFrame("[]")],
        "bad_utf8": [SocketFrame(raw=NO_TEXT)],
        "doubled": [whole, whole],
    }
    return becomes.get(fault.kind, [])


def _ending(fault: StreamFault) -> SocketFrame:
    return SocketFrame(close=fault.code) if fault.kind == "close" else SocketFrame(end=fault.kind)
