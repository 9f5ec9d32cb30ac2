from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from core.backtest.plan import check_params, named_sizing, parse_params, plan_runs, split_names
from core.cli.replay_command import in_regimes, members
from core.errors import UsageError
from core.settings import Settings, StrategySettings, load_settings

CONFIG = Path(__file__).resolve().parents[2] / "config"


@pytest.fixture
def settings() -> Settings:
    return load_settings(CONFIG, {}, check_params)


def changed(settings: Settings, module: str, **fields: object) -> Settings:
    entry: StrategySettings = settings.strategies[module].model_copy(update=fields)
    return settings.model_copy(update={"strategies": {**settings.strategies, module: entry}})


def test_the_shipped_settings_hold_the_rules_own_defaults(settings: Settings) -> None:
    from strategies.registry import REGISTRY, load_strategy

    for name, module in REGISTRY.items():
        assert dict(settings.strategies[module].params) == load_strategy(name).rule.params()._asdict()


@pytest.mark.unmeasured
def test_all_means_every_enabled_strategy_on_bitcoin_and_ether(settings: Settings) -> None:
    plans = plan_runs(changed(settings, "grid_ladder", enabled=False))
    assert {(plan.symbol, plan.strategy) for plan in plans} == {
        (symbol, name) for symbol in ("BTC/USDT", "ETH/USDT") for name in ("TREND_EMA", "MR_BB", "SQZ_BO")
    }


@pytest.mark.unmeasured
def test_a_strategy_that_is_named_runs_whether_enabled_or_not(settings: Settings) -> None:
    plans = plan_runs(
        changed(settings, "grid_ladder", enabled=False), strategies=["grid_ladder"], symbols=["SOL/USDT"]
    )
    assert [(plan.symbol, plan.strategy) for plan in plans] == [("SOL/USDT", "GRID_LR")]


@pytest.mark.unmeasured
def test_a_strategy_that_is_named_runs_on_its_own_symbols_unless_told(settings: Settings) -> None:
    mine = changed(settings, "mean_reversion_bb", symbols=("SOL/USDT",))
    assert [plan.symbol for plan in plan_runs(mine, strategies=["MR_BB"])] == ["SOL/USDT"]
    assert {plan.symbol for plan in plan_runs(mine)} == {"BTC/USDT", "ETH/USDT"}


@pytest.mark.unmeasured
def test_timeframe_and_parameters_come_from_the_settings_unless_given(settings: Settings) -> None:
    mine = changed(settings, "trend_ema", timeframe="1h", params={"ema_fast": 9})
    (plan,) = plan_runs(mine, strategies=["TREND_EMA"], symbols=["BTC/USDT"])
    assert (plan.timeframe, plan.params["ema_fast"], plan.params["ema_slow"]) == ("1h", 9, 50)
    (plan,) = plan_runs(
        mine, strategies=["TREND_EMA"], symbols=["BTC/USDT"], timeframe="1d", params={"ema_fast": 5.0}
    )
    assert (plan.timeframe, plan.params["ema_fast"]) == ("1d", 5)


@pytest.mark.unmeasured
def test_a_given_parameter_goes_to_the_strategies_that_have_it(settings: Settings) -> None:
    plans = plan_runs(settings, symbols=["BTC/USDT"], params={"bb_period": 30.0})
    periods = {plan.strategy: plan.params.get("bb_period") for plan in plans}
    assert periods == {"TREND_EMA": None, "MR_BB": 30, "SQZ_BO": 30, "GRID_LR": None}


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"params": {"bb_peroid": 3.0}}, "did you mean bb_period"),
        ({"params": {"bb_period": 0.0}}, "from 2 to 2000, got 0"),
        ({"strategies": ["MR_B"]}, "did you mean MR_BB"),
        ({"timeframe": "7h"}, "unknown timeframe '7h'"),
    ],
)
def test_unknown_names_and_bad_values_are_refused(
    settings: Settings, wrong: dict[str, object], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        plan_runs(settings, **wrong)  # type: ignore[arg-type]


def test_when_nothing_is_enabled_that_is_said(settings: Settings) -> None:
    for module in settings.strategies:
        settings = changed(settings, module, enabled=False)
    with pytest.raises(UsageError, match="enables no strategy"):
        plan_runs(settings)


def test_parameters_are_read_as_numbers() -> None:
    assert parse_params(["ema_fast=10", " rr_ratio = 2.5"]) == {"ema_fast": 10.0, "rr_ratio": 2.5}


@pytest.mark.parametrize("text", ["ema_fast", "=3", "ema_fast=", "ema_fast=ten"])
def test_a_parameter_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="wanted NAME=NUMBER"):
        parse_params([text])


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="ema_fast is given twice"):
        parse_params(["ema_fast=10", "ema_fast = 12"])


def test_names_may_be_repeated_or_separated_by_commas() -> None:
    assert split_names(["a,b", " c ", "", "a"]) == ["a", "b", "c"]


def test_a_bad_parameter_in_the_settings_is_reported_with_the_others() -> None:
    assert check_params("trend_ema", {"ema_fast": 0, "x": 1}) != []
    assert check_params("trend_ema", {"ema_fast": 10}) == []


@pytest.mark.parametrize("name", ["TREND_EMA", "Trend_Ema", "trend_em"])
def test_an_entry_of_the_settings_under_another_name_is_refused_not_ignored(name: str) -> None:
    (line,) = check_params(name, {})
    assert line.startswith(f"unknown strategy {name!r}: did you mean trend_ema?")


def test_ways_of_sizing_have_names() -> None:
    assert named_sizing(["vol-target", "half-kelly"]) == {"vol_target": 0.15, "kelly_cap": 0.05}
    assert named_sizing([]) == {}
    # Whatever strategies.yaml says.
    off = named_sizing(["fixed-risk"])
    parts = {"regime_trend": 1.0, "regime_range": 1.0, "regime_high_vol": 1.0}
    names = ("vol_target", "kelly_cap", "stake", "stake_money", "regime_cut")
    assert off == dict.fromkeys(names, 0.0) | parts
    with pytest.raises(UsageError, match=r"--sizing: .*half-kelly"):
        named_sizing(["half-kely"])


@pytest.mark.unmeasured
def test_how_entries_are_sized_goes_to_every_strategy(settings: Settings) -> None:
    plans = plan_runs(settings, strategies=["TREND_EMA", "GRID_LR"], params={"vol_target": 0.2})
    assert {plan.params["vol_target"] for plan in plans} == {0.2}
    (plain,) = plan_runs(settings, strategies=["TREND_EMA"], symbols=["BTC/USDT"], params={"kelly_cap": 0.0})
    assert "kelly_cap" not in plain.params


@pytest.mark.unmeasured
def test_what_an_account_lets_entries_keep_in_a_regime_is_every_strategy_s_or_less() -> None:
    settings = load_settings(
        CONFIG,
        {"HOT_CRYPTO_RISK_REGIME_RANGE": "0.67", "HOT_CRYPTO_RISK_REGIME_HIGH_VOL": "0.4"},
        check_params,
    )
    args = argparse.Namespace(strategy=["TREND_EMA,GRID_LR"], symbol=["BTC/USDT"], timeframe="1h")
    kept = {"regime_range": 0.67, "regime_high_vol": 0.4}
    for member in members(args, settings):
        assert {name: part for name, part in member.params.items() if name.startswith("regime_")} == kept
    own = in_regimes({"regime_range": 0.5, "regime_high_vol": 0.6, "risk_per_trade": 0.03}, kept)
    assert own == {"regime_range": 0.5, "regime_high_vol": 0.4, "risk_per_trade": 0.03}
    plain = load_settings(CONFIG, {}, check_params)
    assert all(not name.startswith("regime_") for one in members(args, plain) for name in one.params)
