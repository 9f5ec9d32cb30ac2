"""Approvals and refusals: every limit refuses at its tightest, and no limit holds up an exit."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest

from core.account.lots import Trade
from core.account.orders import Approved, Purpose, RefusalReason, Refused, Side
from core.account.values import Snapshot
from core.domain import LOT, Bar, Costs
from core.errors import UsageError
from core.risk.breakers import RiskState
from core.risk.limits import BREAKERS, ENDINGS, PROTECTIONS, Limits, MarketDemands
from core.risk.percents import PercentWarning
from core.risk.present import AT_THE_CLOSE, Present
from core.risk.windows import DAY
from core.risk_manager import RiskManager, wide_open
from core.settings import RiskSettings
from tests.account_help import SYMBOL, D, exit_of, intent, snapshot
from tests.markets import HOUR, START

NOW = START + HOUR
FREE = Costs(0.0, 0.0)
BUSY = snapshot(
    free_cash=D(5_000),
    exposure=D(5_000),
    by_symbol={SYMBOL: D(5_000)},
    by_strategy={"A": D(5_000)},
    positions=frozenset({("A", "ETH/USDT")}),
)

# Key of the settings -> its tightest value, widest value, the reason, and what makes it bite.
TIGHT: dict[str, tuple[object, object, RefusalReason, dict[str, Any]]] = {
    "max_daily_loss_pct": (0.1, 50, RefusalReason.DAILY_LOSS, {"lost": 0.002}),
    "max_drawdown_pct": (0.1, 100, RefusalReason.DRAWDOWN, {"lost": 0.002}),
    "max_weekly_loss_pct": (0.1, 100, RefusalReason.WEEKLY_LOSS, {"lost": 0.002}),
    "max_monthly_loss_pct": (0.1, 100, RefusalReason.MONTHLY_LOSS, {"lost": 0.002}),
    "max_exposure_pct": (1e-9, 1000, RefusalReason.EXPOSURE, {}),
    "max_symbol_exposure_pct": (1e-9, 1000, RefusalReason.SYMBOL_EXPOSURE, {}),
    "max_strategy_exposure_pct": (1e-9, 1000, RefusalReason.STRATEGY_EXPOSURE, {}),
    "max_position_pct": (1e-9, 1000, RefusalReason.POSITION_SIZE, {}),
    "max_correlated_exposure_pct": (1e-9, 1000, RefusalReason.CORRELATED_EXPOSURE, {}),
    "max_order": (1e-9, 1e12, RefusalReason.ORDER_SIZE, {}),
    "max_positions": (1, 1_000_000, RefusalReason.POSITIONS, {}),
    "cash_reserve_pct": (100, 0, RefusalReason.RESERVE, {}),
    "cool_down_minutes": (100_000, 0, RefusalReason.COOL_DOWN, {"pnl": -1.0}),
    "max_orders_per_minute": (1, 1_000_000, RefusalReason.ORDER_RATE, {"before": 1}),
    "max_orders_per_day": (1, 1_000_000, RefusalReason.ORDER_RATE, {"before": 1}),
    "min_notional": (1e9, 0, RefusalReason.MIN_NOTIONAL, {}),
    "price_band_pct": (0.1, 100, RefusalReason.PRICE_BAND, {"mark": 99.0}),
    "allow_short": (False, True, RefusalReason.SHORT, {"side": "sell"}),
    "exit_pause_minutes": (1_000_000, 0, RefusalReason.EXIT_PAUSE, {"left_at": [101.0]}),
    "stop_guard_stops": (1, 1_000_000, RefusalReason.STOP_GUARD, {"left_at": [99.0]}),
    "low_profit_pct": (100, -100, RefusalReason.LOW_PROFIT, {"left_at": [101.0, 99.0]}),
    "recent_drawdown_pct": (0.1, 100, RefusalReason.RECENT_DRAWDOWN, {"left_at": [101.0, 99.0]}),
    "max_trades_per_symbol_day": (1, 1_000_000, RefusalReason.TRADES_A_DAY, {"left_at": [101.0]}),
    "flash_crash_ranges": (1, 1000, RefusalReason.FLASH_CRASH, {"jumps": True}),
    "flash_crash_apart_pct": (0.1, 100, RefusalReason.FLASH_CRASH, {"jumps": True}),
    "loss_streak_losses": (1, 1_000_000, RefusalReason.LOSS_STREAK, {"left_at": [101.0, 99.0]}),
    "max_symbol_loss_pct": (0.1, 100, RefusalReason.SYMBOL_LOSS, {"left_at": [90.0]}),
}
SIZING = {
    *("default_risk_per_trade", "max_risk_per_trade", "correlation_cut", "correlation_bars"),
    *("recovery_cut", "recovery_minutes", "correlated_above"),
    *("flash_crash_pause_minutes", "regime_trend", "regime_range", "regime_high_vol"),
}
"""Cut sizes instead of refusing; tests/unit/test_{execution,correlation,recovery,conditions}.py."""
UNITS = {"min_notional_currency"}
"""Say what another limit counts in."""
SPANS = {name for name in PROTECTIONS if name not in TIGHT}
"""How far and how long a pause looks; tests/unit/test_pauses.py."""


def managed(**given: object) -> RiskManager:
    settings = RiskSettings.model_validate(
        {"default_risk_per_trade": 0.05, "max_daily_loss_pct": 50.0, "allow_short": True, **given}
    )
    return RiskManager(settings.default_risk_per_trade, settings.max_daily_loss_pct, settings.limits)


def jumped(risk: RiskManager) -> None:
    """Show two symbols whose last bars go up by a tenth and not at all."""
    for n in range(26):
        for symbol, last in ((SYMBOL, 110.0), ("ETH/USDT", 100.0)):
            close = last if n == 25 else 100.0
            end = NOW - (25 - n) * HOUR
            risk.see(Bar(symbol, "1h", end - HOUR, end, 100.0, max(close, 101.0), 99.0, close, 1.0))
        risk.judge_jumps()


def trade(left_at: float) -> Trade:
    """Return a long of A at 100 that a stop ended."""
    return Trade("A", SYMBOL, 1, D(1), 0, NOW, 0, 1, 100.0, left_at, D(left_at) - 100, D(0), "stop")


def outcome(risk: RiskManager, case: dict[str, Any], account: Snapshot = BUSY) -> Approved | Refused:
    risk.mark(NOW - 1000, 10_000.0)
    if "lost" in case:
        risk.mark(NOW - 500, 10_000.0 * (1 - case["lost"]))
    if "pnl" in case:
        risk.register_trade_pnl(case["pnl"], 10_000.0, "A")
    if case.get("jumps"):
        jumped(risk)
    for price in case.get("left_at", ()):
        risk.close(trade(price))
    for n in range(case.get("before", 0)):
        assert isinstance(risk.approve(intent(leg=f"rung-{n}"), account, 100.0, NOW), Approved)
    wanted = intent(side=case.get("side", "buy"))
    return risk.approve(wanted, account, case.get("mark", 100.0), NOW)


def test_every_key_of_the_section_has_its_test() -> None:
    # Endings: tests/unit/test_endings.py.
    known = set(TIGHT) | SIZING | UNITS | SPANS | set(ENDINGS)
    assert set(RiskSettings.model_fields) == known
    assert {limit.name for limit in fields(Limits)} <= known


@pytest.mark.filterwarnings("ignore:.*is in percent")
@pytest.mark.parametrize("key", TIGHT)
def test_a_limit_at_its_tightest_refuses_an_entry_for_that_reason(key: str) -> None:
    tight, _, reason, case = TIGHT[key]
    value = float(tight) if isinstance(tight, int) and "pct" in key else tight
    refused = outcome(managed(**{key: value}), case)
    assert isinstance(refused, Refused)
    assert refused.reason is reason
    assert refused.detail
    assert "\n" not in refused.detail


@pytest.mark.parametrize("key", TIGHT)
def test_a_limit_wide_open_refuses_nothing(key: str) -> None:
    _, wide, _, case = TIGHT[key]
    value = float(wide) if isinstance(wide, int) and "pct" in key else wide
    assert isinstance(outcome(managed(**{key: value}), case), Approved)


@pytest.mark.filterwarnings("ignore:.*is in percent")
@pytest.mark.parametrize("key", TIGHT)
def test_no_limit_holds_up_an_exit(key: str) -> None:
    tight, _, _, case = TIGHT[key]
    risk = managed(**{key: float(tight) if isinstance(tight, int) and "pct" in key else tight})
    outcome(risk, case)
    for purpose in set(Purpose) - {Purpose.ENTRY}:
        leaving = exit_of(intent(), purpose=purpose)
        approved = risk.approve(leaving, snapshot(equity=math.nan), math.nan, NOW + 10 * HOUR)
        assert approved == Approved(leaving)


def test_an_order_within_all_limits_is_approved_and_binds_its_costs() -> None:
    risk = RiskManager(costs=Costs(0.001, 0.0005))
    risk.mark(NOW, 10_000.0)
    assert risk.approve(intent(), snapshot(), 100.0, NOW) == Approved(intent(), D("100.1500"))


def test_amounts_are_rounded_down_to_the_step_and_checked_against_the_market() -> None:
    market = MarketDemands(step=D("0.01"), min_amount=D("0.05"), min_notional=D(10))
    risk = RiskManager(markets={SYMBOL: market})
    approved = risk.approve(intent(amount=D("1.239")), snapshot(), 100.0, NOW)
    assert isinstance(approved, Approved)
    assert approved.intent.amount == D("1.23")
    for amount, reason in (("0.009", "lot"), ("0.04", "lot"), ("0.09", "min_notional")):
        refused = risk.approve(intent(amount=D(amount)), snapshot(), 100.0, NOW)
        assert isinstance(refused, Refused)
        assert refused.reason == reason
    dust = risk.approve(exit_of(intent(amount=D("0.009"))), snapshot(), 100.0, NOW)
    assert isinstance(dust, Refused)
    assert dust.reason is RefusalReason.LOT


def test_open_orders_count_as_if_they_were_filled() -> None:
    risk = RiskManager(limits=Limits(max_exposure_pct=50.9))
    cut = risk.approve(intent(), BUSY, 100.0, NOW)
    assert isinstance(cut, Approved)
    assert cut.intent.amount == Decimal(math.floor(0.9 / LOT) * LOT)
    whole = risk.approve(intent(amount=D("0.9")), BUSY, 100.0, NOW)
    assert isinstance(whole, Approved)
    assert whole.cut is None


def test_adding_to_a_position_is_no_new_position() -> None:
    risk = RiskManager(limits=Limits(max_positions=1))
    assert isinstance(risk.approve(intent(symbol="ETH/USDT"), BUSY, 100.0, NOW), Approved)


def test_cash_that_is_not_free_pays_nothing() -> None:
    cut = wide_open().approve(intent(amount=D(51)), BUSY, 100.0, NOW)
    assert isinstance(cut, Approved)
    assert cut.cut == (RefusalReason.CASH, D(51))
    assert D("4999.9998") < cut.reserve <= 5_000
    poor = BUSY._replace(free_cash=D(-1))
    refused = wide_open().approve(intent(amount=D(51)), poor, 100.0, NOW)
    assert isinstance(refused, Refused)
    lot = "0.00000095367431640625"
    assert (refused.reason, refused.detail) == (
        RefusalReason.CASH,
        f"cut to what it allows: 0 after rounding down, the smallest order is {lot}",
    )


@pytest.mark.parametrize(
    ("limits", "reason", "notional"),
    [
        (Limits(max_exposure_pct=60), RefusalReason.EXPOSURE, 1_000),
        (Limits(max_symbol_exposure_pct=55), RefusalReason.SYMBOL_EXPOSURE, 500),
        (Limits(max_strategy_exposure_pct=52, max_exposure_pct=60), RefusalReason.STRATEGY_EXPOSURE, 200),
        (Limits(max_order=300), RefusalReason.ORDER_SIZE, 300),
        (Limits(cash_reserve_pct=30), RefusalReason.RESERVE, 2_000),
        (Limits(), RefusalReason.CASH, 5_000),
    ],
)
def test_a_limit_cuts_an_entry_to_what_it_allows(
    limits: Limits, reason: RefusalReason, notional: int
) -> None:
    risk = RiskManager(0.01, None, limits, FREE, {SYMBOL: MarketDemands(step=D("0.001"))})
    wanted = intent(amount=D("64.5"), bound="risk")
    cut = risk.approve(wanted, BUSY, 100.0, NOW)
    assert isinstance(cut, Approved)
    assert cut.intent == replace(wanted, amount=D(notional) / 100, bound=reason.value)
    assert (cut.cut, cut.reserve) == ((reason, D("64.5")), D(notional))


def test_what_is_left_below_the_smallest_order_is_refused_by_the_limit_that_cut_it() -> None:
    limits = Limits(max_exposure_pct=50.05, min_notional=10)
    refused = RiskManager(limits=limits).approve(intent(), BUSY, 100.0, NOW)
    assert isinstance(refused, Refused)
    assert refused.intent == intent()
    assert refused.reason is RefusalReason.EXPOSURE
    assert refused.detail == "cut to what it allows: 5.00 wanted, the smallest is 10.00"


def test_a_short_binds_what_the_fill_model_says() -> None:
    risk = RiskManager(limits=Limits(allow_short=True), costs=Costs(0.001, 0.0005))
    approved = risk.approve(intent(side="sell"), snapshot(), 100.0, NOW)
    assert isinstance(approved, Approved)
    assert approved.reserve == D("100.05")


@pytest.mark.parametrize("equity", [math.nan, math.inf])
def test_unknown_equity_refuses(equity: float) -> None:
    refused = wide_open().approve(intent(), snapshot(equity=equity), 100.0, NOW)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.RISK_UNKNOWN


def test_equity_that_becomes_unknown_and_known_again_trips_nothing() -> None:
    risk = RiskManager()
    for equity, may in ((10_000.0, True), (math.nan, False), (9_999.0, True)):
        assert risk.can_open_new_trade(equity) is may
    assert risk.state.trips == {}


def test_no_equity_buys_nothing() -> None:
    refused = wide_open().approve(intent(), snapshot(equity=0.0), 100.0, NOW)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.CASH


def test_a_profit_that_is_no_number_trips_a_breaker_until_it_is_reset() -> None:
    risk = RiskManager()
    risk.register_trade_pnl(math.nan, 10_000.0)
    risk.mark(NOW, 10_000.0)
    refused = risk.approve(intent(), snapshot(), 100.0, NOW)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.RISK_UNKNOWN
    risk.reset_breaker("risk_unknown")
    assert isinstance(risk.approve(intent(), snapshot(), 100.0, NOW), Approved)


def test_the_specifications_size_is_whole_units_at_the_risk_per_trade() -> None:
    risk = RiskManager(0.01)
    assert risk.compute_position_size(10_000.0, 2.0, 1.5) == 33
    assert risk.compute_position_size(10_000.0, 2.0, 1.5, risk_r=0.5) == 16
    for nothing in ((math.nan, 2.0, 1.5), (10_000.0, math.nan, 1.5), (10_000.0, 0.0, 1.5), (-1.0, 2.0, 1.5)):
        assert risk.compute_position_size(*nothing) == 0


def test_the_specifications_daily_loss_needs_no_clock() -> None:
    risk = RiskManager(max_daily_loss_pct=3.0)
    assert risk.can_open_new_trade(10_000.0)
    risk.register_trade_pnl(10.0, 9_990.0)
    assert risk.state.losses == {}
    risk.register_trade_pnl(-299.0, 10_000.0)
    assert risk.can_open_new_trade(9_701.0)
    risk.register_trade_pnl(-1.0, 9_701.0)
    assert not risk.can_open_new_trade(9_700.0)
    assert not risk.can_open_new_trade(10_500.0)


def test_a_loss_before_anything_is_known_counts_from_the_equity_before_it() -> None:
    risk = RiskManager(max_daily_loss_pct=3.0)
    risk.register_trade_pnl(-300.0, 10_000.0)
    assert not risk.can_open_new_trade(9_700.0)


def test_the_day_begins_once_at_midnight_of_exchange_time_whatever_the_clock_does() -> None:
    risk = RiskManager(max_daily_loss_pct=3.0)
    midnight = (START // DAY + 1) * DAY
    risk.mark(midnight - 1, 10_000.0)
    risk.mark(midnight, 9_800.0)
    risk.mark(midnight - 1, 9_700.0)
    risk.mark(midnight + 1, 9_600.0)
    assert risk.state.bases["day_equity"] == 9_800.0
    assert not risk.state.trips
    risk.mark(midnight + 2, 9_506.0)
    assert set(risk.state.trips) == {"daily_loss"}
    risk.mark(midnight - 1, 9_900.0)
    assert set(risk.state.trips) == {"daily_loss"}
    risk.mark(midnight + DAY, 9_506.0)
    assert not risk.state.trips


def test_a_drawdown_stays_tripped_over_days_until_it_is_reset_by_name() -> None:
    risk = RiskManager(max_daily_loss_pct=None, limits=Limits(max_drawdown_pct=10))
    risk.mark(NOW, 10_000.0)
    risk.mark(NOW, 9_000.0)
    risk.mark(NOW + 3 * DAY, 9_500.0)
    assert not risk.can_open_new_trade(9_500.0)
    risk.reset_breaker("drawdown")
    assert risk.can_open_new_trade(9_000.0)
    assert not risk.can_open_new_trade(8_550.0)


def test_a_daily_loss_that_is_reset_counts_from_there() -> None:
    risk = RiskManager(max_daily_loss_pct=3.0)
    risk.mark(NOW, 10_000.0)
    assert not risk.can_open_new_trade(9_700.0)
    risk.reset_breaker("daily_loss")
    assert risk.can_open_new_trade(9_600.0)
    assert not risk.can_open_new_trade(9_409.0)


def test_an_unknown_breaker_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean drawdown"):
        RiskManager().reset_breaker("draw_down")


def test_a_restart_finds_everything_as_it_was() -> None:
    risk = RiskManager(limits=Limits(max_orders_per_day=5))
    risk.mark(NOW, 10_000.0)
    risk.approve(intent(), snapshot(), 100.0, NOW)
    risk.register_trade_pnl(-400.0, 10_000.0, "A")
    risk.pause("lunch")
    risk.halt("ETH/USDT", "books differ")
    risk.quarantine("B", "ZeroDivisionError")
    stored = json.dumps(risk.state.to_dict(BREAKERS))
    again = RiskManager(limits=risk.limits, state=RiskState.from_dict(json.loads(stored), BREAKERS))
    assert again.state == risk.state
    again.resume()
    again.mark(NOW + 60_000, 10_000.0)
    refused = again.approve(intent(), snapshot(), 100.0, NOW)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.DAILY_LOSS
    fresh = RiskState()
    plain = json.loads(json.dumps(fresh.to_dict(BREAKERS)))
    assert repr(RiskState.from_dict(plain, BREAKERS)) == repr(fresh)


def test_pauses_halts_quarantines_and_old_prices_refuse_entries_until_lifted() -> None:
    risk = wide_open()

    def reason(present: Present = AT_THE_CLOSE) -> RefusalReason | None:
        found = risk.approve(intent(), snapshot(), 100.0, NOW, present)
        return found.reason if isinstance(found, Refused) else None

    risk.pause("lunch")
    assert reason() is RefusalReason.PAUSED
    risk.resume()
    risk.halt(SYMBOL, "books differ")
    assert reason() is RefusalReason.PAUSED
    risk.halt(SYMBOL, None)
    risk.quarantine("A", "failed")
    assert reason() is RefusalReason.QUARANTINED
    risk.quarantine("A", None)
    assert reason(Present(silent=frozenset({SYMBOL}))) is RefusalReason.STALE
    assert reason(Present(silent=frozenset({"ETH/USDT"}))) is None
    assert reason() is None


def test_an_old_decision_is_not_carried_out() -> None:
    refused = wide_open().approve(replace(intent(), valid_until=NOW - 1), snapshot(), 100.0, NOW)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.EXPIRED


@pytest.mark.parametrize(("clock", "reason"), [(NOW + 59, None), (NOW + 60, RefusalReason.EXPIRED)])
def test_a_decision_expires_when_the_clock_reaches_the_next_close(
    clock: int, reason: RefusalReason | None
) -> None:
    late = replace(intent(), valid_until=NOW + 60)
    answer = wide_open().approve(late, snapshot(), 100.0, NOW, Present(clock))
    assert (answer.reason if isinstance(answer, Refused) else None) is reason


@pytest.mark.parametrize(
    ("side", "stop", "take", "price", "reason"),
    [
        ("buy", "95", "110", 100.0, None),
        ("buy", "95", "110", 95.0, RefusalReason.BRACKET),
        ("buy", "95", "110", 110.0, RefusalReason.BRACKET),
        ("buy", None, None, 1.0, None),
        ("sell", "110", "95", 100.0, None),
        ("sell", "110", "95", 110.0, RefusalReason.BRACKET),
        ("sell", "110", "95", 95.0, RefusalReason.BRACKET),
    ],
)
def test_an_entry_has_to_fit_a_price_that_is_newer_than_its_decision(
    side: Side, stop: str | None, take: str | None, price: float, reason: RefusalReason | None
) -> None:
    bracket = [None if text is None else D(text) for text in (stop, take)]
    wanted = replace(intent(), side=side, stop=bracket[0], take=bracket[1])
    answer = wide_open().approve(wanted, snapshot(), 100.0, NOW, Present(prices={SYMBOL: price}))
    assert (answer.reason if isinstance(answer, Refused) else None) is reason


def test_the_price_band_is_measured_from_the_newest_price() -> None:
    risk = RiskManager(limits=Limits(price_band_pct=5))
    refused = risk.approve(intent(), snapshot(), 100.0, NOW, Present(prices={SYMBOL: 94.0}))
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.PRICE_BAND


def test_a_price_that_is_not_known_is_outside_every_band() -> None:
    risk = RiskManager(limits=Limits(price_band_pct=100))
    refused = risk.approve(intent(), snapshot(), math.nan, NOW)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.PRICE_BAND


def test_orders_of_the_last_minute_count_over_midnight_and_those_of_yesterday_do_not() -> None:
    risk = RiskManager(limits=Limits(max_orders_per_minute=1, max_orders_per_day=2))
    midnight = (START // DAY + 1) * DAY
    wanted = intent(valid_until=midnight + DAY)
    risk.mark(midnight - 1, 10_000.0)
    assert isinstance(risk.approve(wanted, snapshot(), 100.0, midnight - 1), Approved)
    risk.mark(midnight, 10_000.0)
    assert isinstance(risk.approve(wanted, snapshot(), 100.0, midnight), Refused)
    for minutes, kind in ((1, Approved), (2, Approved), (3, Refused)):
        at = midnight + minutes * 60_000
        assert isinstance(risk.approve(wanted, snapshot(), 100.0, at), kind)


@pytest.mark.parametrize(
    ("symbol", "currency", "detail"),
    [
        ("BTC/USDT", "USDT", "100.00 wanted, the smallest is 200.00"),
        ("BTC/USD", "USDT", "100.00 wanted, the smallest is 200.00"),
        ("ETH/BTC", "BTC", "100.000 wanted, the smallest is 200.000"),
        ("ETH/BTC", "USDT", None),
        ("BTC/USDT", "BTC", None),
    ],
)
def test_the_smallest_notional_counts_in_its_own_currency(
    symbol: str, currency: str, detail: str | None
) -> None:
    risk = managed(min_notional=200.0, min_notional_currency=currency)
    risk.mark(NOW - 1000, 10_000.0)
    answer = risk.approve(intent(symbol=symbol), BUSY, 100.0, NOW)
    assert detail == (answer.detail if isinstance(answer, Refused) else None)


def test_a_percentage_that_looks_like_a_fraction_is_said() -> None:
    with pytest.warns(
        PercentWarning, match=r"max_daily_loss_pct is in percent: 0.03 is taken as 0.03 %; if 3"
    ):
        RiskManager(max_daily_loss_pct=0.03)
    with pytest.warns(
        PercentWarning, match="max_exposure_pct is in percent: 0.8 .* if 80 % is meant, write 80"
    ):
        RiskManager(limits=Limits(max_exposure_pct=0.8))
    # Warnings are errors in tests: these are plainly percentages.
    RiskManager(0.01, 1.0, Limits(max_drawdown_pct=10, cash_reserve_pct=0, price_band_pct=0.5))
