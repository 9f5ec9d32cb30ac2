"""What a venue's side of a WebSocket connection is: messages in, messages out, and no socket."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from core.exchange_sim.account_news import AccountNews
from core.exchange_sim.venue import Json

BINANCEUS, KRAKEN = "binanceus", "kraken"

REPLY = "reply"
"""The channel of answers to requests."""


class SimMessage(NamedTuple):
    """One message on its way to the client."""

    channel: str
    """`trade`, `kline`, `executions` … in the venue's words; `REPLY` for an answer."""
    body: Json | list[Any]


class StreamSession(Protocol):
    """One connection."""

    venue: str
    closes_at: int
    """When the venue ends it by itself, ms UTC."""

    def open(self, now: int) -> Iterable[SimMessage]:
        """Return what is said to whoever connects."""

    def hear(self, text: str, now: int) -> Iterable[SimMessage]:
        """Return the answer to a message."""

    def refuse(self, text: str, now: int) -> Iterable[SimMessage]:
        """Return a refusal of a request to subscribe."""

    def advance(self, news: Mapping[str, AccountNews], now: int) -> Iterable[SimMessage]:
        """Return what happened since the last look, with the news of the accounts by venue."""


class UnknownAsked(Counter[str]):
    """Fields, methods and subscriptions that were asked for and that the venue does not know."""


def written(body: object) -> str:
    """Return JSON in which a Decimal keeps all of its decimals, as Kraken writes them."""
    if isinstance(body, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{written(value)}" for key, value in body.items()) + "}"
    if isinstance(body, list):
        return "[" + ",".join(map(written, body)) + "]"
    return f"{body:f}" if isinstance(body, Decimal) else json.dumps(body)
