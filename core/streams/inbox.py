"""Where hints wait for the engine, which may be busy: bounded, and nothing that matters is lost.

Of a candle only the newest word counts, of an order only that something happened to it. So hints are folded
by what they are about; what is too many even so becomes a gap, and a gap is closed by REST.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple

from core.streams.hints import OFF, CandleHint, Hint, OrderHint, StreamGap, StreamState

CANDLES_KEPT = 8
"""Of a series, so many candles wait at most."""
ORDERS_KEPT = 1_000
"""More orders than that are not looked at one by one: everything is compared."""
GAPS_KEPT = 32


class Letters(NamedTuple):
    """What came since the last look."""

    candles: tuple[CandleHint, ...] = ()
    """The newest word on each candle, oldest candle first."""
    orders: tuple[OrderHint, ...] = ()
    gaps: tuple[StreamGap, ...] = ()
    notes: tuple[str, ...] = ()
    """What a person should know."""
    is_cut: bool = False
    """Whether more orders were told of than are kept: all have to be looked at."""


class Inbox:
    """Takes hints in one thread and hands them on in another."""

    def __init__(self, wake: Callable[[], object] = lambda: None) -> None:
        """`wake` is called, in the thread of the streams, when there is something worth a look at once."""
        self.wake = wake
        self._lock = threading.Lock()
        self._candles: dict[tuple[str, str], dict[int, CandleHint]] = {}
        self._closed: dict[tuple[str, str], int] = {}
        """By series: the open time of the newest candle that is final."""
        self._orders: dict[tuple[str, str, str], OrderHint] = {}
        self._gaps: dict[tuple[str, str], StreamGap] = {}
        self._notes: dict[str, None] = {}
        self._state, self._dropped, self._gap_count, self._is_cut = OFF, 0, 0, False

    def put(self, hints: Iterable[Hint]) -> None:
        """Take hints; wake the engine for a candle that is final and for an order."""
        matters = False
        with self._lock:
            for hint in hints:
                matters |= self._order(hint) if isinstance(hint, OrderHint) else self._candle(hint)
        if matters:
            self.wake()

    def put_gap(self, gap: StreamGap) -> None:
        """Take a gap and wake the engine: candles that were not final when it came are worth nothing now."""
        with self._lock:
            self._gap_count += 1
            self._gaps[gap.line, gap.why] = gap
            if len(self._gaps) > GAPS_KEPT:
                self._gaps = {(gap.line, gap.why): gap}
                self._is_cut = True
            for channel in gap.channels:
                kept = self._candles.get((channel.symbol, channel.timeframe), {})
                for ts in [ts for ts, hint in kept.items() if not hint.is_final]:
                    del kept[ts]
        self.wake()

    def note(self, line: str) -> None:
        """Take a line that a person should read."""
        with self._lock:
            self._notes[line] = None
            while len(self._notes) > GAPS_KEPT:
                del self._notes[next(iter(self._notes))]

    def set_state(self, state: StreamState) -> None:
        """Take how the streams stand."""
        with self._lock:
            self._state = state

    def state(self) -> StreamState:
        """Return how the streams stand."""
        with self._lock:
            return self._state._replace(dropped=self._dropped, gaps=self._gap_count)

    def take(self) -> Letters:
        """Return what came since the last look, once; a candle in progress stays until it is final."""
        with self._lock:
            candles = [hint for kept in self._candles.values() for _, hint in sorted(kept.items())]
            letters = Letters(
                tuple(candles),
                tuple(self._orders.values()),
                tuple(self._gaps.values()),
                tuple(self._notes),
                self._is_cut,
            )
            for kept in self._candles.values():
                for ts in [ts for ts, hint in kept.items() if hint.is_final]:
                    del kept[ts]
            self._orders, self._gaps, self._notes, self._is_cut = {}, {}, {}, False
        return letters

    def _order(self, hint: OrderHint) -> bool:
        if len(self._orders) >= ORDERS_KEPT:
            self._is_cut = True
        else:
            self._orders[hint.order_id, hint.client_order_id, hint.fill_id] = hint
        return True

    def _candle(self, hint: CandleHint) -> bool:
        """Keep the newest word on a candle; return whether one became final."""
        series = hint.symbol, hint.timeframe
        if hint.ts <= self._closed.get(series, -1):
            # Said again, or late: what is final stays as it was.
            return False
        kept = self._candles.setdefault(series, {})
        kept[hint.ts] = hint
        ended = [ts for ts, one in kept.items() if ts < hint.ts and not one.is_final]
        for ts in ended:
            # A later candle has begun: this one will not change any more.
            kept[ts] = kept[ts]._replace(is_final=True, told_at=hint.told_at, heard_at=hint.heard_at)
        closed = [*ended, hint.ts] if hint.is_final else ended
        self._closed[series] = max(closed, default=self._closed.get(series, -1))
        while len(kept) > CANDLES_KEPT:
            del kept[min(kept)]
            self._dropped += 1
        return bool(closed)
