"""What Kraken tells of orders, trades and the ledger: newest first, 50 to a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple, TypeVar

from core.account.money import plus
from core.exchange_sim import kraken_params as given
from core.exchange_sim import kraken_wire as wire
from core.exchange_sim.kraken_names import KrakenPair, asset_id, order_txid, trade_txid, txid
from core.exchange_sim.kraken_params import Params
from core.exchange_sim.kraken_rules import booked, refused
from core.exchange_sim.kraken_transfers import KrakenTransfers
from core.exchange_sim.orders import ZERO, OwnTrade, SimOrder
from core.exchange_sim.trading import Trading
from core.exchange_sim.venue import Json

PAGE = 50
MOST_ASKED = 50
"""Ids in one question."""


class LedgerLine(NamedTuple):
    """One line of the ledger."""

    id: str
    time: int
    refid: str
    kind: str
    asset: str
    amount: Decimal
    fee: Decimal
    after: Decimal


T = TypeVar("T", SimOrder, OwnTrade, LedgerLine)


class KrakenHistory:
    """The routes that only tell."""

    def __init__(
        self, trading: Trading, by_symbol: Mapping[str, KrakenPair], transfers: KrakenTransfers
    ) -> None:
        self._trading, self._matching, self._transfers = trading, trading.matching, transfers
        self._by_symbol = by_symbol

    def open_orders(self, params: Params, now: int) -> object:
        """Return the open orders, newest first."""
        del now
        chosen = [one for one in reversed(self._matching.open_orders()) if _is_named(one, params)]
        return {"open": {order_txid(one): self._order(one, params) for one in chosen}}

    def closed_orders(self, params: Params, now: int) -> object:
        """Return a page of the orders that are over."""
        del now
        by = given.required(params, "closetime") if "closetime" in params else "both"
        if by not in ("open", "close", "both"):
            raise given.invalid("closetime")
        every = sorted(self._orders(), key=lambda one: (one.updated, one.created), reverse=True)
        orders = [one for one in every if not one.open and _is_named(one, params)]
        start, end = (self._moment(params, name) for name in ("start", "end"))
        chosen = [one for one in orders if _lies(_times(one, by), start, end)]
        page = _page(chosen, params)
        return _counted(
            {"closed": {order_txid(one): self._order(one, params) for one in page}}, chosen, params
        )

    def query_orders(self, params: Params, now: int) -> object:
        """Return the orders of some ids."""
        del now
        known = {order_txid(one): one for one in self._orders()}
        names = _ids(params)
        if any(name not in known for name in names):
            raise refused("EOrder:Unknown order")
        return {name: self._order(known[name], params) for name in names if _is_named(known[name], params)}

    def trades(self, params: Params, now: int) -> object:
        """Return a page of the executions."""
        del now
        start, end = (self._moment(params, name) for name in ("start", "end"))
        chosen = [one for one in self._newest_trades() if _lies((one.time,), start, end)]
        if params.get("consolidate_taker", "true").lower() == "true":
            chosen = _consolidated(chosen)
        page = _page(chosen, params)
        return _counted({"trades": {trade_txid(one): self._trade(one) for one in page}}, chosen, params)

    def query_trades(self, params: Params, now: int) -> object:
        """Return the executions of some ids."""
        del now
        known = {trade_txid(one): one for one in self._newest_trades()}
        names = _ids(params)
        if any(name not in known for name in names):
            raise refused("EQuery:Unknown trade")
        return {name: self._trade(known[name]) for name in names}

    def ledgers(self, params: Params, now: int) -> object:
        """Return a page of what changed balances."""
        kind, names = params.get("type", "all"), params.get("asset", "all")
        start, end = (self._moment(params, name) for name in ("start", "end"))
        wanted = names.split(",")
        chosen = [
            line
            for line in reversed(list(self.lines(now)))
            if kind in ("all", line.kind)
            and ("all" in wanted or asset_id(line.asset) in wanted)
            and _lies((line.time,), start, end)
        ]
        rows = {line.id: wire.ledger_row(line.refid, line.time, *line[3:]) for line in _page(chosen, params)}
        return _counted({"ledger": rows}, chosen, params)

    def lines(self, now: int) -> Iterator[LedgerLine]:
        """Yield the whole ledger, oldest first."""
        after = dict(self._trading.account.balances)
        moves = [
            (one.time, trade_txid(one), "trade", *told)
            for one in reversed(self._newest_trades())
            for told in wire.ledger_amounts(one, booked(one.turnover, one.market.quote))
        ] + self._transfers.moves(now)
        for number, (time, refid, kind, asset, amount, fee) in enumerate(
            sorted(moves, key=lambda one: one[0])
        ):
            after[asset] = plus(after.get(asset, ZERO), wire.change_of(amount, fee))
            yield LedgerLine(txid("L", str(number)), time, refid, kind, asset, amount, fee, after[asset])

    def _orders(self) -> Iterator[SimOrder]:
        for orders in self._matching.orders.values():
            yield from orders.values()

    def _newest_trades(self) -> list[OwnTrade]:
        every = [
            (one.time, symbol, one.id, one) for symbol, rows in self._matching.trades.items() for one in rows
        ]
        return [row[-1] for row in sorted(every, key=lambda row: row[:3], reverse=True)]

    def _order(self, one: SimOrder, params: Params) -> Json:
        pair = self._by_symbol[one.market.symbol]
        return wire.order(
            one, pair, self._matching.trades_of(one), with_trades=given.is_true(params, "trades")
        )

    def _trade(self, one: OwnTrade) -> Json:
        owner = self._matching.orders[one.market.symbol][one.order_id]
        return wire.trade(one, owner, self._by_symbol[one.market.symbol])

    def _moment(self, params: Params, name: str) -> float | None:
        """Return a bound in ms: a time in seconds, or that of the order or execution named."""
        text = params.get(name, "")
        if not text:
            return None
        known = {order_txid(one): one.created for one in self._orders()}
        known |= {trade_txid(one): one.time for one in self._newest_trades()}
        if text in known:
            return float(known[text])
        try:
            return float(text) * 1000
        except ValueError:
            raise given.invalid(name) from None


def _is_named(order: SimOrder, params: Params) -> bool:
    """Return whether an order has the name and the reference that are asked for."""
    name, userref = given.client_id(params), params.get("userref", "")
    return name in ("", order.client_id) and userref in ("", order.userref)


def _times(order: SimOrder, by: str) -> tuple[int, ...]:
    return {"open": (order.created,), "close": (order.updated,)}.get(by, (order.created, order.updated))


def _lies(times: tuple[int, ...], start: float | None, end: float | None) -> bool:
    """Return whether one of these lies after the start and not after the end."""
    return any((start is None or time > start) and (end is None or time <= end) for time in times)


def _consolidated(trades: list[OwnTrade]) -> list[OwnTrade]:
    """Return executions with those that one taker made at once counted as one, as Kraken does unasked."""
    told: dict[tuple[str, int, int, bool], OwnTrade] = {}
    for one in trades:
        told.setdefault((one.market.symbol, one.order_id, one.time, one.maker), one)
    return [one for one in trades if one.maker or one in told.values()]


def _page(rows: list[T], params: Params) -> list[T]:
    first = given.whole(params, "ofs")
    return rows[first : first + PAGE]


def _counted(body: Json, rows: list[T], params: Params) -> Json:
    return body if given.is_true(params, "without_count") else body | {"count": len(rows)}


def _ids(params: Params) -> list[str]:
    names = given.required(params, "txid").split(",")
    if len(names) > MOST_ASKED:
        raise given.invalid("txid")
    return names
