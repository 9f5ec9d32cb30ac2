"""The order path weakened one way at a time, each a design that somebody trades with. All must be caught."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from core.account.orders import Fill, Taken
from core.errors import ExchangeError, ExchangeUnreachableError, OrderRefusedError, OrderUnknownError
from core.order_path.booking import Sighting
from core.order_path.journal_view import CURSOR, cursor_text, txn_of
from core.order_path.ledger import Posting
from core.order_path.path import OrderPath
from core.order_path.sending import request_of
from core.order_path.states import State
from core.order_path.store import Alert, Policy
from core.order_path.venue import Execution, Report, Transfer
from db.journal import Journal
from db.journal_rows import FillRow, OrderRow
from tests.order_model import Line
from tests.order_schedules import INSTANCE, MakePath


class StoresAfterSending(OrderPath):
    """The order is stored once the exchange has answered."""

    def _first_state(self, due_at: int) -> tuple[State, int | None]:
        del due_at
        return State.NEW, None

    def _send(self, order: OrderRow) -> None:
        before = order
        try:
            report = self._confirmed(order, self.gateway.place(request_of(order)))
        except OrderRefusedError as error:
            order = self._store(before, state=State.SENDING.value, sent_at=self.gateway.now())
            self._judge(order, error)
            return
        order = self._store(before, state=State.SENDING.value, sent_at=self.gateway.now())
        self._adopt(order, report)


class SendsAgain(OrderPath):
    """Without an answer the same order is sent again, under the same name."""

    def _send(self, order: OrderRow) -> None:
        order = self._committed(order)
        for _ in range(3):
            try:
                report = self._confirmed(order, self.gateway.place(request_of(order)))
            except OrderUnknownError as error:
                unknown = error
            except ExchangeError as error:
                self._judge(order, error)
                return
            else:
                self._adopt(order, report)
                return
        self._judge(order, unknown)


class TakesErrorsForFailures(OrderPath):
    """An order without an answer has failed, and the next attempt is made."""

    def _judge(self, order: OrderRow, error: ExchangeError) -> None:
        is_unknown = isinstance(error, OrderUnknownError)
        super()._judge(order, ExchangeUnreachableError(str(error)) if is_unknown else error)


class HasNoFence(OrderPath):
    """What is not found was never placed."""

    def _absent(self, order: OrderRow, moment: int) -> None:
        self._not_placed(order, "not found", moment)


class FencesOnTheLocalClock(OrderPath):
    """The local clock says when an absence is final."""

    def _fence_time(self) -> int:
        return self.gateway.now()


class BooksInTwoTransactions(OrderPath):
    """First the fill, then its money."""

    def _write_fill(
        self,
        row: FillRow,
        lines: Sequence[Posting],
        old: OrderRow | None,
        new: OrderRow | None,
        cursors: dict[str, str],
    ) -> bool:
        with self._writing() as tx:
            tx.fill(row)
        with self._writing() as tx:
            tx.post(txn_of(row), lines)
            self._write_around(tx, old, new, cursors)
        return True


class BooksEveryPage(OrderPath):
    """A fill that comes twice is booked twice, under another name since the database refuses the same."""

    copies = 0

    def _known(self, symbol: str) -> Collection[str]:
        return ()

    def _book(self, execution: Execution, read_on: str, seen: Sighting | None = None) -> None:
        fill = execution.fill
        if any((fill.symbol, fill.id) == (one.symbol, one.id) for one in self.journal.fills()):
            self.copies += 1
            copy = Fill(
                *(fill.exchange, fill.symbol, f"{fill.id}0{self.copies}", "", fill.side, fill.amount),
                *(fill.price, fill.fee, fill.fee_asset, fill.time),
            )
            execution = Execution(execution.order_id, copy)
        super()._book(execution, read_on, seen)


class BelievesAnyAnswer(OrderPath):
    """An answer that comes back is about the order that was sent."""

    def _check_report(self, order: OrderRow, report: Report) -> None:
        return


class TakesTroubleForAbsence(OrderPath):
    """A look-up that fails has found nothing."""

    def _look(self, order: OrderRow) -> None:
        try:
            super()._look(order)
        except ExchangeError:
            if order.state in (State.UNKNOWN, State.SENDING):
                self._not_placed(order, "not found", self._stamp())


class BelievesARefusedCancel(OrderPath):
    """An order whose cancel is refused is gone."""

    def _cancel(self, order: OrderRow) -> None:
        order = self._store(order, state=State.CANCELING.value)
        try:
            self._adopt(order, self.gateway.cancel(order.symbol, order.client_order_id))
        except ExchangeError:
            self._store(order, state=State.CANCELED.value)


class ForgetsItsName(OrderPath):
    """Orders have other names after every start."""

    def _name(self, key: str, attempt: int) -> str:
        return super()._name(key, attempt + 1000 * self._epoch)


class TakesStrangersForOwners(OrderPath):
    """A fill whose order is not known yet is somebody else's."""

    def _owner(self, execution: Execution) -> OrderRow | None:
        return self.journal.order_at(execution.fill.symbol, execution.order_id)


class SkipsAhead(OrderPath):
    """Reading goes on behind what was read, whether it was booked or not."""

    def _book_fills(self, symbol: str, since: int | None = None) -> bool:
        newest = self.gateway.fills(symbol, None)
        whole = super()._book_fills(symbol)
        if newest:
            name, text = CURSOR + symbol, cursor_text(newest[-1].fill.id)
            with self._writing() as tx:
                tx.cursor(name, text)
            self.mirror.cursors[name] = text
        return whole


class BelievesDifferencesAtOnce(OrderPath):
    """Balances that differ once are the truth."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "policy": Policy(settle_ms=0)})


class EndsWithoutFills(OrderPath):
    """An order that the exchange calls done is done, whatever is booked of it."""

    def _adopt(self, order: OrderRow, report: Report) -> None:
        self._check_report(order, report)
        self._store(
            order,
            sighted=True,
            state=State.FILLED.value if report.standing == "filled" else State(report.standing).value,
            exchange_id=report.id,
        )


class LeavesClaims(OrderPath):
    """What others sold is booked, and strategies go on claiming it."""

    def _takings(self, missing: Mapping[str, Decimal], causes: Mapping[str, str]) -> list[Taken]:
        return []


class TakesFromClaimsFirst(OrderPath):
    """What others took is taken from strategies, though there is enough that nobody claims."""

    def _shortages(self, differences: Mapping[str, Decimal]) -> dict[str, Decimal]:
        lost = {asset: min(-amount, self._claimed(asset)) for asset, amount in differences.items()}
        return super()._shortages(differences) | {
            asset: amount for asset, amount in lost.items() if amount > 0
        }

    def _claimed(self, asset: str) -> Decimal:
        return max(sum(self.mirror.books.positions(asset).values(), Decimal(0)), Decimal(0))


class BooksTransfersAgain(OrderPath):
    """Every difference is explained by all deposits and withdrawals there are."""

    def _listed(self) -> Sequence[Transfer] | None:
        listed = super()._listed()
        return None if listed is None else [one._replace(id=f"{one.id}-{self._epoch}") for one in listed]


class AsksNoLists(OrderPath):
    """Whatever comes or goes, nobody knows why."""

    def _listed(self) -> Sequence[Transfer] | None:
        return None


MUTANTS: tuple[type[OrderPath], ...] = (
    StoresAfterSending,
    SendsAgain,
    TakesErrorsForFailures,
    HasNoFence,
    FencesOnTheLocalClock,
    BooksInTwoTransactions,
    BooksEveryPage,
    BelievesAnyAnswer,
    TakesTroubleForAbsence,
    BelievesARefusedCancel,
    ForgetsItsName,
    TakesStrangersForOwners,
    SkipsAhead,
    BelievesDifferencesAtOnce,
    EndsWithoutFills,
    LeavesClaims,
    TakesFromClaimsFirst,
    BooksTransfersAgain,
    AsksNoLists,
)


def weakened(kind: type[OrderPath]) -> MakePath:
    """Return what makes a weakened path."""

    def make(journal: Journal, line: Line, notify: Callable[[Alert], None]) -> OrderPath:
        return kind(journal, line, INSTANCE, notify=notify)

    return make
