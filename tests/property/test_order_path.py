"""The order path loses and doubles nothing, whatever breaks and whenever it is killed."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from core.account.messages import MARKET, Terms
from core.account.orders import Purpose
from core.errors import HotCryptoError
from core.exchange_sim.server import BINANCEUS, KRAKEN
from core.order_path.audit import check_books
from tests.fuzz_order_path import VENUES, first_caught, run_schedules
from tests.order_model import PLACE_FAULTS, PRICES, SYMBOLS, Market
from tests.order_mutants import MUTANTS, weakened
from tests.order_schedules import STRATEGIES, Schedule, Wanted, full_design, intent, memory_view
from tests.tiers import some, statistics, tries

CHUNK = tries(125, 50)
ENOUGH = 800
"""Schedules within which every weakened path is caught."""
LATE = {
    (BINANCEUS, "HasNoFence"): 50,
    (BINANCEUS, "FencesOnTheLocalClock"): 428,
    (BINANCEUS, "BelievesARefusedCancel"): 53,
    (KRAKEN, "HasNoFence"): 85,
    (KRAKEN, "FencesOnTheLocalClock"): 428,
    (KRAKEN, "BelievesAnyAnswer"): 135,
    (KRAKEN, "BelievesARefusedCancel"): 66,
    (KRAKEN, "TakesStrangersForOwners"): 96,
}
"""Where to begin to look for what is caught late."""


FIRST = 25
RARE = {BINANCEUS: (49, 52, 76, 93, 132, 220, 240), KRAKEN: (34, 45, 76, 138)}
"""Schedules that run what the first ones do not: all branches of the order path with them. Another order path
has others: `--cov-context=test` tells what each of the first thousand runs alone."""


@pytest.mark.parametrize("venue", VENUES)
def test_schedules_that_run_all_of_the_path_end_as_the_exchange_says(venue: str) -> None:
    for seed in (*range(FIRST), *RARE[venue]):
        assert run_schedules(seed, 1, venue).wrong == []


@pytest.mark.unmeasured
@statistics
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("first", range(0, tries(1000, CHUNK), CHUNK))
def test_seeded_schedules_of_faults_and_kills_end_as_the_exchange_says(first: int, venue: str) -> None:
    tally = run_schedules(first, CHUNK, venue)
    assert tally.wrong == []
    assert tally.counts["crashes"] > CHUNK
    assert tally.counts["faults"] > 10 * CHUNK
    assert tally.counts["fills"] > 2 * CHUNK


@pytest.mark.unmeasured
@statistics
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("name", some(MUTANTS, 6))
def test_a_weakened_path_is_caught_by_the_same_schedules(name: str, venue: str) -> None:
    assert first_caught(name, ENOUGH, venue, LATE.get((venue, name), 0)) is not None


@pytest.mark.parametrize("seed", [4372, 5716])
def test_a_waiting_exit_that_others_leave_enough_for_stays_as_it_is(seed: int) -> None:
    # What others took was written down for it too, with no change in it, and the loop ended.
    assert Schedule(seed).run() == []


@pytest.mark.unmeasured
def test_without_faults_every_intent_is_done_or_refused_for_a_reason() -> None:
    for seed in range(40):
        schedule = Schedule(seed, rate=0.0, crashes=0, clock_steps=(0,))
        assert schedule.run() == []
        for order in memory_view(schedule).orders():
            assert order.attempt == 0
            assert order.state in ("filled", "canceled", "expired", "open", "partial") or order.reason


class Path(RuleBasedStateMachine):
    """One account in the hands of hypothesis: every rule is one thing that can happen."""

    make = staticmethod(full_design)

    def __init__(self) -> None:
        super().__init__()
        self.schedule = Schedule(2, self.make, rate=0.0, crashes=0)
        self.schedule.wanted = []
        self.schedule.market = self.schedule.line.market = Market(random.Random(3))
        self.schedule.market.totals.update({"USDT": Decimal(100_000), "BTC": Decimal(1)})
        for _ in range(4):
            self.schedule.live(True)
            self.schedule.market.advance(3000)

    @rule(
        purpose=st.sampled_from([Purpose.ENTRY, Purpose.EXIT]),
        lots=st.integers(1, 9),
        symbol=st.sampled_from(SYMBOLS[:2]),
        strategy=st.sampled_from(STRATEGIES),
        limit=st.booleans(),
    )
    def decide(self, purpose: Purpose, lots: int, symbol: str, strategy: str, limit: bool) -> None:
        now, number = self.schedule.market.now, len(self.schedule.wanted)
        side: Any = "buy" if purpose is Purpose.ENTRY else "sell"
        approved = intent(
            number, side, Decimal(lots) / 1000, symbol, purpose, now, strategy=strategy, ttl=300_000
        )
        terms = Terms("limit", PRICES[symbol]) if limit else MARKET
        self.schedule.wanted.append(Wanted(now, approved, terms, None))

    @rule(number=st.integers(0, 9))
    def cancel(self, number: int) -> None:
        if number < len(self.schedule.wanted):
            one = self.schedule.wanted[number]
            self.schedule.wanted[number] = one._replace(cancel_at=self.schedule.market.now)

    @rule(kind=st.sampled_from([*PLACE_FAULTS, "fail", "short", "doubled"]))
    def break_the_line(self, kind: str) -> None:
        self.schedule.line.next_fault = kind

    @rule(points=st.integers(1, 60))
    def be_killed_soon(self, points: int) -> None:
        self.schedule.dies_at = {self.schedule.points + points}

    @rule(reconcile=st.booleans())
    def step(self, reconcile: bool) -> None:
        self.schedule.live(reconcile)
        assert check_books(memory_view(self.schedule)) == []

    @rule(ms=st.integers(1, 12_000))
    def wait(self, ms: int) -> None:
        self.schedule.market.advance(ms)

    @rule(ms=st.sampled_from([-20_000, 20_000]))
    def step_the_clock(self, ms: int) -> None:
        self.schedule.line.skew += ms

    def teardown(self) -> None:
        assert self.schedule.end() == []


def explore(kind: type[RuleBasedStateMachine], examples: int, *phases: Phase) -> None:
    # Steps of the machine are the slow part, so what a mutant breaks is not made smaller.
    how = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        derandomize=True,
        phases=phases,
        database=None,
    )
    run_state_machine_as_test(kind, settings=how)


@pytest.mark.unmeasured
@statistics
def test_no_order_of_events_that_hypothesis_finds_breaks_the_path() -> None:
    explore(Path, tries(300, 40), Phase.generate, Phase.shrink)


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("name", some(["SendsAgain", "TakesErrorsForFailures", "BelievesAnyAnswer"], 1))
def test_hypothesis_finds_what_breaks_a_weakened_path(name: str) -> None:
    machine = type("Weakened", (Path,), {"make": staticmethod(weakened(name))})
    with pytest.raises((AssertionError, HotCryptoError)):
        explore(machine, 2000, Phase.generate)
