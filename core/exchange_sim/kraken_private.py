"""Kraken's private channels: what each tells at first and afterwards, numbered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from core.exchange_sim import kraken_private_wire as wire
from core.exchange_sim.account_news import AccountNews
from core.exchange_sim.kraken_history import KrakenHistory
from core.exchange_sim.kraken_stream_wire import SNAPSHOT, UPDATE
from core.exchange_sim.kraken_tokens import KrakenTokens
from core.exchange_sim.matching import Matching
from core.exchange_sim.orders import OwnTrade, SimOrder
from core.exchange_sim.venue import Json

PRIVATE_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "executions": {"token": "", "snap_orders": True, "snap_trades": False, "order_status": True},
    "balances": {"token": "", "snapshot": True},
}
"""What may be asked of each channel, and what holds unasked."""
FEW = ("new", "filled", "canceled", "expired")
"""What is told of orders without `order_status`."""
TOLD_TRADES = 50


class PrivateChannel(Protocol):
    """One subscription."""

    def first(self) -> list[Json]:
        """Return the snapshot."""

    def tell(self, news: AccountNews) -> list[Json]:
        """Return the messages about news."""


class PrivateChannels:
    """Makes subscriptions to the account."""

    def __init__(self, matching: Matching, history: KrakenHistory, tokens: KrakenTokens) -> None:
        self.tokens = tokens
        self._matching, self._history = matching, history

    def follow(self, channel: str, options: Mapping[str, Any], now: int) -> PrivateChannel:
        """Return a subscription, with every option given."""
        if channel == "executions":
            return Executions(self._matching, options)
        return Balances(self._matching, self._history, options, now)


class _Numbered:
    """Numbers the messages of one channel on one connection."""

    def __init__(self, channel: str) -> None:
        self._channel, self._sequence = channel, 0

    def message(self, kind: str, data: list[Json]) -> Json:
        """Return the next message."""
        self._sequence += 1
        return {"channel": self._channel, "type": kind, "data": data, "sequence": self._sequence}


class Executions:
    """Orders and executions: one message for each event."""

    def __init__(self, matching: Matching, options: Mapping[str, Any]) -> None:
        self._matching, self._options = matching, options
        self._numbered = _Numbered("executions")

    def first(self) -> list[Json]:
        """Return the newest executions and the open orders, as far as they are wanted."""
        data: list[Json] = []
        if self._options["snap_trades"]:
            trades = sorted(
                (one for rows in self._matching.trades.values() for one in rows), key=lambda one: one.time
            )
            data += [wire.execution(one, self._owner(one)) for one in trades[-TOLD_TRADES:]]
        if self._options["snap_orders"]:
            data += [wire.full(one, self._trades(one)) for one in self._matching.open_orders()]
        return [self._numbered.message(SNAPSHOT, data)]

    def tell(self, news: AccountNews) -> list[Json]:
        """Return the messages about news."""
        return [self._numbered.message(UPDATE, [event]) for event in self._events(news)]

    def _events(self, news: AccountNews) -> Iterator[Json]:
        for one in news.orders:
            for event in wire.events(one, self._trades(one.order)):
                if self._options["order_status"] or event["exec_type"] in FEW:
                    yield event

    def _owner(self, trade: OwnTrade) -> SimOrder:
        return self._matching.orders[trade.market.symbol][trade.order_id]

    def _trades(self, order: SimOrder) -> tuple[OwnTrade, ...]:
        return tuple(self._matching.trades_of(order))


class Balances:
    """Balances: a message for each line of the ledger."""

    def __init__(
        self, matching: Matching, history: KrakenHistory, options: Mapping[str, Any], now: int
    ) -> None:
        self._matching, self._history, self._options = matching, history, options
        self._seen = sum(1 for _ in history.lines(now))
        self._numbered = _Numbered("balances")

    def first(self) -> list[Json]:
        """Return every balance, if that is wanted."""
        if not self._options["snapshot"]:
            return []
        held = self._matching.wallet.all()
        return [
            self._numbered.message(
                SNAPSHOT, [wire.balance(asset, one) for asset, one in sorted(held.items())]
            )
        ]

    def tell(self, news: AccountNews) -> list[Json]:
        """Return the messages about news."""
        if not news.balances:
            return []
        lines = list(self._history.lines(news.now))[self._seen :]
        self._seen += len(lines)
        return [self._numbered.message(UPDATE, [wire.balance_change(line)]) for line in lines]
