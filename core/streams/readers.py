"""What a venue's messages say that ccxt's own parsers lose.

ccxt drops Binance's mark of a final candle, takes a Kraken message of executions whole by its first element,
waits for a symbol that Kraken's events seldom have, looks at no sequence and at no end that was announced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from core.streams.hints import CandleHint, Hint, OrderHint, candle
from core.streams.line import StreamError

EVERYTHING = OrderHint("")
"""Something happened that no order names: everything is compared."""


class RefusedStream(NamedTuple):
    """The venue does not offer a stream."""

    symbol: str
    """Blank for the account's own."""


class Reader(Protocol):
    """Reads one line's messages, in order."""

    def __call__(self, message: Any) -> Sequence[Hint | RefusedStream]:
        """Return what a message says; nothing for one of another kind.

        Raises StreamError when it says that the connection is of no use any more.
        """


class BinanceReader:
    """Reads what Binance and Binance.US say."""

    def __init__(self, symbols: Mapping[str, str], clock: Callable[[], int]) -> None:
        """Take the venue's names of symbols, and a steady clock in ms."""
        self._symbols, self._clock = symbols, clock

    def __call__(self, message: Any) -> Sequence[Hint | RefusedStream]:
        """Return what a message says."""
        event = message.get("event", message) if isinstance(message, dict) else {}
        kind = event.get("e") if isinstance(event, dict) else None
        if kind == "kline":
            return [self._candle(event)]
        if kind == "executionReport":
            return [self._order(event)]
        if kind == "balanceUpdate":
            # A deposit or a withdrawal, by whoever.
            return [EVERYTHING]
        if kind == "listenKeyExpired":
            raise StreamError("its key expired")
        if kind in ("serverShutdown", "eventStreamTerminated"):
            raise StreamError("the venue ends the connection")
        return []

    def _candle(self, event: Mapping[str, Any]) -> CandleHint:
        k = event["k"]
        symbol = self._symbols.get(event["s"], event["s"])
        return candle(
            *(symbol, k["i"], int(k["t"]), [k[name] for name in "ohlcv"]),
            is_final=k["x"] is True,
            told_at=int(event.get("E", 0)),
            heard_at=self._clock(),
        )

    def _order(self, event: Mapping[str, Any]) -> OrderHint:
        symbol = self._symbols.get(event.get("s", ""), "")
        fill = str(event["t"]) if event.get("x") == "TRADE" else ""
        # A cancel has a name of its own in `c`; that of the order stands in `C` then.
        return OrderHint(str(event["i"]), event.get("C") or event.get("c") or "", symbol, fill)


class KrakenReader:
    """Reads what Kraken's second WebSocket version says."""

    def __init__(self, timeframes: Mapping[int, str], clock: Callable[[], int]) -> None:
        """Take the names of timeframes by their minutes, and a steady clock in ms."""
        self._timeframes, self._clock = timeframes, clock
        self._sequence: int | None = None

    def __call__(self, message: Any) -> Sequence[Hint | RefusedStream]:
        """Return what a message says."""
        if not isinstance(message, dict):
            return []
        if message.get("success") is False and message.get("method") == "subscribe":
            return [self._refused(message)]
        data = message.get("data")
        if message.get("channel") == "ohlc" and isinstance(data, list):
            rows = data if message.get("type") == "update" else _newest(data)
            return [self._candle(row) for row in rows]
        if message.get("channel") == "executions" and isinstance(data, list):
            return self._executions(message, data)
        return []

    def _refused(self, message: Mapping[str, Any]) -> RefusedStream:
        symbol = str(message.get("symbol") or "")
        if not symbol:
            raise StreamError("the venue refused the account's stream", pause=5.0)
        return RefusedStream(symbol)

    def _candle(self, row: Mapping[str, Any]) -> CandleHint:
        numbers = [row[name] for name in ("open", "high", "low", "close", "volume")]
        # Its `timestamp` is the candle's end, not when this was said.
        opened, timeframe = _ms(row["interval_begin"]), self._timeframes.get(int(row["interval"]), "")
        return candle(row["symbol"], timeframe, opened, numbers, heard_at=self._clock())

    def _executions(self, message: Mapping[str, Any], data: Sequence[Mapping[str, Any]]) -> list[Hint]:
        """Return a hint of each element by what it is itself, and of all when a message is missing."""
        before, self._sequence = self._sequence, message.get("sequence")
        is_next = message.get("type") == "snapshot" or before is None or self._sequence == before + 1
        hints: list[Hint] = [] if is_next else [EVERYTHING]
        for row in data:
            fill = str(row.get("exec_id", "")) if row.get("exec_type") == "trade" else ""
            names = str(row["order_id"]), str(row.get("cl_ord_id") or ""), str(row.get("symbol") or "")
            hints.append(OrderHint(*names, fill))
        return hints


def _newest(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the two newest candles of each symbol: of the past that comes first, they alone are news."""
    by_symbol: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_symbol.setdefault(row["symbol"], []).append(row)
    return [row for kept in by_symbol.values() for row in kept[-2:]]


def _ms(text: str) -> int:
    """Return a time as Kraken writes it, in ms UTC."""
    # It has nanoseconds, more than Python reads.
    plain = text.rstrip("Z")
    seconds, _, fraction = plain.partition(".")
    whole = int(datetime.fromisoformat(seconds + "+00:00").timestamp()) * 1000
    return whole + int((fraction + "000")[:3])
