"""The engine's side of the streams: when a hint makes it look at once, and where the stream and REST differ.

A hint decides nothing. A candle that the stream calls final makes the loop ask for its row by REST now
instead of at its next look; an order event makes it look at its orders now. What REST says is what counts,
and where the stream had said something else, that is told and counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from core.domain import Bar
from core.live.status import StreamChannelStatus, StreamStatus
from core.streams.hints import ORDERS, CandleHint, OrderHint, StreamGap, StreamState
from core.streams.inbox import Inbox, Letters
from core.utils import Clock, format_time, steady_ms, timeframe_ms

Key = tuple[str, str, int]
"""Symbol, timeframe, open time."""
KEPT = 256
"""Candles of either side that wait for the other's word, of all series together."""
QUICK = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds between the looks at a row that REST does not have yet, while the stream does."""
SAY_EVERY = 60_000
"""Milliseconds between two lines about gaps of one connection."""
FILL_PATIENCE = 30_000
"""Milliseconds that REST has to know an execution that the stream told of."""
NAMES = ("open", "high", "low", "close", "volume")


class Attention(NamedTuple):
    """What the streams want looked at."""

    orders: tuple[OrderHint, ...] = ()
    is_everything: bool = False
    """Whether orders may have been missed: all of the account is compared."""
    lines: tuple[str, ...] = ()
    """What a person should read."""


class Hearing:
    """Reads an inbox on behalf of a loop."""

    def __init__(self, inbox: Inbox | None = None, ticks: Clock = steady_ms) -> None:
        """Take where the streams' hints wait, None for no streams, and the steady clock that stamps them."""
        self.inbox = inbox or Inbox()
        self._ticks = ticks
        self._letters: list[Letters] = []
        self._final: dict[Key, CandleHint] = {}
        """Called final by the stream, not yet seen by REST."""
        self._seen: dict[Key, Bar] = {}
        """Seen by REST, not yet called final by the stream."""
        self._newest: dict[tuple[str, str], int] = {}
        """Open time of the newest bar that REST brought, by symbol and timeframe."""
        self._fills: dict[str, tuple[OrderHint, int]] = {}
        """Executions that the stream told of and REST not yet, and when."""
        self._booked: dict[str, None] = {}
        """Executions booked lately."""
        self._quick = 0
        self._asked = 0
        self._said: dict[str, int] = {}
        self.differences = 0
        """Candles and executions of which the stream and REST said different things."""
        self.delays: list[int] = []
        """Milliseconds from hearing that a candle is final to having its row, of the newest ones."""

    def hear(self) -> None:
        """Take what came; `attend` says what to do about it."""
        letters = self.inbox.take()
        self._letters.append(letters)
        for hint in letters.candles:
            # What REST had passed already is the past that a venue tells first.
            if hint.is_final and (_key(hint) in self._seen or hint.ts > self._newest.get(_series(hint), -1)):
                self._final[_key(hint)] = hint
                self._quick = 0
        _cut(self._final)

    def attend(self) -> Attention:
        """Return what is to be looked at, once."""
        self.hear()
        letters, self._letters = self._letters, []
        gaps = [gap for one in letters for gap in one.gaps]
        lines = [line for one in letters for line in one.notes]
        lines += [line for gap in gaps for line in self._gap(gap)]
        lines += [*self._differing(), *self._unknown()]
        orders = tuple(hint for one in letters for hint in one.orders)
        is_all = any(one.is_cut for one in letters) or any(gap.is_private for gap in gaps)
        return Attention(orders, is_all, tuple(lines))

    def is_ahead(self, now: int) -> bool:
        """Return, once for each candle, whether one is final that closes later than this exchange time.

        The time kept here lags behind the exchange's by the way of its answer: it is asked anew then.
        """
        ends = max((_end(key) for key in self._final), default=0)
        if ends <= max(now, self._asked):
            return False
        self._asked = ends
        return True

    def pause(self, now: int, usual: float) -> float:
        """Return the seconds until the next look: few while REST owes a candle that the stream has."""
        owed = [_end(key) for key in self._final]
        if not owed or self._quick >= len(QUICK):
            return usual
        self._quick += 1
        return min(usual, max(QUICK[self._quick - 1], (max(owed) - now) / 1000))

    def compare(self, bars: Iterable[Bar]) -> list[str]:
        """Take bars that REST brought; return where the stream had said something else, a line each."""
        lines = []
        for bar in bars:
            self._seen[bar.symbol, bar.timeframe, bar.ts] = bar
            lines += self._skipped(bar)
            self._newest[bar.symbol, bar.timeframe] = bar.ts
        _cut(self._seen)
        return lines + self._differing()

    def await_fills(self, hints: Iterable[OrderHint]) -> None:
        """Take executions of the account's own orders: REST has to know them soon."""
        now = self._ticks()
        for hint in hints:
            if hint.fill_id and hint.fill_id not in self._booked:
                self._fills.setdefault(hint.fill_id, (hint, now))
        _cut(self._fills)

    def booked(self, fills: Iterable[str]) -> None:
        """Take the ids of executions that were booked, which REST told of."""
        for fill in fills:
            self._fills.pop(fill, None)
            self._booked[fill] = None
        _cut(self._booked)

    def status(self, now: int) -> StreamStatus | None:
        """Return how the streams stand at this exchange time, None where there are none."""
        state = self.inbox.state()
        if state.mode == "off" and not state.why:
            return None
        return status_of_streams(state, self.differences, now - self._ticks())

    def _skipped(self, bar: Bar) -> list[str]:
        """Return the candles before a bar that the stream had and REST went past, a line each, once."""
        began = self._newest.get((bar.symbol, bar.timeframe))
        gone = [key for key in self._final if key[:2] == (bar.symbol, bar.timeframe) and key[2] < bar.ts]
        for key in gone:
            del self._final[key]
        # Before its first bar nothing was asked for.
        missing = [] if began is None else gone
        self.differences += len(missing)
        return [
            f"{key[0]} {key[1]} {format_time(key[2])}: the stream has it, REST has none" for key in missing
        ]

    def _differing(self) -> list[str]:
        """Compare what both sides have said."""
        lines = []
        for key in [key for key in self._final if key in self._seen]:
            hint, bar = self._final.pop(key), self._seen.pop(key)
            self.delays = [*self.delays[-99:], self._ticks() - hint.heard_at]
            differing = [name for name in NAMES if getattr(hint, name) != getattr(bar, name)]
            if differing:
                self.differences += 1
                said = ", ".join(
                    f"{one} {getattr(hint, one):g}, REST {getattr(bar, one):g}" for one in differing
                )
                lines.append(
                    f"{bar.symbol} {bar.timeframe} {format_time(bar.ts)}: the stream said {said}; REST counts"
                )
        return lines

    def _unknown(self) -> list[str]:
        """Return the executions that only the stream knows after a while, a line each, once."""
        late = [fill for fill, (_, at) in self._fills.items() if self._ticks() - at > FILL_PATIENCE]
        lines = []
        for fill in late:
            hint, _ = self._fills.pop(fill)
            self.differences += 1
            name = hint.client_order_id or hint.order_id
            lines.append(f"the stream told of execution {fill} of order {name}, REST does not; REST counts")
        return lines

    def _gap(self, gap: StreamGap) -> list[str]:
        now = self._ticks()
        if now - self._said.get(gap.line, -SAY_EVERY) < SAY_EVERY:
            return []
        self._said[gap.line] = now
        return [f"the stream of {gap.line} is dialled anew, REST fills the gap: {gap.why}"]


def status_of_streams(state: StreamState, differences: int, ahead: int) -> StreamStatus:
    """Return how streams stand; `ahead`: exchange time less the steady clock that stamped them, ms."""
    return StreamStatus(
        mode=state.mode,
        why=state.why,
        dials=state.dials,
        gaps=state.gaps,
        differences=differences,
        dropped=state.dropped,
        channels=tuple(
            StreamChannelStatus(
                str(one.channel) if one.channel.kind != ORDERS else ORDERS,
                None if one.last_at is None else one.last_at + ahead,
                one.refused,
            )
            for one in state.channels
        ),
    )


def _key(hint: CandleHint) -> Key:
    return hint.symbol, hint.timeframe, hint.ts


def _series(hint: CandleHint) -> tuple[str, str]:
    return hint.symbol, hint.timeframe


def _end(key: Key) -> int:
    return key[2] + timeframe_ms(key[1])


def _cut(kept: dict[Any, Any]) -> None:
    while len(kept) > KEPT:
        del kept[next(iter(kept))]
