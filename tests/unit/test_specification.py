"""The specification's own calls, as a person would write them from its signatures alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from backtesting import Backtest, Strategy
from backtesting.lib import FractionalBacktest

from core.backtest_persistence import load_run, save_backtest_to_db
from core.backtester import prepare_ohlcv_for_backtesting
from core.candles.frames import candle_ms, frame_from_bars
from core.data_source import DataSource
from core.errors import UsageError
from core.portfolio import Portfolio
from core.utils import as_ms
from scripts import run_backtest
from strategies.trend_ema import RULE, TrendEmaBacktest
from tests.markets import random_bars

FRAME = frame_from_bars(random_bars(5, 300))
CANDLES = prepare_ohlcv_for_backtesting(FRAME)
SMALL = CANDLES.assign(**{name: CANDLES[name] / 1000 for name in ("Open", "High", "Low", "Close")})
NAMES = ("binanceus", "BTC/USDT", "1h", "MINE", 10_000.0)


class Plain(Strategy):  # type: ignore[misc]
    """A strategy of Backtesting.py alone: every 20 bars long, with a stop and a take, or without."""

    def init(self) -> None:
        pass

    def next(self) -> None:
        number, close = len(self.data), float(self.data.Close[-1])
        if number % 20 == 0:
            bracket = {"sl": 0.985 * close, "tp": 1.05 * close} if number % 40 == 0 else {}
            self.buy(size=0.5, **bracket)
        elif number % 20 == 19:
            self.position.close()


@pytest.fixture
def db_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.mark.unmeasured
def test_plain_trades_of_backtesting_py_are_saved_with_why_and_how_deep(db_url: str) -> None:
    stats = Backtest(SMALL, Plain, cash=10_000, commission=0.002, finalize_trades=True).run()
    run = load_run(save_backtest_to_db(stats, stats["_trades"], *NAMES, db_url=db_url), db_url)
    assert len(run.trades) == stats["# Trades"] > 5
    assert {trade.reason for trade in run.trades} == {"stop", "take", "rule"}
    for trade, row in zip(run.trades, stats["_trades"].itertuples(), strict=True):
        lows = SMALL["Low"].iloc[row.EntryBar : row.ExitBar].tolist()
        deepest = min([*lows, row.ExitPrice]) if trade.reason != "take" else None
        if deepest is not None:
            assert trade.max_dd_pct == max(0.0, row.EntryPrice - deepest) / row.EntryPrice * 100
        assert (trade.pnl, trade.fees, trade.entry_price) == (row.PnL, row.Commission, row.EntryPrice)


@pytest.mark.parametrize("frame", [CANDLES, FRAME.rename(columns=str.capitalize)], ids=["naive", "zoned"])
def test_fractions_of_a_unit_are_saved_at_the_market_s_prices(db_url: str, frame: pd.DataFrame) -> None:
    stats = FractionalBacktest(frame, Plain, cash=10_000, finalize_trades=True).run()
    run = load_run(save_backtest_to_db(stats, stats["_trades"], *NAMES, db_url=db_url), db_url)
    first = FRAME.index[stats["_trades"]["EntryBar"].iloc[0]]
    assert run.trades[0].entry_ts == first.value // 1_000_000
    assert all(0 <= trade.max_dd_pct < 50 for trade in run.trades)
    assert any(trade.max_dd_pct > 0 for trade in run.trades)
    without = load_run(
        save_backtest_to_db(stats.drop("_strategy"), stats["_trades"], *NAMES, db_url=db_url), db_url
    )
    for trade, whole in zip(without.trades, run.trades, strict=True):
        loss = max(0.0, trade.entry_price - trade.exit_price)
        assert trade.max_dd_pct == pytest.approx(loss / trade.entry_price * 100)
        assert trade.max_dd_pct <= whole.max_dd_pct + 1e-9


@pytest.mark.unmeasured
def test_a_run_without_trades_and_trades_without_fees_are_saved(db_url: str) -> None:
    stats = Backtest(SMALL.head(15), Plain, cash=10_000).run()
    assert load_run(save_backtest_to_db(stats, stats["_trades"], *NAMES, db_url=db_url), db_url).trades == ()
    stats = FractionalBacktest(CANDLES, Plain, cash=10_000, finalize_trades=True).run()
    trades = stats["_trades"].drop(columns="Commission")
    run = load_run(save_backtest_to_db(stats, trades, *NAMES, db_url=db_url), db_url)
    assert {trade.fees for trade in run.trades} == {0.0}


def test_trades_without_times_are_refused(db_url: str) -> None:
    stats = Backtest(SMALL, Plain, cash=10_000, finalize_trades=True).run()
    trades = stats["_trades"].assign(EntryTime=stats["_trades"]["EntryBar"])
    with pytest.raises(UsageError, match="these have 20: run the backtest on candles with a DatetimeIndex"):
        save_backtest_to_db(stats, trades, *NAMES, db_url=db_url)


def test_parameters_may_be_numpy_s_as_optimize_gives_them() -> None:
    assert RULE.make_params({"ema_fast": np.int64(10), "rr_ratio": np.float32(3)}).ema_fast == 10
    assert isinstance(RULE.make_params({"ema_fast": np.int64(10)}).ema_fast, int)
    for wrong in (True, np.bool_(True), "10", np.int64(1)):
        assert RULE.check_params({"ema_fast": wrong})
    stats = Backtest(CANDLES, TrendEmaBacktest, cash=10_000_000, finalize_trades=True).run(
        ema_fast=np.int64(10)
    )
    assert str(stats["_strategy"]) == "TrendEmaBacktest(ema_fast=10)"


def test_an_account_begins_with_ten_thousand() -> None:
    assert Portfolio().cash == 10_000


def test_a_time_is_milliseconds_a_datetime_or_text() -> None:
    moment = datetime(2024, 1, 31, 12, tzinfo=UTC)
    ms = 1_706_702_400_000
    naive = moment.replace(tzinfo=None)
    for time in (moment, naive, pd.Timestamp(moment), ms, np.int64(ms), str(ms), "2024-01-31T12:00"):
        assert as_ms(time) == ms
    assert candle_ms(pd.Timestamp(moment)) == candle_ms(np.int64(ms)) == ms
    for wrong in (None, 1.5, True, pd.NaT, timedelta(1)):
        with pytest.raises(UsageError, match="cannot read the time"):
            as_ms(wrong)
    for unclear in (naive, "2024-01-31"):
        with pytest.raises(UsageError, match="candle time: wanted ms UTC or a time with a zone"):
            candle_ms(unclear)


class OwnSource(DataSource):
    """Written from the specification's signature."""

    def get_ohlcv(self, symbol: str, timeframe: str, limit: int | None = 1000) -> pd.DataFrame:  # type: ignore[override]
        return FRAME if limit is None else FRAME.tail(limit)


def test_a_source_with_the_specification_s_signature_is_one() -> None:
    source = OwnSource()
    assert source.get_bars("BTC/USDT", "1h").ts.size == len(FRAME)
    assert source.get_bars("BTC/USDT", "1h", 7).ts.size == 7
    assert source.exchange == "binanceus"


def test_symbol_timeframe_and_strategy_need_no_options(capsys: pytest.CaptureFixture[str]) -> None:
    args = run_backtest.parse(["BTC/USDT", "4h", "TREND_EMA", "--use-sql"])
    assert (args.symbol, args.timeframe, args.strategy) == (["BTC/USDT"], "4h", ["TREND_EMA"])
    args = run_backtest.parse(["MR_BB,TREND_EMA", "BTC/USDT,ETH/USDT"])
    assert (args.symbol, args.timeframe, args.strategy) == (
        ["BTC/USDT,ETH/USDT"],
        None,
        ["MR_BB,TREND_EMA"],
    )
    assert run_backtest.parse(["BTC/USDT", "4h", "--all"]).all
    for words in (["BTC/USDT", "ETH/USDT"], ["4h", "1h"], ["1h", "--timeframe", "4h"]):
        with pytest.raises(SystemExit):
            run_backtest.parse([*words, "--all"])
        assert "give one of each, or use --" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run_backtest.parse(["BTC/USDT", "--list"])
    assert "leave out --symbol" in capsys.readouterr().err
