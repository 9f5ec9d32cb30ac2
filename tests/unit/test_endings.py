"""How a loss ends trading: what settings say of a breaker's row, each word at its limit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from core.account.orders import Refused
from core.errors import RefusedError, UsageError
from core.live.standing import reset
from core.risk.breakers import RiskState
from core.risk.endings import BreakerEnding, ClosingScope, Release, WaitingRule
from core.risk.limits import BREAKERS, Limits
from core.risk.windows import DAY
from core.risk_manager import RiskManager
from tests.account_help import intent, snapshot

MONDAY = 19_723 * DAY
NOON = MONDAY + DAY // 2
NOTHING, DIRECTIONAL, ALL = ClosingScope
NAMES = ("daily_loss", "weekly_loss", "monthly_loss", "drawdown")
LIMIT = 5.0


def managed(day: Any = None, **given: Any) -> RiskManager:
    return RiskManager(0.01, day, Limits(**given))


def changed(limits: Limits, **given: Any) -> Limits:
    return replace(limits, **given)


def endings(risk: RiskManager) -> dict[str, BreakerEnding]:
    return {row.name: row.ending for row in risk.rows if row.loss is not None}


def fallen(risk: RiskManager) -> RiskManager:
    """Let an account lose exactly what trips, and a hundredth less before that."""
    risk.mark(MONDAY, 10_000.0)
    risk.mark(NOON - 1, 9_500.01)
    assert not risk.state.trips
    risk.mark(NOON, 9_500.0)
    return risk


def test_what_is_left_out_is_as_it_always_was() -> None:
    assert endings(managed()) == {
        "daily_loss": (NOTHING, WaitingRule.WITHDRAW, Release.WINDOW),
        "weekly_loss": (DIRECTIONAL, WaitingRule.WITHDRAW, Release.WINDOW),
        "monthly_loss": (ALL, WaitingRule.WITHDRAW, Release.COMMAND),
        "drawdown": (NOTHING, WaitingRule.WITHDRAW, Release.COMMAND),
    }
    assert managed().rows == BREAKERS


@pytest.mark.parametrize("name", NAMES)
def test_each_part_of_an_ending_is_a_setting_of_its_own(name: str) -> None:
    found = endings(managed(**{f"{name}_closes": "all", f"{name}_ends": "24h"}))
    assert found.pop(name) == (ALL, WaitingRule.WITHDRAW, Release.DAY_AFTER)
    assert found == {other: row for other, row in endings(managed()).items() if other != name}
    kept = endings(managed(**{f"{name}_closes": "nothing", f"{name}_waiting": "keep"}))[name]
    assert kept[:2] == (NOTHING, WaitingRule.KEEP)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"daily_loss_closes": "most"}, "wanted one of nothing, directional, all, got 'most'"),
        ({"daily_loss_ends": "soon"}, "wanted one of window, 24h, command, settings, got 'soon'"),
        ({"weekly_loss_waiting": "keep"}, "weekly_loss_closes is directional: what it keeps would be closed"),
        ({"drawdown_ends": "window"}, "drawdown has none: give command, settings or 24h"),
    ],
)
def test_what_is_no_ending_or_contradicts_itself_is_said_in_a_line(given: dict[str, str], why: str) -> None:
    with pytest.raises(UsageError, match=r"risk[.]") as said:
        managed(**given)
    assert why in str(said.value)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    ("name", "limit"), [("weekly_loss", "max_weekly_loss_pct"), ("drawdown", "max_drawdown_pct")]
)
def test_24_hours_after_it_tripped_it_is_over_and_measures_anew(name: str, limit: str) -> None:
    given: dict[str, Any] = {limit: LIMIT, f"{name}_ends": "24h", "recovery_cut": 0.5}
    risk = fallen(managed(**given))
    assert risk.standing(NOON)[name].endswith("no entry before 2024-01-02 12:00 UTC")
    risk.mark(NOON + DAY - 1, 9_400.0)
    assert set(risk.state.trips) == {name}
    assert risk.part_allowed(NOON + DAY - 1) == 1.0
    risk.mark(NOON + DAY, 9_300.0)
    assert not risk.state.trips
    assert risk.part_allowed(NOON + DAY) == 0.5
    assert risk.part_allowed(NOON + 3 * DAY) == 1.0
    risk.mark(NOON + DAY + 1, 9_300.0 * 0.95 + 0.01)
    assert not risk.state.trips
    risk.mark(NOON + DAY + 2, 9_300.0 * 0.95)
    assert set(risk.state.trips) == {name}


def test_a_day_s_loss_that_ends_after_24_hours_outlasts_its_day() -> None:
    risk = fallen(managed(LIMIT, daily_loss_ends="24h"))
    risk.mark(MONDAY + DAY, 9_500.0)
    assert set(risk.state.trips) == {"daily_loss"}
    risk.mark(NOON + DAY, 9_500.0)
    assert not risk.state.trips


def test_what_ends_by_its_name_stays_over_windows() -> None:
    risk = fallen(
        managed(LIMIT, daily_loss_ends="command", max_weekly_loss_pct=LIMIT, weekly_loss_ends="command")
    )
    risk.mark(MONDAY + 40 * DAY, 12_000.0)
    assert set(risk.state.trips) == {"daily_loss", "weekly_loss"}
    assert risk.standing(MONDAY + 40 * DAY)["daily_loss"].endswith("no entry until it is reset")
    risk.reset_breaker("daily_loss")
    assert set(risk.state.trips) == {"weekly_loss"}


@pytest.mark.parametrize("name", NAMES)
def test_what_ends_by_its_settings_is_not_reset_before_they_are_changed(name: str) -> None:
    limit, day = f"max_{name}_pct", LIMIT if name == "daily_loss" else None
    given: dict[str, Any] = {f"{name}_ends": "settings"} | ({} if day else {limit: LIMIT})
    risk = fallen(managed(day, **given))
    risk.mark(MONDAY + 40 * DAY, 20_000.0)
    assert set(risk.state.trips) == {name}
    with pytest.raises(
        RefusedError, match=f"{name} ends by its settings: change risk.{limit}, 5 when it tripped"
    ):
        risk.reset_breaker(name)
    session: Any = type("Session", (), {"risk": risk})
    assert reset(session, name).startswith(f"refused: {name} ends by its settings")
    # The same in another process: the trip remembers its limit.
    kept = RiskState.from_dict(json.loads(json.dumps(risk.state.to_dict(BREAKERS))), BREAKERS)
    again = RiskManager(0.01, day, replace(risk.limits), state=kept)
    assert reset(type("Session", (), {"risk": again}), name).startswith("refused")  # type: ignore[arg-type]
    # A change alone ends nothing; then the name does.
    risk.take_settings(
        RiskManager(0.01, 6.0 if day else None, changed(risk.limits, **({} if day else {limit: 6.0})))
    )
    assert set(risk.state.trips) == {name}
    said = f"breaker {name} is reset; its loss is measured anew, from this equity, 20,000.00"
    assert reset(session, name) == said
    # So does one whose word is another one by now.
    again.take_settings(RiskManager(0.01, day, changed(again.limits, **{f"{name}_ends": "command"})))
    assert reset(type("Session", (), {"risk": again}), name) == said  # type: ignore[arg-type]


def test_a_trip_of_before_it_remembered_its_limit_ends_by_its_name() -> None:
    risk = fallen(managed(max_monthly_loss_pct=LIMIT))
    plain = risk.state.to_dict(BREAKERS)
    for trip in plain["trips"].values():
        del trip["limit"]
    old = RiskManager(0.01, None, Limits(max_monthly_loss_pct=LIMIT, monthly_loss_ends="settings"))
    old.state = RiskState.from_dict(plain, BREAKERS)
    old.reset_breaker("monthly_loss")
    assert not old.state.trips


@pytest.mark.parametrize("name", NAMES)
def test_whatever_its_ending_a_breaker_refuses_entries(name: str) -> None:
    day = LIMIT if name == "daily_loss" else None
    limit: dict[str, Any] = {} if day else {f"max_{name}_pct": LIMIT}
    for word in ("24h", "command", "settings"):
        for closes in ClosingScope:
            given = {**limit, f"{name}_closes": closes.value, f"{name}_ends": word}
            risk = fallen(managed(day, **given))
            wanted = intent(created_at=NOON, valid_until=NOON + DAY)
            refused = risk.approve(wanted, snapshot(equity=9_500.0), 100.0, NOON)
            assert isinstance(refused, Refused)
            assert refused.reason == name
            does = "" if closes is NOTHING else f"closes {closes} positions, "
            assert f"; {does}no entry" in risk.standing(NOON)[name]
