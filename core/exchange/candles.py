"""Reading one exchange's candles: which span can be had, page by page, closed bars only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.candles.checks import EARLIEST
from core.domain import Bars
from core.errors import ExchangeUnreachableError, UnsupportedError, UsageError
from core.exchange.calls import Caller, Notice, Notify
from core.exchange.clock import ExchangeClock
from core.exchange.pages import CandleSpan, RawCandle, Source, concat, newest, pages
from core.utils import format_time, from_grid, on_grid, timeframe_ms

DEFAULT_PAGE = 500
"""Candles asked for at once where ccxt does not know the venue's limit."""


class CandleReader:
    """The candles of one ccxt exchange object whose markets are loaded; times in ms UTC."""

    def __init__(
        self, exchange: Any, call: Caller, clock: ExchangeClock, keeps: int | None, notify: Notify
    ) -> None:
        self._exchange = exchange
        self._name: str = exchange.id
        self._call = call
        self._clock = clock
        self._keeps = keeps
        self._notify = notify

    def check_timeframe(self, timeframe: str) -> None:
        """Raise UnsupportedError unless the venue offers a timeframe, UsageError when it is none at all."""
        timeframe_ms(timeframe)
        offered = (self._exchange.timeframes or {}) if self._exchange.has["fetchOHLCV"] is True else {}
        if timeframe not in offered:
            raise UnsupportedError(
                f"{self._name} has no {timeframe} candles: it offers {', '.join(offered) or 'none'}"
            )

    def pages(self, symbol: str, timeframe: str, since: int, until: int | None) -> Iterator[Bars]:
        """Return an iterator over all bars with since <= open time < until; no page is empty."""
        span = self._span(symbol, timeframe, since, until)
        return self._read(symbol, timeframe, self._kept(symbol, timeframe, span, span.start))

    def first(self, symbol: str, timeframe: str, limit: int, since: int, until: int | None) -> Bars:
        """Return the first `limit` bars from `since` on, before `until`."""
        span = self._span(symbol, timeframe, since, until)
        kept = self._kept(symbol, timeframe, span, span.start)
        parts, count = [], 0
        for bars in self._read(symbol, timeframe, kept._replace(page=min(kept.page, _checked(limit)))):
            parts.append(bars)
            count += len(bars.ts)
            if count >= limit:
                break
        return concat(parts).until(limit)

    def newest(self, symbol: str, timeframe: str, limit: int, since: int, until: int | None) -> Bars:
        """Return the newest `limit` bars before `until`, from `since` on."""
        span = self._span(symbol, timeframe, since, until)
        wanted_from = max(span.start, span.end - _checked(limit) * span.step)
        kept = self._kept(symbol, timeframe, span, wanted_from)
        return newest(lambda window: list(self._read(symbol, timeframe, window)), kept, limit)

    def _span(self, symbol: str, timeframe: str, since: int, until: int | None) -> CandleSpan:
        step = timeframe_ms(timeframe)
        closed = on_grid(self._clock.now(), step)
        end = closed if until is None else min(from_grid(until, step), closed)
        page = self._exchange.feature_value(symbol, "fetchOHLCV", "limit", DEFAULT_PAGE)
        return CandleSpan(from_grid(max(since, EARLIEST), step), end, step, int(page))

    def _kept(self, symbol: str, timeframe: str, span: CandleSpan, wanted_from: int) -> CandleSpan:
        """Return the part of a span that the venue still has, and say so when more is wanted."""
        if self._keeps is None:
            return span
        # The candle in progress is one of them.
        first = on_grid(self._clock.now(), span.step) - (self._keeps - 1) * span.step
        if wanted_from < first:
            text = (
                f"{self._name} serves only its newest {self._keeps} {timeframe} candles: {symbol} can be had "
                f"from {format_time(first)} on, nothing older"
            )
            self._notify(Notice("history", text))
        return span._replace(start=max(span.start, first))

    def _read(self, symbol: str, timeframe: str, span: CandleSpan) -> Iterator[Bars]:
        action = f"read {symbol} {timeframe} candles"

        def ask(since: int | None, limit: int) -> list[RawCandle]:
            return self._call.read(action, lambda: self._rows(symbol, timeframe, since, limit))

        for page in pages(Source(ask, self._clock.now), span):
            for reason in page.refused:
                self._notify(Notice("refused", f"{self._name} {symbol} {timeframe}: {reason}"))
            if len(page.bars.ts):
                yield page.bars

    def _rows(self, symbol: str, timeframe: str, since: int | None, limit: int) -> list[RawCandle]:
        rows = self._exchange.fetch_ohlcv(symbol, timeframe, since, limit)
        if not all(isinstance(row, list) and len(row) >= 6 and isinstance(row[0], int) for row in rows):
            raise ExchangeUnreachableError(
                f"{self._name}: cannot read {symbol} {timeframe} candles: the answer holds something else"
            )
        return list(rows)


def _checked(limit: int) -> int:
    if limit < 1:
        raise UsageError(f"wanted at least 1 candle, the limit is {limit}")
    return limit
