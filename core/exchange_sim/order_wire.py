"""The JSON of orders, trades and balances at Binance.US: amounts as strings with 8 decimals, times in ms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from core.account.money import times
from core.exchange_sim.accounts import AccountConfig, SimBalance
from core.exchange_sim.orders import MARKET, ZERO, OrderList, OwnTrade, SimOrder
from core.exchange_sim.venue import Json

_BASIS_POINTS = Decimal(10_000)


def account(
    balances: Mapping[str, SimBalance], assets: Iterable[str], config: AccountConfig, now: int
) -> Json:
    """Return the account with the balances of these assets."""
    maker, taker = (int(times(rate, _BASIS_POINTS)) for rate in (config.maker, config.taker))
    return {
        "makerCommission": maker,
        "takerCommission": taker,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": _rates(config),
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "updateTime": now,
        "accountType": "SPOT",
        "balances": [_balance(asset, balances.get(asset, SimBalance())) for asset in assets],
        "permissions": ["SPOT"],
    }


def commission(symbol: str, config: AccountConfig) -> Json:
    """Return what an account pays in one market."""
    none = dict.fromkeys(("maker", "taker", "buyer", "seller"), amount(ZERO))
    return {"symbol": symbol, "standardCommission": _rates(config), "taxCommission": none}


def trade_fee(symbol: str, config: AccountConfig) -> Json:
    """Return the fees of one market as the asset routes list them."""
    return {"symbol": symbol, "makerCommission": str(config.maker), "takerCommission": str(config.taker)}


def acknowledged(order: SimOrder) -> Json:
    """Return the shortest answer to a new order."""
    return {**_names(order), "transactTime": order.updated}


def result(order: SimOrder) -> Json:
    """Return the answer to a new order without its executions."""
    return {**acknowledged(order), **_state(order)}


def full(order: SimOrder, trades: Iterable[OwnTrade]) -> Json:
    """Return the answer to a new order with its executions."""
    return {**result(order), "fills": [_fill(one) for one in trades]}


def queried(order: SimOrder) -> Json:
    """Return an order as it is looked up."""
    return {
        **_names(order),
        **_state(order),
        "stopPrice": amount(order.stop),
        "icebergQty": amount(ZERO),
        "time": order.created,
        "updateTime": order.updated,
        "isWorking": order.working,
        "origQuoteOrderQty": amount(order.value),
    }


def cancelled(order: SimOrder, client_id: str) -> Json:
    """Return a cancelled order; the answer's own client order id is that of the request to cancel."""
    return {
        **_names(order),
        "origClientOrderId": order.client_id,
        "clientOrderId": client_id,
        "transactTime": order.updated,
        **_state(order),
    }


def order_list(
    pair: OrderList, legs: Iterable[SimOrder], now: int, reports: list[Json] | None = None
) -> Json:
    """Return a pair of orders, with a report on each if any."""
    kept = list(legs)
    executing = any(order.open for order in kept)
    said: Json = {
        "orderListId": pair.id,
        "contingencyType": "OCO",
        "listStatusType": "EXEC_STARTED" if executing else "ALL_DONE",
        "listOrderStatus": "EXECUTING" if executing else "ALL_DONE",
        "listClientOrderId": pair.client_id,
        "transactionTime": now,
        "symbol": pair.market.id,
        "orders": [
            {"symbol": pair.market.id, "orderId": order.id, "clientOrderId": order.client_id}
            for order in kept
        ],
    }
    return said if reports is None else said | {"orderReports": reports}


def own_trade(trade: OwnTrade) -> Json:
    """Return one execution as /myTrades lists it."""
    return {
        "symbol": trade.market.id,
        "id": trade.id,
        "orderId": trade.order_id,
        "orderListId": trade.list_id,
        "price": amount(trade.price),
        "qty": amount(trade.amount),
        "quoteQty": amount(trade.turnover),
        "commission": amount(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.time,
        "isBuyer": trade.buys,
        "isMaker": trade.maker,
        "isBestMatch": True,
    }


def amount(value: Decimal) -> str:
    """Return a number as the venue sends it."""
    return f"{value:.8f}"


def _balance(asset: str, balance: SimBalance) -> Json:
    return {"asset": asset, "free": amount(balance.free), "locked": amount(balance.locked)}


def _rates(config: AccountConfig) -> Json:
    nothing = amount(ZERO)
    return {
        "maker": amount(config.maker),
        "taker": amount(config.taker),
        "buyer": nothing,
        "seller": nothing,
    }


def _names(order: SimOrder) -> Json:
    return {
        "symbol": order.market.id,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
    }


def _state(order: SimOrder) -> Json:
    said = {
        "price": amount(order.price),
        "origQty": amount(order.quantity),
        "executedQty": amount(order.executed),
        "cummulativeQuoteQty": amount(order.turnover),
        "status": order.status,
        "timeInForce": order.lifetime,
        "type": order.kind,
        "side": order.side,
        "workingTime": order.created if order.working else -1,
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }
    if order.stop:
        said["stopPrice"] = amount(order.stop)
    if order.kind == MARKET and order.value:
        said["origQuoteOrderQty"] = amount(order.value)
    return said


def _fill(trade: OwnTrade) -> Json:
    return {
        "price": amount(trade.price),
        "qty": amount(trade.amount),
        "commission": amount(trade.fee),
        "commissionAsset": trade.fee_asset,
        "tradeId": trade.id,
    }
