"""What a compiled account is given, and what changes while it runs: named tuples of arrays and numbers."""

from __future__ import annotations

from typing import NamedTuple

from core.domain import Bound, Costs, FloatArray, IntArray, Refusal
from core.fills import BARS

DONE, NEEDS_ROOM, NEEDS_KEPT, NEEDS_APPROVAL, RUINED, UNSURE, UNSOUND, PRICED = range(8)
"""Why it stops: at the end; its logs are full; to be told what cash and size an entry keeps, and whether the
limits allow one; equity is gone; a number is too near to a limit for floats to tell; a decision is none; an
entry is to wait for a price."""
MADE_BY = BARS + 1
"""Column of an entry asked for: what bound its size, a limit included."""
NEAR = 1e-9
"""What floats may be off, as a part of what they were added up from."""
NEVER = float(-(2**53))
"""A time before all others."""
NOBODY = -1
"""Whose turn it is before a step's bars are taken."""

# Integers of the state: where the run is, how much is in the logs, what tripped.
AT, TURN, STAGE, ROW, TOTAL, CLOSED, ENTERED, TRIPPED, ORDERED = range(9)
TODAY, DAY_ORDERS, STEP_ORDERS, SEQUENCE, CLOSING, ENDED, ENTERING, WAITING, HAS_TRIPPED = range(9, 18)
"""ENTERING is 1 once all of a step that only close have had their turn, WAITING how many are left then."""
LOSSES = 4
"""Rows of core.risk.limits.BREAKERS that measure equity: each has a counter from HAS_TRIPPED on, a base."""
COUNTERS = HAS_TRIPPED + LOSSES
# Numbers of the state: cash as core.fills counts it, equity at the step, answers, what losses count from.
SETTLED, WORTH, KEPT_CASH, KEPT_PART, ANSWER, AMOUNT, WHY, BASE = range(8)
NUMBERS = BASE + LOSSES
NOTHING, DIRECTIONAL, ALL = range(3)
"""What a breaker closes."""
DAY_LOSS = 0
"""The row of these that counts from the day's first equity."""
# Stages of a turn: nothing is decided yet; it is, and what others keep is told; entries wait for approval, or
# for the caller's.
SEARCHING, TOLD, APPROVING, ASKING = range(4)
# What an answer to NEEDS_APPROVAL says.
REFUSE, APPROVE, CUT = range(3)
# Kinds of outcomes that are counted by strategy: refused by reason, entered by what bound it, cut by limit.
REFUSALS, BOUNDS, CUTS = range(3)
# Reasons that floats can tell, by their numbers in core.account.orders.RefusalReason.
NO_BRACKET, NO_LOT, NO_CASH, NO_LOTS = range(4)
BAND, SHORT = range(5, 7)
POSITIONS, COOL, RATE, PAUSED, JUMPED, NO_REGIME = 12, 14, 15, 24, 35, 37
"""Of pauses the first, the others follow."""
# Why sizing refuses, as core.fills counts it.
TOO_SMALL, WRONG_BRACKET, TOO_MANY = int(Refusal.LOT), int(Refusal.BRACKET), int(Refusal.LOTS)
NOT_ALLOWED = int(Refusal.REGIME)
CORRELATED = len(Bound)
"""Behind the numbers of core.domain.Bound: smaller because of what moves alike."""
RECOVERING = CORRELATED + 1
"""The same for a while after a loss."""
BY_LIMIT = RECOVERING + 1
"""From here on: cut by the limit whose reason's number is added."""


class AllBars(NamedTuple):
    """All series, one after the other."""

    ends: IntArray
    """Close times, ms UTC."""
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    starts: IntArray
    """Where each series begins, and where the last ends."""
    symbols: IntArray
    """The number of each series' symbol."""
    jumps: IntArray
    """1 where a bar jumps; empty where nothing is looked at."""


class Turns(NamedTuple):
    """Who trades what: one strategy on one series each, in the order in which they fill and decide."""

    first: IntArray
    """Whose turns each series has: from here to before the next's."""
    series: IntArray
    symbols: IntArray
    strategies: IntArray
    ladders: IntArray
    """1 for a ladder."""
    scans: IntArray
    """Addresses of the rules' searches, and of what they search in."""
    frames: IntArray
    values: IntArray
    by_book: IntArray
    """The order in which a paper venue adds up what its books hold …"""
    by_held: IntArray
    """… and in which a portfolio does."""
    sizing: FloatArray
    """(turns, 8): Sizing without the market's measures."""
    measured: IntArray
    """Where measures begin in `volatility` and `fit`; -1 where all are 1."""
    volatility: FloatArray
    fit: FloatArray
    least: FloatArray
    """The smallest entry, quote units; 0 for any."""


class FloatLimits(NamedTuple):
    """An account's limits as floats; what is below 0 is none."""

    left: FloatArray
    """(losses,): what is left of the base when a breaker trips, as a part."""
    windows: IntArray
    """(days, losses): number of the window that each day is in; 0 where only the highest counts."""
    begins: int
    """The first of these days, counted from 1970."""
    by_command: IntArray
    """(losses,): 1 where it stays tripped when its window ends."""
    closes: IntArray
    """(losses,): NOTHING, DIRECTIONAL or ALL."""
    reasons: IntArray
    """(losses,): what each refuses entries for."""
    exposure: float
    """Percents of equity."""
    of_symbol: float
    of_strategy: float
    of_position: float
    alike: float
    order: float
    """Quote units."""
    reserve: float
    """Percent of equity."""
    positions: int
    cool_down: float
    """Milliseconds."""
    per_minute: int
    per_day: int
    band: float
    """Percent."""
    allows_short: int
    correlation: float
    jump_pause: float
    """How long nobody enters a symbol that jumped, milliseconds; below 0: nothing is looked at."""
    recovery: float
    """How long entries are smaller after a loss, milliseconds …"""
    recovery_part: float
    """… and what is left of them, as a part."""
    pauses: FloatArray
    """(pauses, …): the terms, as core.kernel.account_pauses lays them out."""
    has_pauses: int


class BookArrays(NamedTuple):
    """What changes: a book of core.fills for each turn, its sums, the series' newest bars, the counts."""

    rows: FloatArray
    """(turns, …)."""
    size: FloatArray
    cost: FloatArray
    bound: FloatArray
    lowest: FloatArray
    """A bar that stays between them reaches no stop and no take."""
    highest: FloatArray
    due: IntArray
    """The bar at which a turn is to be looked at next."""
    price: FloatArray
    """The close at which what waits for a bar was decided on."""
    newest: IntArray
    """Number of each series' newest bar."""
    fresh: IntArray
    """1 where it closed at this step."""
    marks: FloatArray
    """Last close of each symbol, as the portfolio knows it …"""
    closes: FloatArray
    """… and as the venue does while it fills one series after the other."""
    noted: IntArray
    """(turns,): 1 where a breaker closes what is held, and what is entered yet …"""
    closing: IntArray
    """… and 1 while something of it is held, so that nothing else is decided."""
    waits: IntArray
    """(turns,): 1 for one that enters at this step, which comes after all that only close."""
    lost: IntArray
    """When each strategy last lost, ms."""
    paused: FloatArray
    """(pauses, turns): until when each may not enter, ms."""
    jumped: FloatArray
    """(symbols,): until when nobody may enter each because it jumped, ms."""
    told: FloatArray
    codes: IntArray
    """What goes to a search and comes from it: what was decided on last."""
    spare: FloatArray
    """A book to go back to."""
    counts: IntArray
    """(kinds of outcome, strategies, what)."""
    seen: IntArray
    """(kinds of outcome, strategies): which came first."""


class FillLogs(NamedTuple):
    """What happened, for the exact books."""

    trades: FloatArray
    """Rows of core.fills."""
    of_trade: IntArray
    """Whose each is."""
    entries: FloatArray
    """(entries, 5): whose, bar, rung, signed size, price."""
    orders: IntArray
    """Steps of approved entries."""
    trips: IntArray
    """(trips, 3): which loss; the step; after how many of its trades."""
    curve: FloatArray
    """Equity at each step."""


class FloatAccount(NamedTuple):
    """A compiled account."""

    times: IntArray
    """When anything closes, ms UTC."""
    bars: AllBars
    turns: Turns
    limits: FloatLimits
    costs: Costs
    books: BookArrays
    logs: FillLogs
    counters: IntArray
    numbers: FloatArray
