"""One account under arbitrary decisions and bars keeps its books, whatever happens: design section 7."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from core import portfolio as portfolio_module
from core.account.lots import LOT_LEG, Lot
from core.account.money import NOTHING, decimal_of, to_step, total
from core.account.orders import Approved, Executed, Fill, Intent, Purpose, Refused
from core.domain import LOT, Bar, Costs, Decision, Reason
from core.engine import Decided, Session
from core.errors import RefusedError
from core.execution import Executor, Plan
from core.intents import Moment
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.risk.limits import ANY_MARKET, Limits, MarketDemands
from core.risk_manager import RiskManager
from core.sizing import Sizing
from tests.account_help import exactly
from tests.markets import HOUR, START
from tests.tiers import tries

SYMBOLS = ("BTC/USDT", "ETH/USDT")
STRATEGIES = ("A", "B", "LADDER")
MARKET = MarketDemands(step=Decimal("0.001"), min_notional=Decimal(5))
PRICES = {"BTC/USDT": 100.0, "ETH/USDT": 7.3}


class Silent:
    """Decides nothing; the machine does."""

    def decide(self, bar: Bar, held: object) -> Decided:
        return Decided(None)


class Account(RuleBasedStateMachine):
    """A session on paper that is handed random bars, decisions, commands and repeated fills."""

    @initialize(
        commission=st.sampled_from([0.0, 0.001, 0.0137]),
        spread=st.sampled_from([0.0, 0.0004]),
        share=st.sampled_from([None, 0.05]),
        allow_short=st.booleans(),
        limits=st.sampled_from([Limits(), Limits(max_exposure_pct=60, max_positions=3, cash_reserve_pct=10)]),
        scale=st.sampled_from([1.0, 1.0, 1e-14, 1.7e-8, 1e7]),
    )
    def begin(
        self,
        commission: float,
        spread: float,
        share: float | None,
        allow_short: bool,
        limits: Limits,
        scale: float,
    ) -> None:
        # Ordinary markets have steps; where a coin costs 1e-12 or 1e9, sizes are whatever a float can be.
        lot, self.market = (LOT, MARKET) if scale == 1.0 else (2.0**-70, ANY_MARKET)
        costs, markets = Costs(commission, spread), dict.fromkeys(SYMBOLS, self.market)
        self.allow_short = allow_short
        risk = RiskManager(0.05, 20.0, replace(limits, allow_short=allow_short), costs, markets)
        steps = dict.fromkeys(SYMBOLS, self.market.step) if self.market.step else {}
        portfolio = Portfolio(1_000.0, steps)
        self.desk = PaperFills(portfolio.settled, costs, markets, share)
        self.session = Session(Executor(portfolio, risk, self.desk, costs))
        for name in STRATEGIES:
            for symbol in SYMBOLS:
                plan = Plan("1h", Sizing(0.05, 0.95, lot), is_ladder=name == "LADDER")
                self.session.add(name, symbol, plan, Silent())
        self.portfolio, self.number = portfolio, 0
        self.closes = {symbol: price * scale for symbol, price in PRICES.items()}
        self.events: list[Executed] = []
        self.sums: dict[tuple[str, str], Decimal] = {}
        self.bars((1.0, 1.0), 0.0, 0.0)

    @rule(moves=st.tuples(*[st.floats(0.9, 1.12)] * 2), reach=st.floats(0, 0.05), volume=st.floats(0, 1000))
    def bars(self, moves: tuple[float, float], reach: float, volume: float) -> None:
        """Close a bar of each symbol."""
        given = []
        stamp = START + self.number * HOUR
        for symbol, move in zip(SYMBOLS, moves, strict=True):
            opened, close = self.closes[symbol], self.closes[symbol] * move
            high, low = max(opened, close) * (1 + reach), min(opened, close) * (1 - reach)
            given.append(Bar(symbol, "1h", stamp, stamp + HOUR, opened, high, low, close, volume))
            self.closes[symbol] = close
        self.number += 1
        step = self.session.on_bars(given)
        self.events += step.fills
        for event in step.fills:
            key = event.intent.strategy, event.fill.symbol
            sign = 1 if event.fill.side == "buy" else -1
            with exactly():
                self.sums[key] = self.sums.get(key, NOTHING) + sign * event.fill.amount
        assert self.portfolio.pending == {}
        assert self.session.on_bars(given).bars == ()

    @rule(
        name=st.sampled_from(STRATEGIES),
        symbol=st.sampled_from(SYMBOLS),
        size=st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0]),
        stop=st.sampled_from([math.nan, 0.03, 0.1]),
        take=st.sampled_from([math.nan, 0.05]),
        rungs=st.integers(0, 7),
    )
    def decide(self, name: str, symbol: str, size: float, stop: float, take: float, rungs: int) -> None:
        """Have a strategy want something."""
        close, side = self.closes[symbol], 1 if size >= 0 else -1
        want = Decision(size, close * (1 - side * stop), close * (1 + side * take), Reason.ENTRY)
        if name == "LADDER":
            want = Decision(rungs.bit_count() / 3, math.nan, close * (1 + take), Reason.ENTRY, rungs << 1)
        bar = START + (self.number - 1) * HOUR
        held = self.portfolio.view(name, symbol, self.number - 1)
        before = self.portfolio.reserved
        outcomes = self.session.executor.execute(name, symbol, want, held, Moment(bar, close, bar + HOUR))
        kept = [one.reserve for one in outcomes if isinstance(one, Approved)]
        with exactly():
            assert self.portfolio.reserved == before + sum(kept, NOTHING)
        for outcome in outcomes:
            if isinstance(outcome, Approved) and outcome.intent.purpose is Purpose.ENTRY:
                assert outcome.intent.side == "buy" or self.allow_short
                assert to_step(outcome.intent.amount, self.market.step) == outcome.intent.amount
            if isinstance(outcome, Refused):
                assert outcome.detail

    @rule(which=st.integers(0, 1000))
    def repeat_a_fill(self, which: int) -> None:
        """Report a fill again, as exchanges do."""
        if self.events:
            cash = self.portfolio.cash
            self.session.on_events([self.events[which % len(self.events)]], 0)
            assert self.portfolio.cash == cash

    @rule(name=st.sampled_from(STRATEGIES), symbol=st.sampled_from(SYMBOLS))
    def flatten(self, name: str, symbol: str) -> None:
        """Have a person close a position."""
        bar = START + (self.number - 1) * HOUR
        self.session.executor.flatten(name, symbol, Moment(bar, self.closes[symbol], bar + HOUR))

    @rule()
    def reset(self) -> None:
        """Reset whatever tripped."""
        for name in tuple(self.session.risk.state.trips):
            self.session.risk.reset_breaker(name)

    @invariant()
    def what_came_in_is_accounted_for(self) -> None:
        portfolio = self.portfolio
        with exactly():
            cost = total(lot.side * lot.cost for held in portfolio.held() for lot in portfolio.lots(*held))
            spent = total(result.fees - result.gross for result in portfolio.results.values())
            assert portfolio.cash + cost + spent == portfolio.deposits
        prices = {symbol: decimal_of(price) for symbol, price in self.closes.items()}
        worth = portfolio.exact_equity(prices)
        assert math.isclose(portfolio.get_equity(self.closes), float(worth), rel_tol=1e-9, abs_tol=1e-6)

    @invariant()
    def positions_are_the_sums_of_fills(self) -> None:
        for symbol in SYMBOLS:
            booked = total(amount for (_, what), amount in self.sums.items() if what == symbol)
            assert self.portfolio.amount(symbol) == booked

    @invariant()
    def nothing_is_spent_that_is_not_there(self) -> None:
        assert self.portfolio.reserved >= 0
        if not self.allow_short:
            assert self.portfolio.cash >= 0
            assert all(self.portfolio.amount(symbol) >= 0 for symbol in SYMBOLS)

    @invariant()
    def no_more_is_for_sale_than_is_held(self) -> None:
        for held in self.portfolio.held():
            for lot in self.portfolio.lots(*held):
                assert self.portfolio.closing(*held, lot) <= lot.amount

    @invariant()
    def what_waits_is_reserved_and_nothing_else(self) -> None:
        for key, pending in self.portfolio.pending.items():
            assert pending.intent.key == key
            assert (pending.reserve > 0) == (pending.intent.purpose is Purpose.ENTRY)
            assert pending.intent.purpose is Purpose.ENTRY or pending.intent.leg.startswith(LOT_LEG)

    @invariant()
    def the_exchange_and_the_books_agree(self) -> None:
        assert self.portfolio.settled == self.desk.cash


Account.TestCase.settings = settings(
    max_examples=tries(60, 15),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAccount = Account.TestCase

Function = Callable[..., Any]


def _forgets_bookings(real: Function) -> Function:
    def book(self: Portfolio, intent: Intent, fill: Fill, bar: int = 0) -> object:
        self._booked.clear()
        return real(self, intent, fill, bar)

    return book


def _loses_the_fee(real: Function) -> Function:
    def paid(self: Portfolio, intent: Intent, fill: Fill) -> object:
        return real(self, intent, replace(fill, fee=fill.fee / 2))[0], fill.fee

    return paid


def _rounds(real: Function) -> Function:
    def split_rounded(lot: Lot, amount: Decimal) -> tuple[Lot, Lot | None]:
        part, rest = real(lot, amount)
        return replace(part, cost=Decimal(repr(float(part.cost)))), rest

    return split_rounded


# What a weaker account would do; the machine must notice each.
WEAKER: dict[str, tuple[object, str, Callable[[Function], Function]]] = {
    "books a fill twice": (Portfolio, "book", _forgets_bookings),
    "never releases": (Portfolio, "release", lambda real: lambda self, key: NOTHING),
    "reserves nothing": (Portfolio, "reserve", lambda real: lambda self, approved: True),
    "loses half the fee": (Portfolio, "_paid", _loses_the_fee),
    "rounds costs": (portfolio_module, "split", _rounds),
    "fills from its own cash": (PaperFills, "_prepare", lambda real: _apart),
}


def _apart(self: PaperFills, book: Any) -> int:
    book.rows[0, 0] = 1_000.0
    return int(book.rows[0, 4])


@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", WEAKER)
def test_a_weaker_account_is_noticed(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, name, weaken = WEAKER[fault]
    monkeypatch.setattr(holder, name, weaken(getattr(holder, name)))
    few = settings(
        max_examples=150,
        stateful_step_count=30,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises((AssertionError, KeyError, RefusedError, Flaky)):
        run_state_machine_as_test(Account, settings=few)
