"""Tiny markets with exactly known trades; the orders are in the volume column (tests/scripted.py)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from core.backtester import ENGINE, open_source, prepare_ohlcv_for_backtesting, run_backtest, simulate
from core.candles.frames import bars_sha256, frame_from_bars
from core.ccxt_data_source import CCXTDataSource
from core.domain import LOT, Bars, Costs, Series
from core.errors import NoDataError, UsageError
from core.proof.verify import verify
from core.results.runs import BacktestResult, RunSpec, TradeRecord
from tests.markets import HOUR, START, make_bars, random_bars
from tests.scripted import SCRIPTED
from tests.tiers import statistics, tries

SERIES = Series("binanceus", "BTC/USDT", "1h")
FREE = Costs(0.0, 0.0)
Q = (100.0, 101.0, 99.0, 100.0)
"""A quiet bar."""


def run(
    rows: list[tuple[float, float, float, float]],
    orders: dict[int, int],
    costs: Costs = FREE,
    cash: float = 10_000.0,
    **params: float,
) -> BacktestResult:
    bars = make_bars(*rows)
    volume = np.zeros(len(rows))
    for bar, order in orders.items():
        volume[bar] = order
    return simulate(bars._replace(volume=volume), RunSpec(SERIES, "SCRIPTED", params, costs, cash), SCRIPTED)


def only_trade(result: BacktestResult) -> TradeRecord:
    (record,) = result.records
    return record


def at(bar: int) -> int:
    return START + bar * HOUR


def test_a_decision_at_the_close_fills_at_the_next_open() -> None:
    trade = only_trade(run([Q, Q, (102, 103, 101, 102), Q, (104, 105, 100, 101), Q], {1: 1, 3: 3}))
    assert (trade.side, trade.entry_ts, trade.entry_price) == ("LONG", at(2), 102.0)
    assert (trade.exit_ts, trade.exit_price, trade.reason) == (at(4), 104.0, "rule")
    assert trade.size == pytest.approx(10.0, abs=LOT)  # 1 % of 10,000 over a stop 10 away
    assert trade.pnl == trade.size * 2.0
    assert trade.pnl_pct == pytest.approx(100 * 2 / 102)


def test_a_stop_fills_at_its_price() -> None:
    trade = only_trade(run([Q, Q, Q, (100, 101, 85, 95), Q], {1: 1}))
    assert (trade.exit_ts, trade.exit_price, trade.reason) == (at(3), 90.0, "stop")


def test_a_stop_that_the_open_gaps_through_fills_at_the_open() -> None:
    trade = only_trade(run([Q, Q, Q, (80, 85, 79, 84), Q], {1: 1}))
    assert (trade.exit_price, trade.reason) == (80.0, "stop")


@pytest.mark.unmeasured
def test_a_take_fills_at_its_price_or_at_a_better_open() -> None:
    assert only_trade(run([Q, Q, Q, (100, 125, 99, 110), Q], {1: 1})).exit_price == 120.0
    gapped = only_trade(run([Q, Q, Q, (130, 135, 129, 131), Q], {1: 1}))
    assert (gapped.exit_price, gapped.reason) == (130.0, "take")


def test_when_a_bar_holds_both_stop_and_take_the_stop_comes_first() -> None:
    trade = only_trade(run([Q, Q, Q, (100, 125, 85, 110), Q], {1: 1}))
    assert (trade.exit_price, trade.reason) == (90.0, "stop")


def test_stop_and_take_live_from_the_entry_bar_on() -> None:
    trade = only_trade(run([Q, Q, (100, 101, 85, 95), Q], {1: 1}))
    assert (trade.entry_ts, trade.exit_ts, trade.reason) == (at(2), at(2), "stop")


def test_a_short_is_the_mirror_image() -> None:
    stopped = only_trade(run([Q, Q, Q, (100, 115, 99, 105), Q], {1: 2}))
    assert (stopped.side, stopped.exit_price, stopped.reason) == ("SHORT", 110.0, "stop")
    assert stopped.pnl == -stopped.size * 10.0
    taken = only_trade(run([Q, Q, Q, (100, 101, 75, 90), Q], {1: 2}))
    assert (taken.exit_price, taken.reason) == (80.0, "take")


def test_a_reversal_closes_and_opens_at_the_same_open() -> None:
    first, second = run([Q, Q, Q, Q, Q, Q], {1: 1, 3: 2, 4: 3}).records
    assert (first.side, first.exit_ts, second.side, second.entry_ts) == ("LONG", at(4), "SHORT", at(4))


def test_a_new_decision_moves_stop_and_take_of_the_held_position() -> None:
    rows = [Q, Q, Q, (100, 108, 100, 108), (108, 109, 97, 100), Q]
    trade = only_trade(run(rows, {1: 1, 3: 1}))
    assert (trade.exit_price, trade.reason) == (98.0, "trail")


def test_a_trade_still_open_at_the_end_is_closed_at_the_last_close() -> None:
    costs = Costs(0.001, 0.0)
    result = run([Q, Q, Q, (100, 106, 100, 105)], {1: 1}, costs)
    trade = only_trade(result)
    assert (trade.exit_ts, trade.exit_price, trade.reason) == (at(3), 105.0, "end")
    assert trade.fees == pytest.approx(trade.size * 205 * 0.001)
    assert result.summary.final_equity == pytest.approx(10_000 + trade.pnl)
    assert result.equity[-1] == result.summary.final_equity
    assert result.stats["Commissions [$]"] == trade.fees
    assert result.summary.trades_count == 1


def test_an_order_on_the_last_bar_is_never_filled() -> None:
    result = run([Q, Q, Q], {2: 1})
    assert result.records == ()
    assert result.refusals == {}


def test_commission_is_paid_on_both_sides_and_spread_on_entry_only() -> None:
    trade = only_trade(run([Q, Q, Q, Q, Q], {1: 1, 3: 3}, Costs(0.002, 0.01), max_exposure=0.5))
    assert trade.entry_price == 101.0
    assert trade.exit_price == 100.0
    assert trade.fees == pytest.approx(trade.size * (101 + 100) * 0.002)
    assert trade.pnl == pytest.approx(trade.size * -1.0 - trade.fees)


def test_an_entry_that_cash_cannot_pay_at_the_open_is_refused_and_counted() -> None:
    result = run([Q, Q, (110, 111, 109, 110), Q], {1: 1}, risk_per_trade=0.2, stop_away=1.0)
    assert result.records == ()
    assert result.refusals == {"cash": 1}


def test_an_entry_without_room_for_its_stop_is_refused_and_counted() -> None:
    assert run([Q, Q, Q, Q], {1: 1}, stop_away=100.0).refusals == {"bracket": 1}
    assert run([Q, Q, Q, Q], {1: 1, 2: 2}, take_away=0.0).refusals == {"bracket": 2}


def test_an_entry_smaller_than_a_lot_is_refused_and_counted() -> None:
    assert run([Q, Q, Q, Q], {1: 1}, cash=1e-6).refusals == {"lot": 1}


@pytest.mark.parametrize("after", [0, 3])
def test_a_short_that_loses_everything_ends_the_run_at_that_close(after: int) -> None:
    wild = [(100.0, 400.0, 100.0, 400.0)] + [(400.0, 400.0, 400.0, 400.0)] * after
    result = run([Q, Q, Q, *wild], {1: 4})
    trade = only_trade(result)
    assert (trade.exit_ts, trade.exit_price, trade.reason) == (at(3), 400.0, "ruin")
    assert trade.max_dd_pct == pytest.approx(300.0)
    assert result.summary.final_equity == 0.0
    assert result.equity.tolist() == [10_000.0] * 3 + [0.0] * (1 + after)


def test_the_depth_of_a_trade_is_its_worst_open_loss_on_its_own_bars() -> None:
    rows = [Q, Q, (100, 101, 96, 100), (100, 100, 93, 95), (97, 120, 50, 97), Q]
    trade = only_trade(run(rows, {1: 1, 3: 3}))
    assert trade.exit_price == 97.0
    assert trade.max_dd_pct == pytest.approx(7.0)  # 93; the low of the exit bar came after the exit


def test_the_depth_of_a_stopped_trade_ends_at_the_stop() -> None:
    assert only_trade(run([Q, Q, Q, (100, 101, 50, 60), Q], {1: 1})).max_dd_pct == pytest.approx(10.0)


def test_the_depth_of_a_taken_trade_counts_its_exit_bar() -> None:
    assert only_trade(run([Q, Q, Q, (100, 125, 92, 110), Q], {1: 1})).max_dd_pct == pytest.approx(8.0)


def test_the_depth_of_a_trade_taken_at_a_gapping_open_leaves_out_the_bar_after_it() -> None:
    trade = only_trade(run([Q, Q, Q, (125, 126, 92, 110), Q], {1: 1}))
    assert (trade.exit_price, trade.reason) == (125.0, "take")
    assert trade.max_dd_pct == pytest.approx(1.0)  # 99 on the entry bar


def test_the_depth_of_a_short_is_measured_upwards() -> None:
    rows = [Q, Q, (100, 104, 99, 100), Q, Q, Q]
    assert only_trade(run(rows, {1: 2, 3: 3})).max_dd_pct == pytest.approx(4.0)


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", range(tries(6, 2)))
@pytest.mark.parametrize("name", ["TREND_EMA", "MR_BB", "SQZ_BO", "GRID_LR"])
def test_the_trades_add_up_to_the_final_equity(name: str, seed: int) -> None:
    bars = random_bars(seed, 800, volatility=0.005)
    result = run_backtest(bars, RunSpec(SERIES, name, {}, Costs(0.001, 0.0005), 10_000.0))
    assert result.records
    total = math.fsum(trade.pnl for trade in result.records)
    assert result.summary.final_equity == pytest.approx(10_000 + total, rel=1e-12)
    assert {trade.reason for trade in result.records} <= {"stop", "take", "rule", "end"}
    for trade in result.records:
        assert trade.max_dd_pct >= 0
        assert trade.entry_ts <= trade.exit_ts


def test_a_run_names_everything_it_depends_on() -> None:
    bars = random_bars(3, 300)
    result = run_backtest(bars, RunSpec(SERIES, "TREND_EMA", {"ema_fast": 10}, FREE, 500.0))
    assert result.engine == ENGINE
    assert result.spec.params["ema_fast"] == 10
    assert result.spec.params["ema_slow"] == 50
    assert result.data.sha256 == bars_sha256(bars)
    assert (result.data.start, result.data.end) == (bars.ts[0], bars.ts[-1])
    assert result.data.bars + result.data.gaps == (bars.ts[-1] - bars.ts[0]) / HOUR + 1
    assert not any(name.startswith("_") for name in result.stats.index)


@pytest.mark.unmeasured
def test_no_trade_at_all_gives_none_and_not_nan() -> None:
    summary = run([Q, Q, Q, Q, Q], {}).summary
    assert summary.trades_count == 0
    assert summary.return_pct == 0.0
    assert summary.win_rate_pct is None
    assert summary.profit_factor is None
    assert summary.sharpe_ratio is None


def test_too_few_bars_are_refused_with_how_many_it_takes() -> None:
    with pytest.raises(
        NoDataError, match="TREND_EMA needs at least 52 bars to warm up and trade, there are 40"
    ):
        run_backtest(random_bars(1, 500).until(40), RunSpec(SERIES, "TREND_EMA", {}, FREE, 1000.0))


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", ["TREND_EMA", "MR_BB", "SQZ_BO", "GRID_LR"])
def test_the_least_number_of_bars_named_is_the_least_that_runs(name: str) -> None:
    from strategies.registry import load_strategy

    rule = load_strategy(name).rule
    least = rule.longest(rule.params()) + 2
    bars = random_bars(1, 500)
    spec = RunSpec(SERIES, name, {}, FREE, 1000.0)
    assert run_backtest(bars.until(least), spec).summary.trades_count >= 0
    with pytest.raises(NoDataError):
        run_backtest(bars.until(least - 1), spec)


def test_a_bad_parameter_is_refused_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="did you mean ema_fast"):
        run_backtest(random_bars(1), RunSpec(SERIES, "TREND_EMA", {"ema_fasst": 3}, FREE, 1000.0))


def test_candles_are_renamed_and_their_zone_is_dropped_for_backtesting_py() -> None:
    frame = prepare_ohlcv_for_backtesting(frame_from_bars(make_bars(Q, Q)))
    assert list(frame.columns) == ["Open", "High", "Low", "Close", "Volume"]
    assert pd.DatetimeIndex(frame.index).tz is None
    assert frame.index[0] == pd.Timestamp(START, unit="ms")
    assert prepare_ohlcv_for_backtesting(frame).equals(frame)


def test_bars_survive_the_way_to_a_frame_and_back() -> None:
    from core.candles.frames import bars_from_frame

    bars = random_bars(2, 50)
    back = bars_from_frame(frame_from_bars(bars))
    assert isinstance(back, Bars)
    assert all(np.array_equal(a, b) for a, b in zip(bars, back, strict=True))


def test_candles_straight_from_an_exchange_need_no_key_and_come_from_the_network_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("EXCHANGE_API_KEY", "EXCHANGE_API_SECRET"):
        monkeypatch.setenv(name, "not-to-be-used")
    monkeypatch.delenv("EXCHANGE_BASE_URL", raising=False)
    for sandbox, label in ((False, "bybit"), (True, "bybit-sandbox")):
        source = open_source("bybit", use_sql=False, sandbox=sandbox)
        assert isinstance(source, CCXTDataSource)
        assert source.exchange == label
        assert not source.client._exchange.apiKey
        source.client.close()


def test_less_of_a_target_closes_the_oldest_lots_first_the_last_in_part() -> None:
    rows = [Q, Q, Q, Q, (102, 103, 101, 102), Q, Q]
    # A quarter, then half (a second lot), then a quarter again, then flat.
    records = run(rows, {1: 6, 2: 5, 3: 6, 5: 3}, stop_away=50.0, take_away=50.0).records
    assert [(r.reason, r.entry_ts, r.exit_ts, r.exit_price) for r in records] == [
        ("reduce", at(2), at(4), 102.0),
        ("rule", at(3), at(6), 100.0),
    ]


def test_a_lot_closed_in_part_is_two_trades_that_share_its_entry() -> None:
    rows = [Q, Q, Q, (102, 103, 101, 102), Q, (104, 105, 103, 104)]
    first, rest = run(rows, {1: 1, 2: 6, 4: 3}, stop_away=50.0, take_away=50.0).records
    assert (first.reason, first.entry_ts, first.exit_ts, first.exit_price) == ("reduce", at(2), at(3), 102.0)
    assert (rest.reason, rest.entry_ts, rest.exit_ts, rest.exit_price) == ("rule", at(2), at(5), 104.0)
    whole = 100.0 / 50.0  # 1 % of 10,000 over a stop 50 away
    assert first.size == pytest.approx(0.75 * whole, abs=LOT)
    assert first.size + rest.size == pytest.approx(whole, abs=LOT)


def test_an_exit_after_so_many_bars_is_named() -> None:
    assert only_trade(run([Q, Q, Q, Q, Q], {1: 1, 2: 9})).reason == "time"


def test_a_reversal_is_named() -> None:
    first, second = run([Q, Q, Q, Q, Q], {1: 1, 2: 2}).records
    assert (first.reason, first.side, second.reason, second.side) == ("reverse", "LONG", "end", "SHORT")


def test_a_reduction_of_less_than_a_lot_closes_nothing() -> None:
    # Cash that buys a lot and a half, so one: three quarters of that cannot be sold.
    cash = 1.5 * LOT * 50.0 / 0.01
    orders = {1: 1, 2: 6, 4: 3}
    records = run([Q] * 6, orders, cash=cash, stop_away=50.0, take_away=50.0).records
    assert [(record.reason, record.size) for record in records] == [("rule", LOT)]


def test_the_fast_engine_closes_nothing_of_a_lot_either() -> None:
    bars = make_bars(*[Q] * 6)._replace(volume=np.array([0.0, 1.0, 6.0, 0.0, 3.0, 0.0]))
    params = {"stop_away": 50.0, "take_away": 50.0}
    spec = RunSpec(SERIES, "SCRIPTED", params, FREE, 1.5 * LOT * 50.0 / 0.01)
    assert verify(bars, spec, SCRIPTED).differences == ()
