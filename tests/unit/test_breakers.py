"""A breaker is a row of a table: one that is new trips, stays, resets and is stored by its row alone."""

from __future__ import annotations

import json

import pytest

from core.account.orders import RefusalReason, Refused
from core.errors import UsageError
from core.risk import breakers
from core.risk.breakers import (
    Breaker,
    Loss,
    RiskState,
    closed_by,
    first,
    standing_at,
)
from core.risk.endings import BreakerEnding, ClosingScope
from core.risk.limits import BREAKER_NAMES, BREAKERS, Limits
from core.risk.percents import LIKE_A_FRACTION
from core.risk.windows import DAY, UTC_DAY, UTC_MONTH, UTC_WEEK, Window
from core.risk_manager import RiskManager
from core.settings import RiskSettings
from tests.account_help import intent, snapshot
from tests.markets import START

MONDAY = 19_723 * DAY
"""2024-01-01 00:00 UTC."""
FORTNIGHT = Window("fortnight", lambda time: (time // DAY + 3) // 14, lambda number: (14 * number - 3) * DAY)
FORTNIGHTLY = Breaker(
    "fortnightly_loss",
    RefusalReason.DRAWDOWN,
    Loss("max_fortnightly_loss_pct", "fortnight_equity", first, FORTNIGHT, 0.4),
)
ROWS = (*BREAKERS, FORTNIGHTLY)
THRESHOLDS = {"max_daily_loss_pct": 50.0, "max_fortnightly_loss_pct": 10.0}


def told(state: RiskState, *news: tuple[int, float]) -> RiskState:
    for time, equity in news:
        state = breakers.judged(breakers.marked(state, time, equity, ROWS), THRESHOLDS, ROWS)
    return state


OTHERS = ("drawdown", "risk_unknown", "recovery", "flash_crash")


def test_the_names_are_those_that_commands_and_refusals_have_always_used() -> None:
    of_equity = [row.name for row in BREAKERS if row.pause is None]
    assert of_equity == ["daily_loss", "weekly_loss", "monthly_loss", *OTHERS]
    assert len(set(BREAKER_NAMES)) == len(BREAKER_NAMES)
    assert [str(row.reason) for row in BREAKERS] == list(BREAKER_NAMES)


def test_every_threshold_is_a_setting_and_is_warned_of_when_it_looks_like_a_fraction() -> None:
    settings = [row.loss.setting for row in BREAKERS if row.loss is not None]
    assert set(settings) <= RiskSettings.model_fields.keys()
    assert {name: LIKE_A_FRACTION[name] for name in settings} == {
        "max_daily_loss_pct": 0.4,
        "max_weekly_loss_pct": 0.9,
        "max_monthly_loss_pct": 0.9,
        "max_drawdown_pct": 0.9,
    }


def test_a_new_row_trips_stays_over_days_and_ends_with_its_window() -> None:
    state = told(RiskState(), (MONDAY, 10_000.0), (MONDAY + 2 * DAY, 9_000.01))
    assert not state.trips
    state = told(state, (MONDAY + 3 * DAY, 9_000.0))
    assert state.trips["fortnightly_loss"].detail == "equity 9,000.00 is 10.00 % below 10,000.00"
    state = told(state, (MONDAY + 14 * DAY - 1, 12_000.0))
    assert set(state.trips) == {"fortnightly_loss"}
    state = told(state, (MONDAY + 14 * DAY, 8_500.0))
    assert not state.trips
    assert state.bases == {
        "day_equity": 8_500.0,
        "week_equity": 8_500.0,
        "month_equity": 10_000.0,
        "peak": 12_000.0,
        "fortnight_equity": 8_500.0,
    }
    assert state.windows == {"day": 19_737, "week": 2_820, "month": 648, "fortnight": 1_410}


def test_a_new_row_is_reset_by_name_and_counts_from_there() -> None:
    state = told(RiskState(), (MONDAY, 10_000.0), (MONDAY + DAY, 8_000.0))
    state = breakers.reset(state, "fortnightly_loss", ROWS)
    assert (state.bases["fortnight_equity"], state.bases["peak"]) == (8_000.0, 10_000.0)
    assert not told(state, (MONDAY + DAY, 7_201.0)).trips
    assert set(told(state, (MONDAY + DAY, 7_200.0)).trips) == {"fortnightly_loss"}


def test_what_came_or_went_by_others_counts_for_no_row() -> None:
    state = breakers.moved(told(RiskState(), (MONDAY, 10_000.0)), -2_000.0)
    assert set(state.bases.values()) == {8_000.0}
    assert not told(state, (MONDAY, 8_000.0)).trips


def test_an_account_that_was_stored_before_a_row_was_there_begins_it_with_what_comes() -> None:
    old = breakers.marked(RiskState(), MONDAY, 10_000.0, BREAKERS)
    plain = json.loads(json.dumps(old.to_dict(BREAKERS)))
    assert (plain["day"], plain["day_equity"], plain["peak"]) == (19_723, 10_000.0, 10_000.0)
    again = RiskState.from_dict(plain, ROWS)
    assert again == old
    again = told(again, (MONDAY + DAY, 9_500.0))
    assert (again.bases["fortnight_equity"], again.bases["peak"]) == (9_500.0, 10_000.0)
    assert RiskState.from_dict(again.to_dict(ROWS), ROWS) == again


def test_the_first_of_two_that_tripped_names_the_reason_and_a_loss_that_is_unknown_comes_before_both() -> (
    None
):
    risk = RiskManager(max_daily_loss_pct=3.0, limits=Limits(max_drawdown_pct=2.0))
    for equity in (10_000.0, 9_000.0):
        risk.mark(START, equity)
    assert list(risk.state.trips) == ["daily_loss", "drawdown"]

    def reason() -> RefusalReason:
        refused = risk.approve(intent(), snapshot(), 100.0, START)
        assert isinstance(refused, Refused)
        return refused.reason

    assert reason() is RefusalReason.DAILY_LOSS
    risk.register_trade_pnl(float("nan"), 9_000.0)
    assert reason() is RefusalReason.RISK_UNKNOWN
    risk.reset_breaker("risk_unknown")
    risk.reset_breaker("daily_loss")
    assert reason() is RefusalReason.DRAWDOWN


def test_rows_that_share_a_window_begin_together() -> None:
    half = Breaker("half_day", RefusalReason.DAILY_LOSS, Loss("x", "highest_of_day", max, UTC_DAY, 0.4))
    state = RiskState()
    for time, equity in ((MONDAY, 10.0), (MONDAY + 1, 12.0), (MONDAY + DAY, 11.0)):
        state = breakers.marked(state, time, equity, (*BREAKERS, half))
    begun = {"week_equity": 10.0, "month_equity": 10.0}
    assert state.bases == {"day_equity": 11.0, "peak": 12.0, "highest_of_day": 11.0, **begun}


def test_a_name_that_is_no_row_is_refused() -> None:
    with pytest.raises(UsageError, match="fortnightly_loss"):
        RiskManager().reset_breaker("fortnightly_loss")


@pytest.mark.parametrize("window", [UTC_DAY, UTC_WEEK, UTC_MONTH])
def test_a_window_begins_where_its_number_does(window: Window) -> None:
    for day in range(19_000, 20_000):
        number = window.number(day * DAY)
        begin = window.begins(number)
        assert begin <= day * DAY < window.begins(number + 1)
        assert begin % DAY == 0
        assert (window.number(begin), window.number(begin - 1)) == (number, number - 1)


def test_a_month_s_loss_stays_over_months_until_it_is_reset() -> None:
    risk = RiskManager(max_daily_loss_pct=None, limits=Limits(max_monthly_loss_pct=10, max_weekly_loss_pct=5))
    for time, equity in ((MONDAY, 10_000.0), (MONDAY + DAY, 9_000.0), (MONDAY + 40 * DAY, 12_000.0)):
        risk.mark(time, equity)
    assert set(risk.state.trips) == {"monthly_loss"}
    assert risk.state.bases["month_equity"] == 12_000.0
    risk.reset_breaker("monthly_loss")
    assert not risk.state.trips


def test_what_stands_says_what_it_closes_and_until_when() -> None:
    risk = RiskManager(
        3.0 / 100, 4.0, Limits(max_weekly_loss_pct=4, max_monthly_loss_pct=4, max_drawdown_pct=4)
    )
    risk.mark(MONDAY + 3 * DAY, 10_000.0)
    risk.mark(MONDAY + 3 * DAY + 1, 9_600.0)
    fell = "equity 9,600.00 is 4.00 % below 10,000.00; "
    assert standing_at(risk.state, MONDAY + 3 * DAY + 1, BREAKERS) == {
        "daily_loss": fell + "no entry before 2024-01-05 00:00 UTC",
        "weekly_loss": fell + "closes directional positions, no entry before 2024-01-08 00:00 UTC",
        "monthly_loss": fell + "closes all positions, no entry until it is reset",
        "drawdown": fell + "no entry until it is reset",
    }


def test_the_first_row_that_closes_something_is_what_it_is_closed_for() -> None:
    names = {"daily_loss", "weekly_loss", "monthly_loss"}
    assert closed_by(names, BREAKERS) == {
        ClosingScope.DIRECTIONAL: "weekly_loss",
        ClosingScope.ALL: "monthly_loss",
    }
    assert closed_by({"daily_loss", "drawdown"}, BREAKERS) == {}
    other = Breaker("other", RefusalReason.DRAWDOWN, None, ending=BreakerEnding(ClosingScope.DIRECTIONAL))
    assert closed_by({"other", "weekly_loss"}, (other, *BREAKERS)) == {ClosingScope.DIRECTIONAL: "other"}


def test_an_account_of_nothing_has_lost_nothing() -> None:
    assert not told(RiskState(), (MONDAY, 0.0), (MONDAY + DAY, 0.0)).trips
