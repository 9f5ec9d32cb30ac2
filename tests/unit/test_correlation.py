"""New risk is smaller where what is held already moves with it."""

from __future__ import annotations

import numpy as np
import pytest

from core.account.orders import Approved, Purpose
from core.domain import Bar, Costs, Decision, PositionView, enter, enters, flat
from core.execution import Executor, Plan
from core.intents import Moment
from core.portfolio import Portfolio
from core.risk.correlation import FEWEST, NewestCloses, correlated, part_kept
from core.risk.limits import Limits
from core.risk_manager import RiskManager
from core.sizing import Sizing
from tests.account_help import OTHER, SYMBOL, D, fill_of, intent
from tests.markets import HOUR, START, random_bars

FREE = Costs(0.0, 0.0)
NOW = START + 60 * HOUR
UP = np.cumprod(1 + np.random.default_rng(1).normal(0, 0.01, 60))


def closes_of(*series: tuple[str, str, object], most: int = 50) -> NewestCloses:
    """Return the closes of series that end now, one bar an hour."""
    closes = NewestCloses(most)
    for symbol, timeframe, values in series:
        for k, value in enumerate(np.asarray(values, float).tolist()):
            closes.add(symbol, timeframe, NOW - (len(np.asarray(values)) - 1 - k) * HOUR, value)
    return closes


def test_symbols_that_move_alike_are_wholly_correlated_and_opposites_the_other_way() -> None:
    closes = closes_of(("A", "1h", UP), ("B", "1h", 7 * UP), ("C", "1h", 1 / UP))
    assert closes.correlation("A", "B", "1h", NOW) == pytest.approx(1.0)
    assert closes.correlation("A", "C", "1h", NOW) == pytest.approx(-1.0)


def test_the_correlation_is_that_of_the_newest_returns_in_common() -> None:
    other = np.random.default_rng(2).normal(100, 5, 60)
    closes = closes_of(("A", "1h", UP), ("B", "1h", other))
    known = np.corrcoef(np.diff(np.log(UP[-51:])), np.diff(np.log(other[-51:])))[0, 1]
    assert closes.correlation("A", "B", "1h", NOW) == pytest.approx(known)


def test_other_timeframes_of_a_symbol_help_out() -> None:
    closes = closes_of(("A", "1h", UP), ("B", "4h", 3 * UP))
    assert closes.correlation("A", "B", "1h", NOW) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "other", [UP[: FEWEST - 1], np.full(60, 5.0), []], ids=["too few", "never moves", "never seen"]
)
def test_what_is_unknown_counts_as_nothing(other: object) -> None:
    assert closes_of(("A", "1h", UP), ("B", "1h", other)).correlation("A", "B", "1h", NOW) == 0.0


def test_fewer_or_more_are_kept_once_that_is_wanted() -> None:
    other = np.random.default_rng(2).normal(100, 5, 60)
    closes, fewer = closes_of(("A", "1h", UP), ("B", "1h", other)), closes_of(("A", "1h", UP), most=30)
    closes.keep(30)
    known = np.corrcoef(np.diff(np.log(UP[-31:])), np.diff(np.log(other[-31:])))[0, 1]
    assert closes.correlation("A", "B", "1h", NOW) == pytest.approx(known)
    for kept in (closes, fewer):
        assert np.isnan(kept.at("A", [NOW - 31 * HOUR]))[0]
    closes.keep(40)
    closes.add("A", "1h", NOW + HOUR, 1.0)
    assert not np.isnan(closes.at("A", [NOW - 30 * HOUR]))[0]


def test_no_more_is_kept_than_is_looked_at() -> None:
    closes = closes_of(("A", "1h", UP), most=10)
    assert np.isnan(closes.at("A", [NOW - 11 * HOUR]))[0]
    assert closes.at("A", [NOW - 10 * HOUR, NOW]).tolist() == [UP[-11], UP[-1]]


@pytest.mark.parametrize(
    ("side", "held", "part"),
    [
        (1, {"B": 1}, 0.5),
        (-1, {"B": -1}, 0.5),
        (-1, {"B": 1}, 1.0),
        (1, {"C": 1}, 1.0),
        (-1, {"C": 1}, 0.5),
        (1, {"A": 1}, 1.0),
        (1, {"B": 0}, 1.0),
        (1, {}, 1.0),
        (1, {"C": 1, "B": 1}, 0.5),
    ],
)
def test_only_what_moves_along_on_the_same_side_cuts_an_entry(
    side: int, held: dict[str, int], part: float
) -> None:
    closes = closes_of(("A", "1h", UP), ("B", "1h", 7 * UP), ("C", "1h", 1 / UP))
    assert part_kept(closes, 0.5, ("A", side), held, "1h", NOW) == pytest.approx(part)


def managed(cut: float | None) -> RiskManager:
    return RiskManager(1.0, None, Limits(correlation_cut=cut, correlation_bars=40), FREE)


@pytest.mark.parametrize(("cut", "amount"), [(0.5, D(5)), (None, D(10)), (0.0, D(10))])
def test_an_entry_beside_a_twin_is_smaller(cut: float | None, amount: object) -> None:
    risk, portfolio = managed(cut), Portfolio(100_000)
    for k, close in enumerate(UP.tolist()):
        for symbol in (SYMBOL, OTHER):
            risk.see(
                Bar(symbol, "1h", START + (k - 1) * HOUR, START + k * HOUR, close, close, close, close, 1.0)
            )
    made = Executor(
        portfolio, risk, costs=FREE, plans={"A": Plan("1h", Sizing(lot=1.0, risk_per_trade=0.001))}
    )
    bought = intent(symbol=OTHER)
    portfolio.book(bought, fill_of(bought))
    portfolio.mark(OTHER, 100.0)
    portfolio.mark(SYMBOL, 100.0)
    moment = Moment(START + 58 * HOUR, 100.0, START + 59 * HOUR)
    (approved,) = made.execute("A", SYMBOL, enter(1.0, 90.0), portfolio.view("A", SYMBOL), moment)
    assert isinstance(approved, Approved)
    assert approved.intent.amount == amount


def test_only_what_asks_for_more_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []
    risk, portfolio = managed(0.5), Portfolio(100_000)

    def noted(entry: tuple[str, int], *_: object) -> float:
        asked.append(entry)
        return 1.0

    monkeypatch.setattr(risk, "part_kept", noted)
    made = Executor(portfolio, risk, costs=FREE, plans={"A": Plan("1h", Sizing(lot=1.0))})
    bought = intent()
    portfolio.book(bought, fill_of(bought))
    portfolio.mark(SYMBOL, 100.0)
    held, moment = portfolio.view("A", SYMBOL), Moment(START, 100.0, START + HOUR)
    for want in (flat(), Decision(held.target / 2), Decision(held.target, 50.0), enter(-1.0, 110.0)):
        made.execute("A", SYMBOL, want, held, moment)
    assert asked == [(SYMBOL, -1)]


@pytest.mark.parametrize(
    ("want", "is_ladder", "is_more"),
    [
        (Decision(1.0), False, True),
        (Decision(0.5), False, False),
        (Decision(0.4), False, False),
        (Decision(-0.1), False, True),
        (Decision(0.0), False, False),
        (Decision(1.0, rungs=0b0110), True, True),
        (Decision(1.0, rungs=0b0010), True, False),
    ],
)
def test_more_than_is_held_is_an_entry(want: Decision, is_ladder: bool, is_more: bool) -> None:
    assert enters(want, PositionView(1, 100.0, target=0.5, rungs=0b0010), is_ladder) is is_more


def test_the_correlation_is_numpy_s_to_the_last_bit() -> None:
    rng = np.random.default_rng(5)
    for count in range(FEWEST + 1, 200):
        one = np.exp(np.cumsum(rng.normal(0, 0.01, count)))
        other = one ** rng.normal() * np.exp(np.cumsum(rng.normal(0, 0.01, count)))
        # Rows picked by a mask lie otherwise in memory, which decides the order of a sum.
        closes = np.array([one, other])[:, np.full(count, True)]
        assert correlated(one, other) == float(np.corrcoef(np.diff(np.log(closes)))[0, 1])


def test_what_is_asked_for_counts_as_held() -> None:
    portfolio = Portfolio(10_000)
    portfolio.reserve(Approved(intent(symbol=OTHER, side="sell")))
    assert portfolio.sides() == {OTHER: -1}
    bought = intent(symbol=OTHER, strategy="B")
    portfolio.book(bought, fill_of(bought))
    assert portfolio.sides() == {OTHER: 0}


def test_what_is_on_its_way_out_counts_as_gone() -> None:
    portfolio = Portfolio(10_000)
    bought = intent(symbol=OTHER)
    portfolio.book(bought, fill_of(bought))
    assert portfolio.sides() == {OTHER: 1}
    sold = intent(symbol=OTHER, side="sell", purpose=Purpose.EXIT)
    portfolio.reserve(Approved(sold))
    assert portfolio.sides() == {OTHER: 0}
    # The other way round at the same open: it is what comes that others are beside.
    portfolio.reserve(Approved(intent(symbol=OTHER, side="sell", strategy="B")))
    assert portfolio.sides() == {OTHER: -1}


def test_bars_from_before_the_start_are_remembered() -> None:
    risk, bars = managed(0.5), random_bars(1, 100)
    risk.remember(SYMBOL, "1h", bars)
    assert risk.closes.at(SYMBOL, [int(bars.ts[-1]) + HOUR, int(bars.ts[-2]) + HOUR]).tolist() == [
        bars.close[-1],
        bars.close[-2],
    ]
    managed(None).remember(SYMBOL, "1h", bars)
