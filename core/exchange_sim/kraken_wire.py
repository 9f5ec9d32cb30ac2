"""The JSON of Kraken's orders, trades, balances and ledger: numbers as text, times in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

from core.account.money import minus, plus, quotient, times, total
from core.exchange_sim.accounts import AccountConfig, SimBalance
from core.exchange_sim.kraken_names import (
    KrakenPair,
    altname,
    asset_decimals,
    asset_id,
    order_txid,
    trade_txid,
)
from core.exchange_sim.kraken_params import KINDS
from core.exchange_sim.orders import (
    BUY,
    CANCELED,
    EXPIRED,
    FILLED,
    LIMIT_MAKER,
    MARKET,
    STOPS,
    ZERO,
    OwnTrade,
    SimOrder,
)
from core.exchange_sim.venue import Json

_PERCENT = Decimal(100)
KIND_NAMES: Mapping[str, str] = MappingProxyType(
    {kind: name for name, kind in KINDS.items()} | {LIMIT_MAKER: "limit"}
)
_STANDINGS: Mapping[str, str] = MappingProxyType(
    {FILLED: "closed", CANCELED: "canceled", EXPIRED: "canceled"}
)


def seconds(ms: int) -> float:
    """Return a time as Kraken writes it."""
    return ms / 1000


def stamp(ms: int) -> str:
    """Return a time of day as Kraken's switches write it."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def described(order: SimOrder, pair: KrakenPair) -> Json:
    """Return an order's `descr`."""
    decimals = pair.market.price_decimals
    first, second = (order.stop, order.price) if order.stop else (order.price, ZERO)
    return {
        "pair": pair.altname,
        "type": _side(order.side == BUY),
        "ordertype": KIND_NAMES[order.kind],
        "price": _fixed(first, decimals) if first else "0",
        "price2": _fixed(second, decimals) if second else "0",
        "leverage": "none",
        "order": sentence(order, pair),
        "close": "",
    }


def sentence(order: SimOrder, pair: KrakenPair) -> str:
    """Return an order in words, which clients take apart."""
    decimals = pair.market.price_decimals
    amount = order.quantity or order.value
    start = f"{_side(order.side == BUY)} {_fixed(amount, 8)} {pair.altname} @"
    if order.kind == MARKET:
        return f"{start} market"
    if not order.stop:
        return f"{start} limit {_fixed(order.price, decimals)}"
    what = "stop loss" if order.kind in STOPS else "take profit"
    limit = f" -> limit {_fixed(order.price, decimals)}" if order.price else ""
    return f"{start} {what} {_fixed(order.stop, decimals)}{limit}"


def order(one: SimOrder, pair: KrakenPair, trades: Sequence[OwnTrade], *, with_trades: bool) -> Json:
    """Return an order as it stands."""
    decimals, fee = pair.market.price_decimals, total(trade.fee for trade in trades)
    mean = quotient(one.turnover, one.executed) if one.executed else 0.0
    body: Json = {
        "refid": None,
        "userref": int(one.userref) if one.userref else None,
        "status": _STANDINGS.get(one.status, "open"),
        "opentm": seconds(one.created),
        "starttm": 0,
        "expiretm": 0,
        "descr": described(one, pair),
        "vol": _fixed(one.quantity, 8),
        "vol_exec": _fixed(one.executed, 8),
        "cost": _fixed(one.turnover, 5),
        "fee": _fixed(fee, 5),
        "price": _fixed(mean, decimals),
        "stopprice": _fixed(one.stop if one.working else ZERO, decimals),
        "limitprice": _fixed(ZERO, decimals),
        "misc": "",
        "oflags": ",".join(_flags(one)),
    }
    if one.client_id:
        body["cl_ord_id"] = one.client_id
    if one.stop:
        body["trigger"] = "last"
    if not one.open:
        body |= {"closetm": seconds(one.updated), "reason": reason(one)}
    if with_trades:
        body["trades"] = [trade_txid(trade) for trade in trades]
    return body


def reason(one: SimOrder) -> str | None:
    """Return why an order is over; None for one that was executed."""
    return {CANCELED: "User requested", EXPIRED: "Insufficient liquidity"}.get(one.status)


def trade(one: OwnTrade, owner: SimOrder, pair: KrakenPair) -> Json:
    """Return one execution. What its fee is taken from is not said here, only in the ledger."""
    return {
        "ordertxid": order_txid(owner),
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": pair.id,
        "aclass": "forex",
        "time": seconds(one.time),
        "type": _side(one.buys),
        "ordertype": KIND_NAMES[owner.kind],
        "price": _fixed(one.price, pair.market.price_decimals),
        "cost": _fixed(one.turnover, 5),
        "fee": _fixed(one.fee, 5),
        "vol": _fixed(one.amount, 8),
        "margin": "0.00000",
        "leverage": "0",
        "misc": "",
        "ledgers": [],
        "trade_id": one.id,
        "maker": one.maker,
    }


def balances(kept: Mapping[str, SimBalance]) -> Json:
    """Return what the account has of every asset."""
    return {
        asset_id(asset): _fixed(plus(one.free, one.locked), asset_decimals(asset))
        for asset, one in sorted(kept.items())
    }


def extended_balances(kept: Mapping[str, SimBalance]) -> Json:
    """Return what the account has of every asset, and what of it is kept for orders."""
    return {
        asset_id(asset): {
            "balance": _fixed(plus(one.free, one.locked), asset_decimals(asset)),
            "hold_trade": _fixed(one.locked, asset_decimals(asset)),
        }
        for asset, one in sorted(kept.items())
    }


def volume(pairs: Iterable[KrakenPair], config: AccountConfig) -> Json:
    """Return what the account pays in some pairs, percent."""
    tiers = {
        name: {
            pair.id: {
                "fee": f"{times(rate, _PERCENT):.4f}",
                "minfee": "0.0000",
                "maxfee": f"{times(rate, _PERCENT):.4f}",
                "nextfee": None,
                "tiervolume": "0.0000",
                "nextvolume": None,
            }
            for pair in pairs
        }
        for name, rate in (("fees", config.taker), ("fees_maker", config.maker))
    }
    return {"currency": "ZUSD", "volume": "0.0000", **tiers}


def ledger_row(
    refid: str, ms: int, kind: str, asset: str, amount: Decimal, fee: Decimal, after: Decimal
) -> Json:
    """Return one line of the ledger: what changed a balance, the fee beside it, and the balance then."""
    decimals = asset_decimals(asset)
    return {
        "aclass": "currency",
        "amount": _fixed(amount, decimals),
        "asset": asset_id(asset),
        "balance": _fixed(after, decimals),
        "fee": _fixed(fee, decimals),
        "refid": refid,
        "time": seconds(ms),
        "type": kind,
        "subtype": "",
    }


def asset(name: str) -> Json:
    """Return one asset of Kraken's name."""
    short = altname(name)
    decimals = asset_decimals({"XBT": "BTC", "XDG": "DOGE"}.get(short, short))
    return {
        "aclass": "currency",
        "altname": short,
        "decimals": decimals,
        "display_decimals": min(5, decimals),
        "status": "enabled",
    }


def ledger_amounts(one: OwnTrade, cost: Decimal) -> tuple[tuple[str, Decimal, Decimal], ...]:
    """Return what one execution does to base and quote: asset, amount, fee; `cost` as it was booked."""
    base, quote = one.market.base, one.market.quote
    got = one.amount if one.buys else one.amount.copy_negate()
    paid = cost.copy_negate() if one.buys else cost
    return tuple(
        (name, amount, one.fee if one.fee_asset == name else ZERO)
        for name, amount in ((base, got), (quote, paid))
    )


def change_of(amount: Decimal, fee: Decimal) -> Decimal:
    """Return what a line of the ledger does to the balance."""
    return minus(amount, fee)


def _flags(one: SimOrder) -> Iterable[str]:
    yield "fcib" if one.fee_asset == one.market.base else "fciq"
    if one.kind == LIMIT_MAKER:
        yield "post"
    if one.value:
        yield "viqc"


def _side(buys: bool) -> str:  # noqa: FBT001 - one word of two
    return "buy" if buys else "sell"


def _fixed(value: Decimal | float, decimals: int) -> str:
    return f"{value:.{decimals}f}"
