"""How a compiled account ends: what is open is closed, and its replay is what one step by step finds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from core import fills
from core.account.orders import RefusalReason
from core.account.values import LastExit
from core.backtest.replay import Replay
from core.domain import Bound, IntArray, Reason
from core.fills import (
    ASKED,
    EXIT,
    EXIT_BAR,
    EXITS,
    HELD,
    LEFT_BAR,
    LEFT_WITH,
    LOST,
    LOTS,
    TRADES,
    WINS,
)
from core.intents import CORRELATION
from core.kernel import account_state as kernel
from core.kernel.account_orders import count
from core.risk.breakers import RECOVERY, RiskState, Trip, judged
from core.risk.jumps import paused_by
from core.risk.limits import DAY_EQUITY
from core.risk.pauses import Paused
from core.risk.windows import DAY

if TYPE_CHECKING:
    from core.backtest.compiled_account import CompiledAccount

_REASONS = tuple(RefusalReason)
_EXPIRED = _REASONS.index(RefusalReason.EXPIRED)
_BOUNDS = [
    *(bound.name.lower() for bound in Bound),
    CORRELATION,
    RECOVERY,
    *(reason.value for reason in RefusalReason),
]
"""By the numbers that the compiled account gives them."""


def finished(run: CompiledAccount) -> Replay:
    """Close what is open at the last closes, and return what the account found."""
    closed = int(run.state.counters[kernel.CLOSED])
    close_at_the_end(run)
    run.book()
    trips = remembered(run, closed)
    _settle(run)
    equity = run.state.logs.curve
    equity[-1] = run.state.numbers[kernel.SETTLED]
    trades = run.ledger.trades
    return Replay(
        trades={name: tuple(one for one in trades if one.strategy == name) for name in run.strategies},
        times=run.state.times,
        equity=equity,
        refusals=_counted(run, kernel.REFUSALS),
        bounds=_counted(run, kernel.BOUNDS),
        cuts=_counted(run, kernel.CUTS),
        trips=tuple(trips),
        bars=sum(int(feed.bars.ts.size) for feed in run.feeds),
        session=run.session,
        desk=run.desk,
    )


def close_at_the_end(run: CompiledAccount) -> None:
    """Drop what waits for a bar, close the rest at the last closes."""
    books, counters, costs = run.state.books, run.state.counters, run.account.costs
    for q in run.state.turns.by_book.tolist():
        book = books.rows[q]
        held = book[HELD : HELD + int(book[0, LOTS])]
        exits = int((held[:, EXIT] != 0.0).sum()) if book[0, EXITS] > 0 else 0
        dropped, whose = int(book[0, ASKED]) + exits, run.state.turns.strategies[q]
        count(books, counters, kernel.REFUSALS, whose, _EXPIRED, dropped)
        book[0, ASKED] = book[0, EXITS] = 0.0
        held[:, EXIT] = 0.0
        if book[0, LOTS] == 0:
            continue
        k = run.state.turns.series[q]
        if counters[kernel.CLOSED] + 64 > run.state.logs.of_trade.size:
            run.grow()
        before = int(counters[kernel.CLOSED])
        book[0, fills.CASH], book[0, TRADES] = run.state.numbers[kernel.SETTLED], before
        price = float(books.closes[run.state.turns.symbols[q]])
        fills.close_all(book, run.state.logs.trades, int(books.newest[k]), price, Reason.END, costs)
        run.state.numbers[kernel.SETTLED] = book[0, fills.CASH]
        counters[kernel.CLOSED] = int(book[0, TRADES])
        run.state.logs.of_trade[before : counters[kernel.CLOSED]] = q


def remembered(run: CompiledAccount, closed: int) -> list[tuple[str, Trip]]:
    """Tell risk what it would remember, to the last bit, and return what tripped, in order.

    `closed` trades were closed before the end, which is told as the bookkeeper tells it.
    """
    risk, now = run.risk, int(run.state.times[-1])
    before, trips = _before_the_end(run, closed)
    risk.state = _paused(run, before, closed)
    known, worth = risk.state.trips, float(run.state.numbers[kernel.SETTLED])
    risk.mark(now, worth)
    for trade in run.ledger.trades[closed:]:
        pnl = float(trade.pnl)
        risk.register_trade_pnl(pnl, worth - pnl, trade.strategy)
        risk.close(trade)
    return [*trips, *(trip for trip in risk.state.trips.items() if trip[0] not in known)]


def _before_the_end(run: CompiledAccount, closed: int) -> tuple[RiskState, list[tuple[str, Trip]]]:
    """Return the state after the last bar, and what had tripped."""
    curve, days = run.state.logs.curve, run.state.times // DAY
    trades = run.ledger.trades[:closed]
    pnl = np.array([float(trade.pnl) for trade in trades])
    at = _steps_of_trades(run, closed)
    # What risk is told after each trade: the equity less its profit, and the profit again.
    after = (curve[at] - pnl) + pnl
    highest, higher = np.maximum.accumulate(curve), np.maximum.accumulate(after)
    windows = run.state.limits.windows[days - days[0]]
    losses = [(row, row.loss) for row in run.risk.rows if row.loss is not None]

    def base(kind: int, t: int, trades_told: int) -> float:
        """Return what a loss is measured from at a step, after so many trades in all."""
        if losses[kind][1].window is not None:
            return float(curve[np.searchsorted(windows[:, kind], windows[t, kind])])
        return max(float(highest[t]), float(higher[trades_told - 1]) if trades_told else -np.inf)

    trips: list[tuple[str, Trip]] = []
    lasting: dict[str, Trip] = {}
    for kind, t, told in run.state.logs.trips[: run.state.counters[kernel.TRIPPED]].tolist():
        first = int(np.searchsorted(at, t))
        worth = float(after[first + told - 1] if told else curve[t])
        row, loss = losses[kind]
        state = RiskState(int(run.state.times[t]), worth, {}, {loss.base: base(kind, t, first + told)})
        trip = judged(state, {loss.setting: run.risk.threshold(loss.setting)}, run.risk.rows).trips[row.name]
        trips.append((row.name, trip))
        if row.ending.is_by_name or windows[t, kind] == windows[-1, kind]:
            lasting[row.name] = trip
    after_all = float(after[-1] if closed and at[-1] == days.size - 1 else curve[-1])
    state = RiskState(
        *(int(run.state.times[-1]), after_all),
        {loss.window.name: int(windows[-1, kind]) for kind, (_, loss) in enumerate(losses) if loss.window},
        {loss.base: base(kind, days.size - 1, closed) for kind, (_, loss) in enumerate(losses)},
        lasting,
        {
            trade.strategy: int(run.state.times[t])
            for trade, t, won in zip(trades, at, pnl, strict=True)
            if won < 0
        },
        _sent_today(run, days),
        ended=int(run.state.counters[kernel.ENDED]),
        jumps=_jumps(run),
    )
    return state, trips


def _sent_today(run: CompiledAccount, days: IntArray) -> tuple[int, ...]:
    """Return when the orders of the last day were sent, ms UTC; `days` has the day of each step."""
    first = int(np.searchsorted(days, days[-1]))
    sent = run.state.logs.orders[: run.state.counters[kernel.ORDERED]]
    return tuple(run.state.times[sent[sent >= first]].tolist())


def _jumps(run: CompiledAccount) -> dict[str, Paused]:
    """Return the newest pause that each symbol's jumps began."""
    bars, newest = run.state.bars, dict[str, int]()
    for k, number in enumerate(bars.symbols.tolist()):
        some = np.flatnonzero(bars.jumps[bars.starts[k] : bars.starts[k + 1]])
        if some.size:
            end = int(bars.ends[bars.starts[k] + some[-1]])
            newest[run.symbols[number]] = max(end, newest.get(run.symbols[number], 0))
    return {symbol: paused_by(symbol, end, run.risk.jump_terms) for symbol, end in newest.items()}


def _paused(run: CompiledAccount, state: RiskState, closed: int) -> RiskState:
    """Return the state with what pauses remember after the last bar."""
    risk, at = run.risk, _steps_of_trades(run, closed)
    if not closed or not (most := risk.looks_back()):
        return state
    known, ends = state, run.state.times[at]
    first_of_day = np.searchsorted(run.state.times // DAY, ends // DAY)
    began = run.state.logs.curve[first_of_day]
    # What is older is forgotten by the newest trade, and so are its pauses.
    for n in range(int(np.searchsorted(ends, ends[-1] - most)), closed):
        risk.state = known._replace(time=int(ends[n]), bases={DAY_EQUITY: float(began[n])})
        risk.close(run.ledger.trades[n])
        known = risk.state
    return state._replace(closed=known.closed, pauses=known.pauses)


def _steps_of_trades(run: CompiledAccount, closed: int) -> IntArray:
    """Return the step at which each trade was closed."""
    slots = run.state.logs.of_trade[:closed]
    starts = run.state.bars.starts[run.state.turns.series[slots]]
    ends = run.state.bars.ends[starts + run.state.logs.trades[:closed, EXIT_BAR].astype(np.int64)]
    return np.searchsorted(run.state.times, ends)


def _settle(run: CompiledAccount) -> None:
    """Let portfolio, venue and session stand as they would."""
    session, desk, ledger = run.session, run.desk, run.ledger
    portfolio, settled = session.portfolio, float(run.state.numbers[kernel.SETTLED])
    portfolio.cash, portfolio.settled = ledger.cash, settled
    portfolio.results.update(ledger.results)
    desk.cash = settled
    counters = run.state.counters
    closed = int(counters[kernel.CLOSED])
    rows, whose = run.state.logs.trades[:closed], run.state.logs.of_trade[:closed]
    for q in run.state.turns.by_held.tolist():
        feed, book = run.turns[q], run.state.books.rows[q]
        portfolio.view(feed.name, feed.symbol)
        own = rows[whose == q]
        if own.size:
            portfolio.records[feed.name, feed.symbol] = tuple(book[0, WINS : LOST + 1].tolist())
            left = int(book[0, LEFT_BAR]), float(book[0, LEFT_WITH])
            portfolio.exits[feed.name, feed.symbol] = LastExit(*left)
        desk.take_trades(feed.name, feed.symbol, own)
    counted = []
    for k, ((symbol, timeframe), bars) in enumerate(run.series.items()):
        newest = int(run.state.books.newest[k])
        counted.append((symbol, timeframe, int(bars.ts[newest]), newest + 1))
        price = float(run.state.books.marks[run.state.bars.symbols[k]])
        portfolio.mark(symbol, price)
        desk.mark(symbol, price)
    session.recount(counted)


def _counted(run: CompiledAccount, kind: int) -> dict[str, Counter[str]]:
    """Return the outcomes of a kind by strategy, which came first in time first."""
    counts, seen = run.state.books.counts[kind], run.state.books.seen[kind]
    words = _BOUNDS if kind == kernel.BOUNDS else [reason.value for reason in RefusalReason]
    found: dict[str, Counter[str]] = {}
    for whose in sorted(np.flatnonzero(seen).tolist(), key=lambda whose: int(seen[whose])):
        own = found[run.strategies[whose]] = Counter()
        for word, times in zip(words, counts[whose].tolist(), strict=False):
            # Sizing and a limit may have one word for what binds.
            if times:
                own[word] += times
    return found
