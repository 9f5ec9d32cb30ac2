"""The order path weakened one way at a time, each a design that somebody trades with. All must be caught."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from core.account.messages import Execution, OrderReport, Transfer
from core.account.orders import Fill, Taken
from core.errors import ExchangeError, ExchangeUnreachableError, OrderRefusedError, OrderUnknownError
from core.order_path.alerts import Alert
from core.order_path.booking import Booking, Sighting
from core.order_path.canceling import Canceling
from core.order_path.claiming import Claiming
from core.order_path.comparing import Comparing
from core.order_path.journal_view import CURSOR, cursor_text, txn_of
from core.order_path.ledger import Posting
from core.order_path.listing import Listing
from core.order_path.path import OrderPath, Parts
from core.order_path.resolving import Resolving
from core.order_path.sending import Sending, request_of
from core.order_path.states import State
from core.order_path.store import Store
from core.order_path.submitting import Submitting
from db.journal import Journal
from db.journal_rows import FillRow, OrderRow
from tests.order_model import Line
from tests.order_schedules import INSTANCE, MakePath


class StoresNothingOfSending(Submitting):
    """What is wanted is stored, and not that it is about to leave."""

    def _first_state(self, due_at: int) -> tuple[State, int | None]:
        del due_at
        return State.NEW, None


class StoresAfterSending(Sending):
    """The order is stored once the exchange has answered."""

    def _send(self, order: OrderRow) -> None:
        before = order
        try:
            report = self._confirmed(order, self._venue.place(request_of(order)))
        except OrderRefusedError as error:
            order = self._store.keep(before, state=State.SENDING.value, sent_at=self._venue.now())
            self._judge(order, error)
            return
        order = self._store.keep(before, state=State.SENDING.value, sent_at=self._venue.now())
        self._resolving.adopt(order, report)


class SendsAgain(Sending):
    """Without an answer the same order is sent again, under the same name."""

    def _send(self, order: OrderRow) -> None:
        order = self._committed(order)
        for _ in range(3):
            try:
                report = self._confirmed(order, self._venue.place(request_of(order)))
            except OrderUnknownError as error:
                unknown = error
            except ExchangeError as error:
                self._judge(order, error)
                return
            else:
                self._resolving.adopt(order, report)
                return
        self._judge(order, unknown)


class TakesErrorsForFailures(Sending):
    """An order without an answer has failed, and the next attempt is made."""

    def _judge(self, order: OrderRow, error: ExchangeError) -> None:
        is_unknown = isinstance(error, OrderUnknownError)
        super()._judge(order, ExchangeUnreachableError(str(error)) if is_unknown else error)


class HasNoFence(Resolving):
    """What is not found was never placed."""

    def _absent(self, order: OrderRow, moment: int) -> None:
        self.not_placed(order, "not found", moment)


class FencesOnTheLocalClock(Resolving):
    """The local clock says when an absence is final."""

    def _fence_time(self) -> int:
        return self._venue.now()


class BooksInTwoTransactions(Booking):
    """First the fill, then its money."""

    def _write_fill(
        self,
        row: FillRow,
        lines: Sequence[Posting],
        old: OrderRow | None,
        new: OrderRow | None,
        cursors: dict[str, str],
    ) -> bool:
        with self._store.writing() as tx:
            tx.fill(row)
        with self._store.writing() as tx:
            tx.post(txn_of(row), lines)
            self._write_around(tx, old, new, cursors)
        return True


class BooksEveryPage(Booking):
    """A fill that comes twice is booked twice, under another name since the database refuses the same."""

    copies = 0

    def known(self, symbol: str) -> Collection[str]:
        return ()

    def book(self, execution: Execution, read_on: str, seen: Sighting | None = None) -> None:
        fill = execution.fill
        if any((fill.symbol, fill.id) == (one.symbol, one.id) for one in self._store.journal.fills()):
            self.copies += 1
            copy = Fill(
                *(fill.exchange, fill.symbol, f"{fill.id}0{self.copies}", "", fill.side, fill.amount),
                *(fill.price, fill.fee, fill.fee_asset, fill.time),
            )
            execution = Execution(execution.order_id, copy)
        super().book(execution, read_on, seen)


class BelievesAnyAnswer(Resolving):
    """An answer that comes back is about the order that was sent."""

    def check_report(self, order: OrderRow, report: OrderReport) -> None:
        return


class TakesTroubleForAbsence(Resolving):
    """A look-up that fails has found nothing."""

    def look(self, order: OrderRow) -> None:
        try:
            super().look(order)
        except ExchangeError:
            if order.state in (State.UNKNOWN, State.SENDING):
                self.not_placed(order, "not found", self._store.now())


class BelievesARefusedCancel(Canceling):
    """An order whose cancel is refused is gone."""

    def _send(self, order: OrderRow) -> None:
        order = self._store.keep(order, state=State.CANCELING.value)
        try:
            self._resolving.adopt(order, self._venue.cancel(order.symbol, order.client_order_id))
        except ExchangeError:
            self._store.keep(order, state=State.CANCELED.value)


class ForgetsItsName(Store):
    """Orders have other names after every start."""

    def name(self, key: str, attempt: int) -> str:
        return super().name(key, attempt + 1000 * self.epoch)


class TakesStrangersForOwners(Booking):
    """A fill whose order is not known yet is somebody else's."""

    def _owner(self, execution: Execution) -> OrderRow | None:
        return self._store.journal.order_at(execution.fill.symbol, execution.order_id)


class SkipsAhead(Booking):
    """Reading goes on behind what was read, whether it was booked or not."""

    def book_fills(self, symbol: str, since: int | None = None) -> bool:
        newest = self._venue.fills(symbol, None)
        whole = super().book_fills(symbol)
        if newest:
            name, text = CURSOR + symbol, cursor_text(newest[-1].fill.id)
            with self._store.writing() as tx:
                tx.cursor(name, text)
            self._store.mirror.cursors[name] = text
        return whole


class BelievesDifferencesAtOnce(Comparing):
    """Balances that differ once are the truth."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._settle_ms = 0


class EndsWithoutFills(Resolving):
    """An order that the exchange calls done is done, whatever is booked of it."""

    def adopt(self, order: OrderRow, report: OrderReport) -> None:
        self.check_report(order, report)
        self._store.keep(
            order,
            sighted=True,
            state=State.FILLED.value if report.standing == "filled" else State(report.standing).value,
            exchange_id=report.id,
        )


class LeavesClaims(Claiming):
    """What others sold is booked, and strategies go on claiming it."""

    def takings(self, missing: Mapping[str, Decimal], causes: Mapping[str, str]) -> list[Taken]:
        return []


class TakesFromClaimsFirst(Comparing):
    """What others took is taken from strategies, though there is enough that nobody claims."""

    def _shortages(self, differences: Mapping[str, Decimal]) -> dict[str, Decimal]:
        lost = {asset: min(-amount, self._claimed(asset)) for asset, amount in differences.items()}
        return super()._shortages(differences) | {
            asset: amount for asset, amount in lost.items() if amount > 0
        }

    def _claimed(self, asset: str) -> Decimal:
        return max(sum(self._store.mirror.books.positions(asset).values(), Decimal(0)), Decimal(0))


class BooksTransfersAgain(Listing):
    """Every difference is explained by all deposits and withdrawals there are."""

    def transfers(self) -> Sequence[Transfer] | None:
        listed = super().transfers()
        return (
            None if listed is None else [one._replace(id=f"{one.id}-{self._store.epoch}") for one in listed]
        )


class AsksNoLists(Listing):
    """Whatever comes or goes, nobody knows why."""

    def transfers(self) -> Sequence[Transfer] | None:
        return None


MUTANTS = {
    "StoresAfterSending": Parts(submitting=StoresNothingOfSending, sending=StoresAfterSending),
    "SendsAgain": Parts(sending=SendsAgain),
    "TakesErrorsForFailures": Parts(sending=TakesErrorsForFailures),
    "HasNoFence": Parts(resolving=HasNoFence),
    "FencesOnTheLocalClock": Parts(resolving=FencesOnTheLocalClock),
    "BooksInTwoTransactions": Parts(booking=BooksInTwoTransactions),
    "BooksEveryPage": Parts(booking=BooksEveryPage),
    "BelievesAnyAnswer": Parts(resolving=BelievesAnyAnswer),
    "TakesTroubleForAbsence": Parts(resolving=TakesTroubleForAbsence),
    "BelievesARefusedCancel": Parts(canceling=BelievesARefusedCancel),
    "ForgetsItsName": Parts(store=ForgetsItsName),
    "TakesStrangersForOwners": Parts(booking=TakesStrangersForOwners),
    "SkipsAhead": Parts(booking=SkipsAhead),
    "BelievesDifferencesAtOnce": Parts(comparing=BelievesDifferencesAtOnce),
    "EndsWithoutFills": Parts(resolving=EndsWithoutFills),
    "LeavesClaims": Parts(claiming=LeavesClaims),
    "TakesFromClaimsFirst": Parts(comparing=TakesFromClaimsFirst),
    "BooksTransfersAgain": Parts(listing=BooksTransfersAgain),
    "AsksNoLists": Parts(listing=AsksNoLists),
}


def weakened(name: str) -> MakePath:
    """Return what makes a path with the weakened parts of this name."""

    def make(journal: Journal, line: Line, notify: Callable[[Alert], None]) -> OrderPath:
        return OrderPath(journal, line, INSTANCE, notify=notify, parts=MUTANTS[name])

    return make
