"""Execution algorithms in any market: never too much, one order at a time, never a taker as a maker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.execution_algos.limit_chase import LimitChase
from core.execution_algos.machines import ALGORITHMS, AlgoTerms, machine_of
from core.execution_algos.values import (
    AlgoAction,
    BookOffer,
    CancelChild,
    ChildOrder,
    ChildStanding,
    LocalBook,
    Machine,
    NewChild,
    OrderGrid,
    Sight,
    Work,
    WorkEnd,
)
from tests.tiers import tries

D = Decimal
GRID = OrderGrid(D("0.01"), D("0.001"), D("0.001"), D(10))
TERMS = AlgoTerms(3_000, 10_000, D("0.001"), 2_000, 12_000, 4, 12_000)
SPAN = 15_000
LIVE = (ChildStanding.WAITS, ChildStanding.RESTS, ChildStanding.LEAVES)


@dataclass
class Life:
    """One work in a market that does as it likes."""

    machine: Machine
    rng: Random
    work: Work
    now: int = 1_000_000
    wrong: list[str] = field(default_factory=list)
    end: WorkEnd | None = None
    steps: int = 0

    def book(self) -> LocalBook | None:
        """Return what the market shows: sometimes nothing, one side, something old, or crossed."""
        chance, middle = self.rng.random(), D(self.rng.randint(9_900, 10_100)) / 100
        if chance < 0.1:
            return None
        gap = D(self.rng.choice((1, 1, 2, 5))) / 100
        gap = -gap if chance < 0.15 else gap
        bids, asks = (
            tuple(
                BookOffer(middle + sign * (gap + D(level) * D("0.03")), D(self.rng.randint(1, 400)) / 1000)
                for level in range(self.rng.randint(0 if chance < 0.2 else 1, 6))
            )
            for sign in (-1, 1)
        )
        return LocalBook(bids, asks, self.now - (60_000 if 0.2 <= chance < 0.25 else 0))

    def step(self, *, is_calm: bool = False, is_hurried: bool = False) -> None:
        """Let the machine look once, and the market answer."""
        self.steps += 1
        sight = Sight(self.now, GRID, self.book(), is_hurried=is_hurried)
        before = self.machine.step(self.work, sight)
        if self.machine.step(self.work, sight) != before:
            self.wrong.append("the same sight had another answer")
        for action in before:
            self.do(action, sight)
        self.answer(is_calm=is_calm)
        self.now += self.rng.choice((200, 500, 1_000, 3_000))
        if not is_calm and self.rng.random() < 0.03:
            self.now += self.rng.choice((-20_000, -2_000, 40_000))

    def do(self, action: AlgoAction, sight: Sight) -> None:
        if isinstance(action, WorkEnd):
            self.end = action
            if self.work.live is not None:
                self.wrong.append("it ended while an order was out")
        elif isinstance(action, CancelChild):
            child = self.work.children[action.number - 1]
            if child.standing is not ChildStanding.RESTS:
                self.wrong.append(f"a cancel of what {child.standing}")
            self.put(child._replace(standing=ChildStanding.LEAVES))
        else:
            self.place(action, sight)

    def place(self, action: NewChild, sight: Sight) -> None:
        if self.work.live is not None:
            self.wrong.append("two orders at once")
        if action.amount > self.work.left or action.amount <= 0 or action.amount % D("0.001"):
            self.wrong.append(f"{action.amount} was asked for, {self.work.left} is left")
        book = sight.book
        if action.kind == "maker" and book is not None and action.price is not None:
            best = book.asks[0].price if self.work.side == "buy" else book.bids[0].price
            if action.price >= best if self.work.side == "buy" else action.price <= best:
                self.wrong.append(f"a maker at {action.price}, the other side is at {best}")
        if action.kind == "limit" and book is not None and action.price is not None:
            best = book.asks[0].price if self.work.side == "buy" else book.bids[0].price
            if abs(action.price / best - 1) > TERMS.impact:
                self.wrong.append(f"a slice at {action.price}, the best price is {best}")
        number = len(self.work.children) + 1
        child = ChildOrder(
            number, action.kind, action.price, action.amount, D(0), self.now, ChildStanding.WAITS
        )
        self.work = self.work._replace(children=(*self.work.children, child))

    def answer(self, *, is_calm: bool) -> None:
        """Let the venue do something about the order that is out."""
        child = self.work.live
        if child is None or (not is_calm and self.rng.random() < 0.3):
            return
        chance, part = self.rng.random(), D(self.rng.randint(0, 1000)) / 1000
        left = child.amount - child.filled
        done = min(left, (left * part).quantize(D("0.001")))
        if child.standing is ChildStanding.LEAVES:
            # A cancel may find it executed, in part or whole.
            filled = child.filled + (left if chance < 0.2 else done if chance < 0.5 else D(0))
            child = child._replace(filled=filled, standing=ChildStanding.OVER)
        elif child.kind == "market":
            filled = left if chance < 0.8 else done
            child = child._replace(filled=filled, standing=ChildStanding.OVER)
            if chance > 0.97:
                child = child._replace(filled=D(0), standing=ChildStanding.REFUSED, reason="no")
        elif child.standing is ChildStanding.WAITS and child.kind == "maker" and chance < 0.3:
            child = child._replace(standing=ChildStanding.REFUSED, reason="it would take")
        elif not is_calm and chance > 0.99:
            child = child._replace(standing=ChildStanding.TAKEN, reason="cancelled by hand")
        else:
            filled = child.filled + (done if chance > 0.7 else D(0))
            standing = ChildStanding.OVER if filled == child.amount else ChildStanding.RESTS
            child = child._replace(filled=filled, standing=standing)
        self.put(child)

    def put(self, child: ChildOrder) -> None:
        some = list(self.work.children)
        some[child.number - 1] = child
        self.work = self.work._replace(children=tuple(some))

    def run(self, until: Callable[[], bool], **told: bool) -> None:
        """Step until the work is over or something is so."""
        while self.end is None and not until():
            self.step(**told)


def life(name: str, seed: int, amount: int, *, is_exit: bool, side: str) -> Life:
    """Return a work that begins."""
    work = Work(
        "buy" if side == "buy" else "sell",
        D(amount) / 1000,
        D(100),
        is_exit,
        1_000_000,
        SPAN,
    )
    return Life(machine_of(name, TERMS), Random(seed), work)


lives = st.builds(
    life,
    st.sampled_from(ALGORITHMS),
    st.integers(0, 2**32),
    st.integers(1, 5_000),
    is_exit=st.booleans(),
    side=st.sampled_from(("buy", "sell")),
)


@settings(max_examples=tries(60, 15), deadline=None)
@given(lives, st.integers(0, 60))
def test_no_market_makes_a_work_trade_too_much_or_go_on_for_ever(one: Life, rough: int) -> None:
    one.run(lambda: one.steps >= rough)
    # The venue answers from now on, and the clock goes on.
    began = one.steps
    one.run(lambda: one.steps - began > 400, is_calm=True)
    assert one.wrong == []
    assert one.work.filled <= one.work.amount
    assert one.end is not None
    assert one.steps - began < 120
    if not one.end.why:
        assert one.work.left < D("0.001")


@pytest.mark.unmeasured
@settings(max_examples=tries(40, 10), deadline=None)
@given(lives, st.integers(0, 20))
def test_what_is_hurried_goes_at_the_market(one: Life, rough: int) -> None:
    one.run(lambda: one.steps >= rough)
    count, began = len(one.work.children), one.steps
    one.run(lambda: one.steps - began > 50, is_calm=True, is_hurried=True)
    assert one.wrong == []
    assert one.end is not None
    new = one.work.children[count:]
    assert all(child.kind == "market" for child in new)
    assert len(new) <= 2


class Crosses(LimitChase):
    """A weakened one: what the chase is for is to be executed, so it goes a tick beyond."""

    def step(self, work: Work, sight: Sight) -> tuple[AlgoAction, ...]:
        moves = super().step(work, sight)
        book = sight.book
        if moves and isinstance(moves[0], NewChild) and moves[0].kind == "maker" and book is not None:
            return (
                moves[0]._replace(price=book.asks[0].price if work.side == "buy" else book.bids[0].price),
            )
        return moves


class Impatient(LimitChase):
    """A weakened one: the next order does not wait until the former is known to be over."""

    def step(self, work: Work, sight: Sight) -> tuple[AlgoAction, ...]:
        live = work.live
        if live is None or live.standing is not ChildStanding.LEAVES:
            return super().step(work, sight)
        gone = live._replace(standing=ChildStanding.OVER)
        return super().step(work._replace(children=(*work.children[:-1], gone)), sight)


class Forgetful(LimitChase):
    """A weakened one: what was executed of an order that was cancelled is not counted."""

    def step(self, work: Work, sight: Sight) -> tuple[AlgoAction, ...]:
        some = tuple(
            child if child.is_live or child.filled == child.amount else child._replace(filled=D(0))
            for child in work.children
        )
        return super().step(work._replace(children=some), sight)


@pytest.mark.parametrize("weak", [Crosses, Impatient, Forgetful])
def test_weakened_machines_are_caught(weak: type[LimitChase]) -> None:
    def is_caught(seed: int) -> bool:
        one = life("limit_chase", seed, 900, is_exit=True, side="buy" if seed % 2 else "sell")
        one.machine = weak(TERMS.chase_wait_ms, TERMS.chase_until_ms)
        one.run(lambda: one.steps >= 60)
        return bool(one.wrong)

    assert any(is_caught(seed) for seed in range(200))
