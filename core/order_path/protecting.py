"""Stops that rest at the exchange: what core.order_path.protection plans, done on one account's order path.

Each stop is an intent of its own, stored and sent like every other order, and what it sells is its
strategy's. An order that is replaced is cancelled first; how long nothing protects the position meanwhile is
told, and both moments are in the journal (`cancel_at` of the one, `sent_at` of the other).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final, NamedTuple

from core.account.messages import Terms
from core.account.money import minus
from core.account.orders import RESTING_STOPS, Approved, Intent, Purpose
from core.account.values import Held
from core.figures import exact
from core.order_path.ledger import ZERO, assets_of
from core.order_path.path import OrderPath
from core.order_path.protection import (
    Action,
    Cancel,
    Cover,
    NewStop,
    Planner,
    Resting,
    RulesOf,
    Stop,
    StopChange,
)
from core.order_path.states import NEVER_WAS, TERMINAL, State
from db.journal_rows import OrderRow

LEG: Final = "rest"
VALID: Final = 60_000
"""Milliseconds for which a stop that was certainly not placed is tried again under another name."""
FIRST: Final = 10_000
"""Milliseconds until a refused stop is tried again, doubled each time …"""
MOST: Final = 60_000
"""… up to this: what stood in the way may be gone, and nobody says so."""
ASK_AGAIN: Final = 5_000
"""Milliseconds until a market that takes no exits is asked again."""
ROUNDS: Final = 3
"""A cancel, what is placed in its stead, and a look at whether that is all."""
AT_ONCE: Final = "would trigger immediately"
"""What a venue says of a stop whose price is reached."""
Covers = Callable[[], Sequence[Cover]]


class StopTerms(NamedTuple):
    """How stops rest."""

    rules: RulesOf
    gap: Decimal = Decimal("0.01")
    """How far the limit of a stop_limit lies below its trigger, as a fraction of that."""
    patience_ms: int = 10_000
    """For so long may a stop whose price is reached remain unfilled."""


class _Refusal(NamedTuple):
    times: int
    until: int
    why: str
    guard: Cover
    """What was to be protected: another amount or price is another stop."""
    free: Decimal
    """The least of its asset that nobody else kept since: with more, it is tried at once."""


class Protecting:
    """Keeps a stop at the exchange for what strategies hold."""

    def __init__(self, path: OrderPath, terms: StopTerms, planner: type[Planner] = Planner) -> None:
        """Take the path that the orders go through; nothing is asked or ordered yet."""
        self._path = path
        self._patience = terms.patience_ms
        self._planner = planner(terms.rules, terms.gap)
        self._refused: dict[Held, _Refusal] = {}
        self._gone_at: dict[Held, int] = {}
        """When a stop was cancelled for another one, ms UTC."""
        self._placed: dict[str, Cover] = {}
        """Stops of which it is not known yet that they rest."""
        self._unchanged: dict[str, int] = {}
        """Stops that could not be changed, by intent, and when it is tried again, ms UTC."""
        self._reached: dict[Held, int] = {}
        """When the price of a stop was first seen reached, ms UTC."""
        self._mode, self._asked_at = "", -ASK_AGAIN
        """The mode in which the market takes no exit, blank if it does, and when that was asked, ms UTC."""
        self.watched: Mapping[Held, str] = {}
        """Why the stops of positions do not rest at the exchange."""

    def resting(self) -> list[OrderRow]:
        """Return the stops that may still be executed."""
        return [order for order in self._path.orders() if order.kind in RESTING_STOPS]

    def of(self, held: Held) -> OrderRow | None:
        """Return the stop of a position that may still be executed, None without one."""
        return next((order for order in self.resting() if self.held(order) == held), None)

    def known(self, held: Held) -> OrderRow | None:
        """Return the stop of a position that is known to rest, None without one."""
        order = self.of(held)
        return order if order is not None and self._seen(order).is_settled else None

    def step(self, guards: Covers, leaving: Collection[Held], now: int) -> list[Cover]:
        """Let what should rest do so; return the guards whose price is reached: they are to be sold now.

        `guards` tells what is held, asked again after each cancel; `leaving` has an exit under way. Raises
        DatabaseError when something cannot be stored.
        """
        at_once: list[Cover] = []
        for _ in range(ROUNDS):
            wanted = [self._still_held(one) for one in guards()]
            refused = self._waiting(wanted, now)
            planned = self._planner.planned(wanted, map(self._seen, self.resting()), leaving, refused)
            self.watched = planned.watched
            actions = [one for one in planned.actions if not self._rests_as_it_is(one, leaving, now)]
            if not actions:
                break
            kept = {one.held for one in wanted} - planned.watched.keys()
            self._gone_at = {held: at for held, at in self._gone_at.items() if held in kept}
            for action in actions:
                self._do(action, now, kept)
            self._path.send()
            at_once += self._refusals(now)
        self._tell_resting()
        return at_once

    def waits(self, held: Held, price_now: float, now: int) -> bool:
        """Return whether a price that closes a position is still its resting stop's to sell at.

        It is for a while, from the moment on at which the stop's price was first seen reached.
        """
        order = self.of(held)
        if order is None or order.cancel_at is not None or price_now > float(order.stop or 0):
            return False
        self._path.hurry()
        return now - self._reached.setdefault(held, now) < self._patience

    def overdue(self, now: int) -> list[OrderRow]:
        """Return the stops whose price was reached long ago, and that are not filled."""
        rest = {self.held(order): order for order in self.resting()}
        self._reached = {held: since for held, since in self._reached.items() if held in rest}
        return [rest[held] for held, since in self._reached.items() if now - since >= self._patience]

    def held(self, order: OrderRow) -> Held:
        """Return whose position an order sells."""
        return self._path.mirror.intent(order.intent_key).strategy, order.symbol

    def _still_held(self, guard: Cover) -> Cover:
        """Return a guard of no more than the journal says is held and nobody sells."""
        mirror = self._path.mirror
        selling = (one for one in mirror.exits(*guard.held, "sell") if one.kind not in RESTING_STOPS)
        left = mirror.held(*guard.held)
        for order in selling:
            left = minus(left, max(minus(order.amount, order.filled), ZERO))
        return guard._replace(amount=max(min(guard.amount, left), ZERO))

    def _seen(self, order: OrderRow) -> Resting:
        settled = order.state in (State.OPEN, State.PARTIAL) and order.cancel_at is None
        return Resting(
            order.intent_key,
            self.held(order)[0],
            order.symbol,
            max(minus(order.amount, order.filled), ZERO),
            order.stop or ZERO,
            order.price,
            settled,
        )

    def _waiting(self, wanted: Sequence[Cover], now: int) -> dict[Held, str]:
        """Return the positions whose stop was refused and is not tried again yet; forget the others."""
        still: dict[Held, _Refusal] = {}
        for guard in wanted:
            one = self._refused.get(guard.held)
            if one is not None:
                free = self._path.free(assets_of(guard.symbol)[0])
                is_new = one.guard != guard or free > one.free
                until = now if is_new else one.until
                still[guard.held] = one._replace(guard=guard, free=min(one.free, free), until=until)
        self._refused = still
        return {held: one.why for held, one in still.items() if now < one.until}

    def _rests_as_it_is(self, action: Action, leaving: Collection[Held], now: int) -> bool:
        """Return whether a stop stays: its change was refused a moment ago, or nothing could sell instead."""
        if isinstance(action, StopChange):
            return now < self._unchanged.get(action.key, now)
        return isinstance(action, Cancel) and action.held in leaving and self._is_shut(action.held, now)

    def _is_shut(self, held: Held, now: int) -> bool:
        """Return whether an exit of a position has to wait, for the market takes none; tell it once."""
        if not 0 <= now - self._asked_at < ASK_AGAIN:
            before, self._mode, self._asked_at = self._mode, self._path.shut(), now
            if self._mode and self._mode != before:
                what = f"its exit waits and its stop stays at the exchange, whose market is {self._mode} now"
                self._path.alert("stop", held[1], f"{_name(held)}: {what}")
        return bool(self._mode)

    def _do(self, action: Action, now: int, kept: Collection[Held]) -> None:
        """Do one thing; `kept` are positions that go on being protected."""
        if isinstance(action, NewStop):
            intent = self._intent(action)
            self._path.submit(Approved(intent), _terms(action.stop))
            self._placed[intent.key] = action.guard
        elif isinstance(action, StopChange):
            self._change(action, now)
        else:
            gone_at = self._path.now()
            self._path.cancel(action.key)
            if action.held in kept:
                self._gone_at.setdefault(action.held, gone_at)

    def _change(self, action: StopChange, now: int) -> None:
        order = self._path.change(action.key, action.stop.amount, _terms(action.stop))
        if order is None:
            # What rests goes on resting; a request that is under way says so when it is looked at.
            self._unchanged[action.key] = now + FIRST
            return
        self._unchanged.pop(action.key, None)
        self._path.tell(
            "stop", order.symbol, f"{_name(action.held)}: {_words(order)}; it was changed where it rests"
        )

    def _intent(self, action: NewStop) -> Intent:
        guard, stop, now = action.guard, action.stop, self._path.now()
        intent = Intent(
            strategy=guard.strategy,
            symbol=guard.symbol,
            timeframe=guard.timeframe,
            bar=now,
            purpose=Purpose.STOP,
            leg=LEG,
            side="sell",
            amount=stop.amount,
            price=stop.trigger,
            reason=guard.reason,
            created_at=now,
            valid_until=now + VALID,
            stop=stop.trigger,
        )
        number = 0
        while self._path.order(intent.key) is not None:
            # Another one of the same moment, or of a clock that was set back.
            number += 1
            intent = replace(intent, leg=f"{LEG}-{number}")
        return intent

    def _refusals(self, now: int) -> list[Cover]:
        """Take in which stops were refused, and return those whose price is reached."""
        at_once = []
        for key, guard in list(self._placed.items()):
            order = self._path.order(key)
            if order is not None and order.state in NEVER_WAS:
                del self._placed[key]
                self._refuse(order, guard, now)
                at_once += [guard] if AT_ONCE in order.reason else []
        return at_once

    def _refuse(self, order: OrderRow, guard: Cover, now: int) -> None:
        """Note why a stop does not rest, and when it is tried again; tell it once."""
        before = self._refused.get(guard.held)
        times = 1 if before is None else before.times + 1
        wait = min(FIRST << min(times - 1, 10), MOST)
        why = f"it was not placed: {order.reason}"
        if AT_ONCE in order.reason:
            times, why = times - 1, "its price is reached: it is sold at the market"
        elif times == 1:
            self._path.alert(
                "stop", order.symbol, f"{_name(guard.held)}: no stop rests at the exchange, {why}"
            )
        free = self._path.free(assets_of(guard.symbol)[0])
        self._refused[guard.held] = _Refusal(times, now + wait, why, guard, free)

    def _tell_resting(self) -> None:
        """Say which stops rest now, and for how long nothing protected what they sell."""
        for key, guard in list(self._placed.items()):
            order = self._path.order(key)
            if order is None or order.state in TERMINAL:
                del self._placed[key]
            elif order.state in (State.OPEN, State.PARTIAL):
                del self._placed[key]
                self._refused.pop(guard.held, None)
                window = self._window(guard.held)
                self._path.tell("stop", order.symbol, f"{_name(guard.held)}: {_words(order)}{window}")

    def _window(self, held: Held) -> str:
        gone = self._gone_at.pop(held, None)
        return "" if gone is None else f"; unprotected for {max(0, self._path.now() - gone)} ms"


def _name(held: Held) -> str:
    return f"{held[1]}, {held[0]}"


def _terms(stop: Stop) -> Terms:
    return Terms("stop" if stop.limit is None else "stop_limit", stop.limit, stop.trigger)


def _words(order: OrderRow) -> str:
    limit = "" if order.price is None else f", limit {exact(order.price)}"
    left = minus(order.amount, order.filled)
    return f"a stop rests at the exchange, sell {exact(left)} at {exact(order.stop or ZERO)}{limit}"
