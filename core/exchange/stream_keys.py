"""What streams need of the exchange client: plain values, and keys from the one owner of the nonce."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from core.errors import AuthenticationError, UnsupportedError
from core.exchange.calls import Caller

STREAMED = ("binanceus", "kraken")
"""Venues whose account streams are known. binance.com took its listen keys away, and what it has instead
wants the account's key inside the stream."""
_NO_MARKETS: Mapping[str, Any] = {}


class StreamTerms(NamedTuple):
    """What of an exchange its streams need: values alone, nothing that two threads would share."""

    venue: str
    domain: str | None
    """The only domain that may be dialled; None where ccxt's own addresses are trusted."""
    base: str | None
    """The address that everything was pointed at instead."""
    sandbox: bool
    options: Mapping[str, Any]
    markets: Mapping[str, Mapping[str, Any]] = _NO_MARKETS
    """Of the symbols followed, as ccxt has them."""


class StreamAccess:
    """Says where streams go, and fetches the account's key for them.

    A key is never deleted: it is one per account, and others may listen. The thread of the streams asks, and
    ccxt's object does one thing at a time: so it asks briefly, or an order would wait for it.
    """

    def __init__(
        self,
        exchange: Any,
        call: Caller,
        check: Callable[[str], None],
        market: Callable[[str], Mapping[str, Any]],
        where: StreamTerms,
    ) -> None:
        """Take an exchange object whose `check` raises what forbids an action, and asks nothing."""
        self._exchange, self._call, self._check = exchange, call, check
        self._market, self._where = market, where

    @property
    def has_account(self) -> bool:
        """Whether the account's own events can be streamed."""
        return self._where.venue in STREAMED

    def terms(self, symbols: Iterable[str]) -> StreamTerms:
        """Return what streams of these symbols need. Raises UnsupportedError for an unknown symbol."""
        markets = copy.deepcopy({symbol: dict(self._market(symbol)) for symbol in symbols})
        return self._where._replace(markets=markets, options=copy.deepcopy(dict(self._where.options)))

    def fetch(self) -> str:
        """Return a key that is valid now: Binance.US' listen key, Kraken's token.

        Raises AuthenticationError, NotPermittedError, UnsupportedError for another venue, ExchangeError.
        """
        action = "open the account's stream"
        self._check(action)
        if self._exchange.id == "binanceus":
            ask = self._exchange.publicPostUserDataStream
            key = self._call.read(action, ask, is_brief=True).get("listenKey")
        elif self._exchange.id == "kraken":
            answer = self._call.read(action, self._exchange.privatePostGetWebSocketsToken, is_brief=True)
            key = (answer.get("result") or {}).get("token")
        else:
            raise UnsupportedError(f"{self._exchange.id}: its account has no stream that is known here")
        if not key:
            raise AuthenticationError(f"{self._exchange.id}: no key came for the account's stream")
        return str(key)

    def keep(self, key: str) -> None:
        """Keep a listen key valid for an hour; a token needs nothing. Raises ExchangeError if it is none."""
        if self._exchange.id == "binanceus":
            ask = self._exchange.publicPutUserDataStream
            self._call.read("keep the account's stream", lambda: ask({"listenKey": key}), is_brief=True)
