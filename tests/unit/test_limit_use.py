"""How much of each limit is used, worked out by hand."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from core.account.values import Snapshot
from core.risk.breakers import MINUTE
from core.risk.limits import BREAKERS, Limits
from core.risk.use import LimitUse
from core.risk.windows import DAY
from core.risk_manager import RiskManager, wide_open
from tests.account_help import D, intent, snapshot

NOON = 19_723 * DAY + DAY // 2
LIMITS = Limits(
    max_drawdown_pct=20,
    max_exposure_pct=100,
    max_symbol_exposure_pct=50,
    max_strategy_exposure_pct=80,
    max_positions=4,
    cash_reserve_pct=10,
    max_orders_per_minute=3,
    max_orders_per_day=9,
)
ACCOUNT = Snapshot(
    equity=8_000.0,
    free_cash=D(3_000),
    exposure=D(5_000),
    by_symbol={"BTC/USDT": D(1_000), "ETH/USDT": D(4_000)},
    by_strategy={"A": D(4_400), "B": D(600)},
    positions=frozenset({("A", "BTC/USDT"), ("A", "ETH/USDT"), ("B", "BTC/USDT")}),
)


def test_each_limit_says_what_is_used_of_it_in_its_own_unit() -> None:
    risk = RiskManager(0.01, 30.0, LIMITS)
    risk.mark(NOON - DAY, 10_000.0)
    risk.mark(NOON - 2 * MINUTE, 9_600.0)
    risk.state = risk.state._replace(orders=(NOON - DAY, NOON - MINUTE, NOON - 1, NOON))
    risk.mark(NOON, 8_400.0)
    assert [one._replace(used=round(one.used, 9)) for one in risk.uses(ACCOUNT, NOON)] == [
        LimitUse("max_daily_loss_pct", 12.5, 30.0, "measured from 9,600.00"),
        LimitUse("max_drawdown_pct", 16.0, 20, "measured from 10,000.00"),
        LimitUse("max_exposure_pct", 62.5, 100),
        LimitUse("max_symbol_exposure_pct", 50.0, 50, "ETH/USDT"),
        LimitUse("max_strategy_exposure_pct", 55.0, 80, "A"),
        LimitUse("max_positions", 3.0, 4),
        LimitUse("cash_reserve_pct", 62.5, 90),
        LimitUse("max_orders_per_minute", 2.0, 3),
        LimitUse("max_orders_per_day", 3.0, 9),
    ]


def test_after_a_reset_a_loss_says_that_it_is_measured_from_the_equity_of_then() -> None:
    risk = RiskManager(0.01, 3.0)
    risk.mark(NOON - DAY, 10_000.0)
    risk.mark(NOON, 10_000.0)
    risk.mark(NOON, 9_500.0)
    risk.reset_breaker("daily_loss")
    risk.mark(NOON + 1, 9_405.0)
    (use,) = (one for one in risk.uses(ACCOUNT, NOON + 1) if one.limit == "max_daily_loss_pct")
    assert use._replace(used=round(use.used, 9)) == LimitUse(
        "max_daily_loss_pct", 1.0, 3.0, "measured from 9,500.00"
    )


def test_an_account_at_rest_uses_nothing_and_a_gain_is_no_loss() -> None:
    risk = RiskManager(0.01, 3.0, LIMITS)
    risk.mark(NOON, 10_000.0)
    risk.mark(NOON, 10_500.0)
    assert {one.used for one in risk.uses(snapshot(), NOON)} == {0.0}


def test_a_limit_that_is_not_set_says_nothing() -> None:
    assert wide_open().uses(ACCOUNT, NOON) == ()


@pytest.mark.parametrize("equity", [0.0, -5.0, math.nan])
def test_nothing_is_said_of_an_equity_that_is_none(equity: float) -> None:
    assert RiskManager(0.01, 3.0, LIMITS).uses(ACCOUNT._replace(equity=equity), NOON) == ()


def test_before_the_first_equity_no_loss_is_measured() -> None:
    (loss,) = RiskManager(0.01, 3.0).uses(ACCOUNT, NOON)
    assert loss == LimitUse("max_daily_loss_pct", 0.0, 3.0)


def test_a_breaker_trips_when_its_limit_is_used_up() -> None:
    risk = RiskManager(0.01, 3.0, Limits(max_drawdown_pct=3.0))
    risk.mark(NOON, 10_000.0)
    for equity in (9_700.01, 9_700.0):
        risk.mark(NOON, equity)
        full = [one.limit for one in risk.uses(ACCOUNT, NOON) if one.used >= one.most - 1e-9]
        tripped = [row.loss.setting for row in BREAKERS if row.name in risk.state.trips and row.loss]
        assert full == tripped
    assert len(tripped) == 2


def test_orders_that_were_approved_are_counted() -> None:
    risk = RiskManager(0.01, None, Limits(max_orders_per_day=5))
    risk.approve(intent(amount=Decimal("0.1")), snapshot(), 100.0, NOON - 10**12)
    stamp = risk.state.orders[0] if risk.state.orders else None
    assert stamp == NOON - 10**12
    assert risk.uses(ACCOUNT, NOON - 10**12) == (LimitUse("max_orders_per_day", 1.0, 5),)
