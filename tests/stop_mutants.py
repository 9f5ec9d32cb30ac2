"""Resting stops weakened one way at a time, each a design that somebody trades with. All must be caught."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from core.account.messages import Terms
from core.account.money import minus
from core.account.orders import Intent, Purpose
from core.account.values import Held
from core.order_path.alerts import Alert
from core.order_path.changing import Changing
from core.order_path.path import OrderPath, Parts
from core.order_path.protecting import Covers, Protecting
from core.order_path.protection import (
    Action,
    Cancel,
    Cover,
    NewStop,
    Planned,
    Planner,
    Resting,
    RulesOf,
    StopChange,
)
from core.order_path.states import State
from core.order_path.submitting import Submitting
from db.journal import Journal
from db.journal_rows import OrderRow
from tests.order_model import Line
from tests.order_schedules import INSTANCE, MakePath
from tests.stop_schedules import MakeProtecting


class PlacesBesideTheOld(Planner):
    """The new stop is placed first, so that nothing is ever unprotected; the old one is cancelled then."""

    def planned(
        self,
        guards: Sequence[Cover],
        resting: Iterable[Resting],
        leaving: Collection[Held] = (),
        refused: Mapping[Held, str] | None = None,
    ) -> Planned:
        orders = list(resting)
        plan = super().planned(guards, orders, leaving, refused)
        gone = {one.held for one in plan.actions if isinstance(one, Cancel | StopChange)}
        new = super().planned([one for one in guards if one.held in gone], [], leaving, refused)
        places = [one for one in new.actions if isinstance(one, NewStop)]
        old = [Cancel(one.key, one.held) if isinstance(one, StopChange) else one for one in plan.actions]
        return Planned((*places, *old), plan.watched)


class DoesNotFollow(Planner):
    """A stop that rests is enough, whatever was entered after it."""

    def _about(self, orders: Sequence[Resting], place: NewStop | None) -> Iterable[Action]:
        return () if place is not None else super()._about(orders, place)


class CountsNoStops(Planner):
    """The venue takes any number of stops."""

    def __init__(self, rules: RulesOf, gap: Decimal) -> None:
        super().__init__(lambda symbol: (one := rules(symbol)) and one._replace(most=None), gap)


class TakesTheUnknownForAbsent(Protecting):
    """A stop without an answer is not there, and another one is placed."""

    def resting(self) -> list[OrderRow]:
        known = (State.OPEN, State.PARTIAL, State.CANCELING)
        return [order for order in super().resting() if order.state in known]


class BelievesEveryCancel(Protecting):
    """What was to be cancelled is gone, whatever the answer was."""

    def resting(self) -> list[OrderRow]:
        return [order for order in super().resting() if order.cancel_at is None]


class RemembersWhatRests(Protecting):
    """A stop that was placed rests until this program cancels it: nobody looks."""

    placed: Collection[Held] = ()

    def step(self, guards: Covers, leaving: Collection[Held], now: int) -> list[Cover]:
        before = {held for held in self.placed if held not in leaving}
        self.placed = {one.held for one in guards()}
        return super().step(lambda: [one for one in guards() if one.held not in before], leaving, now)


class SellsForOthersToo(Protecting):
    """A stop sells what everybody holds of the symbol."""

    def _still_held(self, guard: Cover) -> Cover:
        return guard._replace(amount=max(self._path.position(guard.symbol), Decimal(0)))


class SellsBesideTheStop(Protecting):
    """An exit does not wait until its stop is cancelled: the exchange refuses what is too much."""

    def of(self, held: Held) -> OrderRow | None:
        return None if held else super().of(held)


class CountsNoExits(Submitting):
    """What is for sale already is not counted."""

    def _allowed(self, intent: Intent) -> tuple[Decimal, str]:
        return (intent.amount, "") if intent.purpose != Purpose.ENTRY else super()._allowed(intent)


class ChangesThePriceAlone(Changing):
    """A stop that is moved keeps its amount, whatever was entered meanwhile."""

    def change(self, key: str, left: Decimal, terms: Terms) -> OrderRow | None:
        order = next(iter(self._store.journal.orders(key=key)[-1:]), None)
        return None if order is None else super().change(key, minus(order.amount, order.filled), terms)


class Weakness(NamedTuple):
    """What is weakened."""

    protecting: type[Protecting] = Protecting
    planner: type[Planner] = Planner
    parts: Parts = Parts()
    venues: tuple[str, ...] = ("binanceus", "kraken")
    """Where it is one."""


STOP_MUTANTS = {
    "PlacesBesideTheOld": Weakness(planner=PlacesBesideTheOld),
    "DoesNotFollow": Weakness(planner=DoesNotFollow),
    "CountsNoStops": Weakness(planner=CountsNoStops, venues=("binanceus",)),
    "TakesTheUnknownForAbsent": Weakness(TakesTheUnknownForAbsent),
    "BelievesEveryCancel": Weakness(
        BelievesEveryCancel, parts=Parts(submitting=CountsNoExits), venues=("binanceus",)
    ),
    "SellsBesideTheStop": Weakness(SellsBesideTheStop, parts=Parts(submitting=CountsNoExits)),
    "RemembersWhatRests": Weakness(RemembersWhatRests),
    "SellsForOthersToo": Weakness(SellsForOthersToo),
    "ChangesThePriceAlone": Weakness(parts=Parts(changing=ChangesThePriceAlone), venues=("kraken",)),
}


def weakened_stops(name: str) -> tuple[MakePath, MakeProtecting]:
    """Return what makes a path, and what protects on it, with the weakness of this name."""
    weak = STOP_MUTANTS[name]

    def make(journal: Journal, line: Line, notify: Callable[[Alert], None]) -> OrderPath:
        return OrderPath(journal, line, INSTANCE, notify=notify, parts=weak.parts)

    return make, lambda path, terms: weak.protecting(path, terms, weak.planner)
