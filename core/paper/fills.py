"""The paper exchange: what becomes of one account's orders, by the fill model of the backtest.

One book of core.fills per strategy and symbol, all drawing on one cash. A book's fills, their order inside a
bar, prices, fees and spread are those functions' own. What an exchange adds is optional: its smallest steps,
and no more than a share of a bar's volume. Nothing here is random, and a fill's id is made of what it is for.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from core import fills
from core.account.lots import Lot, book_of, lot_id
from core.account.money import decimal_of, float_of, is_on_step, minus, times, to_step
from core.account.orders import (
    Approved,
    Executed,
    Fill,
    Intent,
    News,
    Protection,
    Purpose,
    RefusalReason,
    Refused,
)
from core.account.values import SeriesKey
from core.domain import REASON_WORDS, Bar, Costs, FloatArray, Reason, Refusal
from core.figures import money
from core.fills import OneBar
from core.paper.lots import (
    UNASKED,
    HeldLot,
    LotNumber,
    PaperBook,
    ask_entry,
    ask_exit,
    comes_late,
    drop_entries,
    forgotten,
    in_time,
    limited,
    lot_key,
    passed_over,
    protective,
    put_back,
    rung_of,
    set_aside,
    take_back,
    younger,
)
from core.risk.limits import ANY_MARKET, MarketDemands
from core.symbols import pair_of
from core.utils import on_grid, timeframe_ms


class PaperFills:
    """Takes approved orders and protective prices, and says at each bar what came of them."""

    exchange = "paper"

    def __init__(
        self,
        cash: float,
        costs: Costs,
        markets: dict[str, MarketDemands] | None = None,
        volume_share: float | None = None,
        *,
        keep_trades: bool = True,
    ) -> None:
        """Start with cash in quote units; `volume_share`: the most of a bar's volume that an order gets.

        Without `keep_trades` closed trades are forgotten once they were told, so that memory does not grow.
        """
        self.cash = cash
        """What core.fills calls cash: deposits, realised profit and fees. Lots do not lessen it."""
        self.is_ruined = False
        self.costs, self._markets, self.volume_share = costs, markets or {}, volume_share
        self._keeps_trades = keep_trades
        self._books: dict[tuple[str, str], PaperBook] = {}
        self._of_series: dict[SeriesKey, list[PaperBook]] = {}
        self._last: dict[SeriesKey, tuple[int, Bar]] = {}
        self._closes: dict[str, float] = {}

    def trades(self, strategy: str, symbol: str) -> FloatArray:
        """Return a book's closed trades, shape (trades, 12), columns as in core.fills."""
        book = self._books.get((strategy, symbol))
        return fills.make_trades(0) if book is None else book.trades[: int(book.rows[0, fills.TRADES])]

    def take_trades(self, strategy: str, symbol: str, trades: FloatArray) -> None:
        """Take a book's closed trades from whoever filled it."""
        book = self._books[strategy, symbol]
        book.trades, book.rows[0, fills.TRADES] = trades, trades.shape[0]

    def follow(self, strategy: str, symbol: str, timeframe: str) -> None:
        """Open a strategy's book of a symbol; on one bar, books have their turn in this order.

        A book that holds nothing and waits for nothing may change its timeframe.
        """
        book = self._books.get((strategy, symbol))
        if book is not None and book.timeframe != timeframe and book.is_idle:
            self._of_series[symbol, book.timeframe].remove(book)
            del self._books[strategy, symbol]
        self._book(strategy, symbol, timeframe)

    def restore(self, timeframe: str, held: tuple[str, str], lots: Sequence[Lot]) -> None:
        """Hold these lots of a strategy and symbol, as after a restart."""
        book = self._book(*held, timeframe)
        # Negative, so that no bar from now on has their number.
        old = [replace(lot, entry_bar=-1 - len(lots) + i) for i, lot in enumerate(lots)]
        book.rows[:] = book_of(old)
        book.lots = {(lot.entry_bar, lot.rung): HeldLot(lot.id, lot.amount, lot.entry_time) for lot in old}
        book.sum_up()

    def take_over(self, timeframe: str, held: tuple[str, str], lots: Sequence[Lot]) -> list[Refused]:
        """Hold these lots if others are held; return the exits that waited for one which is gone."""
        known = self._book(*held, timeframe).lots.values()
        is_same = {lot.id: lot.amount for lot in lots} == {lot.id: lot.amount for lot in known}
        return [] if is_same else self.hold_anew(timeframe, held, lots)

    def hold_anew(self, timeframe: str, held: tuple[str, str], lots: Sequence[Lot]) -> list[Refused]:
        """Hold these lots, and let what waits for a bar wait on; return the exits of lots that are gone."""
        book = self._book(*held, timeframe)
        asked, exits = list(book.asked), [intent for intent, _ in book.exits.values()]
        forgotten(book)
        self.restore(timeframe, held, lots)
        no = [*(ask_entry(book, one) for one in asked), *(ask_exit(book, one) for one in exits)]
        return [refused for refused in no if refused]

    def mark(self, symbol: str, price: float) -> None:
        """Take a symbol's last close, as after a restart."""
        self._closes[symbol] = price

    def submit(self, approved: Approved) -> Refused | None:
        """Take an order, to be filled from the next bar on, or refuse it as an exchange would."""
        intent = approved.intent
        market = self._markets.get(intent.symbol, ANY_MARKET)
        refused = self._refusal(intent, market)
        if refused:
            return refused
        book = self._book(intent.strategy, intent.symbol, intent.timeframe)
        return ask_entry(book, approved) if intent.purpose is Purpose.ENTRY else ask_exit(book, intent)

    def withdraw(self, held: tuple[str, str], keys: Collection[str], lots: Sequence[Lot]) -> None:
        """Forget orders that wait for a bar, by key; `lots` are what the strategy holds of the symbol."""
        if book := self._books.get(held):
            take_back(book, keys, {lot.id: lot.share for lot in lots})

    def cancel(self, entry: Intent) -> bool:
        """Forget an entry that waits for a bar; return whether it did."""
        book = self._books.get((entry.strategy, entry.symbol))
        if book is not None:
            book.waited.pop(entry.key, None)
        return book is not None and bool(drop_entries(book, (entry.key,)))

    def waited(self, intent: Intent) -> int:
        """Return for how many bars an entry has waited for its price."""
        book = self._books.get((intent.strategy, intent.symbol))
        return 0 if book is None else book.waited.get(intent.key, 0)

    def go_on_waiting(self, intent: Intent, waited: int) -> None:
        """Be told for how many bars an entry has waited that is handed over again, as after a restart."""
        self._book(intent.strategy, intent.symbol, intent.timeframe).waited[intent.key] = waited

    def protect(self, move: Protection) -> None:
        """Move the stops and takes of the lots that a strategy holds of a symbol."""
        if book := self._books.get((move.strategy, move.symbol)):
            book.held_rows()[:, fills.STOP] = float_of(move.stop)
            book.held_rows()[:, fills.TAKE] = float_of(move.take)
            book.sum_up()

    @property
    def market(self) -> PaperFills:
        """Itself: here bars and orders meet, and nothing is booked between them."""
        return self

    def booked(self, brought: Sequence[News]) -> Sequence[News]:
        """Return it as it is."""
        return brought

    def on_bars(self, bars: Iterable[Bar]) -> list[Executed | Refused]:
        """Return what bars that closed at one time fill, in the order it happened.

        When they leave no equity everything is closed at their closes, and later bars change nothing.
        """
        events: list[Executed | Refused] = []
        for bar in bars:
            number = self._number((bar.symbol, bar.timeframe)) + 1
            self._last[bar.symbol, bar.timeframe] = number, bar
            self._closes[bar.symbol] = bar.close
            events += self._filled(number, bar)
        return events + self._ruin()

    def on_price(self, symbol: str, price: float, time: int) -> list[Executed | Refused]:
        """Return what a price between two bars fills: stops, takes, what a person wants closed, late orders.

        What a rule asked for in time fills at its bar's open, as in a backtest, once that bar is known; the
        lots that it leaves then are left alone.
        """
        self._closes[symbol] = price
        events: list[Executed | Refused] = []
        for series, books in self._of_series.items():
            if series[0] == symbol:
                number, now = self._in_progress(series, price, time)
                for book in books:
                    if (book.lots or book.asked) and not self.is_ruined:
                        events += self._urgent(book, number, now)
        return events + self._ruin()

    def _in_progress(self, series: SeriesKey, price: float, time: int) -> tuple[int, Bar]:
        """Return the bar that a price is in, as far as it is known."""
        step = timeframe_ms(series[1])
        start = on_grid(time, step)
        # After a restart no bar may have come yet: the one before is as good as its number.
        before = Bar(*series, start - step, start, price, price, price, price, math.nan)
        number, last = self._last.setdefault(series, (-1, before))
        return number + 1, Bar(*series, last.end, time + 1, price, price, price, price, math.nan)

    def _urgent(self, book: PaperBook, number: int, now: Bar) -> list[Executed | Refused]:
        """Fill what cannot wait for the bar's close, the rest set aside meanwhile."""
        leaving = in_time(book)
        kept = set_aside(book, leaving, leaving, () if comes_late(book) else book.asked)
        before = self._prepare(book)
        fills.fill(book.rows, book.trades, number, OneBar(*now[4:8]), self.costs)
        events: list[Executed | Refused] = []
        if book.asked or int(book.rows[0, fills.TRADES]) > before:
            events = self._told(book, before, number, now, now.end - 1)
        return events + put_back(book, kept)

    def close_at_the_end(self, reason: Reason = Reason.END) -> list[Executed | Refused]:
        """Close everything at the last closes, as a backtest does when its data end; drop what was asked."""
        events: list[Executed | Refused] = []
        for book in self._books.values():
            events += forgotten(book)
            if book.lots:
                number, bar = self._last[book.symbol, book.timeframe]
                before = self._prepare(book)
                close = self._closes[book.symbol]
                fills.close_all(book.rows, book.trades, number, close, reason, self.costs)
                events += self._told(book, before, number, bar)
        return events

    def _ruin(self) -> list[Executed | Refused]:
        if self.is_ruined or self._equity() > 0:
            return []
        self.is_ruined = True
        return self.close_at_the_end(Reason.RUIN)

    def _equity(self) -> float:
        profit = 0.0
        for book in self._books.values():
            if book.lots:
                profit += self._closes[book.symbol] * book.size - book.cost
        return self.cash + profit

    def _number(self, series: SeriesKey) -> int:
        return self._last[series][0] if series in self._last else -1

    def _book(self, strategy: str, symbol: str, timeframe: str) -> PaperBook:
        if (strategy, symbol) not in self._books:
            book = self._books[strategy, symbol] = PaperBook(strategy, symbol, timeframe)
            self._of_series.setdefault((symbol, timeframe), []).append(book)
        return self._books[strategy, symbol]

    def _refusal(self, intent: Intent, market: MarketDemands) -> Refused | None:
        if self.is_ruined:
            return Refused(intent, RefusalReason.CASH, "equity is gone")
        if intent.amount <= 0 or not is_on_step(intent.amount, market.step):
            return Refused(intent, RefusalReason.LOT, f"{intent.amount:f} is no multiple of {market.step}")
        notional = times(intent.amount, intent.price)
        if intent.purpose is Purpose.ENTRY and notional < (market.min_notional or 0):
            least = f"{money(notional, pair_of(intent.symbol).quote)} is less than {market.min_notional}"
            return Refused(intent, RefusalReason.MIN_NOTIONAL, least)
        return None

    def _filled(self, number: int, bar: Bar) -> Iterator[Executed | Refused]:
        for book in self._of_series.get((bar.symbol, bar.timeframe), ()):
            if not self.is_ruined and book.waits_for(bar):
                yield from passed_over(book, bar)
                exits, lots = younger(book, bar)
                kept = set_aside(book, exits, lots) if exits or lots else None
                yield from self._fill(book, number, bar)
                if kept is not None:
                    yield from put_back(book, kept)

    def _fill(self, book: PaperBook, number: int, bar: Bar) -> Iterator[Executed | Refused]:
        prices = OneBar(bar.open, bar.high, bar.low, bar.close)
        is_far = book.waits_for_price and math.isnan(fills.from_touch(book.rows, prices).open)
        yield from limited(book, self._most(bar), has_entries=not is_far)
        before = self._prepare(book)
        fills.fill(book.rows, book.trades, number, prices, self.costs)
        if book.asked or int(book.rows[0, fills.TRADES]) > before:
            yield from self._told(book, before, number, bar)

    def _most(self, bar: Bar) -> Decimal | None:
        """Return the most that one order gets of a bar, None for no limit or an unknown volume."""
        most = math.nan if self.volume_share is None else self.volume_share * bar.volume
        step = self._markets.get(bar.symbol, ANY_MARKET).step
        return to_step(decimal_of(most), step) if math.isfinite(most) else None

    def _prepare(self, book: PaperBook) -> int:
        """Lend the account's cash to a book; return how many trades it has."""
        if not fills.has_room(book.rows, book.trades):
            book.trades = fills.grown(book.rows, book.trades)
        head = book.rows[0]
        head[fills.CASH] = self.cash
        if not self._keeps_trades:
            head[fills.TRADES] = 0
        if book.asked:
            profit, bound = 0.0, 0.0
            for other in self._books.values():
                if other is not book and other.lots:
                    price = self._closes[other.symbol]
                    profit += price * other.size - other.cost
                    bound += price * other.bound
            head[fills.PROFIT], head[fills.BOUND] = profit, bound
        return int(head[fills.TRADES])

    def _told(
        self, book: PaperBook, before: int, number: int, bar: Bar, at: int | None = None
    ) -> list[Executed | Refused]:
        """Return what changed in a book: exits of older lots, then entries, then exits of these.

        `at`: when, ms UTC, if a price between two bars did it.
        """
        self.cash = book.rows[0, fills.CASH].item()
        closed = [row.tolist() for row in book.trades[before : int(book.rows[0, fills.TRADES])]]
        older = [row for row in closed if lot_key(row) in book.lots]
        events: list[Executed | Refused] = [self._exit(book, row, bar, at) for row in older]
        made = {lot_key(row): row for row in (*closed, *(row.tolist() for row in book.held_rows()))}
        if book.rows[0, fills.ASKED] == 0:
            events += self._entries(book, made, number, bar, at)
            for approved in book.asked:
                book.waited.pop(approved.intent.key, None)
            book.asked.clear()
        for approved in book.asked:
            book.waited[approved.intent.key] = book.waited.get(approved.intent.key, 0) + 1
        events += [self._exit(book, row, bar, at) for row in closed if row not in older]
        book.exits.clear()
        book.sum_up()
        return events

    def _entries(
        self, book: PaperBook, made: dict[LotNumber, list[float]], number: int, bar: Bar, at: int | None
    ) -> list[Executed | Refused]:
        """Return what became of the entries, all of one decision."""
        expired, late = fills.REFUSED + int(Refusal.EXPIRED), "no bar reached its price in time"
        if book.rows[0, expired] > 0:
            book.rows[0, expired] = 0.0
            return [Refused(approved.intent, RefusalReason.EXPIRED, late) for approved in book.asked]
        return [self._entry(book, approved, made, number, bar, at) for approved in book.asked]

    def _entry(
        self,
        book: PaperBook,
        approved: Approved,
        made: dict[LotNumber, list[float]],
        number: int,
        bar: Bar,
        at: int | None,
    ) -> Executed | Refused:
        intent = approved.intent
        key = number, rung_of(intent)
        row = made.get(key)
        if row is None:
            where = f"the open {bar.open}" if at is None else f"{bar.open}"
            cost = f"{intent.amount:f} at {where} is more than the free cash"
            return Refused(intent, RefusalReason.CASH, cost)
        price = row[fills.ENTRY_PRICE]
        amount = book.got.pop(intent.key, intent.amount)
        book.lots[key] = HeldLot(lot_id(intent), amount, bar.ts if at is None else at)
        fee = float(amount) * price * self.costs.commission
        side = 1.0 if row[fills.SIZE] > 0 else -1.0
        if at is None:
            at = bar.ts if price == bar.open * (1 + side * self.costs.spread) else bar.end - 1
        return Executed(intent, self._fact(intent, amount, price, fee, at, "entry"))

    def _exit(self, book: PaperBook, row: list[float], bar: Bar, at: int | None = None) -> Executed:
        key, price, reason = lot_key(row), row[fills.EXIT_PRICE], Reason(int(row[fills.REASON]))
        lot = book.lots.pop(key)
        fee = abs(row[fills.SIZE]) * price * self.costs.commission
        if reason in UNASKED:
            intent, amount = protective(book, lot, row, reason, bar), lot.amount
        else:
            intent, amount = book.exits.pop(key)
        left = minus(lot.amount, amount)
        if left > 0:
            book.lots[key] = lot._replace(amount=left)
        if at is None:
            at = bar.ts if price == bar.open else bar.end - 1
        word = intent.reason if reason is Reason.RULE else REASON_WORDS[reason]
        return Executed(intent, self._fact(intent, amount, price, fee, at, word))

    def _fact(self, intent: Intent, amount: Decimal, price: float, fee: float, time: int, why: str) -> Fill:
        """Return a fill. An order here fills once at most, so that its key can name its fill."""
        quote = intent.symbol.rpartition("/")[2]
        given = (intent.key, intent.side, amount, decimal_of(price), decimal_of(fee), quote, time, why)
        return Fill(self.exchange, intent.symbol, intent.key, *given)
