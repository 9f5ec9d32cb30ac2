"""Two lists of trades side by side: which belong together, and what the first difference of each pair is.

Trades are one pair if they entered in the same bar on the same side, in the order in which they are listed.
Of what differs the first in the order of causes is named: what a trade began with makes what follows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from core.figures import how_many
from core.results.runs import TradeRecord

NEAR = 1e-6
"""Share of a price, a size or a fee below which two are one: accounts round to what an exchange takes."""

EQUAL = "equal"


class TradePair(NamedTuple):
    """A trade of each list, None where the other has none like it."""

    one: TradeRecord | None
    other: TradeRecord | None
    cause: str
    """EQUAL, or what differs, in words."""
    difference: float
    """Money that the other made more."""


class TradeList(NamedTuple):
    """Trades of one run or account, in any order."""

    name: str
    trades: Sequence[TradeRecord]
    start: int
    """ms UTC; before it nothing could be entered."""
    end: int
    why_not: Callable[[int], str | None]
    """Why nothing was entered in the bar that opens then, in words; None where that is not known."""
    ready: int = 0
    """ms UTC; between `start` and then its strategy was warming up."""


def paired(one: TradeList, other: TradeList, step: int) -> list[TradePair]:
    """Return all trades of both lists in pairs, by the bars, `step` ms long, that they entered in."""
    waiting: defaultdict[tuple[int, str], list[TradeRecord]] = defaultdict(list)
    for trade in sorted(other.trades, key=_order):
        waiting[trade.entry_ts // step, trade.side].append(trade)
    found: list[tuple[tuple[int, int], TradePair]] = []
    for trade in sorted(one.trades, key=_order):
        mates = waiting[trade.entry_ts // step, trade.side]
        if mates:
            mate = mates.pop(0)
            cause, more = first_difference(trade, mate, step), mate.pnl - trade.pnl
            found.append((_order(trade), TradePair(trade, mate, cause, more)))
        else:
            found.append((_order(trade), TradePair(trade, None, _absent(trade, other, step), -trade.pnl)))
    for trade in (trade for mates in waiting.values() for trade in mates):
        found.append((_order(trade), TradePair(None, trade, _absent(trade, one, step), trade.pnl)))
    return [pair for _, pair in sorted(found, key=lambda row: row[0])]


def first_difference(one: TradeRecord, other: TradeRecord, step: int) -> str:
    """Return the first thing in which two trades differ, in words, or EQUAL."""
    if not _near(one.entry_price, other.entry_price):
        return "entered at another price"
    if not _near(one.size, other.size):
        return "another size"
    if one.reason != other.reason:
        return f"ended by {one.reason} and by {other.reason}"
    if one.exit_ts // step != other.exit_ts // step:
        return "ended in another bar"
    if not _near(one.exit_price, other.exit_price):
        return "ended at another price"
    return EQUAL if _near(one.fees, other.fees) else "other fees"


def pairs_sentence(pairs: Sequence[TradePair], one: str, other: str, currency: str) -> str:
    """Return what the comparison comes to in one sentence."""
    equal = sum(pair.cause == EQUAL for pair in pairs)
    money = sum(pair.difference for pair in pairs)
    made = f"{abs(money):,.2f} {currency} {'more' if money >= 0 else 'less'}"
    return f"{equal:,} of {len(pairs):,} trades are equal; {other} made {made} than {one}"


def in_common(
    pairs: Sequence[TradePair], one: TradeList, other: TradeList, step: int
) -> tuple[list[TradePair], list[TradePair]]:
    """Return the pairs of the time that both lists are of, and those of the time of one alone.

    What was traded before the other began, or after it ended, says nothing of how the two differ.
    """
    start, end = max(one.start, other.start), min(one.end, other.end)
    inside: list[TradePair] = []
    apart: list[TradePair] = []
    for pair in pairs:
        alone = pair.one or pair.other if None in (pair.one, pair.other) else None
        is_common = alone is None or start <= alone.entry_ts // step * step < end
        (inside if is_common else apart).append(pair)
    return inside, apart


def apart_sentences(apart: Sequence[TradePair], one: str, other: str, currency: str) -> list[str]:
    """Return a sentence for each list that has trades of a time that is not the other's: how many, what they
    made.
    """
    ones = [pair.one for pair in apart if pair.one is not None]
    others = [pair.other for pair in apart if pair.other is not None]
    return [
        f"not compared: {how_many(len(trades), 'trade')} of {name}, "
        f"{sum(trade.pnl for trade in trades):+,.2f} {currency}, from a time that {mate} is not of"
        for name, mate, trades in ((one, other, ones), (other, one, others))
        if trades
    ]


def _absent(trade: TradeRecord, other: TradeList, step: int) -> str:
    """Return why the other list has no such trade."""
    bar = trade.entry_ts // step * step
    if bar < other.start:
        return f"before {other.name} began"
    if bar < other.ready:
        return f"{other.name} was still warming up"
    if bar >= other.end:
        return f"after {other.name} ended"
    if why := other.why_not(bar):
        return why
    if any(mate.entry_ts < bar < mate.exit_ts for mate in other.trades):
        return f"{other.name} held another trade"
    return f"{other.name} entered nothing"


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= NEAR * max(abs(one), abs(other))


def _order(trade: TradeRecord) -> tuple[int, int]:
    return trade.entry_ts, trade.exit_ts
