"""Binance.US's user stream: the keys that name it, and the JSON of what it tells."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from core.exchange_sim import binanceus_params as given
from core.exchange_sim.account_news import AccountNews, OrderChange
from core.exchange_sim.binanceus_params import Params
from core.exchange_sim.order_wire import amount
from core.exchange_sim.orders import CANCELED, EXPIRED, MARKET, ZERO, OrderList, SimOrder
from core.exchange_sim.venue import Json, RequestRefused

VALID = 3_600_000
"""ms from the last sign of life on."""
EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


class ListenKeys:
    """The account's key for its stream: there is one at a time, for all programs alike."""

    def __init__(self, seed: int) -> None:
        self._seed, self._made = seed, 0
        self._key, self.until = "", 0
        """The key, and when it is too old, ms UTC."""

    def create(self, params: Params, now: int) -> object:
        """Return the key, a new one if there is none, and let it live for an hour."""
        del params
        if not self.is_valid(self._key, now):
            self._made += 1
            text = hashlib.sha512(f"listen|{self._seed}|{self._made}".encode()).hexdigest()
            self._key = text[:60]
        self.until = now + VALID
        return {"listenKey": self._key}

    def keep(self, params: Params, now: int) -> object:
        """Let the key live for an hour from now on."""
        self._check(params, now)
        self.until = now + VALID
        return {}

    def close(self, params: Params, now: int) -> object:
        """End the key, and with it the stream of everybody who listens."""
        self._check(params, now)
        self.end()
        return {}

    def end(self) -> None:
        """End the key without anybody being told."""
        self._key = ""

    def is_valid(self, key: str, now: int) -> bool:
        """Say whether a key names the stream at a moment, ms UTC."""
        return key != "" and key == self._key and now < self.until

    def has_expired(self, key: str, now: int) -> bool:
        """Say whether a key that nobody ended is too old."""
        return key != "" and key == self._key and now >= self.until

    def _check(self, params: Params, now: int) -> None:
        if not self.is_valid(given.required(params, "listenKey"), now):
            raise RequestRefused(-1125, "This listenKey does not exist.")


def user_events(news: AccountNews, canceller: Callable[[SimOrder], str]) -> Iterator[Json]:
    """Yield what a user stream tells; `canceller` names the request that cancelled an order."""
    for one in news.orders:
        yield _execution_report(one, news.now, canceller)
    for pair, is_executing in news.lists:
        yield _list_status(pair, news, is_executing=is_executing)
    for asset, gained in news.moved.items():
        yield {"e": "balanceUpdate", "E": news.now, "a": asset, "d": amount(gained), "T": news.now}
    if news.balances:
        rows = [
            {"a": asset, "f": amount(balance.free), "l": amount(balance.locked)}
            for asset, balance in news.balances.items()
        ]
        yield {"e": "outboundAccountPosition", "E": news.now, "u": news.now, "B": rows}


def key_expired(key: str, now: int) -> Json:
    """Return the last event of a key."""
    return {"e": "listenKeyExpired", "E": now, "listenKey": key}


def kind_of(news: OrderChange) -> str:
    """Return the execution type."""
    if news.trade is not None:
        return "TRADE"
    ended = {CANCELED: "CANCELED", EXPIRED: "EXPIRED", EXPIRED_IN_MATCH: "TRADE_PREVENTION"}
    if news.order.status in ended:
        return ended[news.order.status]
    # A stop that begins to work is told as a new order that is on the book.
    return "NEW" if news.before is None or news.is_trigger else "REPLACED"


def _execution_report(news: OrderChange, now: int, canceller: Callable[[SimOrder], str]) -> Json:
    order, trade, kind = news.order, news.trade, kind_of(news)
    is_cancelled = kind == "CANCELED"
    return {
        "e": "executionReport",
        "E": now,
        "s": order.market.id,
        "c": canceller(order) if is_cancelled else order.client_id,
        "S": order.side,
        "o": order.kind,
        "f": order.lifetime,
        "q": amount(order.quantity),
        "p": amount(order.price),
        "P": amount(order.stop),
        "F": amount(ZERO),
        "g": order.list_id,
        "C": order.client_id if is_cancelled else "",
        "x": kind,
        "X": order.status,
        "r": "NONE",
        "i": order.id,
        "l": amount(trade.amount if trade else ZERO),
        "z": amount(order.executed),
        "L": amount(trade.price if trade else ZERO),
        "n": amount(trade.fee) if trade else "0",
        "N": trade.fee_asset if trade else None,
        "T": trade.time if trade else order.updated,
        "t": trade.id if trade else -1,
        "I": 0,
        "w": order.working and order.open and order.kind != MARKET,
        "m": trade.maker if trade else False,
        "M": False,
        "O": order.created,
        "Z": amount(order.turnover),
        "Y": amount(trade.turnover if trade else ZERO),
        "Q": amount(order.value),
        "W": order.created,
        "V": "EXPIRE_MAKER",
    }


def _list_status(pair: OrderList, news: AccountNews, *, is_executing: bool) -> Json:
    names = {one.order.id: one.order.client_id for one in news.orders}
    return {
        "e": "listStatus",
        "E": news.now,
        "s": pair.market.id,
        "g": pair.id,
        "c": "OCO",
        "l": "EXEC_STARTED" if is_executing else "ALL_DONE",
        "L": "EXECUTING" if is_executing else "ALL_DONE",
        "r": "NONE",
        "C": pair.client_id,
        "T": news.now,
        "O": [{"s": pair.market.id, "i": order_id, "c": names.get(order_id, "")} for order_id in pair.orders],
    }
