"""One connection to Kraken's WebSocket v2."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from core.exchange_sim import kraken_stream_wire as wire
from core.exchange_sim.account_news import AccountNews
from core.exchange_sim.kraken_channels import FIELDS, FollowedChannel, PublicChannels, WrongValueError
from core.exchange_sim.kraken_private import PRIVATE_FIELDS, PrivateChannel, PrivateChannels
from core.exchange_sim.sessions import KRAKEN, REPLY, SimMessage, UnknownAsked
from core.exchange_sim.venue import Json

HEARTBEAT = SimMessage("heartbeat", {"channel": "heartbeat"})
HEARTBEAT_EVERY = 1000
"""ms without any other message."""
OUTSIDE = ("method", "params", "req_id")
ALL_FIELDS: Mapping[str, Mapping[str, Any]] = {**FIELDS, **PRIVATE_FIELDS}
NEVER = 2**62


class Endpoint(NamedTuple):
    """What one address of Kraken's offers."""

    public: PublicChannels
    status: Callable[[], str]
    """The venue's mode."""
    unknown: UnknownAsked
    private: PrivateChannels | None = None
    """Instead of the public channels."""


class StreamRefusal(Exception):  # noqa: N818 - an answer on the wire, never shown to the user
    """Ends a request with `success: false`."""

    def __init__(self, why: str, **more: object) -> None:
        super().__init__(why)
        self.why, self.more = why, more


class KrakenSession:
    """Channels of markets, or of the account; a heartbeat, and the venue's mode."""

    def __init__(self, endpoint: Endpoint, number: int) -> None:
        self._endpoint, self._number = endpoint, number
        self._markets: dict[str, FollowedChannel] = {}
        self._private: dict[str, PrivateChannel] = {}
        self._told = endpoint.status()
        self._spoke = 0
        self.venue, self.closes_at = KRAKEN, NEVER

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
            return [_refused({}, StreamRefusal("Malformed message"), now)]
        try:
            return list(self._answers(asked, now))
        except StreamRefusal as refusal:
            return [_refused(asked, refusal, now)]

    def refuse(self, text: str, now: int) -> Iterable[SimMessage]:
        """Return a refusal of a request to subscribe: an unknown pair, or a token that is none."""
        self._spoke = now
        asked = json.loads(text)
        symbols = asked.get("params", {}).get("symbol", [])
        if not symbols:
            return [_refused(asked, StreamRefusal("ESession:Invalid session"), now)]
        refusals = [StreamRefusal(f"Currency pair not supported {one}", symbol=one) for one in symbols]
        return [_refused(asked, refusal, now) for refusal in refusals]

    def advance(self, news: Mapping[str, AccountNews], now: int) -> Iterable[SimMessage]:
        """Return what happened since the last look, or a heartbeat."""
        said = [
            SimMessage(one.channel, body) for one in list(self._markets.values()) for body in one.news(now)
        ]
        if KRAKEN in news:
            told = ((name, body) for name, one in self._private.items() for body in one.tell(news[KRAKEN]))
            said += [SimMessage(name, body) for name, body in told]
        if self._endpoint.status() != self._told:
            self._told = self._endpoint.status()
            said.insert(0, SimMessage("status", wire.status(self._told, self._number)))
        if said:
            self._spoke = now
        elif (self._markets or self._private) and now - self._spoke >= HEARTBEAT_EVERY:
            self._spoke = now
            return [HEARTBEAT]
        return said

    def _answers(self, asked: Mapping[str, Any], now: int) -> Iterator[SimMessage]:
        method = asked.get("method")
        for field in asked:
            if field not in OUTSIDE:
                raise self._strange(asked, field)
        if method == "ping":
            yield SimMessage("pong", _answer(asked, "pong", now))
            return
        if method not in ("subscribe", "unsubscribe"):
            self._endpoint.unknown[f"kraken {method}"] += 1
            raise StreamRefusal(f"Unsupported event: {method}")
        channel, options = self._options(asked)
        if channel in PRIVATE_FIELDS:
            yield from self._account(asked, channel, options, now)
            return
        symbols = asked["params"].get("symbol")
        if not isinstance(symbols, list) or not symbols:
            raise StreamRefusal("Symbol(s) missing")
        for symbol in symbols:
            try:
                yield from self._market(asked, channel, symbol, options, now)
            except StreamRefusal as refusal:
                yield _refused(asked, refusal, now)

    def _options(self, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return the channel that is asked for, and every option of it."""
        params = asked.get("params", {})
        channel = f"{params.get('channel')}"
        if channel not in ALL_FIELDS:
            self._endpoint.unknown[f"kraken channel {channel}"] += 1
            raise StreamRefusal(f"Unsupported channel: {channel}")
        is_private = channel in PRIVATE_FIELDS
        if is_private != (self._endpoint.private is not None):
            what = "Private data" if is_private else "Market data"
            raise StreamRefusal(f"{what} is unavailable on this endpoint")
        known = ALL_FIELDS[channel]
        for field in params:
            if field not in ("channel", *known) and (is_private or field != "symbol"):
                raise self._strange(asked, field)
        return channel, {name: params.get(name, default) for name, default in known.items()}

    def _market(
        self, asked: Mapping[str, Any], channel: str, symbol: object, options: Mapping[str, Any], now: int
    ) -> Iterator[SimMessage]:
        market = self._endpoint.public.markets.get(symbol) if isinstance(symbol, str) else None
        if market is None:
            raise StreamRefusal(f"Currency pair not supported {symbol}", symbol=symbol)
        mine = f"{channel} {symbol} {options.get('interval')} {options.get('depth')}"
        result = {"channel": channel, "symbol": symbol, **options}
        if asked["method"] == "unsubscribe":
            self._markets.pop(mine, None)
            yield _accepted(asked, result, now)
            return
        if mine in self._markets:
            raise StreamRefusal("Already subscribed", symbol=symbol)
        try:
            followed = self._endpoint.public.follow(channel, market, options, now)
        except WrongValueError as wrong:
            raise StreamRefusal(f"Malformed request: {wrong}") from None
        self._markets[mine] = followed
        yield _accepted(asked, result, now)
        yield from (SimMessage(channel, body) for body in followed.first)

    def _account(
        self, asked: Mapping[str, Any], channel: str, options: Mapping[str, Any], now: int
    ) -> Iterator[SimMessage]:
        private = self._endpoint.private
        if private is None or not private.tokens.is_valid(options["token"], now):
            raise StreamRefusal("ESession:Invalid session")
        result = {"channel": channel, **{name: value for name, value in options.items() if name != "token"}}
        if asked["method"] == "unsubscribe":
            self._private.pop(channel, None)
            yield _accepted(asked, result, now)
            return
        for name, value in result.items():
            if name != "channel" and not isinstance(value, bool):
                raise StreamRefusal(f"Malformed request: {name}")
        if channel in self._private:
            raise StreamRefusal("Already subscribed")
        followed = private.follow(channel, options, now)
        self._private[channel] = followed
        yield _accepted(asked, result, now)
        yield from (SimMessage(channel, body) for body in followed.first())

    def _strange(self, asked: Mapping[str, Any], field: str) -> StreamRefusal:
        channel = asked.get("params", {}).get("channel", "")
        self._endpoint.unknown[f"kraken {channel}.{field}"] += 1
        what = f"{asked.get('method')} {channel}".strip()
        return StreamRefusal(f"Unsupported field: '{field}' for the given msg type: {what}")


def _accepted(asked: Mapping[str, Any], result: Json, now: int) -> SimMessage:
    return SimMessage(REPLY, _answer(asked, asked["method"], now) | {"result": result, "success": True})


def _refused(asked: Mapping[str, Any], refusal: StreamRefusal, now: int) -> SimMessage:
    answer = _answer(asked, f"{asked.get('method')}", now)
    return SimMessage(REPLY, answer | {"success": False, "error": refusal.why, **refusal.more})


def _answer(asked: Mapping[str, Any], method: str, now: int) -> Json:
    number = {"req_id": asked["req_id"]} if "req_id" in asked else {}
    return {"method": method, **number, "time_in": wire.stamp(now), "time_out": wire.stamp(now)}
