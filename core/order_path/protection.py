"""Which stops should rest at an exchange, and what to do about those that do: a pure function of both.

    guards (what is held, and its stop) ─┐
    resting (orders that may still fill) ├─ planned ─> place, cancel, change; and why something cannot rest
    rules of the symbols ────────────────┘

There is one resting stop for each strategy and symbol, of all that it holds with a stop there. Where the
lots have different stops it is the lowest: a stop that rests sells all, and must sell nothing that the rule
still holds; the higher ones are watched while the program runs. Orders of several strategies are never put
together, for a fill would be nobody's. Where the venue takes fewer stops than are wanted those that rest
stay, and of the others those of the greatest value come first.

An order is cancelled before anything else is sold of what it sells, and a new one is placed only when nothing
more can come of the old one: so never more is for sale than is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from core.account.messages import StopRules
from core.account.money import minus, raised_to, times, to_step
from core.account.values import Held
from core.order_path.ledger import ZERO

_ONE = Decimal(1)
RulesOf = Callable[[str], StopRules | None]
"""Takes a symbol; None where the venue has no stops in it."""


class Cover(NamedTuple):
    """What a strategy holds of a symbol and wants sold when its price falls to a trigger."""

    strategy: str
    symbol: str
    timeframe: str
    amount: Decimal
    """Base units: no more than is held."""
    trigger: Decimal
    reason: str = "stop"

    @property
    def held(self) -> Held:
        """Whose it is, and of what."""
        return self.strategy, self.symbol


class Resting(NamedTuple):
    """A stop of ours that may still be executed."""

    key: str
    """Of its intent."""
    strategy: str
    symbol: str
    left: Decimal
    """Base units that are not executed."""
    trigger: Decimal
    limit: Decimal | None
    is_settled: bool
    """Whether it is known to rest and nobody is cancelling it."""

    @property
    def held(self) -> Held:
        """Whose it is, and of what."""
        return self.strategy, self.symbol


class Stop(NamedTuple):
    """A stop as the venue takes it."""

    amount: Decimal
    trigger: Decimal
    limit: Decimal | None


class NewStop(NamedTuple):
    """Place a stop."""

    guard: Cover
    stop: Stop
    rules: StopRules


class Cancel(NamedTuple):
    """Cancel a stop."""

    key: str
    held: Held


class StopChange(NamedTuple):
    """Give a stop that rests another amount (still to be executed) and other prices."""

    key: str
    held: Held
    stop: Stop


Action = NewStop | Cancel | StopChange


class Planned(NamedTuple):
    """What to do now, and what only the program watches."""

    actions: tuple[Action, ...]
    watched: Mapping[Held, str]
    """Why a position's stop does not rest at the exchange."""


def stop_of(guard: Cover, rules: StopRules, gap: Decimal) -> Stop | str:
    """Return a stop as the venue takes it, or why it takes none.

    `gap`: how far a limit lies below the trigger, as a fraction of it.
    """
    amount, trigger = to_step(guard.amount, rules.step), raised_to(guard.trigger, rules.tick)
    limit = None
    if rules.kind == "stop_limit":
        limit = to_step(times(trigger, minus(_ONE, gap)), rules.tick)
    least = trigger if limit is None else limit
    if least <= 0:
        return "its price is below the venue's smallest"
    if (
        amount <= 0
        or amount < (rules.min_amount or ZERO)
        or times(amount, least) < (rules.min_notional or ZERO)
    ):
        return "it is less than the venue's smallest order"
    return Stop(amount, trigger, limit)


class Planner:
    """The rules above, with what one account's venue takes."""

    def __init__(self, rules: RulesOf, gap: Decimal) -> None:
        """Take the rules of a symbol, and how far limits lie below their triggers, a fraction."""
        self._rules = rules
        self._gap = gap

    def planned(
        self,
        guards: Sequence[Cover],
        resting: Iterable[Resting],
        leaving: Collection[Held] = (),
        refused: Mapping[Held, str] | None = None,
    ) -> Planned:
        """Return what is to be done; `leaving` has an exit under way, `refused` is not tried now.

        A guard must not ask for more than is held; nothing is placed where a stop may still be executed.
        """
        standing: dict[Held, list[Resting]] = {}
        for one in resting:
            standing.setdefault(one.held, []).append(one)
        wanted, watched = self._wanted(guards, leaving, refused or {})
        actions = [
            action for held, orders in standing.items() for action in self._about(orders, wanted.get(held))
        ]
        for held in wanted:
            if any(not one.is_settled for one in standing.get(held, ())):
                watched[held] = "its stop is on the way"
        actions += self._new([one for held, one in wanted.items() if held not in standing], standing, watched)
        return Planned(tuple(actions), watched)

    def _new(
        self, wanted: Iterable[NewStop], standing: Mapping[Held, Sequence[Resting]], watched: dict[Held, str]
    ) -> Iterable[NewStop]:
        """Yield the stops that there is room for, those of the greatest value first."""
        counts = Counter(one.symbol for orders in standing.values() for one in orders)
        for place in sorted(wanted, key=_value, reverse=True):
            symbol, most = place.guard.symbol, place.rules.most
            if most is not None and counts[symbol] >= most:
                watched[place.guard.held] = f"the venue takes {most} stops in a symbol, and others rest"
            else:
                counts[symbol] += 1
                yield place

    def _wanted(
        self, guards: Sequence[Cover], leaving: Collection[Held], refused: Mapping[Held, str]
    ) -> tuple[dict[Held, NewStop], dict[Held, str]]:
        """Return what should rest, and why the rest of it cannot."""
        wanted: dict[Held, NewStop] = {}
        watched: dict[Held, str] = {}
        for guard in guards:
            rules = self._rules(guard.symbol)
            if guard.held in leaving:
                watched[guard.held] = "it is being sold"
            elif guard.held in refused:
                watched[guard.held] = refused[guard.held]
            elif rules is None:
                watched[guard.held] = "the venue has no stops in it"
            elif isinstance(stop := stop_of(guard, rules, self._gap), str):
                watched[guard.held] = stop
            else:
                wanted[guard.held] = NewStop(guard, stop, rules)
        return wanted, watched

    def _about(self, orders: Sequence[Resting], place: NewStop | None) -> Iterable[Action]:
        """Yield what becomes of the stops that rest for one position: none, another one, or nothing."""
        for number, one in enumerate(orders):
            if not one.is_settled:
                continue
            stop = None if place is None or number else place.stop
            if stop is not None and stop == (one.left, one.trigger, one.limit):
                continue
            if stop is not None and place is not None and place.rules.can_change:
                yield StopChange(one.key, one.held, stop)
            else:
                yield Cancel(one.key, one.held)


def _value(place: NewStop) -> tuple[Decimal, str]:
    return times(place.stop.amount, place.stop.trigger), place.guard.strategy
