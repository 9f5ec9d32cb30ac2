"""One connection to Kraken's WebSocket v2."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from core.exchange_sim import kraken_stream_wire as wire
from core.exchange_sim.kraken_channels import FIELDS, FollowedChannel, PublicChannels, WrongValueError
from core.exchange_sim.sessions import REPLY, SimMessage, UnknownAsked
from core.exchange_sim.venue import Json

HEARTBEAT = SimMessage("heartbeat", {"channel": "heartbeat"})
HEARTBEAT_EVERY = 1000
"""ms without any other message."""
OUTSIDE = ("method", "params", "req_id")
NEVER = 2**62


class KrakenSession:
    """The public endpoint: channels of markets, a heartbeat, and the venue's mode."""

    def __init__(
        self, channels: PublicChannels, status: Callable[[], str], unknown: UnknownAsked, number: int
    ) -> None:
        self._channels, self._status, self._unknown, self._number = channels, status, unknown, number
        self._mine: dict[str, FollowedChannel] = {}
        self._told = status()
        self._spoke = 0
        self.closes_at = NEVER

    def open(self, now: int) -> Iterable[SimMessage]:
        """Tell the venue's mode."""
        self._spoke = now
        return [SimMessage("status", wire.status(self._told, self._number))]

    def hear(self, text: str, now: int) -> Iterable[SimMessage]:
        """Return the answer to a message, and snapshots behind it."""
        self._spoke = now
        try:
            asked = json.loads(text)
        except ValueError:
            asked = None
        if not isinstance(asked, dict) or not isinstance(asked.get("params", {}), dict):
            return [SimMessage(REPLY, self._refused({}, "Malformed message", now))]
        method = asked.get("method")
        for field in asked:
            if field not in OUTSIDE:
                return [SimMessage(REPLY, self._strange(asked, field, now))]
        if method == "ping":
            return [SimMessage("pong", _answer(asked, "pong", now))]
        if method not in ("subscribe", "unsubscribe"):
            self._unknown[f"kraken {method}"] += 1
            return [SimMessage(REPLY, self._refused(asked, f"Unsupported event: {method}", now))]
        return list(self._subscriptions(asked, now))

    def advance(self, now: int) -> Iterable[SimMessage]:
        """Return what happened since the last look, or a heartbeat."""
        said = [SimMessage(one.channel, body) for one in list(self._mine.values()) for body in one.news(now)]
        if self._status() != self._told:
            self._told = self._status()
            said.insert(0, SimMessage("status", wire.status(self._told, self._number)))
        if said:
            self._spoke = now
        elif self._mine and now - self._spoke >= HEARTBEAT_EVERY:
            self._spoke = now
            return [HEARTBEAT]
        return said

    def _subscriptions(self, asked: Mapping[str, Any], now: int) -> Iterator[SimMessage]:
        params = asked.get("params", {})
        channel = f"{params.get('channel')}"
        if channel not in FIELDS:
            self._unknown[f"kraken channel {channel}"] += 1
            yield SimMessage(REPLY, self._refused(asked, f"Unsupported channel: {channel}", now))
            return
        for field in params:
            if field not in ("channel", "symbol", *FIELDS[channel]):
                yield SimMessage(REPLY, self._strange(asked, field, now))
                return
        symbols = params.get("symbol")
        if not isinstance(symbols, list) or not symbols:
            yield SimMessage(REPLY, self._refused(asked, "Symbol(s) missing", now))
            return
        options = {**FIELDS[channel], **{name: params[name] for name in FIELDS[channel] if name in params}}
        for symbol in symbols:
            yield from self._subscription(asked, channel, symbol, options, now)

    def _subscription(
        self, asked: Mapping[str, Any], channel: str, symbol: object, options: Mapping[str, Any], now: int
    ) -> Iterator[SimMessage]:
        market = self._channels.markets.get(symbol) if isinstance(symbol, str) else None
        if market is None:
            text = f"Currency pair not supported {symbol}"
            yield SimMessage(REPLY, self._refused(asked, text, now) | {"symbol": symbol})
            return
        mine = f"{channel} {symbol} {options.get('interval')} {options.get('depth')}"
        method, followed = str(asked["method"]), None
        if method == "subscribe" and mine in self._mine:
            yield SimMessage(REPLY, self._refused(asked, "Already subscribed", now) | {"symbol": symbol})
            return
        if method == "unsubscribe":
            self._mine.pop(mine, None)
        else:
            try:
                followed = self._channels.follow(channel, market, options, now)
            except WrongValueError as wrong:
                yield SimMessage(REPLY, self._refused(asked, f"Malformed request: {wrong}", now))
                return
            self._mine[mine] = followed
        result = {"channel": channel, "symbol": symbol, **options}
        yield SimMessage(REPLY, _answer(asked, method, now) | {"result": result, "success": True})
        yield from (SimMessage(channel, body) for body in (followed.first if followed else ()))

    def _strange(self, asked: Mapping[str, Any], field: str, now: int) -> Json:
        channel = asked.get("params", {}).get("channel", "")
        self._unknown[f"kraken {channel}.{field}"] += 1
        what = f"{asked.get('method')} {channel}".strip()
        return self._refused(asked, f"Unsupported field: '{field}' for the given msg type: {what}", now)

    def _refused(self, asked: Mapping[str, Any], why: str, now: int) -> Json:
        return _answer(asked, str(asked.get("method")), now) | {"success": False, "error": why}


def _answer(asked: Mapping[str, Any], method: str, now: int) -> Json:
    number = {"req_id": asked["req_id"]} if "req_id" in asked else {}
    return {"method": method, **number, "time_in": wire.stamp(now), "time_out": wire.stamp(now)}
