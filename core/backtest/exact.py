"""What decimals alone can tell a compiled account: the cash kept for several orders, what limits leave."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from core.account.money import NOTHING, decimal_of, minus, plus, signed, times, total
from core.account.orders import Intent, Purpose, RefusalReason, Refused
from core.account.values import Exposed, Held, Snapshot, committed, kept_cash
from core.domain import FloatArray
from core.fills import ASKED, EXIT, EXIT_SIZE, EXITS, HELD, LOTS, SIZE, WANTED
from core.kernel import account_state as kernel
from core.kernel.scan import NEW_TARGET
from core.risk.correlation import part_kept
from core.risk.limits import Entry, alike_in
from core.utils import timeframe_ms

if TYPE_CHECKING:
    from core.backtest.compiled_account import CompiledAccount

_NUMBERS = {reason: number for number, reason in enumerate(RefusalReason)}


class ExactAnswers:
    """Answers a compiled account out of its ledger."""

    def __init__(self, run: CompiledAccount) -> None:
        self.run = run

    def tell_kept(self) -> None:
        """Say what cash an entry must leave to others, and the part of its size that it keeps."""
        run = self.run
        turn = int(run.state.counters[kernel.TURN])
        cash = kept_cash(self._exposed().values(), run.account.costs.commission)
        run.state.numbers[kernel.KEPT_CASH] = float(cash)
        run.state.numbers[kernel.KEPT_PART] = self._part_kept(turn)

    def tell_approval(self) -> None:
        """Say what the limits leave of the entry whose turn it is."""
        run = self.run
        turn, state = int(run.state.counters[kernel.TURN]), run.state.numbers
        outcome = run.risk.within_limits(self._entry(turn))
        if isinstance(outcome, Refused):
            state[kernel.ANSWER], state[kernel.WHY] = kernel.REFUSE, _NUMBERS[outcome.reason]
        elif outcome.cut is None:
            state[kernel.ANSWER] = kernel.APPROVE
        else:
            state[kernel.ANSWER], state[kernel.WHY] = kernel.CUT, _NUMBERS[outcome.cut.limit]
            state[kernel.AMOUNT] = float(outcome.intent.amount)

    def _entry(self, turn: int) -> Entry:
        run, feed = self.run, self.run.turns[turn]
        row = run.state.books.rows[turn, WANTED + int(run.state.counters[kernel.ROW])]
        size, close = float(row[SIZE]), float(run.state.books.price[turn])
        side: Any = "buy" if size > 0 else "sell"
        named = feed.name, feed.symbol, feed.timeframe, 0, Purpose.ENTRY, "main", side
        intent = Intent(*named, Decimal(abs(size)), decimal_of(close), "entry", 0, 0)
        notional = times(intent.amount, intent.price)
        account, limits = self._snapshot(turn), run.risk.limits
        closes, now = (
            _Closes(run, limits.correlation_bars),
            int(run.state.times[run.state.counters[kernel.AT]]),
        )
        together = alike_in(closes, limits, intent, account, now)
        return Entry(intent, notional, run.risk.rate(side), account, close, alike=together)

    def _snapshot(self, turn: int) -> Snapshot:
        run, feed = self.run, self.run.turns[turn]
        self.run.book()
        some = self._exposed()
        entering = feed.name, feed.symbol
        now = committed(some, run.ledger.cash, run.account.costs.commission, entering)
        worth = float(run.state.numbers[kernel.WORTH])
        given = now.free_cash, total(now.by_symbol.values()), now.by_symbol, now.by_strategy
        return Snapshot(worth, *given, frozenset(), now.by_position, self._sides())

    def _exposed(self) -> dict[Held, Exposed]:
        """Return what each turn has and waits for, at the last prices."""
        run, found = self.run, {}
        self.run.book()
        heads = run.state.books.rows[:, 0]
        for turn in np.flatnonzero((heads[:, LOTS] > 0) | (heads[:, ASKED] > 0)).tolist():
            feed = run.turns[turn]
            found[feed.name, feed.symbol] = self._of(turn, run.state.books.rows[turn])
        return found

    def _of(self, turn: int, book: FloatArray) -> Exposed:
        run, one = self.run, Exposed()
        mark = decimal_of(float(run.state.books.marks[run.state.turns.symbols[turn]]))
        rows = book[HELD : HELD + int(book[0, LOTS])]
        lots = run.ledger.held(turn)
        for row, (_, lot) in zip(rows, lots, strict=True):
            notional = times(lot.amount, mark)
            one.held = plus(one.held, notional)
            one.short = plus(one.short, notional if row[SIZE] < 0 else NOTHING)
            one.leaving = plus(one.leaving, times(_leaving(book, row, lot.amount), mark))
        price = decimal_of(float(run.state.books.price[turn]))
        for row in book[WANTED : WANTED + int(book[0, ASKED])]:
            notional = times(Decimal(float(abs(row[SIZE]))), price)
            one.asked = plus(one.asked, notional)
            one.reserve = plus(
                one.reserve, times(notional, run.risk.rate("buy" if row[SIZE] > 0 else "sell"))
            )
        return one

    def _part_kept(self, turn: int) -> float:
        run, feed = self.run, self.run.turns[turn]
        cut = run.risk.limits.correlation_cut
        held = self._sides()
        if not cut or not held:
            return 1.0
        side = 1 if run.state.books.told[NEW_TARGET] > 0 else -1
        now = int(run.state.times[run.state.counters[kernel.AT]])
        closes = _Closes(run, run.risk.limits.correlation_bars)
        timeframe = run.session.executor.plans[feed.name].timeframe
        return part_kept(closes, cut, (feed.symbol, side), held, timeframe, now)

    def _sides(self) -> dict[str, int]:
        """Return the side of what is held in all once what is asked for is done, as Portfolio.sides."""
        run, net = self.run, dict[str, Decimal]()
        heads = run.state.books.rows[:, 0]
        for turn in np.flatnonzero((heads[:, LOTS] > 0) | (heads[:, ASKED] > 0)).tolist():
            book, symbol = run.state.books.rows[turn], run.turns[turn].symbol
            lots = [lot.amount for _, lot in run.ledger.held(turn)]
            for row, amount in zip(book[HELD : HELD + int(book[0, LOTS])], lots, strict=True):
                stays = minus(amount, _leaving(book, row, amount))
                net[symbol] = plus(net.get(symbol, NOTHING), signed(1 if row[SIZE] > 0 else -1, stays))
            for row in book[WANTED : WANTED + int(book[0, ASKED])]:
                net[symbol] = plus(net.get(symbol, NOTHING), Decimal(float(row[SIZE])))
        return {symbol: (amount > 0) - (amount < 0) for symbol, amount in net.items()}


def _leaving(book: FloatArray, row: FloatArray, amount: Decimal) -> Decimal:
    """Return how much of a lot is about to be closed, base units."""
    if book[0, EXITS] == 0 or row[EXIT] == 0.0:
        return NOTHING
    return amount if row[EXIT_SIZE] >= abs(row[SIZE]) else Decimal(float(row[EXIT_SIZE]))


class _Closes:
    """The newest closes of every series, read from the stored bars: as core.risk.correlation.NewestCloses."""

    def __init__(self, run: CompiledAccount, most: int) -> None:
        self.run, self._most = run, most + 1

    def times(self, timeframe: str, now: int) -> range:
        """Return the close times of the newest bars of this timeframe."""
        step = timeframe_ms(timeframe)
        return range(now - (self._most - 1) * step, now + 1, step)

    def at(self, symbol: str, times: range) -> FloatArray:
        """Return a symbol's closes at these times, NaN where no series knows one."""
        run, wanted = self.run, np.arange(times.start, times.stop, times.step)
        found = np.full(wanted.size, np.nan)
        own = np.flatnonzero(run.state.bars.symbols == run.symbols.index(symbol)).tolist()
        for k in sorted(own, key=lambda k: (run.state.bars.ends[run.state.bars.starts[k]], k)):
            start, stop = (
                int(run.state.bars.starts[k]),
                int(run.state.bars.starts[k] + run.state.books.newest[k] + 1),
            )
            first = max(start, stop - self._most)
            ends, closes = run.state.bars.ends[first:stop], run.state.bars.close[first:stop]
            if not ends.size:
                continue
            places = np.minimum(np.searchsorted(ends, wanted), ends.size - 1)
            known = np.where(ends[places] == wanted, closes[places], np.nan)
            found = np.where(np.isnan(found), known, found)
        return found
