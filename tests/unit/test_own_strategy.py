"""A person's own loop, and a person's own class: from the specification's signatures alone."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.account.lots import Trade
from core.account.orders import Approved, RefusalReason, Refused
from core.backtest.own import ENGINE
from core.backtest.replay import ReplayAccount, ReplayFeed, replay
from core.backtest_persistence import load_run, save_result
from core.backtester import run_backtest
from core.candles.frames import frame_from_bars
from core.domain import FLAT, Costs, Series
from core.engine import LiveDecider, Session
from core.errors import NoDataError, UsageError
from core.execution import Executor, Plan
from core.portfolio import MANUAL, Portfolio
from core.proof.rerun import rerun
from core.proof.verify import verify
from core.results.runs import RunSpec
from core.risk.limits import Limits
from core.risk_manager import RiskManager
from core.sizing import Sizing
from strategies.base import BaseStrategy, StrategySignal
from strategies.grid_ladder import GridLadderLive
from strategies.trend_ema import TrendEmaLive
from tests.account_help import OTHER, SYMBOL, D, bar
from tests.markets import HOUR, START, random_bars

BARS = random_bars(9, 130)
SPEC = RunSpec(Series("binanceus", SYMBOL, "1h"), "MINE", {"length": 4}, Costs(), 10_000.0)


class Mine(BaseStrategy):
    """Long above the mean of the last closes, out below it, as a person would write it."""

    def on_bar(self, symbol: str, candle: dict[str, Any]) -> StrategySignal:
        df, length = self.state[symbol]["df"], int(self.config["params"]["length"])
        assert df.index[-1].value // 1_000_000 == candle["time"]
        mean = df["close"].tail(length).mean()
        if len(df) < length or candle["close"] == mean:
            return StrategySignal(symbol, "HOLD")
        if candle["close"] > mean:
            extra = {"stop": 0.97 * candle["close"], "rr_ratio": 2.0}
            return StrategySignal(symbol, "OPEN_LONG", 1.0, extra)
        return StrategySignal(symbol, "CLOSE_LONG")


class Careful(TrendEmaLive):
    """A rule's signals, halved: an on_bar of its own upon the rule's."""

    def on_bar(self, symbol: str, candle: dict[str, Any]) -> StrategySignal:
        signal = super().on_bar(symbol, candle)
        extra = {name: value for name, value in (signal.extra or {}).items() if name != "target"}
        return StrategySignal(symbol, signal.action, 0.5, extra)


def candle(number: int, prices: tuple[float, float, float, float] = (100.0, 101.0, 99.0, 100.0)) -> Any:
    named = dict(zip(("open", "high", "low", "close"), prices, strict=True))
    return {"time": START + number * HOUR, **named, "volume": 1.0}


def shown(frame: pd.DataFrame, at: int) -> dict[str, Any]:
    return {"time": frame.index[at], **{str(name): value for name, value in frame.iloc[at].items()}}


def opening(**extra: Any) -> StrategySignal:
    return StrategySignal(SYMBOL, "OPEN_LONG", 1.0, {"stop": 97.0, "rr_ratio": 2.0, **extra})


def executor(**given: Any) -> Executor:
    return Executor(Portfolio(), RiskManager(), live=False, **given)


def test_a_signal_is_filled_at_the_next_open_and_its_loss_is_registered() -> None:
    made = executor(costs=Costs(0.0))
    made.on_candle(SYMBOL, candle(0))
    (approved,) = made.execute_signal(SYMBOL, opening(), candle(0), "TREND_EMA")
    assert isinstance(approved, Approved)
    assert (approved.intent.stop, approved.intent.take) == (D("97.0"), D("106.0"))
    # One percent of 10,000 at three a unit, rounded down to the lot of 2^-20.
    assert float(approved.intent.amount) == int(100 / 3 * 2**20) / 2**20
    assert made.portfolio.positions == {}
    booked = made.on_candle(SYMBOL, candle(1, (100.5, 101.0, 99.0, 100.0)))
    assert [event.fill.price for event in booked.fills] == [D("100.5")]
    position = made.portfolio.positions[SYMBOL]
    assert (position.side, position.entry_price, position.stop, position.tp) == (1, 100.5, 97.0, 106.0)
    assert made.position("TREND_EMA", SYMBOL).bars_held == 0
    assert made.execute_signal(SYMBOL, opening(stop=98.0), candle(1), "TREND_EMA") == []
    (lost,) = made.on_candle(SYMBOL, candle(2, (100.0, 101.0, 96.0, 98.0))).trades
    assert (lost.reason, lost.exit_price, lost.strategy) == ("stop", 97.0, "TREND_EMA")
    assert made.risk.state.losses == {"TREND_EMA": START + 3 * HOUR}
    assert made.portfolio.get_equity({}) == 10_000 + float(lost.pnl)
    assert made.on_candle(SYMBOL, candle(2)).fills == ()


def test_a_loss_beyond_the_daily_limit_stops_entries() -> None:
    made = Executor(Portfolio(), RiskManager(0.05, 3.0))
    made.on_candle(SYMBOL, candle(3))
    made.execute_signal(SYMBOL, opening(), candle(3), "MINE")
    made.on_candle(SYMBOL, candle(4))
    booked = made.on_candle(SYMBOL, candle(5, (100.0, 100.0, 90.0, 95.0)))
    assert [name for name, _ in booked.tripped] == ["daily_loss"]
    assert not made.risk.can_open_new_trade(booked.equity)
    (refused,) = made.execute_signal(SYMBOL, opening(stop=90.0), candle(5, (95.0,) * 4), "MINE")
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.DAILY_LOSS


def test_what_is_wrong_with_a_call_is_said_in_one_line() -> None:
    made = executor()
    for signal, words in (
        (StrategySignal(SYMBOL, "BUY!!"), "unknown action 'BUY!!'"),
        (StrategySignal(SYMBOL, "OPEN_LONG"), "wanted extra"),
        (StrategySignal(OTHER, "HOLD"), f"a signal of {OTHER} was to be executed for {SYMBOL}"),
    ):
        with pytest.raises(UsageError, match=re.escape(words)) as caught:
            made.execute_signal(SYMBOL, signal, candle(0), "MINE")
        assert "\n" not in str(caught.value)
    made.execute_signal(SYMBOL, opening(), candle(0), "MINE")
    with pytest.raises(UsageError, match=r"call Executor.on_candle"):
        made.execute_signal(SYMBOL, opening(), candle(1), "MINE")


def test_a_plan_that_is_given_goes_before_what_signals_say() -> None:
    made = executor(plans={"A": Plan("1h", Sizing(0.002, lot=1.0))})
    made.on_candle(SYMBOL, candle(0))
    (approved,) = made.execute_signal(SYMBOL, opening(risk_per_trade=0.01), candle(0), "A")
    assert (approved.intent.amount, approved.intent.timeframe) == (D(6), "1h")
    with pytest.raises(UsageError, match="unknown strategy 'B'"):
        made.execute_signal(SYMBOL, opening(), candle(0), "B")


def test_a_position_opened_by_hand_is_watched_and_closed_by_a_signal() -> None:
    made = executor(costs=Costs(0.0))
    made.portfolio.open_long(SYMBOL, 10, 100.0, stop=90.0, tp=120.0)
    (leaving,) = made.execute_signal(SYMBOL, StrategySignal(SYMBOL, "CLOSE_LONG"), candle(0), "MINE")
    assert (leaving.intent.side, leaving.intent.amount, leaving.intent.strategy) == ("sell", D(10), MANUAL)
    assert made.execute_signal(SYMBOL, StrategySignal(SYMBOL, "CLOSE_LONG"), candle(0), "MINE") == []
    (closed,) = made.on_candle(SYMBOL, candle(1, (103.0, 104.0, 102.0, 103.0))).trades
    assert (closed.pnl, closed.reason) == (D(30), "rule")
    assert made.portfolio.positions == {}
    made.portfolio.open_short(SYMBOL, 5, 100.0, stop=110.0)
    (stopped,) = made.on_candle(SYMBOL, candle(2, (103.0, 111.0, 102.0, 103.0))).trades
    assert (stopped.pnl, stopped.reason) == (D(-50), "stop")
    assert made.portfolio.cash == 9_980 == made.desk.cash  # type: ignore[attr-defined]


def test_what_is_opened_and_closed_by_hand_meanwhile_is_known_at_the_next_candle() -> None:
    made = executor(costs=Costs(0.0))
    made.portfolio.open_long(SYMBOL, 10, 100.0)
    made.on_candle(SYMBOL, candle(0))
    assert made.execute_signal(SYMBOL, StrategySignal(SYMBOL, "CLOSE_LONG"), candle(0), "MINE")
    made.portfolio.open_long(SYMBOL, 5, 100.0)
    (closed,) = made.on_candle(SYMBOL, candle(1)).trades
    assert closed.amount == 10
    assert made.execute_signal(SYMBOL, StrategySignal(SYMBOL, "CLOSE_LONG"), candle(1), "MINE")
    made.portfolio.close_long(SYMBOL, 101.0)
    assert made.on_candle(SYMBOL, candle(2)).trades == ()
    assert (made.portfolio.cash, made.portfolio.reserved, made.portfolio.pending) == (D(10_005), D(0), {})
    # A strategy's own position goes before one by hand.
    made.portfolio.open_long(SYMBOL, 1, 100.0)
    made.execute_signal(SYMBOL, opening(), candle(2), "MINE")
    made.on_candle(SYMBOL, candle(3))
    (leaving,) = made.execute_signal(SYMBOL, StrategySignal(SYMBOL, "CLOSE_LONG"), candle(3), "MINE")
    assert leaving.intent.strategy == "MINE"


def test_a_state_that_a_person_set_needs_nothing_but_candles() -> None:
    live, frame = TrendEmaLive({}), frame_from_bars(BARS)
    live.state[SYMBOL] = {"df": frame.iloc[:-1]}
    last = shown(frame, -1)
    first = live.on_bar(SYMBOL, last)
    live.state[SYMBOL] = {"df": frame}
    assert live.on_bar(SYMBOL, last) == first
    assert live.state[SYMBOL]["position"] == FLAT
    grid = GridLadderLive({})
    grid.state[SYMBOL] = {"df": frame}
    assert grid.on_bar(SYMBOL, last).symbol == SYMBOL
    assert set(grid.state[SYMBOL]["levels"].values()) == {False}
    for wrong in (frame.tz_localize(None), frame.drop(columns="volume")):
        live.state[SYMBOL] = {"df": wrong}
        with pytest.raises(UsageError, match="wanted candles with open, high, low, close, volume on a UTC"):
            live.on_bar(SYMBOL, last)


@pytest.mark.unmeasured
def test_an_on_bar_of_one_s_own_trades_alike_in_backtest_replay_paper_and_a_loop() -> None:
    result = run_backtest(BARS, SPEC, strategy=Mine)
    feed = ReplayFeed("MINE", Mine, SPEC.params, SYMBOL, "1h", BARS)
    replayed = replay([feed], ReplayAccount(SPEC.cash, SPEC.costs))
    assert [float(trade.pnl) for trade in replayed.trades["MINE"]] == pytest.approx(
        [record.pnl for record in result.records]
    )
    assert {record.reason for record in result.records} >= {"stop", "rule"}
    own, session = Mine({"params": {"length": 4}}), Session(Executor(Portfolio(), RiskManager(0.01, None)))
    session.add("MINE", SYMBOL, Plan("1h", own.sizing), LiveDecider(SYMBOL, own))
    loop, mine = Executor(Portfolio(), RiskManager(0.01, None)), Mine({"params": {"length": 4}})
    in_session: list[Trade] = []
    in_loop: list[Trade] = []
    for ts, *values in zip(*(column.tolist() for column in BARS), strict=True):
        in_session += session.on_bars([bar(0, tuple(values[:4]), ts=ts, end=ts + HOUR)]).trades
        seen = {"time": ts, **dict(zip(("open", "high", "low", "close", "volume"), values, strict=True))}
        in_loop += loop.on_candle(SYMBOL, seen).trades
        (signal,) = mine.signals(SYMBOL, seen)
        loop.execute_signal(SYMBOL, signal, seen, "MINE")
    closed = [trade for trade in replayed.trades["MINE"] if trade.reason != "end"]
    assert in_session == in_loop == closed


def test_such_a_backtest_says_that_it_cannot_be_proven(tmp_path: Path) -> None:
    result, url = run_backtest(BARS, SPEC, strategy=Mine), f"sqlite:///{tmp_path / 'test.db'}"
    assert result.engine == ENGINE == "on_bar, not provable three ways"
    assert result.equity.size == BARS.ts.size
    assert result.summary.trades_count == len(result.records) > 10
    run_id = save_result(result, url)
    assert load_run(run_id, url).trades == result.records
    with pytest.raises(UsageError, match="a class of your own, which is not stored"):
        rerun(run_id, url)
    with pytest.raises(UsageError, match="cannot be proven three ways; write it as a rule"):
        verify(BARS, SPEC, Mine)
    with pytest.raises(NoDataError, match="needs at least 3 bars"):
        run_backtest(BARS.until(2), SPEC, strategy=Mine)
    with pytest.raises(UsageError, match=r"MINE.on_bar failed: KeyError"):
        run_backtest(BARS, replace(SPEC, params={}), strategy=Mine)


@pytest.mark.unmeasured
def test_an_on_bar_may_stand_upon_a_rule_s() -> None:
    spec = RunSpec(SPEC.series, "CAREFUL", {"ema_fast": 5, "ema_slow": 12}, SPEC.costs, SPEC.cash)
    careful, whole = (
        run_backtest(BARS, spec, strategy=Careful),
        run_backtest(BARS, spec, strategy=TrendEmaLive),
    )
    assert Careful.has_own_on_bar()
    assert not TrendEmaLive.has_own_on_bar()
    first, usual = careful.records[0], whole.records[0]
    assert first.entry_ts == usual.entry_ts
    assert first.size == pytest.approx(usual.size / 2, rel=1e-3)


def test_a_class_must_decide_and_say_what_it_decides() -> None:
    class Nothing(BaseStrategy):
        pass

    class Silent(BaseStrategy):
        def on_bar(self, symbol: str, candle: dict[str, Any]) -> StrategySignal:
            return None  # type: ignore[return-value]

    with pytest.raises(UsageError, match="Nothing decides nothing: give it a rule"):
        Nothing({})
    with pytest.raises(
        UsageError, match=r"Silent.on_bar: wanted a StrategySignal \(HOLD for nothing\), got None"
    ):
        Silent({}).signals(SYMBOL, candle(0))


def test_an_entry_says_how_it_is_sized_where_that_was_chosen() -> None:
    frame = frame_from_bars(BARS)
    found = {}
    for risk in (None, 0.01, 0.03):
        params = {"ema_fast": 2, "ema_slow": 3} | ({} if risk is None else {"risk_per_trade": risk})
        live = TrendEmaLive({"params": params})
        for at in range(80, 125):
            live.state[SYMBOL] = {"df": frame.iloc[: at + 1]}
            signal = live.on_bar(SYMBOL, shown(frame, at))
            if signal.action == "OPEN_LONG":
                break
        found[risk] = (signal.extra or {}).get("risk_per_trade")
    assert found == {None: None, 0.01: 0.01, 0.03: 0.03}
    own = Mine({"params": {"length": 4, "risk_per_trade": 0.02}})
    assert own.sizing == Sizing(0.02)._replace(volatility=own.sizing.volatility)


def test_shorts_are_refused_where_nothing_can_be_borrowed() -> None:
    short = StrategySignal(SYMBOL, "OPEN_SHORT", 1.0, {"stop": 103.0})
    for allowed, kind in ((False, Refused), (True, Approved)):
        made = Executor(Portfolio(), RiskManager(limits=Limits(allow_short=allowed)))
        made.on_candle(SYMBOL, candle(0))
        (outcome,) = made.execute_signal(SYMBOL, short, candle(0), "MINE")
        assert type(outcome) is kind
