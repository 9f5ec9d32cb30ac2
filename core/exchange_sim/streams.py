"""All WebSocket connections of the local exchange: who is connected, and what is on its way to them.

Nothing here waits: connections are advanced to a moment of the exchange's clock, and what they say then
is kept until a socket takes it. Before an answer over HTTP leaves all streams are advanced to its moment,
so that nothing is ever seen over HTTP that the streams are not telling already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from core.exchange_sim.account_news import AccountFollower, AccountNews
from core.exchange_sim.binanceus_streams import BinanceSession, BinanceStreams
from core.exchange_sim.feed import MarketFeed
from core.exchange_sim.kraken_channels import PublicChannels
from core.exchange_sim.kraken_names import pair_of
from core.exchange_sim.kraken_signed import KrakenAccount
from core.exchange_sim.kraken_streams import NEVER, Endpoint, KrakenSession
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.sessions import REPLY, SimMessage, StreamSession, UnknownAsked
from core.exchange_sim.signed import Signed
from core.exchange_sim.stream_faults import StreamFaults, stream_plan_of
from core.exchange_sim.stream_spoiler import SocketFrame, StreamFaultState, StreamSpoiler
from core.exchange_sim.views import MarketViews

EVERY = 100
"""ms between two looks at the markets, on the exchange's clock."""
BINANCE_PATH, KRAKEN_PATH = "/ws", "/v2"
KRAKEN_PRIVATE = "auth"
"""The part of a path that says that it is Kraken's private endpoint."""
GOING_AWAY, TOO_SLOW = 1001, 1008
MOST_WAITING = 200_000
"""Frames that wait for a client that does not read; then the venue ends the connection."""


class SimConnection:
    """One connection, and what is on its way to it."""

    def __init__(self, session: StreamSession, spoiler: StreamSpoiler, wake: Callable[[], None]) -> None:
        self.session, self.spoiler = session, spoiler
        self._outbox: deque[SocketFrame] = deque(spoiler.connected())
        self._wake = wake

    def say(self, said: Iterable[SimMessage], now: int) -> None:
        """Send messages, as far as faults let them."""
        self._send([frame for one in said for frame in self.spoiler.frames(one, now)])

    def close(self, code: int) -> None:
        """End the connection with a close frame."""
        self._send([SocketFrame(close=code)])

    def take(self) -> list[SocketFrame]:
        """Return what is to be done to the socket."""
        taken = list(self._outbox)
        self._outbox.clear()
        return taken

    def _send(self, frames: list[SocketFrame]) -> None:
        if not frames:
            return
        self._outbox.extend(frames)
        if len(self._outbox) > MOST_WAITING:
            self._outbox = deque([SocketFrame(close=TOO_SLOW)])
        self._wake()


class SimAccounts(NamedTuple):
    """The account at each venue, and how its time passes."""

    binanceus: Signed
    kraken: KrakenAccount
    play: Callable[[int], None]
    """Lets the market move both to a moment, ms UTC."""
    followers: Mapping[str, AccountFollower]


class SimStreams:
    """The connections of both venues."""

    def __init__(
        self,
        feed: MarketFeed,
        markets: tuple[SimMarket, ...],
        status: Callable[[], str],
        accounts: SimAccounts | None = None,
        faults: StreamFaults = (),
    ) -> None:
        """Take the markets, what says in which mode Kraken is, the accounts if there are any, and faults."""
        self.unknown = UnknownAsked()
        """Fields, methods and subscriptions that a venue does not know."""
        self.dials: list[str] = []
        """The path of every connection that was made, in order."""
        self.connections: list[SimConnection] = []
        """The open ones."""
        self.faults = StreamFaultState(stream_plan_of(faults), self.end_listen_key)
        views = MarketViews(feed)
        self._accounts = accounts
        self._binanceus = BinanceStreams(views, markets)
        self._public = Endpoint(PublicChannels(views, map(pair_of, markets)), status, self.unknown)
        self._looked = -1
        """The latest moment that was looked at."""

    def connect(self, path: str, now: int, wake: Callable[[], None]) -> SimConnection | None:
        """Return a new connection; None for a path that no venue has.

        `wake` is called, from any thread, when there is something to be taken from it.
        """
        session = self._session(path, now)
        if session is None:
            return None
        self.advance(now)
        self.dials.append(path)
        connection = SimConnection(session, StreamSpoiler(session.venue, session, self.faults), wake)
        self.connections.append(connection)
        connection.say(session.open(now), now)
        return connection

    def hear(self, connection: SimConnection, text: str, now: int) -> None:
        """Take a message from a client."""
        # What is told from here on begins at this moment, and nothing before it is told twice.
        self.advance(now)
        kind = connection.spoiler.request(text)
        if kind == "unheard" or ('"ping"' in text and not connection.spoiler.answers_pings):
            return
        session = connection.session
        said = session.refuse(text, now) if kind == "refused" else session.hear(text, now)
        connection.say((one for one in said if kind != "no_ack" or one.channel != REPLY), now)

    def end_listen_key(self) -> None:
        """End the key of Binance.US's user stream without anybody being told."""
        if self._accounts is not None:
            self._accounts.binanceus.listen_keys.end()

    def leave(self, connection: SimConnection) -> None:
        """Forget a connection that is over."""
        self.connections.remove(connection)

    def look(self, now: int) -> None:
        """Advance all connections, unless that was done a moment ago."""
        if now - self._looked >= EVERY:
            self.advance(now)

    def advance(self, now: int) -> None:
        """Advance all connections to a moment, ms UTC; an earlier one than the last is taken for the last."""
        # Whatever happens while a key of a user stream lives is told, however long nobody looked.
        last = self._accounts.binanceus.listen_keys.until - 1 if self._accounts and self.connections else -1
        for moment in (last, now) if self._looked < last < now else (now,):
            self._advance(max(moment, self._looked))

    def _advance(self, now: int) -> None:
        self._looked, news = now, self._news(now)
        for connection in list(self.connections):
            connection.say(connection.session.advance(news, now), now)
            if now >= connection.session.closes_at:
                connection.session.closes_at = NEVER
                connection.close(GOING_AWAY)

    def _news(self, now: int) -> Mapping[str, AccountNews]:
        if self._accounts is None:
            return {}
        if self.connections:
            self._accounts.play(now)
        return {venue: follower.take(now) for venue, follower in self._accounts.followers.items()}

    def _session(self, path: str, now: int) -> StreamSession | None:
        parts = [part for part in path.split("/") if part]
        if parts[:1] == [BINANCE_PATH.strip("/")]:
            account = self._accounts.binanceus if self._accounts else None
            return BinanceSession(self._binanceus, parts[1:], self.unknown, now, account)
        if not path.rstrip("/").endswith(KRAKEN_PATH):
            return None
        private = self._accounts.kraken.channels if self._accounts and KRAKEN_PRIVATE in parts else None
        return KrakenSession(self._public._replace(private=private), len(self.dials) + 1)
