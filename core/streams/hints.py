"""What leaves the thread of the streams: frozen values, and nothing of ccxt.

A hint says that it is worth asking by REST now; nothing is decided or booked on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

StreamKind = Literal["candles", "orders"]
CANDLES: StreamKind = "candles"
ORDERS: StreamKind = "orders"


class StreamChannel(NamedTuple):
    """One stream: the candles of a series, or the account's own orders."""

    kind: StreamKind
    symbol: str = ""
    timeframe: str = ""

    def __str__(self) -> str:
        """Return it as people read it."""
        return f"{self.symbol} {self.timeframe}" if self.symbol else self.kind


class CandleHint(NamedTuple):
    """A candle as the stream tells it; `is_final` when the venue says that it will not change any more."""

    symbol: str
    timeframe: str
    ts: int
    """Open time, ms UTC."""
    open: float
    high: float
    low: float
    close: float
    volume: float
    is_final: bool = False
    told_at: int = 0
    """The venue's stamp of the message, ms UTC; 0 where it has none."""
    heard_at: int = 0
    """When it came here, by a steady clock in ms."""

    @property
    def channel(self) -> StreamChannel:
        """The stream it came by."""
        return StreamChannel(CANDLES, self.symbol, self.timeframe)


class OrderHint(NamedTuple):
    """Something happened to an order of the account: its names as far as the event has them."""

    order_id: str
    client_order_id: str = ""
    symbol: str = ""
    """Blank where the event says none: a Kraken event has only what changed."""
    fill_id: str = ""
    """Of an execution."""

    @property
    def channel(self) -> StreamChannel:
        """The stream it came by."""
        return StreamChannel(ORDERS)


def candle(
    symbol: str,
    timeframe: str,
    ts: int,
    numbers: Sequence[Any],
    *,
    is_final: bool = False,
    told_at: int = 0,
    heard_at: int = 0,
) -> CandleHint:
    """Return the hint of a candle; `numbers` are open, high, low, close, volume, as text or numbers."""
    opened, high, low, close, volume = map(float, numbers)
    about = (symbol, timeframe, ts)
    return CandleHint(*about, opened, high, low, close, volume, is_final, told_at, heard_at)


Hint = CandleHint | OrderHint


class StreamGap(NamedTuple):
    """Between two connections something may have been missed: REST is asked from the last mark on."""

    line: str
    channels: tuple[StreamChannel, ...]
    why: str
    """In this program's own words: ccxt's texts can hold keys."""

    @property
    def is_private(self) -> bool:
        """Whether orders may have been missed."""
        return any(channel.kind == ORDERS for channel in self.channels)


class ChannelState(NamedTuple):
    """How one stream stands."""

    channel: StreamChannel
    last_at: int | None = None
    """When its newest data came, by a steady clock in ms: heartbeats do not count. None before the first."""
    refused: str = ""
    """Why the venue does not offer it, blank while it may."""


class StreamState(NamedTuple):
    """How the streams stand."""

    mode: str
    """`off`, `connecting`, `on`, or `REST` while they fail and questions alone bring news."""
    why: str = ""
    dials: int = 0
    gaps: int = 0
    dropped: int = 0
    """Candle hints that came before the engine had taken older ones."""
    channels: tuple[ChannelState, ...] = ()


OFF = StreamState("off")
