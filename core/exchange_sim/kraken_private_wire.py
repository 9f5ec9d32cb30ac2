"""The JSON of Kraken's private channels: executions and balances.

Shapes: https://docs.kraken.com/api/docs/websocket-v2/executions and …/balances. Only the first event of an
order and its executions name the pair; what follows has the fields that changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from core.account.money import plus, quotient, times, total
from core.exchange_sim.account_news import OrderChange
from core.exchange_sim.accounts import SimBalance
from core.exchange_sim.kraken_history import LedgerLine
from core.exchange_sim.kraken_names import asset_decimals, order_txid, trade_txid
from core.exchange_sim.kraken_stream_wire import stamp
from core.exchange_sim.kraken_wire import KIND_NAMES, reason
from core.exchange_sim.orders import FILLED, LIMIT_MAKER, NEW, OwnTrade, SimOrder
from core.exchange_sim.venue import Json

ExecutedTrades = tuple[OwnTrade, ...]


def events(news: OrderChange, trades: ExecutedTrades) -> list[Json]:
    """Return what one change of an order is told as; `trades` are those of the order so far."""
    order, before = news.order, news.before
    if before is None:
        pending = full(order, trades) | {"exec_type": "pending_new", "order_status": "pending_new"}
        return [pending, _brief(order, "new")]
    if news.trade is not None:
        told = [execution(news.trade, order)]
        return told + ([_ended(order, "filled", trades)] if order.status == FILLED else [])
    if not order.open:
        return [_ended(order, "canceled", trades) | {"reason": reason(order), "cancel_reason": reason(order)}]
    if news.is_trigger:
        return [_brief(order, "status") | {"triggers": _trigger(order)}]
    changed = {"order_qty": _amount(order.quantity), **_prices(order), "amended": True}
    return [_brief(order, "amended") | changed | {"reason": "User requested"}]


def full(order: SimOrder, trades: ExecutedTrades) -> Json:
    """Return an open order as a snapshot has it."""
    return {
        **_brief(order, "new"),
        **_done(order, trades),
        "symbol": order.market.symbol,
        "side": order.side.lower(),
        "order_type": KIND_NAMES[order.kind],
        "order_qty": _amount(order.quantity),
        **_prices(order),
        "time_in_force": order.lifetime,
        "post_only": order.kind == LIMIT_MAKER,
        "fee_ccy_pref": "fcib" if order.fee_asset == order.market.base else "fciq",
    }


def execution(trade: OwnTrade, order: SimOrder) -> Json:
    """Return one execution. Its status is `partially_filled` even where nothing is left to execute."""
    fee = trade.fee if trade.fee_asset == trade.market.quote else times(trade.fee, trade.price)
    return {
        **_names(order),
        "exec_id": trade_txid(trade),
        "exec_type": "trade",
        "trade_id": trade.id,
        "symbol": trade.market.symbol,
        "side": order.side.lower(),
        "last_qty": _amount(trade.amount),
        "last_price": _price(trade.price, order),
        "liquidity_ind": "m" if trade.maker else "t",
        "cost": _amount(trade.turnover),
        "order_status": "partially_filled",
        "order_type": KIND_NAMES[order.kind],
        "fee_usd_equiv": _amount(fee),
        "fees": [{"asset": trade.fee_asset, "qty": _amount(trade.fee)}],
        "timestamp": stamp(trade.time),
    }


def balance(asset: str, held: SimBalance) -> Json:
    """Return one balance as a snapshot has it: nothing in it says what is kept for orders."""
    amount = _fixed(plus(held.free, held.locked), asset_decimals(asset))
    wallet = {"type": "spot", "id": "main", "balance": amount}
    return {"asset": asset, "asset_class": "currency", "balance": amount, "wallets": [wallet]}


def balance_change(line: LedgerLine) -> Json:
    """Return one line of the ledger as the stream tells it."""
    decimals = asset_decimals(line.asset)
    return {
        "ledger_id": line.id,
        "ref_id": line.refid,
        "timestamp": stamp(line.time),
        "type": line.kind,
        "asset": line.asset,
        "asset_class": "currency",
        "category": line.kind,
        "wallet_type": "spot",
        "wallet_id": "main",
        "amount": _fixed(line.amount, decimals),
        "fee": _fixed(line.fee, decimals),
        "balance": _fixed(line.after, decimals),
    }


def _names(order: SimOrder) -> Json:
    named = {"cl_ord_id": order.client_id} if order.client_id else {}
    return {"order_id": order_txid(order), **named, "order_userref": int(order.userref or 0)}


def _brief(order: SimOrder, kind: str) -> Json:
    status = "new" if order.status == NEW else "partially_filled"
    when = order.created if kind == "new" else order.updated
    return {**_names(order), "exec_type": kind, "order_status": status, "timestamp": stamp(when)}


def _done(order: SimOrder, trades: ExecutedTrades) -> Json:
    mean = quotient(order.turnover, order.executed) if order.executed else 0.0
    fee = total(one.fee if one.fee_asset == one.market.quote else times(one.fee, one.price) for one in trades)
    return {
        "cum_qty": _amount(order.executed),
        "cum_cost": _amount(order.turnover),
        "avg_price": _fixed(Decimal(str(mean)), order.market.price_decimals),
        "fee_usd_equiv": _amount(fee),
    }


def _ended(order: SimOrder, kind: str, trades: ExecutedTrades) -> Json:
    return {**_brief(order, kind), "order_status": kind, **_done(order, trades)}


def _prices(order: SimOrder) -> Json:
    told: Json = {}
    if order.price:
        told |= {"limit_price": _price(order.price, order), "limit_price_type": "static"}
    if order.stop:
        told |= {"stop_price": _price(order.stop, order), "triggers": _trigger(order)}
    return told


def _trigger(order: SimOrder) -> Mapping[str, object]:
    return {
        "reference": "last",
        "price": _price(order.stop, order),
        "price_type": "static",
        "status": "triggered" if order.working else "untriggered",
    }


def _price(value: Decimal, order: SimOrder) -> Decimal:
    return _fixed(value, order.market.price_decimals)


def _amount(value: Decimal) -> Decimal:
    return _fixed(value, 8)


def _fixed(value: Decimal, decimals: int) -> Decimal:
    return Decimal(f"{value:.{decimals}f}")
