"""What finer candles say of each trade: what was reached first in the bar that ended it, and at which price.

A bar hides the way its price took. Where stop and take lie in one bar the fill model takes the stop first,
and a stop fills at its own price unless the bar opens beyond it; an entry at a price has everything against
it in the bar that it is filled in. Finer candles show the way. Nothing is guessed: a candle that is missing
before something is reached, and a finer candle that has both in it, leave the trade as it was and are
counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np

from core.domain import Bars, Costs
from core.results.runs import TradeRecord

SAME_PRICE = 1e-9
"""Share of a price below which two are one."""
STOPS = frozenset({"stop", "trail"})
"""Reasons of trades that a stop ended."""


class EndCause(Enum):
    """What finer candles say, in words."""

    SAME = "ended the same"
    OPEN = "ended at an open or close"
    TAKE_FIRST = "the take came first"
    STOP_FIRST = "the stop came first"
    ENTRY_BAR = "the take came in its entry bar"
    PRICE = "filled beyond its price"
    UNDECIDED = "both in one finer candle"
    UNREACHED = "finer candles reach neither"
    MISSING = "finer candles are missing"


OTHERWISE = frozenset({EndCause.TAKE_FIRST, EndCause.STOP_FIRST, EndCause.ENTRY_BAR, EndCause.PRICE})
"""Trades that would have ended otherwise."""
UNKNOWN = frozenset({EndCause.UNDECIDED, EndCause.UNREACHED, EndCause.MISSING})
"""Trades of which finer candles do not tell."""


class GuardedTrade(NamedTuple):
    """A trade of a run, and what protected it in the bar that it ended in."""

    record: TradeRecord
    stop: float
    """NaN for none."""
    take: float


class TradeTruth(NamedTuple):
    """What finer candles say of one trade; times in ms UTC."""

    number: int
    """From 1, in the order in which trades were closed."""
    trade: GuardedTrade
    cause: EndCause
    stop_at: int | None
    """Open time of the first finer candle that reaches the stop in the bar that was looked at."""
    take_at: int | None
    exit_ts: int
    """When it would have ended; as it did where nothing else is known."""
    exit_price: float
    reason: str
    difference: float
    """Money that it would have made more, after costs; 0 where nothing else is known."""
    note: str = ""
    """What is missing or odd."""


class _Event(NamedTuple):
    """What is reached first."""

    cause: EndCause
    """TAKE_FIRST, STOP_FIRST or one of UNKNOWN."""
    at: int = 0
    price: float = math.nan
    stop_at: int | None = None
    take_at: int | None = None
    note: str = ""


class FineCandles(NamedTuple):
    """Finer candles of the run's series, and both timeframes in ms."""

    bars: Bars
    step: int
    coarse_step: int


def explain(
    trades: Iterable[GuardedTrade], opens: dict[int, float], fine: FineCandles, costs: Costs
) -> list[TradeTruth]:
    """Return what finer candles say of each trade. `opens` has the run's bars' opens by their open times.

    What one trade would have made otherwise changes no later one: their sizes stay.
    """
    return [_explained(number, trade, opens, fine, costs) for number, trade in enumerate(trades, start=1)]


def _explained(
    number: int, trade: GuardedTrade, opens: dict[int, float], fine: FineCandles, costs: Costs
) -> TradeTruth:
    record = trade.record
    waited = _is_priced(record, opens, costs)
    if waited and record.exit_ts != record.entry_ts and not math.isnan(trade.take):
        event = _first(trade._replace(stop=math.nan), record.entry_ts, fine, costs, touched=False)
        if event.cause is EndCause.TAKE_FIRST:
            return _otherwise(number, trade, event._replace(cause=EndCause.ENTRY_BAR), costs)
    if record.reason not in STOPS | {"take"}:
        return _unchanged(number, trade, _Event(EndCause.OPEN))
    touched = not (waited and record.exit_ts == record.entry_ts)
    event = _first(trade, record.exit_ts, fine, costs, touched=touched)
    if event.cause in UNKNOWN:
        return _unchanged(number, trade, event)
    ended_by_stop = record.reason in STOPS
    if (event.cause is EndCause.STOP_FIRST) == ended_by_stop:
        if abs(event.price - record.exit_price) <= SAME_PRICE * record.exit_price:
            return _unchanged(number, trade, event._replace(cause=EndCause.SAME))
        event = event._replace(cause=EndCause.PRICE)
    return _otherwise(number, trade, event, costs)


def _is_priced(record: TradeRecord, opens: dict[int, float], costs: Costs) -> bool:
    """Tell whether a trade was entered at a price that it waited for, not at its bar's open."""
    at_open = opens.get(record.entry_ts, math.nan) * (1 + _side(record) * costs.spread)
    return not abs(record.entry_price - at_open) <= SAME_PRICE * record.entry_price


def _first(trade: GuardedTrade, bar: int, fine: FineCandles, costs: Costs, *, touched: bool) -> _Event:
    """Return what finer candles of a bar reach first, from its open on or, not `touched`, from the entry's
    price."""
    bars, side = fine.bars, _side(trade.record)
    first, last = np.searchsorted(bars.ts, [bar, bar + fine.coarse_step]).tolist()
    entry = trade.record.entry_price / (1 + side * costs.spread)
    expected = bar
    for i in range(first, last):
        at = int(bars.ts[i])
        if at != expected:
            return _missing(last - first, fine)
        expected = at + fine.step
        opened, high, low = float(bars.open[i]), float(bars.high[i]), float(bars.low[i])
        if not touched:
            if not low <= entry <= high:
                continue
            # From here on it is held; on which way this candle came to its price is not known.
            touched = True
            event = _in_entry_candle(trade, at, (opened, high, low), entry)
        else:
            event = _in_candle(trade, at, (opened, high, low))
        if event is not None:
            return event
    if expected != bar + fine.coarse_step:
        return _missing(last - first, fine)
    return _Event(EndCause.UNREACHED, note="the bar and its finer candles are not of one price")


def _missing(count: int, fine: FineCandles) -> _Event:
    wanted = fine.coarse_step // fine.step
    return _Event(EndCause.MISSING, note=f"{wanted - count} of {wanted}")


def _in_candle(trade: GuardedTrade, at: int, prices: tuple[float, float, float]) -> _Event | None:
    """Return what one finer candle reaches of a position held at its open; None for nothing."""
    side = _side(trade.record)
    opened, worst, best = _sided(side, prices)
    stop, take = side * trade.stop, side * trade.take
    hits_stop, hits_take = worst <= stop, best >= take
    if hits_stop and hits_take and stop < opened < take:
        return _Event(EndCause.UNDECIDED, stop_at=at, take_at=at)
    # What lies beyond the open was there first.
    if hits_take and not (hits_stop and opened <= stop):
        return _Event(EndCause.TAKE_FIRST, at, side * max(opened, take), at if hits_stop else None, at)
    if hits_stop:
        return _Event(EndCause.STOP_FIRST, at, side * min(opened, stop), at, at if hits_take else None)
    return None


def _in_entry_candle(
    trade: GuardedTrade, at: int, prices: tuple[float, float, float], entry: float
) -> _Event | None:
    """Return what is reached after the entry in the finer candle that fills it; None for nothing."""
    side = _side(trade.record)
    opened, worst, best = _sided(side, prices)
    stop, take, filled = side * trade.stop, side * trade.take, side * entry
    hits_stop, hits_take = worst <= stop, best >= take
    if not (hits_stop or hits_take):
        return None
    # Coming from above its price it falls on to the stop; coming from below it rises on to the take.
    if hits_stop and not hits_take and opened >= filled:
        return _Event(EndCause.STOP_FIRST, at, side * stop, at, None)
    if hits_take and not hits_stop and opened <= filled:
        return _Event(EndCause.TAKE_FIRST, at, side * take, None, at)
    note = "reached in the finer candle that filled it, before or after"
    return _Event(
        EndCause.UNDECIDED, stop_at=at if hits_stop else None, take_at=at if hits_take else None, note=note
    )


def _sided(side: int, prices: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return open, worst and best price as a long position sees them: those of a short are turned round."""
    opened, high, low = prices
    return side * opened, min(side * high, side * low), max(side * high, side * low)


def _side(record: TradeRecord) -> int:
    return 1 if record.side == "LONG" else -1


def _unchanged(number: int, trade: GuardedTrade, event: _Event) -> TradeTruth:
    record = trade.record
    return TradeTruth(
        number=number,
        trade=trade,
        cause=event.cause,
        stop_at=event.stop_at,
        take_at=event.take_at,
        exit_ts=record.exit_ts,
        exit_price=record.exit_price,
        reason=record.reason,
        difference=0.0,
        note=event.note,
    )


def _otherwise(number: int, trade: GuardedTrade, event: _Event, costs: Costs) -> TradeTruth:
    record = trade.record
    by_take = event.cause in (EndCause.TAKE_FIRST, EndCause.ENTRY_BAR) or (
        event.cause is EndCause.PRICE and record.reason == "take"
    )
    reason = "take" if by_take else record.reason if record.reason in STOPS else "stop"
    return TradeTruth(
        number=number,
        trade=trade,
        cause=event.cause,
        stop_at=event.stop_at,
        take_at=event.take_at,
        exit_ts=event.at,
        exit_price=event.price,
        reason=reason,
        difference=gained(record, event.price, costs),
    )


def gained(record: TradeRecord, price: float, costs: Costs) -> float:
    """Return the money that a trade makes more if it ends at this price, commission counted."""
    moved = price - record.exit_price
    return record.size * (_side(record) * moved - costs.commission * moved)


def total_sentence(truths: Sequence[TradeTruth], currency: str, detail: str) -> str:
    """Return what it comes to in one sentence, such as `of 12 trades 2 would have ended otherwise: -3.10
    USDT`."""
    changed = [truth for truth in truths if truth.cause in OTHERWISE]
    unknown = [truth for truth in truths if truth.cause in UNKNOWN]
    sum_of = sum(truth.difference for truth in changed)
    said = f"of {len(truths):,} trades {len(changed):,} would have ended otherwise: {sum_of:+,.2f} {currency}"
    if unknown:
        said += f"; of {len(unknown):,} the {detail} candles do not tell"
    return said
