"""One account: cash, lots per strategy and symbol, and what each strategy made of them.

Two sets of numbers, from the same fills. The books are exact decimals: cash, lots, fees and profit, of which

    cash + lots at cost + fees - gross profit = deposits

holds to the last digit, for the account and over its strategies; what others took is no deposit. Decisions
and sizes are float64, computed in the order in which the backtest computes them: `settled` is its cash,
`get_equity` its equity, bit for bit.

Netting is the exchange's view: `positions` adds up what the strategies hold of a symbol.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from core import fills
from core.account.by_hand import ByHand, closing, deposit_of, known_price, opening
from core.account.lots import (
    LOT_LEG,
    Holding,
    Lot,
    Position,
    Trade,
    bracketed,
    lot_id,
    merged,
    netted,
    number_of,
    opened,
    protected,
    split,
    standing_for,
)
from core.account.money import NOTHING, float_of, minus, part_of, plus, signed, times, total
from core.account.orders import Approved, Fill, Intent, Protection, Purpose, Side
from core.account.values import (
    NO_RECORD,
    Held,
    LastExit,
    Pending,
    Record,
    Result,
    Snapshot,
    committed,
    counted,
    exposed,
    kept_cash,
)
from core.domain import FloatArray, PositionView
from core.errors import RefusedError, number
from core.sizing import gain, multiple
from core.symbols import pair_of

DUST = "dust"
"""Who holds what is left of a lot and is too little for an order."""
MANUAL = "manual"
"""Whose positions `open_long` and its like open."""


REMEMBERED = 10_000
"""Fills whose ids an account knows, so that none is booked twice."""


class Portfolio:
    """Cash and positions of one account. No I/O, no clock; changed by fills alone."""

    def __init__(
        self,
        cash: Decimal | float = 10_000,
        steps: Mapping[str, Decimal] | None = None,
        commission: float = 0.0,
    ) -> None:
        """Start with a deposit in quote units; `steps`: the smallest amount of each symbol, if known.

        `commission` is the rate that half-Kelly and `last_result` count trades with, the backtest's.
        """
        self.deposits = deposit_of(cash)
        self.cash = self.deposits
        self.settled = float(self.deposits)
        self.taken = NOTHING
        """What the lots had cost that others took, quote units."""
        self.results: defaultdict[str, Result] = defaultdict(Result)
        self.pending: dict[str, Pending] = {}
        self.marks: dict[str, float] = {}
        """Last known price by symbol."""
        self.records: defaultdict[Held, Record] = defaultdict(lambda: NO_RECORD)
        """Wins, losses and their sums, as half-Kelly sizes by them."""
        self.exits: dict[Held, LastExit] = {}
        self._commission = number("commission", commission, 0, 1)
        self.steps = dict(steps or {})
        self._held: dict[Held, Holding] = {}
        # The newest, oldest first: an exchange may tell a fill again soon, never after so many others.
        self._booked: dict[tuple[str, str, str], None] = {}
        self._bookings = 0

    @property
    def positions(self) -> dict[str, Position]:
        """What the account holds by symbol, strategies netted, as the exchange sees it."""
        lots: defaultdict[str, list[Lot]] = defaultdict(list)
        for (_, symbol), holding in self._held.items():
            lots[symbol] += holding.lots
        return {symbol: netted(some) for symbol, some in lots.items() if self.amount(symbol)}

    @property
    def reserved(self) -> Decimal:
        """Cash kept for orders that are approved and not filled, quote units."""
        return total(pending.reserve for pending in self.pending.values())

    def lots(self, strategy: str, symbol: str) -> tuple[Lot, ...]:
        """Return what a strategy holds of a symbol, oldest first."""
        return tuple(self._held[strategy, symbol].lots) if (strategy, symbol) in self._held else ()

    def held(self) -> tuple[Held, ...]:
        """Return the strategies and symbols of which lots are held."""
        return tuple(self._held)

    def amount(self, symbol: str, strategy: str | None = None) -> Decimal:
        """Return the signed amount held of a symbol, base units; of one strategy or of all together."""
        some = (h for (who, what), h in self._held.items() if what == symbol and strategy in (None, who))
        return total(signed(lot.side, lot.amount) for holding in some for lot in holding.lots)

    def sides(self) -> dict[str, int]:
        """Return the side of what is held in all once what is asked for is done, by symbol; 0 for none."""
        net: defaultdict[str, Decimal] = defaultdict(Decimal)
        for (_, symbol), holding in self._held.items():
            for lot in holding.lots:
                net[symbol] = plus(net[symbol], signed(lot.side, lot.amount))
        for pending in self.pending.values():
            side = 1 if pending.intent.side == "buy" else -1
            net[pending.intent.symbol] = plus(net[pending.intent.symbol], signed(side, pending.left))
        return {symbol: (amount > 0) - (amount < 0) for symbol, amount in net.items()}

    def view(self, strategy: str, symbol: str, bar: int = 0) -> PositionView:
        """Return a position as its strategy sees it at the close of this bar."""
        seen = self._of(strategy, symbol).view(bar)
        last, waiting = self.exits.get((strategy, symbol)), len(self.waiting(strategy, symbol))
        if last is not None:
            seen = seen._replace(since_exit=bar - last.bar, last_result=last.result)
        return seen._replace(waiting=waiting) if waiting else seen

    def is_uneven(self, strategy: str, symbol: str) -> bool:
        """Tell whether a strategy's lots have different stops, takes or notes: one came while they moved."""
        holding = self._held.get((strategy, symbol))
        return holding is not None and holding.is_uneven

    def waiting(self, strategy: str, symbol: str) -> list[Intent]:
        """Return the entries of a strategy that wait for their price."""
        some = (one.intent for one in self.pending.values())
        return [one for one in some if _is(one, strategy, symbol) and one.is_priced]

    def closing(self, strategy: str, symbol: str, lot: Lot) -> Decimal:
        """Return how much of a lot is for sale already, base units."""
        leg = LOT_LEG + lot.id
        asked = (one for one in self.pending.values() if one.intent.leg == leg)
        return total(one.left for one in asked if _is(one.intent, strategy, symbol))

    def mark(self, symbol: str, price: float) -> None:
        """Note the last known price of a symbol."""
        self.marks[symbol] = known_price(symbol, {symbol: price})

    def get_equity(self, current_prices: Mapping[str, float]) -> float:
        """Return cash and positions at these prices, quote units; NaN when one held has no price."""
        profit = 0.0
        for (_, symbol), holding in self._held.items():
            if holding.lots:
                profit += holding.profit(known_price(symbol, current_prices))
        return self.settled + profit

    def exact_equity(self, prices: Mapping[str, Decimal]) -> Decimal:
        """Return the same in exact decimals. Raises KeyError when a held symbol has no price."""
        return total((self.deposits, *self.profits(prices).values()))

    def profits(self, prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Return each strategy's profit after fees, open lots at these prices; in sum the account's."""
        profits = {name: result.realised for name, result in self.results.items()}
        for (name, symbol), holding in self._held.items():
            if holding.lots:
                profits[name] = plus(profits.get(name, NOTHING), holding.exact_profit(prices[symbol]))
        return profits

    def snapshot(self, entering: Held | None = None) -> Snapshot:
        """Return the account at the last known prices, for the limits; `entering` as in `committed`."""
        some = exposed(self._held, self.pending.values(), self.marks)
        now = committed(some, self.cash, self._commission, entering)
        positions = {held for held, holding in self._held.items() if holding.lots}
        positions |= {(p.intent.strategy, p.intent.symbol) for p in self.pending.values() if _is_entry(p)}
        equity = self.get_equity(self.marks)
        exposure = total(now.by_symbol.values())
        given = now.free_cash, exposure, now.by_symbol, now.by_strategy
        return Snapshot(equity, *given, frozenset(positions), now.by_position, self.sides())

    def account_of(self, strategy: str, symbol: str) -> FloatArray:
        """Return a strategy's lots in a symbol with the account's cash, as core.fills lays out an account."""
        book = self._of(strategy, symbol).book.copy()
        profit, bound = 0.0, float(self._kept())
        for held, holding in self._held.items():
            if holding.lots and held != (strategy, symbol):
                price = self.marks[held[1]]
                profit += holding.profit(price)
                bound += holding.bound(price)
        book[0, fills.CASH], book[0, fills.PROFIT], book[0, fills.BOUND] = self.settled, profit, bound
        book[0, fills.WINS : fills.LOST + 1] = self.records.get((strategy, symbol), NO_RECORD)
        return book

    def reserve(self, approved: Approved) -> bool:
        """Keep cash for an approved order; False when that was done before."""
        intent = approved.intent
        if intent.key in self.pending:
            return False
        self.pending[intent.key] = Pending(intent, intent.amount, approved.reserve)
        return True

    def release(self, key: str) -> Decimal:
        """Free what is still kept for an order that is done or dead; return it, 0 the second time."""
        pending = self.pending.pop(key, None)
        return pending.reserve if pending else NOTHING

    def book(self, intent: Intent, fill: Fill, bar: int = 0) -> tuple[Trade, ...]:
        """Book a fill of an intent, once by (exchange, symbol, id); return the trades it closed.

        `bar` is the number of the bar that it happened in.
        """
        key = (fill.exchange, fill.symbol, fill.id)
        if key in self._booked:
            return ()
        self._booked[key] = None
        self._bookings += 1
        if len(self._booked) > REMEMBERED:
            del self._booked[next(iter(self._booked))]
        moved, fee = self._paid(intent, fill)
        entering = intent.purpose is Purpose.ENTRY
        trades = () if entering else self._leave(intent, fill, moved, fee, bar)
        if entering:
            self._enter(intent, fill, moved, fee, bar)
        self._use(intent.key, fill)
        return trades

    def has_booked(self, fill: Fill) -> bool:
        """Tell whether a fill is in the books."""
        return (fill.exchange, fill.symbol, fill.id) in self._booked

    def adopt(self, strategy: str, symbol: str, lots: Sequence[Lot]) -> None:
        """Hold these lots of a strategy and symbol, as after a restart."""
        self._of(strategy, symbol).set(list(lots))

    def protect(self, move: Protection) -> None:
        """Move stop, take and note of every lot that a strategy holds of a symbol."""
        holding = self._of(move.strategy, move.symbol)
        stop, take = float_of(move.stop), float_of(move.take)
        holding.set([protected(lot, stop, take, number_of(move.note)) for lot in holding.lots])

    def open_long(
        self, symbol: str, size: float, price: float, stop: float | None = None, tp: float | None = None
    ) -> None:
        """Buy `size` base units at a price. Raises RefusedError when the free cash cannot pay it."""
        self._open("buy", opening("buy", symbol, size, price, (stop, tp)))

    def open_short(
        self, symbol: str, size: float, price: float, stop: float | None = None, tp: float | None = None
    ) -> None:
        """Sell short `size` base units at a price. Raises RefusedError when free cash does not cover it."""
        self._open("sell", opening("sell", symbol, size, price, (stop, tp)))

    def close_long(self, symbol: str, price: float, size: float | None = None) -> float:
        """Sell what `open_long` bought, or part of it; return the profit. Raises RefusedError for more."""
        return self._close("sell", closing(symbol, price, size))

    def close_short(self, symbol: str, price: float, size: float | None = None) -> float:
        """Buy back what `open_short` sold, or part of it; return the profit. Raises RefusedError for more."""
        return self._close("buy", closing(symbol, price, size))

    def _of(self, strategy: str, symbol: str) -> Holding:
        if (strategy, symbol) not in self._held:
            self._held[strategy, symbol] = Holding()
        return self._held[strategy, symbol]

    def _kept(self) -> Decimal:
        if not self.pending:
            return NOTHING
        some = exposed(self._held, self.pending.values(), self.marks).values()
        return kept_cash(some, self._commission)

    def _paid(self, intent: Intent, fill: Fill) -> tuple[Decimal, Decimal]:
        """Move the cash of a fill; return the base units that lots gain or lose, and the fee in quote."""
        base, quote = fill.symbol.split("/")
        notional, result = times(fill.amount, fill.price), self.results[intent.strategy]
        buys = fill.side == "buy"
        self.cash = (minus if buys else plus)(self.cash, notional)
        if fill.fee_asset == quote:
            self.cash = minus(self.cash, fill.fee)
            result.fees = plus(result.fees, fill.fee)
            return fill.amount, fill.fee
        if fill.fee_asset == base:
            fee = times(fill.fee, fill.price)
            result.fees = plus(result.fees, fee)
            return (minus if buys else plus)(fill.amount, fill.fee), fee
        result.other_fees[fill.fee_asset] = plus(result.other_fees.get(fill.fee_asset, NOTHING), fill.fee)
        return fill.amount, NOTHING

    def _enter(self, intent: Intent, fill: Fill, amount: Decimal, fee: Decimal, bar: int) -> None:
        holding = self._of(intent.strategy, intent.symbol)
        self.settled -= float(fee)
        same, cost = lot_id(intent), times(amount, fill.price)
        lots = [merged(lot, amount, cost, fee) if lot.id == same else lot for lot in holding.lots]
        if not any(lot.id == same for lot in lots):
            lots.append(opened(intent, fill.time, bar, amount, cost, fee))
        holding.set(lots)

    def _leave(self, intent: Intent, fill: Fill, moved: Decimal, fee: Decimal, bar: int) -> tuple[Trade, ...]:
        holding = self._of(intent.strategy, intent.symbol)
        named, closes = intent.leg.removeprefix(LOT_LEG), -1 if fill.side == "buy" else 1
        # The lot that was meant first, then the oldest: what the exchange did is done.
        queue = sorted((lot for lot in holding.lots if lot.side == closes), key=lambda lot: lot.id != named)
        left, left_fee, trades, kept = moved, fee, [], {lot.id: lot for lot in holding.lots}
        for lot in queue:
            if not left:
                break
            part, rest = split(lot, min(lot.amount, left))
            share = part_of(left_fee, part.amount, left)
            trades.append(bracketed(self._closed(intent, part, fill, share, bar), part, rest))
            left, left_fee = minus(left, part.amount), minus(left_fee, share)
            del kept[lot.id]
            if rest is not None and not self._is_dust(intent.symbol, rest):
                is_meant = lot.id == named and intent.purpose is Purpose.EXIT
                target = intent.share if is_meant else rest.share
                kept[lot.id] = standing_for(rest, target)
        holding.set([kept[lot.id] for lot in holding.lots if lot.id in kept])
        if left:
            self._enter(intent, fill, left, left_fee, bar)
        return tuple(trades)

    def _closed(self, intent: Intent, part: Lot, fill: Fill, fee: Decimal, bar: int) -> Trade:
        exit_price = float(fill.price)
        self.settled += part.size * (exit_price - part.entry_price) - float(fee)
        gross = signed(part.side, minus(times(part.amount, fill.price), part.cost))
        result = self.results[intent.strategy]
        result.gross = plus(result.gross, gross)
        prices = part.entry_price, exit_price, part.first_stop
        record, risked = (intent.strategy, intent.symbol), multiple(part.side, *prices, self._commission)
        self.records[record] = counted(self.records[record], risked)
        self.exits[record] = LastExit(bar, gain(part.side, *prices[:2], self._commission))
        when = (part.entry_time, fill.time, part.entry_bar, bar)
        return Trade(
            *(intent.strategy, intent.symbol, part.side, part.amount, *when),
            *(part.entry_price, exit_price, gross, plus(part.fees, fee)),
            *(fill.reason or intent.reason, part.rung),
        )

    def _is_dust(self, symbol: str, rest: Lot) -> bool:
        """Give what is left of a lot to nobody if no order can be as small."""
        if rest.amount >= self.steps.get(symbol, NOTHING):
            return False
        holding = self._of(DUST, symbol)
        holding.set([*holding.lots, rest])
        return True

    def _use(self, key: str, fill: Fill) -> None:
        """Take what a fill used from what was kept for its order."""
        if pending := self.pending.get(key):
            pending.left = max(NOTHING, minus(pending.left, fill.amount))
            spent = plus(times(fill.amount, fill.price), fill.fee)
            pending.reserve = max(NOTHING, minus(pending.reserve, spent))
            if not pending.left:
                del self.pending[key]

    def _open(self, side: Side, wanted: ByHand) -> None:
        self.mark(wanted.symbol, wanted.price)
        free, cost = self.snapshot().free_cash, times(wanted.size or NOTHING, wanted.at)
        if cost > free:
            raise RefusedError(f"{wanted.symbol}: {cost:f} wanted, {free:f} free: open a smaller position")
        self._fill(Purpose.ENTRY, side, wanted, wanted.size or NOTHING)

    def _close(self, side: Side, wanted: ByHand) -> float:
        held = signed(1 if side == "sell" else -1, self.amount(wanted.symbol, MANUAL))
        amount = held if wanted.size is None else wanted.size
        if not 0 < amount <= held:
            raise RefusedError(f"{wanted.symbol}: {amount:f} to close, {held:f} held: close what is held")
        self.mark(wanted.symbol, wanted.price)
        return float(total(trade.pnl for trade in self._fill(Purpose.EXIT, side, wanted, amount)))

    def _fill(self, purpose: Purpose, side: Side, wanted: ByHand, amount: Decimal) -> tuple[Trade, ...]:
        symbol, at, count = wanted.symbol, wanted.at, self._bookings
        named = MANUAL, symbol, "", count, purpose, "main", side, amount, at, MANUAL, 0, 0
        intent = Intent(*named, *wanted.bracket)
        fill = Fill(
            MANUAL, symbol, str(count), intent.key, side, amount, at, NOTHING, pair_of(symbol).quote, 0
        )
        return self.book(intent, fill)


def _is(intent: Intent, strategy: str, symbol: str) -> bool:
    return intent.strategy == strategy and intent.symbol == symbol


def _is_entry(pending: Pending) -> bool:
    return pending.intent.purpose is Purpose.ENTRY
