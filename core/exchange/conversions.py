"""What was turned into other coins, and small amounts swept together, as Binance.US lists them.

ccxt has no call for these two lists, only their addresses (`asset/query/dust-logs`, `otc/orders`); its calls
for conversions ask for addresses of binance.com alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from core.account.messages import Transfer, TransferKind
from core.errors import ExchangeUnreachableError
from core.exchange.order_rules import exact

BACK = 90 * 86_400_000
"""Milliseconds that are asked for, as far as the lists of deposits go by themselves."""
SWEPT_INTO = "BNB"
"""The coin that small amounts become where the list does not say."""
ListRow = Mapping[str, Any]
Fetch = Callable[[ListRow], Any]


def read_conversions(exchange: Any) -> list[Transfer]:
    """Return what a ccxt exchange lists of the last 90 days: of each conversion what went and what came.

    Nothing where the venue has no such list, or none for this key. Raises ExchangeUnreachableError for a row
    that a ledger cannot use, and what ccxt raises.
    """
    now = exchange.milliseconds()
    span = {"startTime": now - BACK, "endTime": now}
    dust = _listed(getattr(exchange, "sapi_get_asset_query_dust_logs", None), span, "userDustConvertHistory")
    orders = _listed(getattr(exchange, "sapi_get_otc_orders", None), span, "rows")
    return [*chain.from_iterable(map(_swept, dust)), *chain.from_iterable(map(_converted, orders))]


def _listed(fetch: Fetch | None, span: ListRow, name: str) -> list[ListRow]:
    if fetch is None:
        return []
    try:
        answer = fetch(span)
    except Exception as error:
        # ccxt's own classes, which only the client may import. What the network did is tried again.
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if "ExchangeError" not in kinds:
            raise
        return []
    rows = answer.get(name, []) if isinstance(answer, Mapping) else answer
    return [row for row in rows if isinstance(row, Mapping)]


def _swept(group: ListRow) -> Iterator[Transfer]:
    for row in group.get("userAssetDribbletDetails") or ():
        whole = {**group, **row}
        into = whole.get("toAsset") or SWEPT_INTO
        yield from _both(
            "dust",
            whole.get("tranId") or whole.get("transId"),
            (whole.get("fromAsset"), whole.get("amount")),
            (into, whole.get("transferedAmount")),
            whole.get("operateTime"),
        )


def _converted(row: ListRow) -> Iterator[Transfer]:
    if row.get("orderStatus") == "SUCCESS":
        yield from _both(
            "convert",
            row.get("orderId"),
            (row.get("fromCoin"), row.get("fromAmount")),
            (row.get("toCoin"), row.get("toAmount")),
            row.get("createTime"),
        )


def _both(
    kind: TransferKind, name: object, gone: tuple[Any, Any], come: tuple[Any, Any], time: Any
) -> Iterator[Transfer]:
    went, came = exact(gone[1]), exact(come[1])
    if not name or not gone[0] or not come[0] or went is None or came is None or time is None:
        raise ExchangeUnreachableError(f"the answer holds a {kind} without id, assets, amounts or time")
    yield Transfer(kind, str(name), str(gone[0]), went.copy_negate(), int(time))
    yield Transfer(kind, str(name), str(come[0]), came, int(time))
