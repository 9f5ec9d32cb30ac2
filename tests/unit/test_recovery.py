"""After a loss that had tripped a breaker entries are smaller for a while."""

from __future__ import annotations

import pytest

from core.backtest.replay import ReplayAccount, ReplayFeed, replay
from core.domain import Costs
from core.risk.breakers import NEVER, RiskState
from core.risk.limits import BREAKERS, Limits
from core.risk.windows import DAY
from core.risk_manager import RiskManager
from strategies.registry import load_strategy
from tests.markets import random_bars

NEW_YEAR = 19_723 * DAY
HOUR = 3_600_000
HALF = Limits(recovery_cut=0.5, recovery_minutes=48 * 60, max_drawdown_pct=20)


def lost(limits: Limits = HALF) -> RiskManager:
    """Return an account whose day's loss has tripped."""
    risk = RiskManager(0.01, 10.0, limits)
    for time, equity in ((NEW_YEAR, 10_000.0), (NEW_YEAR + HOUR, 9_000.0)):
        risk.mark(time, equity)
    assert "daily_loss" in risk.state.trips
    return risk


def test_from_the_next_day_on_entries_are_half_as_large_for_two_days() -> None:
    risk = lost()
    assert risk.part_allowed(NEW_YEAR + HOUR) == 1.0
    risk.mark(NEW_YEAR + DAY + HOUR, 9_000.0)
    ends = NEW_YEAR + 3 * DAY + HOUR
    assert [risk.part_allowed(time) for time in (ends - 1, ends)] == [0.5, 1.0]
    assert risk.standing(ends - 1) == {
        "recovery": "entries are 50 % of their size before 2024-01-04 01:00 UTC"
    }
    assert risk.standing(ends) == {}


def test_a_loss_that_is_reset_by_name_is_followed_by_it_too_and_it_ends_by_its_own() -> None:
    risk = lost()
    risk.reset_breaker("daily_loss")
    assert risk.part_allowed(NEW_YEAR + HOUR) == 0.5
    assert RiskState.from_dict(risk.state.to_dict(BREAKERS), BREAKERS) == risk.state
    risk.reset_breaker("recovery")
    assert risk.part_allowed(NEW_YEAR + HOUR) == 1.0
    assert risk.state.ended == NEVER


def test_what_was_not_tripped_is_followed_by_nothing() -> None:
    risk = lost()
    risk.reset_breaker("drawdown")
    risk.reset_breaker("risk_unknown")
    risk.register_trade_pnl(float("nan"), 9_000.0)
    risk.reset_breaker("risk_unknown")
    assert risk.state.ended == NEVER
    risk = RiskManager(0.01, 10.0, HALF)
    for day in range(3):
        risk.mark(NEW_YEAR + day * DAY, 10_000.0)
    assert risk.part_allowed(NEW_YEAR + 2 * DAY) == 1.0


@pytest.mark.parametrize("cut", [None, 0.0])
def test_it_is_off_unless_it_is_set(cut: float | None) -> None:
    risk = lost(Limits(recovery_cut=cut))
    risk.reset_breaker("daily_loss")
    assert risk.part_allowed(NEW_YEAR + HOUR) == 1.0
    assert risk.standing(NEW_YEAR + HOUR) == {}


def test_a_replay_s_entries_are_cut_so_and_say_what_bound_them() -> None:
    bars = random_bars(2, 900, volatility=0.02)
    feeds = [ReplayFeed("SMA_CROSS", load_strategy("SMA_CROSS"), {}, "BTC/USDT", "1h", bars)]

    def made(cut: float | None) -> dict[str, int]:
        risk = RiskManager(0.01, 0.5, Limits(allow_short=True, recovery_cut=cut, recovery_minutes=6_000))
        return dict(replay(feeds, ReplayAccount(10_000.0, Costs(), risk)).bounds["SMA_CROSS"])

    whole, less = made(None), made(0.25)
    assert "recovery" not in whole
    assert less["recovery"] > 3
