"""Each layer of an account's risk at its tightest, beside a slow check that shares nothing with it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from core.account.orders import Approved
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
