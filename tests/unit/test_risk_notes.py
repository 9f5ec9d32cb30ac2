"""What a person is told of an account's limits before anything is traded."""

from __future__ import annotations

from core.risk.limits import Limits, MarketDemands
from core.risk.notes import notes
from core.sizing import Sizing, by_stake
from tests.account_help import SYMBOL, D

USUAL = {"TREND_EMA": Sizing(0.01, 0.95), "HIGH_RISK": Sizing(0.03, 0.95)}


def test_limits_that_bind_nobody_are_not_mentioned() -> None:
    limits = Limits(max_exposure_pct=100, max_symbol_exposure_pct=95, cash_reserve_pct=0, min_notional=10)
    assert notes(limits, USUAL, {SYMBOL: MarketDemands(min_notional=D(5))}, 10_000.0) == []
    assert notes(Limits(), USUAL, {}, 10_000.0) == []


def test_a_cap_of_the_risk_names_whom_it_binds() -> None:
    assert notes(Limits(max_risk_per_trade=0.02), USUAL, {}, 10_000.0) == [
        "risk.max_risk_per_trade: no entry risks more than 2 % of equity at its stop",
        "HIGH_RISK asks for 3 % of equity at risk and gets 2 %",
    ]
    kelly = {"K": Sizing(0.01, 0.95, kelly_cap=0.05)}
    assert notes(Limits(max_risk_per_trade=0.02), kelly, {}, 1.0)[1:] == [
        "K asks for 5 % of equity at risk and gets 2 %"
    ]


def test_a_stake_is_said_with_what_makes_it_smaller() -> None:
    both = {"A": by_stake(Sizing(stake=0.5, stake_money=2_500.0)), "B": by_stake(Sizing(stake_money=5.0))}
    assert notes(Limits(max_exposure_pct=10, min_notional=10), both, {}, 10_000.0) == [
        "A stakes 50 % of equity, at most 2,500 USDT on a whole entry, whatever its stop",
        "B stakes 5 USDT on a whole entry, whatever its stop",
        "A may hold 25 % of equity, risk.max_exposure_pct leaves 10 %: larger entries are cut",
        "B stakes 5; the smallest order is 10: it enters nothing",
    ]
    assert notes(Limits(max_risk_per_trade=0.02), {"C": by_stake(Sizing(stake=0.1))}, {}, 1_000.0) == [
        "risk.max_risk_per_trade: no entry risks more than 2 % of equity at its stop",
        "C stakes 10 % of equity on a whole entry, less where its stop would lose over 2 %",
    ]


def test_the_tightest_limit_below_a_strategys_exposure_is_named() -> None:
    limits = Limits(max_exposure_pct=90, max_symbol_exposure_pct=80)
    assert notes(limits, {"A": Sizing(), "B": Sizing(max_exposure=0.5)}, {}, 1_000.0) == [
        "A may hold 95 % of equity, risk.max_symbol_exposure_pct leaves 80 %: larger entries are cut"
    ]
    assert "risk.cash_reserve_pct leaves 90 %" in notes(Limits(cash_reserve_pct=10), USUAL, {}, 1e4)[0]


def test_what_can_never_be_met_is_said() -> None:
    limits = Limits(max_symbol_exposure_pct=0.05, min_notional=10)
    assert notes(limits, {}, {}, 10_000.0) == [
        "equity is 10,000, risk.max_symbol_exposure_pct leaves 0.05 % of it, 5; the smallest order is 10: "
        "nothing can be entered"
    ]
    assert notes(Limits(), {}, {SYMBOL: MarketDemands(min_notional=D(10))}, 9.5) == [
        "equity is 9.5; the smallest order is 10: nothing can be entered"
    ]
    assert "nothing can be entered" in notes(Limits(cash_reserve_pct=100), {}, {}, 1e4)[0]


def test_a_smallest_order_in_another_currency_is_not_compared() -> None:
    limits = Limits(min_notional=10, min_notional_currency="USD")
    [idle] = notes(limits, {}, {}, 0.5, "BTC")
    assert idle.startswith(
        "risk.min_notional counts in USD, nothing is priced in it here: it limits no entry"
    )
    assert "nothing can be entered" in notes(limits, {}, {}, 0.5, "USDT")[0]
    assert notes(Limits(min_notional_currency="USD"), {}, {}, 0.5, "BTC") == []


def test_a_mistyped_currency_of_a_limit_is_said_and_not_silently_no_limit() -> None:
    limits = Limits(min_notional=10, min_notional_currency="USTD")
    for quote in ("USDT", "EUR"):
        assert notes(limits, {}, {}, 10_000.0, quote) == [
            "risk.min_notional counts in USTD, nothing is priced in it here: it limits no entry; for one "
            f"that does set risk.min_notional_currency to {quote}, and risk.min_notional to an amount of it"
        ]


def test_the_largest_order_is_said_and_whether_anything_can_be_entered_below_it() -> None:
    said = "risk.max_order: no entry is larger than 50 USDT"
    assert notes(Limits(max_order=50.0, min_notional=10), {}, {}, 10_000.0) == [said]
    assert notes(Limits(max_order=50.0, min_notional=60), {}, {}, 10_000.0) == [
        said,
        "the smallest order is 60 USDT, risk.max_order is less: nothing can be entered",
    ]
