"""Each layer of an account's risk at its tightest, beside a slow check that shares nothing with it."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.account.orders import Approved, Refused
from core.domain import Bar
from core.risk.breakers import RiskState
from core.risk.limits import BREAKERS, Limits
from core.risk_manager import RiskManager
from tests.account_help import intent, snapshot
from tests.judge_layers import is_tripped

DAY = 86_400_000
NEW_YEAR = 19_723 * DAY
"""Monday, 2024-01-01."""
PERCENT = st.sampled_from([12.5, 25.0, 50.0])
"""Whose thresholds floats hold exactly."""
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 3_600_000, DAY - 1, DAY, 6 * DAY, 7 * DAY, 25 * DAY]),
        st.sampled_from([32.0, 56.0, 64.0, 64.000001, 96.0, 112.0, 112.000001, 128.0]),
    ),
    min_size=1,
    max_size=14,
)
LOSSES = ("daily_loss", "weekly_loss", "monthly_loss")


@pytest.mark.unmeasured
@given(STEPS, PERCENT, PERCENT, PERCENT)
def test_a_loss_of_a_day_week_or_month_refuses_exactly_while_it_should(
    steps: list[tuple[int, float]], daily: float, weekly: float, monthly: float
) -> None:
    limits = Limits(max_weekly_loss_pct=weekly, max_monthly_loss_pct=monthly)
    risk, time, news = RiskManager(0.01, daily, limits), NEW_YEAR, []
    percents = dict(zip(LOSSES, (daily, weekly, monthly), strict=True))
    for wait, equity in steps:
        time += wait
        news.append((time, equity))
        risk.mark(time, equity)
        on = [name for name in LOSSES if is_tripped(name, percents[name], news)]
        assert [name for name in LOSSES if name in risk.state.trips] == on
        wanted = intent(created_at=time, valid_until=time + 3_600_000)
        found = risk.approve(wanted, snapshot(equity=equity), 100.0, time)
        # The first in the table's order names the reason.
        assert ("" if isinstance(found, Approved) else found.reason.value) == (on[0] if on else "")
        stored = json.dumps(risk.state.to_dict(BREAKERS))
        assert RiskState.from_dict(json.loads(stored), BREAKERS) == risk.state


HOUR = 3_600_000
NOW = NEW_YEAR + 100 * HOUR
MARKETS = {"A/USDT": (1.0, 0.0), "B/USDT": (1.0, 0.4), "C/USDT": (0.0, 1.0), "D/USDT": (-1.0, 0.3)}
"""How much of a common move each has, and how much of its own."""
_RNG = np.random.default_rng(7)
_COMMON = _RNG.normal(0, 0.01, 60)
RETURNS = {name: one * _COMMON + own * _RNG.normal(0, 0.01, 60) for name, (one, own) in MARKETS.items()}


def shown(limits: Limits) -> RiskManager:
    """Return a risk manager that has seen these markets."""
    risk = RiskManager(0.01, None, limits)
    for name, returns in RETURNS.items():
        for n, close in enumerate((100 * np.exp(np.cumsum(returns))).tolist()):
            end = NOW - (59 - n) * HOUR
            risk.see(Bar(name, "1h", end - HOUR, end, close, close, close, close, 1.0))
    return risk


AMOUNTS = st.dictionaries(st.sampled_from(sorted(MARKETS)), st.sampled_from([-40, -7, 3, 25, 60]))


@given(AMOUNTS, st.sampled_from(["buy", "sell"]), st.sampled_from([5.0, 10.0, 35.0]), st.integers(1, 70))
def test_what_moves_alike_gets_together_exactly_what_is_allowed(
    held: dict[str, int], side: str, percent: float, amount: int
) -> None:
    risk = shown(Limits(max_correlated_exposure_pct=percent, correlated_above=0.7, allow_short=True))
    sign = 1 if side == "buy" else -1
    used = 0
    for name, units in held.items():
        alike = np.corrcoef(RETURNS["A/USDT"][1:], RETURNS[name][1:])[0, 1]
        if name == "A/USDT" or alike * sign * np.sign(units) >= 0.7:
            used += 100 * abs(units)
    room = max(Fraction(0), Fraction(percent) * 100 - used)
    account = snapshot(
        by_symbol={name: Decimal(100 * abs(units)) for name, units in held.items()},
        sides={name: (units > 0) - (units < 0) for name, units in held.items()},
        free_cash=Decimal(10**9),
    )
    wanted = intent(
        symbol="A/USDT", side=side, amount=Decimal(amount), created_at=NOW, valid_until=NOW + HOUR
    )
    risk.mark(NOW, 10_000.0)
    found = risk.approve(wanted, account, 100.0, NOW)
    if room == 0:
        assert isinstance(found, Refused)
        assert found.reason.value == "correlated_exposure"
        return
    assert isinstance(found, Approved)
    got = Fraction(found.intent.amount) * 100
    assert got <= room
    # To the lot: a 2**-20 of a unit more would be too much, or it is all that was wanted.
    assert got == 100 * amount or got + Fraction(100, 2**20) > room
    assert (found.cut is None) == (got == 100 * amount)


@pytest.mark.unmeasured
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 60), st.sampled_from([5.0, 25.0, 50.0]))
def test_a_position_gets_exactly_its_share_whatever_others_hold(
    own: int, others: int, amount: int, percent: float
) -> None:
    risk = RiskManager(0.01, None, Limits(max_position_pct=percent))
    account = snapshot(
        by_position={("A", "BTC/USDT"): Decimal(100 * own), ("B", "BTC/USDT"): Decimal(100 * others)},
        free_cash=Decimal(10**9),
    )
    wanted = intent(amount=Decimal(amount), created_at=NOW, valid_until=NOW + HOUR)
    risk.mark(NOW, 10_000.0)
    found = risk.approve(wanted, account, 100.0, NOW)
    room = int(percent) * 100 - 100 * own
    if room <= 0:
        assert isinstance(found, Refused)
        assert found.reason.value == "position_size"
        return
    assert isinstance(found, Approved)
    assert found.intent.amount * 100 == min(room, 100 * amount)


def test_the_use_of_what_moves_alike_is_that_of_the_largest_group() -> None:
    risk = shown(Limits(max_correlated_exposure_pct=35.0, correlated_above=0.7))
    risk.mark(NOW, 10_000.0)
    amounts = {"A/USDT": Decimal(900), "B/USDT": Decimal(600), "C/USDT": Decimal(1_400), "X/USDT": Decimal(9)}
    account = snapshot(by_symbol=amounts, sides={**dict.fromkeys(amounts, 1), "D/USDT": 0})
    (use,) = risk.uses(account, NOW + 5)
    assert (use.limit, use.used, use.most, use.about) == (
        *("max_correlated_exposure_pct", 15.0, 35.0),
        "A/USDT",
    )
    (use,) = risk.uses(snapshot(), NOW)
    assert (use.used, use.about) == (0.0, "")
