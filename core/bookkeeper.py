"""Books what becomes of an account's orders, tells risk what that leaves, and numbers the bars it came in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from core.account.orders import Approved, Executed, News, Refused, Taken
from core.account.values import SeriesKey
from core.domain import Bar
from core.errors import UsageError
from core.takings import take_away
from core.utils import timeframe_ms

if TYPE_CHECKING:
    from core.account.lots import Trade
    from core.portfolio import Portfolio
    from core.risk.breakers import Trip
    from core.risk_manager import RiskManager

KEPT = 5_000
"""Open times of bars that are remembered of each series, to number the bar of an older fill."""


class Booked(NamedTuple):
    """What a desk's news brought."""

    equity: float
    """At the last known prices, open profit included."""
    fills: tuple[Executed, ...] = ()
    trades: tuple[Trade, ...] = ()
    """Those that the fills closed."""
    refused: tuple[Approved | Refused, ...] = ()
    """Orders that came to nothing, with the reason."""
    tripped: tuple[tuple[str, Trip], ...] = ()
    """Breakers that the loss tripped."""
    taken: tuple[Taken, ...] = ()
    """What others took."""


class Track:
    """The bars seen of one series."""

    def __init__(self) -> None:
        self.count = 0
        self.stamps: list[int] = []
        self.end = 0

    @property
    def newest(self) -> int:
        """Open time of the newest bar, -1 before the first."""
        return self.stamps[-1] if self.stamps else -1

    def add(self, ts: int, end: int) -> None:
        """Count a bar by its open and close time."""
        self.stamps.append(ts)
        self.count, self.end = self.count + 1, end
        if len(self.stamps) >= 2 * KEPT:
            del self.stamps[:KEPT]

    def number(self, time: int) -> int:
        """Return the number of the bar that a time is in; the next one's when it is past the newest."""
        newest = self.count - 1
        if time >= self.end:
            return newest + 1
        return newest - (len(self.stamps) - bisect_right(self.stamps, time))


class Bookkeeper:
    """Keeps one account's books while bars come."""

    def __init__(self, portfolio: Portfolio, risk: RiskManager) -> None:
        self.portfolio, self.risk = portfolio, risk
        self.series_of: dict[tuple[str, str], SeriesKey] = {}
        """By strategy and symbol: the series that its bars are counted on, where that is not its order's."""
        self._tracks: dict[SeriesKey, Track] = {}

    def see(self, bars: Iterable[Bar]) -> None:
        """Count bars, and take their closes as last prices."""
        for bar in bars:
            self._track(bar).add(bar.ts, bar.end)
            self.portfolio.mark(bar.symbol, bar.close)
            self.risk.see(bar)
        self.risk.judge_jumps()

    def newest(self, symbol: str, timeframe: str) -> int:
        """Return the number of the newest bar of a series, -1 before the first."""
        track = self._tracks.get((symbol, timeframe))
        return track.count - 1 if track else -1

    def sorted_out(self, bars: Iterable[Bar]) -> tuple[tuple[Bar, ...], tuple[Bar, ...]]:
        """Return the new bars and the late ones. Raises UsageError for bars of different times."""
        new: list[Bar] = []
        late: list[Bar] = []
        for bar in bars:
            stamps = self._track(bar).stamps
            if not stamps or bar.ts > stamps[-1]:
                new.append(bar)
            elif bar.ts < stamps[-1]:
                late.append(bar)
        if len(new) > 1 and any(bar.end != new[0].end for bar in new):
            ends = sorted({bar.end for bar in new})
            raise UsageError(
                f"bars of one step must close at one time, these close at {ends}: give them in turn"
            )
        return tuple(new), tuple(late)

    def take(self, events: Iterable[News], time: int) -> Booked:
        """Book what a desk reports: fills, refusals, what others took; tell risk what that leaves."""
        taken: list[Taken] = []
        fills: list[Executed] = []
        trades: list[Trade] = []
        refused: list[Approved | Refused] = []
        for event in events:
            if isinstance(event, Refused):
                refused.append(event)
                self.portfolio.release(event.intent.key)
            elif isinstance(event, Taken):
                taken.append(event)
                self._take_away(event)
            elif not self.portfolio.has_booked(event.fill):
                fills.append(event)
                trades += self._book(event)
        equity, tripped = self.portfolio.get_equity(self.portfolio.marks), self.risk.state.trips
        self.risk.mark(time, equity)
        for trade in trades:
            pnl = float(trade.pnl)
            self.risk.register_trade_pnl(pnl, equity - pnl, trade.strategy)
            self.risk.close(trade)
        now = self.risk.state.trips
        new = () if now is tripped else tuple(trip for trip in now.items() if trip[0] not in tripped)
        return Booked(equity, tuple(fills), tuple(trades), tuple(refused), new, tuple(taken))

    def counted(self) -> list[tuple[str, str, int, int]]:
        """Return symbol, timeframe, newest open time and number of bars seen of every series."""
        return [(*series, track.newest, track.count) for series, track in self._tracks.items()]

    def recount(self, counted: Iterable[Sequence[Any]]) -> dict[SeriesKey, int]:
        """Go on counting bars where `counted` stopped; return the newest open time of each series."""
        for symbol, timeframe, newest, count in counted:
            track = self._tracks[symbol, timeframe] = Track()
            track.stamps, track.count, track.end = [newest], count, newest + timeframe_ms(timeframe)
        return {series: track.newest for series, track in self._tracks.items()}

    def _take_away(self, event: Taken) -> None:
        portfolio = self.portfolio
        before = portfolio.get_equity(portfolio.marks)
        take_away(portfolio, event)
        self.risk.moved(portfolio.get_equity(portfolio.marks) - before)

    def _track(self, bar: Bar) -> Track:
        series = bar.symbol, bar.timeframe
        track = self._tracks.get(series)
        if track is None:
            track = self._tracks[series] = Track()
        return track

    def _book(self, event: Executed) -> tuple[Trade, ...]:
        intent, fill = event.intent, event.fill
        series = self.series_of.get((intent.strategy, intent.symbol), (intent.symbol, intent.timeframe))
        track = self._tracks.get(series)
        trades = self.portfolio.book(intent, fill, track.number(fill.time) if track else 0)
        if event.is_done:
            self.portfolio.release(intent.key)
        return trades
