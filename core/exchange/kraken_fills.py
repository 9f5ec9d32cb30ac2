"""Executions at Kraken: pages of 50, newest first, of all pairs; what they moved stands in the ledger.

The list of trades does not say what a fee was taken from, and cuts its numbers to the pair's decimals, while
balances are cut to the asset's. So each execution is read beside its two lines in the ledger, and a fee in
quote is what the balance really lost beyond price times amount: then the books are exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from core.account.messages import Execution
from core.account.money import minus, plus, times
from core.account.orders import SIDES, Fill
from core.errors import ExchangeUnreachableError
from core.exchange.calls import Caller
from core.exchange.order_rules import exact

PAGE = 50
SLACK_SECONDS = 1
"""Times are compared no finer than this, since several executions share one."""
KEPT = 5000
"""So many executions are remembered, so that the ledger is asked for new ones alone."""
KrakenRow = Mapping[str, Any]


class KrakenFills:
    """Reads executions, and their ledger lines once."""

    def __init__(self, exchange: Any, call: Caller) -> None:
        self._exchange = exchange
        self._call = call
        self._times: dict[str, float] = {}
        self._lines: dict[str, list[KrakenRow]] = {}

    def newest(self) -> str:
        """Return the newest execution of the account, blank before the first.

        The ledger is read too: a key that may not do so is better refused before the first order.
        """
        rows = self._page("TradesHistory", "trades", {"consolidate_taker": "false"})
        self._page("Ledgers", "ledger", {"type": "trade"})
        return next(iter(rows), "")

    def after(self, symbol: str, after: str | None, source: str) -> list[Execution]:
        """Return all executions of a symbol after one of the account's, or ever, oldest first."""
        span = {} if after is None else {"start": self._time_of(after) - SLACK_SECONDS}
        rows = dict(self._pages("TradesHistory", "trades", {**span, "consolidate_taker": "false"}))
        oldest_first = list(rows)[::-1]
        names = sorted(oldest_first, key=lambda name: float(rows[name]["time"]))
        if after in names:
            names = names[names.index(after) + 1 :]
        elif after is not None:
            names = [name for name in names if float(rows[name]["time"]) > self._time_of(after)]
        mine = [name for name in names if self._symbol_of(rows[name]) == symbol]
        self._remember(rows)
        lines = self._lines_of({name: rows[name] for name in mine})
        return [_execution(name, rows[name], symbol, source, self._moved(lines[name])) for name in mine]

    def _time_of(self, name: str) -> float:
        """Return when an execution was, in seconds."""
        if name not in self._times:
            told = self._ask("QueryTrades", {"txid": name})
            self._remember(told)
        return self._times[name]

    def _remember(self, rows: Mapping[str, KrakenRow]) -> None:
        self._times |= {name: float(row["time"]) for name, row in rows.items()}
        for name in list(self._times)[: max(0, len(self._times) - KEPT)]:
            del self._times[name]
            self._lines.pop(name, None)

    def _lines_of(self, rows: Mapping[str, KrakenRow]) -> dict[str, list[KrakenRow]]:
        """Return the lines of the ledger of some executions, asked for where they are not known yet."""
        unknown = {name: row for name, row in rows.items() if name not in self._lines}
        if unknown:
            start = min(float(row["time"]) for row in unknown.values()) - SLACK_SECONDS
            found: defaultdict[str, list[KrakenRow]] = defaultdict(list)
            for _, line in self._pages("Ledgers", "ledger", {"type": "trade", "start": start}):
                found[str(line["refid"])].append(line)
            missing = [name for name in unknown if len(found[name]) < 2]
            if missing:
                raise ExchangeUnreachableError(f"kraken: its ledger does not show trade {missing[0]} yet")
            self._lines |= {name: found[name] for name in unknown}
        return {name: self._lines[name] for name in rows}

    def _moved(self, lines: list[KrakenRow]) -> dict[str, tuple[Decimal, Decimal]]:
        """Return by asset what lines of the ledger say: the amount, and the fee beside it."""
        found: dict[str, tuple[Decimal, Decimal]] = {}
        for line in lines:
            asset = str(self._exchange.safe_currency_code(line["asset"]))
            amount, fee = exact(line.get("amount")), exact(line.get("fee"))
            if amount is None or fee is None:
                raise ExchangeUnreachableError(f"kraken: a line of its ledger has no numbers: {asset}")
            before = found.get(asset, (Decimal(0), Decimal(0)))
            found[asset] = plus(before[0], amount), plus(before[1], fee)
        return found

    def _symbol_of(self, row: KrakenRow) -> str:
        market = self._exchange.resolve_market_by_altname_or_id(row["pair"])
        return str((market or {}).get("symbol"))

    def _pages(self, path: str, name: str, params: Mapping[str, Any]) -> Iterator[tuple[str, KrakenRow]]:
        """Yield all rows, newest first; one that is told twice, because newer ones moved it, comes once."""
        told: set[str] = set()
        offset = 0
        while True:
            page = self._page(path, name, {**params, "ofs": offset})
            yield from ((key, row) for key, row in page.items() if key not in told)
            told |= page.keys()
            if len(page) < PAGE:
                return
            offset += len(page)

    def _page(self, path: str, name: str, params: Mapping[str, Any]) -> dict[str, KrakenRow]:
        found = self._ask(path, params).get(name)
        if not isinstance(found, dict):
            raise ExchangeUnreachableError(f"kraken: its answer to {path} has no {name}")
        return found

    def _ask(self, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
        call = getattr(self._exchange, f"private_post_{path.lower()}")
        answer = self._call.read(f"read {_WORDS[path]}", lambda: call(params))
        result = answer.get("result") if isinstance(answer, Mapping) else None
        if not isinstance(result, dict):
            raise ExchangeUnreachableError(f"kraken: its answer to {path} has no result")
        return result


_WORDS = {"TradesHistory": "the fills", "QueryTrades": "a fill", "Ledgers": "the ledger"}


def _execution(
    name: str, row: KrakenRow, symbol: str, source: str, moved: Mapping[str, tuple[Decimal, Decimal]]
) -> Execution:
    price, amount, side = exact(row.get("price")), exact(row.get("vol")), str(row.get("type"))
    if price is None or amount is None or not row.get("ordertxid") or side not in SIDES:
        raise ExchangeUnreachableError(f"kraken: trade {name} has no order, side or numbers")
    quote = symbol.partition("/")[2]
    asset = next((of for of, (_, fee) in moved.items() if fee), quote)
    fee = moved[asset][1]
    if asset == quote:
        gone, beside = moved[quote]
        cost = times(price, amount)
        # A buyer's line is negative, a seller's positive: what is missing beyond the price is the fee.
        worth = cost.copy_negate() if side == "buy" else cost
        fee = minus(worth, minus(gone, beside))
    fill = Fill(
        exchange=source,
        symbol=symbol,
        id=name,
        client_order_id="",
        side=SIDES[side],
        amount=amount,
        price=price,
        fee=fee,
        fee_asset=asset,
        time=round(float(row["time"]) * 1000),
    )
    return Execution(str(row["ordertxid"]), fill)
