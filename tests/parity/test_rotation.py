"""A rotation among several symbols: three ways, on one account, live, and against a simulator of its own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.account.lots import Trade
from core.backtest.compiled_account import CompiledAccount
from core.backtest.fast_backtester import run_fast
from core.backtest.finish import finished
from core.backtest.partners import looked_at, partners_of
from core.backtest.plan import PlannedRun
from core.backtest.replay import ReplayAccount, ReplayFeed, groups, plan_of, replay
from core.domain import LOT, Bars, Costs, Series
from core.engine import Followed, LiveDecider, Session
from core.execution import Executor
from core.live.account import waits_of
from core.live.feed import Feed
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.proof.verify import verify
from core.results.runs import RunSpec
from core.risk.limits import Limits
from core.risk_manager import RiskManager, wide_open
from strategies.pairing import Growing, Partners, bind, bound_rule
from strategies.registry import load_strategy, use_folder
from tests.judge_rotation import Made, Row, Terms, rotate
from tests.markets import HOUR, random_bars
from tests.tiers import statistics, tries

pytestmark = pytest.mark.unmeasured

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "examples" / "strategies"
SYMBOLS = ("ADA/USDT", "BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
COSTS, CASH = Costs(0.001), 10_000.0
PARAMS = {"momentum_period": 12, "hold_count": 2, "stake": 0.15}
TERMS = Terms(12, 2, 0.15, CASH, COSTS.commission, LOT, HOUR)


@pytest.fixture(autouse=True, scope="module")
def examples() -> Iterator[None]:
    assert use_folder(str(FOLDER)) == ()
    yield
    use_folder(None)


def market(seed: int, length: int = 420) -> dict[str, Bars]:
    """Return symbols whose bars are missing here and there, of one for a while, of one at the beginning."""
    found = {name: random_bars(100 * seed + k, length, 0.01) for k, name in enumerate(SYMBOLS)}
    gone = found["ETH/USDT"]
    kept = (gone.ts < gone.ts[150]) | (gone.ts > gone.ts[190])
    found["ETH/USDT"] = Bars(gone.ts[kept], *(column[kept] for column in gone[1:]))
    found["XRP/USDT"] = found["XRP/USDT"].since(90)
    return found


def series_of(symbol: str) -> Series:
    return Series("made-up", symbol, "1h")


def partners(symbol: str, bars: dict[str, Any]) -> Partners:
    rule = load_strategy("ROTATION").rule
    found = looked_at(rule, series_of(symbol), SYMBOLS)
    return partners_of(series_of(symbol), found, {one: bars[one.symbol] for one in found.each})


def rows(bars: Bars) -> list[Row]:
    return list(zip(bars.ts.tolist(), bars.open.tolist(), bars.close.tolist(), strict=True))


def feeds(bars: dict[str, Bars], **params: float) -> list[ReplayFeed]:
    strategy, given = load_strategy("ROTATION"), PARAMS | params
    return [
        ReplayFeed("ROTATION", bind(strategy, partners(one, bars)), given, one, "1h", bars[one])
        for one in SYMBOLS
    ]


def made(trades: tuple[Trade, ...]) -> list[Made]:
    # An account says the moment of a fill: at the last close that is the last one of the bar.
    return [
        Made(
            one.symbol,
            one.entry_time,
            one.exit_time // HOUR * HOUR,
            one.entry_price,
            one.exit_price,
            float(one.amount),
        )
        for one in trades
    ]


@statistics
def test_each_symbol_alone_is_traded_three_ways_alike_and_as_the_slow_simulator_does() -> None:
    count = 0
    # In the last one others have bars before the own first one.
    for seed in sorted({*range(tries(8, 1)), 3}):
        bars = market(seed)
        for symbol in SYMBOLS:
            spec = RunSpec(series_of(symbol), "ROTATION", PARAMS, COSTS, CASH)
            found = verify(
                bars[symbol], spec, bind(load_strategy("ROTATION"), partners(symbol, bars)), sampled=8
            )
            assert found.differences == ()
            expected = rotate({name: rows(one) for name, one in bars.items()}, [symbol], TERMS)
            assert [
                Made(symbol, one.entry_ts, one.exit_ts, one.entry_price, one.exit_price, one.size)
                for one in found.runs[0].trades
            ] == expected
            count += len(expected)
    assert count > 100


@statistics
def test_on_one_account_all_ways_make_the_trades_of_the_slow_simulator() -> None:
    count = 0
    # In the last one others have bars before the own first one.
    for seed in sorted({*range(tries(8, 1)), 3}):
        bars = market(seed)
        expected = sorted(rotate({name: rows(one) for name, one in bars.items()}, SYMBOLS, TERMS))
        given = feeds(bars)
        account = ReplayAccount(CASH, COSTS)
        compiled = CompiledAccount(given, account)
        assert compiled.run() == ""
        runs = replay(given, account), replay(given, account, as_live=True), finished(compiled)
        first = runs[0].trades["ROTATION"]
        assert all(run.trades["ROTATION"] == first for run in runs)
        assert sorted(made(first)) == expected
        count += len(expected)
    assert count > 100


def moving_alike(seed: int) -> dict[str, Bars]:
    """Return symbols that close at the same times and follow one market, each with moves of its own."""
    led, rng = random_bars(100 * seed, 420, 0.01), np.random.default_rng(seed)
    own = np.exp(np.cumsum(rng.normal(0, 0.006, (len(SYMBOLS), led.ts.size)), axis=1))
    return {
        name: Bars(led.ts, led.open * one, led.high * one, led.low * one, led.close * one, led.volume)
        for name, one in zip(SYMBOLS, own, strict=True)
    }


def guarded() -> RiskManager:
    """Return what leaves nothing of an entry beside another symbol that moves as it does."""
    return RiskManager(1.0, None, Limits(allow_short=True, correlation_cut=1.0, correlation_bars=60), COSTS)


def test_what_takes_the_place_of_what_is_sold_at_the_same_open_is_no_smaller_for_it() -> None:
    for seed in (1, 2):
        bars = moving_alike(seed)
        # Held is one at a time: what nothing is beside is whole, as on an account that looks at nothing.
        terms = TERMS._replace(hold=1)
        expected = sorted(rotate({name: rows(one) for name, one in bars.items()}, SYMBOLS, terms))
        given = feeds(bars, hold_count=1)
        compiled = CompiledAccount(given, ReplayAccount(CASH, COSTS, guarded()))
        assert compiled.run() == ""
        runs = (
            replay(given, ReplayAccount(CASH, COSTS, guarded())),
            replay(given, ReplayAccount(CASH, COSTS, guarded()), as_live=True),
            finished(compiled),
        )
        first = runs[0].trades["ROTATION"]
        assert all(run.trades["ROTATION"] == first for run in runs)
        assert sorted(made(first)) == expected
        assert len({one.symbol for one in first}) == len(SYMBOLS)
        # Two at a time do make each other smaller, by all three alike.
        given = feeds(bars, hold_count=2)
        compiled = CompiledAccount(given, ReplayAccount(CASH, COSTS, guarded()))
        assert compiled.run() == ""
        two = replay(given, ReplayAccount(CASH, COSTS, guarded())).trades["ROTATION"]
        assert two == finished(compiled).trades["ROTATION"]
        assert sorted(made(two)) != sorted(
            rotate({name: rows(one) for name, one in bars.items()}, SYMBOLS, TERMS)
        )


def live_session(
    bars: dict[str, Bars], risk: RiskManager | None = None, **params: float
) -> tuple[Session, PaperFills]:
    """Return a session as a loop has it: what each symbol is ranked among grows as it closes."""
    strategy = load_strategy("ROTATION")
    portfolio, risk = Portfolio(CASH), risk or wide_open(COSTS)
    desk = PaperFills(portfolio.settled, COSTS, risk.markets)
    session = Session(Executor(portfolio, risk, desk, COSTS))
    for feed in feeds(bars, **params):
        growing = {name: Growing(1000) for name in SYMBOLS}
        live = bind(strategy, partners(feed.symbol, growing))
        followed = [Followed(name, "1h", one.take) for name, one in growing.items() if name != feed.symbol]
        decider = LiveDecider(feed.symbol, live.live({"params": feed.params}))
        session.add("ROTATION", feed.symbol, plan_of(feed), decider, followed)
        desk.follow("ROTATION", feed.symbol, "1h")
    return session, desk


@pytest.mark.parametrize("is_guarded", [False, True])
def test_a_session_that_sees_every_symbol_close_rotates_as_the_replay_does(is_guarded: bool) -> None:
    bars, risk, params = market(3), guarded if is_guarded else partial(wide_open, COSTS), {"hold_count": 1}
    wanted = replay(feeds(bars, **params), ReplayAccount(CASH, COSTS, risk())).trades["ROTATION"]
    session, desk = live_session(bars, risk(), **params)
    trades: list[Trade] = []
    end = 0
    for group in groups(feeds(bars)):
        end = group[0].end
        trades += session.on_bars(group).trades
    trades += session.on_events(desk.close_at_the_end(), end).trades
    assert len(trades) > 20
    assert tuple(trades) == wanted


def test_a_feed_whose_symbols_are_late_or_missing_brings_a_session_to_the_same_trades() -> None:
    bars, now = market(3), 0
    # Published half a minute late at most: within what a bar waits.
    late = dict(zip(SYMBOLS, (0, 5_000, 12_000, 12_000, 25_000), strict=True))

    def read(series: Series, start: int, end: int) -> Bars:
        ts = bars[series.symbol].ts
        shown = min(end, now - late[series.symbol] - HOUR + 1)
        first, last = np.searchsorted(ts, [start, max(start, shown)])
        return bars[series.symbol].until(int(last)).since(int(first))

    wanted = replay(feeds(bars), ReplayAccount(CASH, COSTS)).trades["ROTATION"]
    members = [PlannedRun(name, "1h", "ROTATION", PARAMS, SYMBOLS) for name in SYMBOLS]
    begin, stop = min(int(one.ts[0]) for one in bars.values()), max(int(one.ts[-1]) for one in bars.values())
    feed = Feed(read, waits_of(members, "made-up"), {series_of(name): begin - HOUR for name in SYMBOLS})
    feed.wait_for(waits_of(members, "made-up"))
    session, desk = live_session(bars)
    trades: list[Trade] = []
    for moment in range(begin + HOUR, stop + HOUR + 1, HOUR):
        for after in (0, 6_000, 13_000, 26_000, 30_001):
            now = moment + after
            for _, group in groupby(feed.poll(now).bars, key=attrgetter("end")):
                trades += session.on_bars(list(group)).trades
    trades += session.on_events(desk.close_at_the_end(), stop + HOUR).trades
    assert len(trades) > 20
    assert tuple(trades) == wanted


def test_later_candles_of_the_others_change_no_place() -> None:
    bars, rule = market(1), load_strategy("ROTATION").rule
    params = rule.make_params(PARAMS)
    own = bars["BTC/USDT"]
    for cut in (60, 200, 333):
        end = own.ts[cut]
        poisoned = {
            name: Bars(one.ts, *(np.where(one.ts > end, 1e9, column) for column in one[1:]))
            for name, one in bars.items()
        }
        clean, wrong = (
            bound_rule(rule, partners("BTC/USDT", found)).columns(own, params) for found in (bars, poisoned)
        )
        for one, other in zip(clean, wrong, strict=True):
            assert np.array_equal(one[: cut + 1], other[: cut + 1], equal_nan=True)
        assert not np.array_equal(clean.place[cut + 1 :], wrong.place[cut + 1 :])


def test_a_run_names_the_universe_and_how_far_each_symbol_reaches() -> None:
    bars = market(2)
    spec = RunSpec(series_of("BTC/USDT"), "ROTATION", PARAMS, COSTS, CASH)
    found = run_fast(bars["BTC/USDT"], spec, partners=partners("BTC/USDT", bars)).partners
    assert [one.series.symbol for one in found] == ["ADA/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT"]
    assert all(one.is_ranked for one in found)
    own = bars["BTC/USDT"].ts
    assert [one.covered for one in found] == [
        int(np.isin(own, bars[one.series.symbol].ts).sum()) for one in found
    ]
