"""The paper exchange behind the order path: takes orders like any other, and fills them by the fill model.

Orders of an algorithm (core.order_path.working) are filled by what others offer in the venue's public book,
all others by the fill model. It keeps nothing on disk: after a restart the journal tells it which orders it
had accepted and what the account has. What it was never told of does not exist, at once and for good.

What the model closes by itself (stop, take, ruin) is an order too: a fact that waits until the order for it
has been placed, so that an exchange's fills always belong to orders that were wanted first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from core.account.lots import Lot
from core.account.messages import Balance, Execution, OrderNews, OrderReport, OrderRequest, Terms
from core.account.money import decimal_of, minus, plus, times, total
from core.account.orders import Approved, Executed, Fill, Intent, Purpose, Refused
from core.account.values import Held
from core.domain import Bar
from core.errors import OrderRefusedError, UnsupportedError
from core.figures import exact
from core.order_path.ledger import ZERO, assets_of
from core.paper.fills import PaperFills
from core.paper.orders import AcceptedOrder, PaperOrder
from core.paper.public_books import PublicBooks, offers_within

KEPT = 500
"""Executions that are remembered of each symbol, for those that ask again."""
PaperEvent = Executed | Refused


class PaperVenue:
    """One account on paper. Time is what it was told last."""

    exchange = "paper"

    def __init__(
        self, model: PaperFills, whose: Callable[[str], Intent], books: PublicBooks | None = None
    ) -> None:
        """Take the fill model, and what says which intent a client order id stands for.

        `books`: what fills the orders of algorithms, None where nobody says what is offered.
        """
        self.model = model
        self._books = books
        self.time = 0
        self.turn: Iterable[str] = ()
        """Keys of intents in the order in which their orders have their turn, wherever they arrived."""
        self._whose = whose
        self._orders: dict[str, PaperOrder] = {}
        self._names: dict[str, str] = {}
        self._arrived: list[PaperOrder] = []
        self._facts: dict[str, Fill] = {}
        self._executions: defaultdict[str, list[Execution]] = defaultdict(list)
        self._totals: defaultdict[str, Decimal] = defaultdict(Decimal)

    def begin(self, totals: Mapping[str, Decimal], orders: Iterable[AcceptedOrder]) -> None:
        """Have these balances and these accepted orders."""
        self._totals.update(totals)
        for name, intent, terms, filled in orders:
            self._take(PaperOrder(name, intent, terms, filled=filled))

    def on_bars(self, bars: Sequence[Bar]) -> list[PaperEvent]:
        """Return what bars that closed at one time bring, in the order it happened."""
        refused: list[PaperEvent] = []
        if self._orders:
            series = {(bar.symbol, bar.timeframe) for bar in bars}
            refused = self._let_in(lambda intent: (intent.symbol, intent.timeframe) in series)
        return self._noted([*refused, *self.model.on_bars(bars)])

    def on_price(self, symbol: str, price: float) -> list[PaperEvent]:
        """Return what a price between two bars brings."""
        refused = self._let_in(lambda intent: intent.symbol == symbol) if self._orders else []
        return self._noted([*refused, *self.model.on_price(symbol, price, self.time)])

    @property
    def has_books(self) -> bool:
        """Whether somebody says what others offer."""
        return self._books is not None

    def match(self) -> list[str]:
        """Let what others offer now fill the orders of algorithms; return the symbols in which it did."""
        found = []
        for order in [one for one in self._orders.values() if one.intent.is_part]:
            rests = order.terms.kind != "market"
            if order.standing is OrderNews.OPEN and self._fill_by_book(order, is_maker=rests):
                found.append(order.intent.symbol)
        return list(dict.fromkeys(found))

    def tune(self, cash: float, held: Mapping[Held, tuple[str, Sequence[Lot]]]) -> list[PaperEvent]:
        """Let the model hold what the account does, by timeframe; return the exits that have nothing left."""
        self.model.cash = cash
        refused: list[PaperEvent] = []
        for which, (timeframe, lots) in held.items():
            refused += self.model.hold_anew(timeframe, which, lots)
        return self._noted(refused)

    def publish(self, fact: Executed) -> bool:
        """Let everybody see an execution; False while its order was not placed: then once it is."""
        name = self._names.get(fact.intent.key)
        if name is None:
            self._facts[fact.intent.key] = fact.fill
            return False
        self._execute(self._orders[name], fact.fill)
        return True

    def now(self) -> int:
        """Return the time it was told last, ms UTC."""
        return self.time

    def ask_time(self) -> int:
        """Return the same."""
        return self.time

    def absence_is_final_at(self, sent_at: int) -> int:
        """Return a moment that has passed, whatever the clock did since: nothing is ever on its way here."""
        return min(sent_at, self.time)

    def place(self, request: OrderRequest) -> OrderReport:
        """Accept an order; what the model has against it shows when its turn comes."""
        if request.client_order_id in self._orders:
            raise OrderRefusedError(f"order {request.client_order_id} was placed before: use another name")
        intent = self._whose(request.client_order_id)
        if intent.amount != request.amount:
            intent = replace(intent, amount=request.amount)
        order = PaperOrder(request.client_order_id, intent, request.terms)
        if intent.is_part:
            self._check_part(order)
        self._take(order)
        if intent.is_part:
            self._fill_by_book(order, is_maker=False)
        if fill := self._facts.pop(intent.key, None):
            self._arrived.remove(order)
            self._execute(order, fill)
        return order.report()

    def find(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Return the order of this name, None when there is none."""
        order = self._orders.get(client_order_id)
        return None if order is None or order.intent.symbol != symbol else order.report()

    def cancel(self, symbol: str, client_order_id: str) -> OrderReport:
        """Cancel an order whose turn or price has not come. Raises OrderRefusedError for any other."""
        order = self._orders.get(client_order_id)
        if order is not None and order in self._arrived:
            self._arrived.remove(order)
        elif order is None or order.standing is not OrderNews.OPEN or not self._gives_up(order):
            raise OrderRefusedError(
                f"order {client_order_id} of {symbol} is not open, or with the market already"
            )
        order.standing = OrderNews.CANCELED
        return order.report()

    def change(self, symbol: str, client_order_id: str, amount: Decimal, terms: Terms) -> None:
        """Raise UnsupportedError: no stop rests on paper, where the fill model sells at its price."""
        raise UnsupportedError(
            f"order {client_order_id} of {symbol} cannot be changed to {amount:f} at {terms.stop}: "
            "no order rests on paper"
        )

    def crowded(self, symbol: str) -> str:  # noqa: ARG002 - it counts nothing
        """Return nothing: it takes any number of orders."""
        return ""

    def shut(self) -> str:
        """Return nothing: it always takes orders."""
        return ""

    def open_orders(self) -> Sequence[OrderReport]:
        """Return all open orders."""
        return [order.report() for order in self._orders.values() if order.standing is OrderNews.OPEN]

    def fills(self, symbol: str, after: str | None) -> Sequence[Execution]:
        """Return the executions after the one of this id; all that are remembered if that one is not."""
        found = self._executions[symbol]
        # What is asked for is new: it stands at the end.
        for place in range(len(found), 0, -1):
            if found[place - 1].fill.id == after:
                return found[place:]
        return list(found)

    def newest_fill(self, symbol: str) -> str:
        """Return the newest execution of a symbol, blank before the first."""
        found = self._executions[symbol]
        return found[-1].fill.id if found else ""

    def balances(self) -> Mapping[str, Balance]:
        """Return what the account has, by asset."""
        return {asset: Balance(amount, ZERO) for asset, amount in self._totals.items() if amount}

    def transfers(self) -> None:
        """Return None: nothing comes to paper and nothing goes."""

    def _take(self, order: PaperOrder) -> None:
        self._orders[order.name] = order
        self._names[order.intent.key] = order.name
        if not order.intent.is_part:
            self._arrived.append(order)

    def _gives_up(self, order: PaperOrder) -> bool:
        return order.intent.is_part or self.model.cancel(order.intent)

    def _check_part(self, order: PaperOrder) -> None:
        """Raise OrderRefusedError for an order of an algorithm that an exchange would refuse."""
        intent, terms, symbol = order.intent, order.terms, order.intent.symbol
        if self._books is None:
            raise OrderRefusedError(f"nobody says what is offered in {symbol}: no exchange is asked")
        book = self._books.usable(symbol, self.time)
        if terms.kind != "market" and book is None:
            raise OrderRefusedError(f"nobody says what is offered in {symbol} now")
        offers = [] if book is None else offers_within(book, intent.side, terms.price)
        if terms.kind == "maker" and offers:
            raise OrderRefusedError(f"at {terms.price} it would take what is offered in {symbol}")
        if intent.side == "sell":
            return
        if terms.price is None:
            cost, left = ZERO, intent.amount
            for one in offers:
                cost = plus(cost, times(min(one.amount, left), one.price))
                left = max(minus(left, one.amount), ZERO)
        else:
            cost = times(intent.amount, terms.price)
        if (cost := plus(cost, self._fee(cost))) > (free := self._free(assets_of(symbol)[1])):
            raise OrderRefusedError(f"{exact(cost)} for {symbol} is more than the {exact(free)} that is free")

    def _free(self, quote: str) -> Decimal:
        """Return the quote units that no order of an algorithm waits to spend."""
        waiting = (one for one in self._orders.values() if one.intent.is_part and one.intent.side == "buy")
        kept = total(
            times(one.left, one.terms.price)
            for one in waiting
            if one.standing is OrderNews.OPEN
            and one.terms.price is not None
            and assets_of(one.intent.symbol)[1] == quote
        )
        return minus(self._totals[quote], plus(kept, self._fee(kept)))

    def _fee(self, notional: Decimal) -> Decimal:
        return times(notional, decimal_of(self.model.costs.commission))

    def _fill_by_book(self, order: PaperOrder, *, is_maker: bool) -> bool:
        """Let what others offer fill an order; return whether it did. One that rested gets its own price."""
        intent, terms = order.intent, order.terms
        if self._books is None or self._books.usable(intent.symbol, self.time) is None:
            return False
        offers = self._books.take(intent.symbol, intent.side, order.left, terms.price, self.time)
        for offer in offers:
            price = terms.price if is_maker and terms.price is not None else offer.price
            fee = self._fee(times(offer.amount, price))
            # What was executed before it grows with each, so that it names one.
            named = intent.symbol, f"{intent.key}@{exact(order.filled)}", order.name, intent.side
            paid = offer.amount, price, fee, assets_of(intent.symbol)[1]
            self._execute(order, Fill(self.exchange, *named, *paid, self.time, intent.reason))
        if order.left <= 0:
            order.standing = OrderNews.FILLED
        else:
            order.standing = OrderNews.CANCELED if terms.kind == "market" else OrderNews.OPEN
        return bool(offers)

    def _execute(self, order: PaperOrder, fill: Fill) -> None:
        order.filled = plus(order.filled, fill.amount)
        whole = order.filled >= order.intent.amount
        order.standing = OrderNews.FILLED if whole else OrderNews.CANCELED
        self._pay(fill)
        execution, shown = Execution(order.name, fill.of(order.name)), self._executions[fill.symbol]
        order.executions = (*order.executions, execution)
        shown.append(execution)
        del shown[:-KEPT]

    def _let_in(self, concerns: Callable[[Intent], bool]) -> list[PaperEvent]:
        """Hand what arrived to the model, and return what it refuses; forget what is over."""
        refused: list[PaperEvent] = []
        for name in [name for name, order in self._orders.items() if order.standing is not OrderNews.OPEN]:
            del self._names[self._orders.pop(name).intent.key]
        rank = {key: number for number, key in enumerate(self.turn)}
        arrived, self._arrived = self._arrived, []
        for order in sorted(arrived, key=lambda one: rank.get(one.intent.key, len(rank))):
            if is_protective(order.intent) and not order.is_tried:
                # Of a process that ended before the model's fill was booked: most likely it fills again.
                order.is_tried = concerns(order.intent)
                self._arrived.append(order)
            elif no := self.model.submit(Approved(order.intent)):
                refused.append(no)
        return refused

    def _noted(self, events: list[PaperEvent]) -> list[PaperEvent]:
        if not events:
            return events
        for event in events:
            if isinstance(event, Refused) and event.intent.key in self._names:
                self._orders[self._names[event.intent.key]].standing = OrderNews.REJECTED
        done = {event.intent.key for event in events}
        self._arrived = [order for order in self._arrived if order.intent.key not in done]
        return events

    def _pay(self, fill: Fill) -> None:
        base, quote = assets_of(fill.symbol)
        amount = fill.amount if fill.side == "buy" else fill.amount.copy_negate()
        cost = times(amount, fill.price)
        for asset, change in (
            (base, amount),
            (quote, cost.copy_negate()),
            (fill.fee_asset, fill.fee.copy_negate()),
        ):
            self._totals[asset] = plus(self._totals[asset], change)


def is_protective(intent: Intent) -> bool:
    """Return whether it is something that the model does by itself."""
    return intent.purpose in (Purpose.STOP, Purpose.TAKE) or intent.reason in ("ruin", "end")
