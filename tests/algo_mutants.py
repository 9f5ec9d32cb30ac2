"""Executing by algorithms, weakened one way at a time, each as somebody trades. All must be caught."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from core.account.orders import Approved, Intent
from core.execution_algos.values import AlgoAction, ChildStanding, NewChild, Work
from core.order_path.path import OrderPath
from core.order_path.working import Working, WorkTerms

GONE = ChildStanding.OVER


class ForgetsItsParts(Working):
    """What was ordered before a restart is not looked up: the process knows what it did."""

    def __init__(self, path: OrderPath, terms: WorkTerms) -> None:
        super().__init__(path, terms)
        self._first: dict[str, int] = {}

    def begin(self, approved: Approved) -> None:
        super().begin(approved)
        intent, number = self._works[approved.intent.key].intent, 0
        while self._path.order(intent.part(number + 1).key) is not None:
            number += 1
        self._first[intent.key] = number

    def _work(self, intent: Intent) -> Work:
        work = super()._work(intent)
        return work._replace(children=work.children[self._first[intent.key] :])

    def _place(self, one: Approved, action: NewChild, number: int) -> None:
        super()._place(one, action, number + self._first[one.intent.key])


class TakesTheUnknownForRefused(Working):
    """An order without an answer is not there, and another one is placed."""

    def _work(self, intent: Intent) -> Work:
        work = super()._work(intent)
        children = (
            one._replace(standing=ChildStanding.REFUSED, kind="maker")
            if one.standing is ChildStanding.WAITS
            else one
            for one in work.children
        )
        return work._replace(children=tuple(children))


class BelievesEveryCancel(Working):
    """What was to be cancelled is gone, whatever the answer was."""

    def _work(self, intent: Intent) -> Work:
        work = super()._work(intent)
        children = (
            one._replace(standing=GONE) if one.standing is ChildStanding.LEAVES else one
            for one in work.children
        )
        return work._replace(children=tuple(children))


class PlacesBeforeTheCancel(Working):
    """The next order is placed first, so that no place in the queue is lost; the old one goes then."""

    def _work(self, intent: Intent) -> Work:
        work = super()._work(intent)
        last = work.last
        if last is None or last.standing is not ChildStanding.RESTS:
            return work
        is_late = self._path.now() - last.since > 3_000
        return (
            work._replace(children=(*work.children[:-1], last._replace(standing=GONE))) if is_late else work
        )


class CountsWholeFillsAlone(Working):
    """What was executed of an order that was cancelled is not counted."""

    def _work(self, intent: Intent) -> Work:
        work = super()._work(intent)
        children = (
            one if one.filled == one.amount else one._replace(filled=Decimal(0)) for one in work.children
        )
        return work._replace(children=tuple(children))


class EndsInMemory(Working):
    """What is taken back is forgotten, and nothing of it is stored."""

    def take_back(self, key: str, why: str) -> None:
        del why
        self.drop_parts(key)
        self.forget(key)


class LeavesWhatRests(Working):
    """What is taken back places nothing more; what rests is left where it is."""

    def drop_parts(self, key: str) -> None:
        del key


class AsksForAllEachTime(Working):
    """Each order asks for everything, and the venue is trusted to see what is too much."""

    def _do(self, key: str, action: AlgoAction, work: Work, *, is_told: bool) -> None:
        if isinstance(action, NewChild):
            action = action._replace(amount=self._works[key].intent.amount)
        super()._do(key, action, work, is_told=is_told)


class NamesThemByTime(Working):
    """An order is named by when it is placed, so that the next process does not find it."""

    def _place(self, one: Approved, action: NewChild, number: int) -> None:
        intent = one.intent
        odd = replace(intent, leg=f"{intent.leg}~t{self._path.now()}-")
        super()._place(replace(one, intent=odd), action, number)


ALGO_MUTANTS: dict[str, type[Working]] = {
    one.__name__: one
    for one in (
        ForgetsItsParts,
        TakesTheUnknownForRefused,
        BelievesEveryCancel,
        PlacesBeforeTheCancel,
        CountsWholeFillsAlone,
        EndsInMemory,
        LeavesWhatRests,
        AsksForAllEachTime,
        NamesThemByTime,
    )
}
