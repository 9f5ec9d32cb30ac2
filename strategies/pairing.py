"""Candles of other series for a rule that looks at more than its own: partners, and a universe to rank in.

A rule with a `partner` takes what it named as an argument of its `columns`; one with a `universe` takes the
symbols that its own is compared with. Whoever has the candles binds them to the strategy; from then on it is
one like any other, for every engine and every proof (docs/decisions/0055).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from core.domain import Bar, Bars, FloatArray, IntArray
from core.errors import UsageError
from strategies.longer import known_at
from strategies.registry import Strategy
from strategies.rule import StrategyRule, locked

Elsewhere = TypeVar("Elsewhere")


class Growing:
    """Another series' newest candles as a live session sees them close."""

    def __init__(self, most: int) -> None:
        """Keep so many: more than the rule's own window has."""
        self._most = most
        none = np.empty(0)
        self.bars = Bars(np.empty(0, np.int64), none, none, none, none, none)

    def take(self, bar: Bar) -> None:
        """Add a candle that closed; one that is not newer than the newest is known already."""
        if not self.bars.ts.size or bar.ts > self.bars.ts[-1]:
            row = bar.ts, bar.open, bar.high, bar.low, bar.close, bar.volume
            columns = zip(self.bars, row, strict=True)
            self.bars = Bars(*(np.append(column, value)[-self._most :] for column, value in columns))


class PartnerBars(NamedTuple):
    """Candles of another series that a strategy looks at."""

    symbol: str
    timeframe: str
    step: int
    """Length of a bar, ms."""
    source: Bars | Growing
    """Whole, or what grows while it trades."""

    @property
    def bars(self) -> Bars:
        """Return the candles as far as they are known."""
        return self.source.bars if isinstance(self.source, Growing) else self.source


class Partners(NamedTuple):
    """All that a strategy looks at on one symbol, besides its own candles."""

    symbol: str
    """Its own."""
    step: int
    """Length of its own bars, ms."""
    pairs: tuple[PartnerBars, ...] = ()
    """Its rule's partners, in the rule's order."""
    universe: tuple[PartnerBars, ...] = ()
    """The other symbols that its own is ranked among, on its own timeframe."""

    @property
    def each(self) -> tuple[PartnerBars, ...]:
        """Return all of them."""
        return self.pairs + self.universe

    def with_bars(self, found: Sequence[Bars]) -> Partners:
        """Return the same series with these candles, in the order of `each`."""
        others = [one._replace(source=bars) for one, bars in zip(self.each, found, strict=True)]
        count = len(self.pairs)
        return self._replace(pairs=tuple(others[:count]), universe=tuple(others[count:]))


def partner_of(symbol: str) -> str:
    """Return the symbol that another is compared with: bitcoin against the same quote; for itself, ether."""
    base, _, rest = symbol.partition("/")
    return f"{'ETH' if base == 'BTC' else 'BTC'}/{rest}"


class Joined(NamedTuple):
    """A partner as it stands at the close of each bar."""

    close: FloatArray
    """Its last close; NaN before its first."""
    is_fresh: FloatArray
    """1 where its newest candle closed at most one of its own bars ago, else 0: a partner that trades no more
    says nothing."""
    bars: Bars
    """Its own closed candles, to compute columns of; `at` brings them here."""
    known: IntArray
    """Index of its newest closed candle at each close of ours; -1 before the first."""
    age: FloatArray
    """ms from the close of that candle to ours; infinite before the first."""

    def at(self, column: FloatArray) -> FloatArray:
        """Return a column of the partner's bars as known at each of our closes; NaN before the first."""
        return known_at(self.known, column)


class Ranked(NamedTuple):
    """A symbol's place among others at each close."""

    place: FloatArray
    """1 for the greatest value; of equal ones the symbol whose name sorts first is before. Infinite where its
    own value is NaN: it has no place then."""
    among: FloatArray
    """How many symbols have a place at that close."""


class Universe(NamedTuple):
    """A symbol and those that it is ranked among."""

    symbol: str
    bars: Bars
    others: tuple[tuple[str, Bars], ...]
    """Name and candles of each, none newer or older than our own."""

    def rank(self, values: Callable[[Bars], FloatArray]) -> Ranked:
        """Return the place of our value among all at each close; `values` computes it of any symbol's bars.

        A symbol whose bar is missing at that close does not take part, nor does one whose value is NaN.
        Raises UsageError unless there is one value for each bar.
        """
        own = _valued(values, self.bars, self.symbol)
        place, among = np.ones(own.size), (~np.isnan(own)).astype(np.float64)
        for name, bars in self.others:
            other = _on(self.bars.ts, bars.ts, _valued(values, bars, name))
            place += (other > own) | ((other == own) & (name < self.symbol))
            among += ~np.isnan(other)
        return Ranked(np.where(np.isnan(own), np.inf, place), among)


def given(other: Elsewhere | None, name: str) -> Elsewhere:
    """Return what a rule looks at besides its own bars. Raises UsageError when it was not bound to any."""
    if other is None:
        raise UsageError(f"{name} looks at other symbols: their candles are wanted too, and were not given")
    return other


def as_of(ts: IntArray, step: int, partner: PartnerBars) -> Joined:
    """Return what of a partner is known at the close of each of these bars, which are `step` ms long.

    Nothing that opened before the first of them counts, so that a live window sees what a backtest of it
    does, and nothing that closes after the bar.
    """
    opened = ts + step - partner.step
    seen = _between(partner.bars, ts[0], opened[-1]) if ts.size else partner.bars.until(0)
    known = np.searchsorted(seen.ts, opened, side="right") - 1
    # The newest candle that closed by our close, which closed so long before it.
    age = opened - known_at(known, seen.ts.astype(np.float64))
    age[known < 0] = np.inf
    return Joined(known_at(known, seen.close), (age <= partner.step).astype(np.float64), seen, known, age)


def bind(strategy: Strategy, partners: Partners | None) -> Strategy:
    """Return the strategy with the candles it looks at at hand; itself if it has none, or none are given."""
    if partners is None or not strategy.rule.looks_elsewhere:
        return strategy
    bound = bound_rule(strategy.rule, partners)
    kinds = (type(kind.__name__, (kind,), {"rule": bound}) for kind in (strategy.backtest, strategy.live))
    return Strategy(bound, *kinds)


def bound_rule(rule: StrategyRule, partners: Partners) -> StrategyRule:
    """Return the rule with what it looks at filled in."""

    def columns(bars: Bars, params: Any) -> Any:
        return rule.columns(bars, params, *_views(rule, partners, bars))

    return replace(rule, columns=columns)


def _views(rule: StrategyRule, partners: Partners, bars: Bars) -> list[Any]:
    """Return the arguments that a rule's columns take besides bars and parameters."""
    views: list[Any] = []
    if rule.partner is not None:
        joined = tuple(as_of(bars.ts, partners.step, one) for one in partners.pairs)
        views.append(joined[0] if isinstance(rule.partner(partners.symbol), str) else joined)
    if rule.universe is not None:
        first, last = (bars.ts[0], bars.ts[-1]) if bars.ts.size else (0, -1)
        others = tuple((one.symbol, _between(one.bars, first, last)) for one in partners.universe)
        views.append(Universe(partners.symbol, bars, others))
    return views


def _between(bars: Bars, first: int, last: int) -> Bars:
    """Return the bars that open from one time to another, both included."""
    start, stop = np.searchsorted(bars.ts, first), np.searchsorted(bars.ts, last, side="right")
    # Whole, they are the same arrays as before: what was computed of those is found again.
    return locked(bars if start == 0 and stop == bars.ts.size else bars.until(int(stop)).since(int(start)))


def _valued(values: Callable[[Bars], FloatArray], bars: Bars, name: str) -> FloatArray:
    found = np.asarray(values(bars), np.float64) if bars.ts.size else np.empty(0)
    if found.shape != bars.ts.shape:
        raise UsageError(f"rank: wanted one value for each of the {bars.ts.size:,} bars of {name}")
    return found


def _on(ts: IntArray, its: IntArray, column: FloatArray) -> FloatArray:
    """Return the values of bars that open at these times; NaN where there is no such bar."""
    if not its.size:
        return np.full(ts.size, np.nan)
    place = np.minimum(np.searchsorted(its, ts), its.size - 1)
    return np.where(its[place] == ts, column[place], np.nan)
